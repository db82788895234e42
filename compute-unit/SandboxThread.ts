/**
 * What crosses to a sandbox thread and back: one request, one answer, in order. Everything is plain data, so that
 * structured clone carries it; errors cross as values. `sandboxOver` is the seam's side of it, wherever the thread is.
 */
import * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { type Answer, ModuleInvalid, type Query } from "./ComputeUnit.ts"
import { type Entry, type Evaluated, type Opening, type Sandbox, SandboxLost } from "./Sandbox.ts"

export type Request =
  | { readonly kind: "check"; readonly source: Uint8Array }
  | { readonly kind: "open"; readonly opening: Opening }
  | { readonly kind: "run"; readonly process: Id.ProcessId; readonly entries: ReadonlyArray<Entry> }
  | { readonly kind: "query"; readonly process: Id.ProcessId; readonly query: Query; readonly at: Entry }
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
  /** The thread holds no such process, or can't go on with it: what it held of the process is gone. */
  | { readonly kind: "lost"; readonly detail: string; readonly own: boolean }

export interface Numbered<A> {
  readonly number: number
  readonly body: A
}

const lost = (process: Id.ProcessId, reply: Reply) =>
  reply.kind === "lost"
    ? new SandboxLost({ process, detail: reply.detail, own: reply.own })
    : new SandboxLost({ process, detail: `unexpected answer ${reply.kind}`, own: true })

/** A sandbox whose requests go where `ask` takes them; those of one process must always go to one thread. */
export const sandboxOver = (
  engine: Uint8Array,
  ask: (process: Id.ProcessId | undefined, request: Request) => Effect.Effect<Reply>,
): Sandbox["Service"] => ({
  engine,
  check: (source) => {
    // Loading leaves nothing behind, so where the thread was lost over it, it is done again.
    const check = (faults: number): Effect.Effect<void, ModuleInvalid> =>
      Effect.flatMap(ask(undefined, { kind: "check", source }), (reply) => {
        if (reply.kind === "invalid") return Effect.fail(new ModuleInvalid(reply.invalid))
        if (reply.kind === "done") return Effect.void
        if (faults + 1 < Limit.hostFaultsMax) return check(faults + 1)
        return Effect.die(new Error(`the module could not be checked: ${JSON.stringify(reply)}`))
      })
    return check(0)
  },
  open: (opening) =>
    Effect.flatMap(ask(opening.process, { kind: "open", opening }), (reply) =>
      reply.kind === "done" ? Effect.void : Effect.fail(lost(opening.process, reply)),
    ),
  run: (process, entries) =>
    Effect.flatMap(ask(process, { kind: "run", process, entries }), (reply) =>
      reply.kind === "evaluated" ? Effect.succeed(reply.evaluated) : Effect.fail(lost(process, reply)),
    ),
  query: (process, query, at) =>
    Effect.flatMap(ask(process, { kind: "query", process, query, at }), (reply) =>
      reply.kind === "answer" ? Effect.succeed(reply.answer) : Effect.fail(lost(process, reply)),
    ),
  close: (process) => Effect.asVoid(ask(process, { kind: "close", process })),
})
