/**
 * Sandbox host: what a sandbox thread does with a request, as a synchronous function. The thread's entry posts
 * messages around it; `SandboxInline` calls it in place.
 */
import type * as Id from "../runtime/Id.ts"
import * as Engine from "./Engine.ts"
import * as Evaluation from "./Evaluation.ts"
import * as ProcessState from "./ProcessState.ts"
import type { Reply, Request } from "./SandboxThread.ts"
import * as Turn from "./Turn.ts"

const notOpen: Reply = { kind: "lost", detail: "it is not open in this thread", own: false }
const done: Reply = { kind: "done" }

type OfProcess = Extract<Request, { readonly process: Id.ProcessId }>

/** One host a thread: instances of guest code and the processes that live in it. `onTurn` hears of each turn done. */
export const make = (onTurn: () => void = () => {}): ((request: Request) => Reply) => {
  const machine = new Turn.Machine()
  const processes = new Map<Id.ProcessId, ProcessState.ProcessState>()

  const remove = (process: Id.ProcessId): void => {
    const memory = processes.get(process)?.memory
    if (memory instanceof Turn.Memory) memory.discard()
    processes.delete(process)
  }

  const handleOpen = (request: OfProcess, state: ProcessState.ProcessState): Reply => {
    switch (request.kind) {
      case "run": {
        const last = request.entries.length - 1
        const evaluated = request.entries.map((entry, i) => {
          const one = Evaluation.evaluate(machine, state, entry, i < last)
          onTurn()
          return one
        })
        return { kind: "evaluated", evaluated }
      }
      case "query":
        return { kind: "answer", answer: Evaluation.query(machine, state, request.query, request.at) }
      case "inspect":
        return {
          kind: "inspected",
          inspected: Evaluation.inspect(machine, state, request.expression, request.at),
        }
      case "take":
        return { kind: "taken", taken: ProcessState.take(state) }
      case "pages":
        return { kind: "pages", pages: ProcessState.pages(state, request.indices) }
      case "prove":
        return { kind: "proven", proof: ProcessState.prove(state, request.view) }
      case "close":
        remove(request.process)
        return done
    }
  }

  const handle = (request: Request): Reply => {
    switch (request.kind) {
      case "engine":
        Engine.add(Engine.read(request.artifact, request.id))
        return done
      case "check": {
        const invalid = ProcessState.check(request.source)
        return invalid === undefined ? done : { kind: "invalid", invalid }
      }
      case "open":
        remove(request.opening.process)
        processes.set(request.opening.process, ProcessState.open(request.opening))
        return done
      case "restore": {
        const { opening, snapshot, stateRoot } = request
        const state = ProcessState.restore(opening, snapshot, stateRoot)
        if (typeof state === "string") return { kind: "refused", detail: state }
        remove(opening.process)
        processes.set(opening.process, state)
        return done
      }
      default: {
        const state = processes.get(request.process)
        if (state !== undefined) return handleOpen(request, state)
        return request.kind === "close" ? done : notOpen
      }
    }
  }

  return (request) => {
    try {
      return handle(request)
    } catch (error) {
      // A fault of the host is no outcome: the process goes back to its log, and its neighbours go on.
      if ("process" in request) remove(request.process)
      if (error instanceof ProcessState.Unknown) return { kind: "engine unknown", engine: error.engine }
      if (error instanceof Engine.EngineInvalid) return { kind: "refused", detail: error.message }
      return { kind: "lost", detail: error instanceof Error ? error.message : String(error), own: true }
    }
  }
}
