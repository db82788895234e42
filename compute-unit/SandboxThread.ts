/**
 * What crosses to a sandbox thread and back: one request, one answer, in order. Everything is plain data, so that
 * structured clone carries it; errors cross as values. `sandboxOver` is the seam's side of it, wherever the thread is.
 */
import * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { type Answer, ModuleInvalid, type Query } from "./ComputeUnit.ts"
import type { ScriptEngine } from "./Engine.ts"
import {
  EngineInvalid,
  EngineUnknown,
  type Entry,
  type Evaluated,
  type Inspected,
  type Opening,
  type Sandbox,
  SandboxLost,
  SnapshotInvalid,
  type StateProof,
  type Taken,
} from "./Sandbox.ts"

export type Request =
  | { readonly kind: "engine"; readonly artifact: Uint8Array; readonly id: Uint8Array }
  | { readonly kind: "check"; readonly source: Uint8Array }
  | { readonly kind: "open"; readonly opening: Opening }
  | {
      readonly kind: "restore"
      readonly opening: Opening
      readonly snapshot: Uint8Array
      readonly stateRoot: Uint8Array
    }
  | { readonly kind: "run"; readonly process: Id.ProcessId; readonly entries: ReadonlyArray<Entry> }
  | { readonly kind: "query"; readonly process: Id.ProcessId; readonly query: Query; readonly at: Entry }
  | {
      readonly kind: "inspect"
      readonly process: Id.ProcessId
      readonly expression: string
      readonly at: Entry
    }
  | { readonly kind: "take"; readonly process: Id.ProcessId }
  | { readonly kind: "pages"; readonly process: Id.ProcessId; readonly indices: ReadonlyArray<number> }
  | { readonly kind: "prove"; readonly process: Id.ProcessId; readonly view: string }
  | { readonly kind: "close"; readonly process: Id.ProcessId }

/** Guest code that does not load; crosses as fields because classes do not. */
export interface Invalid {
  readonly detail: string
  readonly file: string
  readonly line: number
  readonly column: number
}

export type Reply =
  | { readonly kind: "done" }
  | { readonly kind: "invalid"; readonly invalid: Invalid }
  | { readonly kind: "evaluated"; readonly evaluated: ReadonlyArray<Evaluated> }
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "inspected"; readonly inspected: Inspected }
  | { readonly kind: "taken"; readonly taken: Taken }
  | { readonly kind: "pages"; readonly pages: ReadonlyArray<Uint8Array> }
  | { readonly kind: "proven"; readonly proof: StateProof }
  /** A snapshot or an engine is not what it is said to be. */
  | { readonly kind: "refused"; readonly detail: string }
  | { readonly kind: "engine unknown"; readonly engine: Uint8Array }
  /** The thread holds no such process, or can't go on with it: what it held of the process is gone. */
  | { readonly kind: "lost"; readonly detail: string; readonly own: boolean }

export interface Numbered<A> {
  readonly number: number
  readonly body: A
}

const failure = (process: Id.ProcessId, reply: Reply) =>
  reply.kind === "lost"
    ? new SandboxLost({ process, detail: reply.detail, own: reply.own })
    : new SandboxLost({ process, detail: `unexpected answer ${reply.kind}`, own: true })

const lacking = (reply: Reply): EngineUnknown | undefined =>
  reply.kind === "engine unknown" ? new EngineUnknown({ engine: reply.engine }) : undefined

/** Where a sandbox's requests go; those of one process must always go to one thread. */
export interface Threads {
  readonly ask: (process: Id.ProcessId | undefined, request: Request) => Effect.Effect<Reply>
  /** Asks every thread. */
  readonly askAll: (request: Request) => Effect.Effect<ReadonlyArray<Reply>>
}

/** A sandbox over threads that have `engine`. */
export const sandboxOver = (engine: ScriptEngine, { ask, askAll }: Threads): Sandbox["Service"] => {
  /** Asks, and takes the answer of the kind expected. */
  const expect = <K extends Reply["kind"]>(process: Id.ProcessId, request: Request, kind: K) =>
    Effect.flatMap(ask(process, request), (reply) =>
      isOf(reply, kind) ? Effect.succeed(reply) : Effect.fail(failure(process, reply)),
    )
  /** The same for what may need an engine that the thread has not. */
  const expectWithEngine = <K extends Reply["kind"]>(process: Id.ProcessId, request: Request, kind: K) =>
    Effect.flatMap(
      ask(process, request),
      (reply): Effect.Effect<Extract<Reply, { kind: K }>, SandboxLost | EngineUnknown> =>
        isOf(reply, kind) ? Effect.succeed(reply) : Effect.fail(lacking(reply) ?? failure(process, reply)),
    )
  // Loading leaves nothing behind, so where the thread was lost over it, it is done again.
  const check = (source: Uint8Array, faults = 0): Effect.Effect<void, ModuleInvalid> =>
    Effect.flatMap(ask(undefined, { kind: "check", source }), (reply) => {
      if (reply.kind === "invalid") return Effect.fail(new ModuleInvalid(reply.invalid))
      if (reply.kind === "done") return Effect.void
      if (faults + 1 < Limit.hostFaultsMax) return check(source, faults + 1)
      return Effect.die(new Error(`the module could not be checked: ${JSON.stringify(reply)}`))
    })
  return {
    engine: engine.id,
    artifact: engine.artifact,
    addEngine: (artifact, id) =>
      Effect.flatMap(askAll({ kind: "engine", artifact, id }), (replies) => {
        const refused = replies.find((reply) => reply.kind === "refused")
        return refused === undefined
          ? Effect.void
          : Effect.fail(new EngineInvalid({ engine: id, detail: refused.detail }))
      }),
    check: (source) => check(source),
    open: (opening) => Effect.asVoid(expectWithEngine(opening.process, { kind: "open", opening }, "done")),
    restore: (opening, snapshot, stateRoot) =>
      Effect.flatMap(
        ask(opening.process, { kind: "restore", opening, snapshot, stateRoot }),
        (reply): Effect.Effect<void, SandboxLost | EngineUnknown | SnapshotInvalid> => {
          if (reply.kind === "done") return Effect.void
          if (reply.kind === "refused") return Effect.fail(new SnapshotInvalid({ detail: reply.detail }))
          return Effect.fail(lacking(reply) ?? failure(opening.process, reply))
        },
      ),
    run: (process, entries) =>
      Effect.map(
        expectWithEngine(process, { kind: "run", process, entries }, "evaluated"),
        ({ evaluated }) => evaluated,
      ),
    query: (process, query, at) =>
      Effect.map(expect(process, { kind: "query", process, query, at }, "answer"), ({ answer }) => answer),
    inspect: (process, expression, at) =>
      Effect.map(
        expect(process, { kind: "inspect", process, expression, at }, "inspected"),
        ({ inspected }) => inspected,
      ),
    take: (process) => Effect.map(expect(process, { kind: "take", process }, "taken"), ({ taken }) => taken),
    pages: (process, indices) =>
      Effect.map(expect(process, { kind: "pages", process, indices }, "pages"), ({ pages }) => pages),
    prove: (process, view) =>
      Effect.map(expect(process, { kind: "prove", process, view }, "proven"), ({ proof }) => proof),
    close: (process) => Effect.asVoid(ask(process, { kind: "close", process })),
  }
}

const isOf = <K extends Reply["kind"]>(reply: Reply, kind: K): reply is Extract<Reply, { kind: K }> =>
  reply.kind === kind
