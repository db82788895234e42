/** Threads: sandboxes in threads and processes that live in them, without log, signatures or store. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Entry, Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import type { TurnError } from "../../runtime/Outcome.ts"
import * as Life from "../support/Life.ts"

export interface Threads extends AsyncDisposable {
  readonly sandbox: Sandbox["Service"]
}

export const start = async (size: number): Promise<Threads> => {
  const scope = Effect.runSync(Scope.make())
  const sandbox = await Effect.runPromise(Scope.provide(SandboxWorkers.make(size), scope))
  return { sandbox, [Symbol.asyncDispose]: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

let lives = 0

/** A life of `source` whose process lands on thread `thread` of `size`: the first byte of its id says which. */
export const lifeOn = (source: string | Uint8Array, thread = 0, size = 1): Life.Life => {
  for (;;) {
    const life = Life.make(source, [["Compute-Limit", "1000000000"]], `benchmark ${lives++}`)
    if (Buffer.from(life.process, "base64url")[0]! % size === thread) return life
  }
}

/** Runs slots, every one of which is to end as said: well, or with an error of this reason. */
export const run = async (
  { sandbox }: Threads,
  { process }: Life.Life,
  entries: ReadonlyArray<Entry>,
  reason?: TurnError["reason"],
): Promise<void> => {
  for (const { outcome } of await Effect.runPromise(sandbox.run(process, entries)))
    if (outcome.error?.reason !== reason)
      throw new Error(`slot ${outcome.slot} ends with ${outcome.error?.message ?? "no error"}`)
}

/** Opens a process and runs its spawn. */
export const begin = async (threads: Threads, life: Life.Life): Promise<void> => {
  await Effect.runPromise(threads.sandbox.open(life.opening))
  await run(threads, life, [life.next()])
}

/** A message said many times; the last slot has a root, as that of a scheduler's batch has. */
export const batch = (life: Life.Life, action: string, count: number): ReadonlyArray<Entry> =>
  Array.from({ length: count }, (_, i) => ({ ...life.next(action), root: i === count - 1 }))
