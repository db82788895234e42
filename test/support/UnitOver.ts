/** A compute unit over a log that is written by hand, and what a process came to there. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { ComputeUnit, Query } from "../../compute-unit/ComputeUnit.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Message from "../../runtime/Message.ts"
import * as Module from "../../runtime/Module.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "./Caller.ts"
import type * as LogBook from "./LogBook.ts"
import * as SmallNode from "./SmallNode.ts"

export type Unit = ComputeUnit["Service"]

export const ada = Caller.caller("ada")

/** Counts, tells others, waits; its state and what it publishes are the number. */
export const guest = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); console.log("now", n); return n })
  heddle.on("Get", () => n)
  heddle.on("Tell", (m) => { heddle.send(m.tags.To, { action: "Add" }); heddle.publish("told", true); return ++n })
  heddle.on("Later", async () => { await heddle.sleep("5s"); return ++n })`

/** Its module. */
export const module = Module.id(Bytes.fromText(guest))

export const asked = (action: string): Query => ({ action, tags: [], data: Bytes.empty, from: "" })

export interface Options extends Partial<SmallNode.Seams> {
  readonly residentBytesMax?: number
  /** Modules that are stored beside `guest`. */
  readonly sources?: ReadonlyArray<string | Uint8Array>
}

/** A unit over a log; it ends with the test unless it is stopped before. */
export const make = Effect.fnUntraced(function* (
  scheduler: SchedulerUnit["Service"],
  { residentBytesMax, sources = [], ...given }: Options = {},
) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const seams = SmallNode.seams(given)
  const bytes = [guest, ...sources].map((source) =>
    typeof source === "string" ? Bytes.fromText(source) : source,
  )
  yield* Effect.orDie(seams.store.commit(bytes.map(Module.put)))
  const unit = yield* Scope.provide(SmallNode.compute(scheduler, seams, residentBytesMax), scope)
  return { unit, ...seams, stop: Scope.close(scope, Exit.void) }
})

/** Spawns a process in a log. */
export const spawn = Effect.fnUntraced(function* (
  book: LogBook.LogBook,
  source: string = guest,
  tags: Record<string, string> = {},
) {
  const module = Module.id(Bytes.fromText(source))
  const item = yield* Effect.promise(() => ada.spawn(module, book.service.address, tags))
  book.write({ process: item.id, item: item.bytes })
  return item.id
})

/** Lines of a process, each its own message. */
export const say = (process: Id.ProcessId, ...actions: ReadonlyArray<string>) =>
  Effect.forEach(actions, (action) =>
    Effect.map(
      Effect.promise(() => ada.message(process, action)),
      (item): LogBook.Line => ({ process, item: item.bytes }),
    ),
  )

/** Many lines of a process under one signature. */
export const sayMany = (process: Id.ProcessId, action: string, count: number) =>
  Effect.map(
    Effect.orDie(
      SignedItem.signMany(
        ada.signer,
        Array.from({ length: count }, () => ({
          target: Id.toBytes(process),
          tags: [...Message.protocolTags("Message"), { name: "Action", value: action }],
          data: Bytes.empty,
        })),
      ),
    ),
    (items) => items.map(({ bytes }): LogBook.Line => ({ process, item: bytes })),
  )

/** What a process came to at a unit: outcome hash and attested root, a line a slot. */
export const shown = Effect.fnUntraced(function* (unit: Unit, process: Id.ProcessId) {
  const turns = yield* unit.turns(process, 0, 100_000)
  return yield* Effect.forEach(turns, ({ outcome }) =>
    Effect.map(unit.attestation(process, outcome.slot), (signed) => {
      const { to } = signed!.attestation
      return `${Bytes.toHex(Outcome.hash(outcome))} ${to.slot} ${Bytes.toHex(to.stateRoot)}`
    }),
  )
})

/** Lets all else run for as long as anything could reasonably take. */
export const letRun = Effect.forEach(Array.from({ length: 300 }), () => Effect.yieldNow, { discard: true })
