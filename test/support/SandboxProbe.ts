/** A sandbox that a test watches: what was asked of it, in order, and what it is made to answer. */
import * as Effect from "effect/Effect"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import type * as Id from "../../runtime/Id.ts"

type Service = Sandbox["Service"]

export interface Asked {
  readonly what: "open" | "restore" | "run" | "query" | "take" | "prove" | "close" | "engine"
  readonly process: Id.ProcessId | undefined
  /** Slots of a run. */
  readonly slots: ReadonlyArray<number>
}

export interface SandboxProbe {
  readonly sandbox: Service
  readonly asked: Array<Asked>
  /** Slots that a process was asked to run. */
  readonly ran: (process: Id.ProcessId) => ReadonlyArray<number>
  /** How often it was asked for `what`. */
  readonly count: (what: Asked["what"], process?: Id.ProcessId) => number
  /** Asked before anything is done; what is asked waits for it. */
  before: (asked: Asked) => Effect.Effect<void>
}

export const make = (inner: Service = SandboxInline.make()): SandboxProbe => {
  const asked: Array<Asked> = []
  const noted = <A, E>(
    what: Asked["what"],
    process: Id.ProcessId | undefined,
    effect: Effect.Effect<A, E>,
    slots: ReadonlyArray<number> = [],
  ): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      const one = { what, process, slots }
      asked.push(one)
      return Effect.andThen(probe.before(one), effect)
    })
  const probe: SandboxProbe = {
    asked,
    before: () => Effect.void,
    ran: (process) => asked.filter((one) => one.process === process).flatMap(({ slots }) => slots),
    count: (what, process) =>
      asked.filter((one) => one.what === what && (process === undefined || one.process === process)).length,
    sandbox: {
      ...inner,
      addEngine: (artifact, id) => noted("engine", undefined, inner.addEngine(artifact, id)),
      open: (opening) => noted("open", opening.process, inner.open(opening)),
      restore: (opening, snapshot, root) =>
        noted("restore", opening.process, inner.restore(opening, snapshot, root)),
      run: (process, entries) =>
        noted(
          "run",
          process,
          inner.run(process, entries),
          entries.map(({ slot }) => slot),
        ),
      query: (process, query, at) => noted("query", process, inner.query(process, query, at)),
      take: (process) => noted("take", process, inner.take(process)),
      prove: (process, view) => noted("prove", process, inner.prove(process, view)),
      close: (process) => noted("close", process, inner.close(process)),
    },
  }
  return probe
}
