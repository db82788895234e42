/**
 * Sandbox host: what a sandbox thread does with a request, as a synchronous function. The thread's entry posts
 * messages around it; `SandboxInline` calls it in place.
 */
import type * as Id from "../runtime/Id.ts"
import * as Evaluation from "./Evaluation.ts"
import type { Reply, Request } from "./SandboxThread.ts"
import * as Turn from "./Turn.ts"

const notOpen: Reply = { kind: "lost", detail: "it is not open in this thread", own: false }

/** One host a thread: an engine instance and the processes that live in it. */
export const make = (): ((request: Request) => Reply) => {
  const machine = new Turn.Machine()
  const processes = new Map<Id.ProcessId, Evaluation.ProcessState>()

  const handle = (request: Request): Reply => {
    switch (request.kind) {
      case "check": {
        const invalid = Evaluation.check(request.source)
        return invalid === undefined ? { kind: "done" } : { kind: "invalid", invalid }
      }
      case "open":
        processes.set(request.opening.process, Evaluation.open(request.opening))
        return { kind: "done" }
      case "run": {
        const state = processes.get(request.process)
        if (state === undefined) return notOpen
        return {
          kind: "evaluated",
          evaluated: request.entries.map((entry) => Evaluation.evaluate(machine, state, entry)),
        }
      }
      case "query": {
        const state = processes.get(request.process)
        if (state === undefined) return notOpen
        return { kind: "answer", answer: Evaluation.query(machine, state, request.query, request.at) }
      }
      case "close":
        processes.delete(request.process)
        return { kind: "done" }
    }
  }

  return (request) => {
    try {
      return handle(request)
    } catch (error) {
      // A fault of the host is no outcome: the process goes back to its log, and its neighbours go on.
      if (request.kind === "run" || request.kind === "query") processes.delete(request.process)
      return { kind: "lost", detail: error instanceof Error ? error.message : String(error), own: true }
    }
  }
}
