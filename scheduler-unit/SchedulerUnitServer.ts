/** SchedulerUnitServer: the calls of a scheduler unit for whoever asks over a network. */
import * as Effect from "effect/Effect"
import type * as Id from "../runtime/Id.ts"
import { Network } from "../runtime/Network.ts"
import * as Exchange from "../runtime/Exchange.ts"
import * as Paging from "../runtime/Paging.ts"
import * as SchedulerCalls from "./SchedulerCalls.ts"
import { type CommittedBatch, type LogEntry, SchedulerUnit } from "./SchedulerUnit.ts"

const entryBytes = ({ item, proof }: LogEntry): number => item.length + proof.length

const batchBytes = ({ entries }: CommittedBatch): number =>
  entries.reduce((sum, entry) => sum + entryBytes(entry), 0)

/** Serves the unit for as long as the scope lives. */
export const make = Effect.gen(function* () {
  const unit = yield* SchedulerUnit
  const network = yield* Network
  const { answering } = Exchange

  const log = Effect.fnUntraced(function* (asked: Parameters<typeof unit.log>) {
    const found = yield* unit.log(...asked)
    const entries = Paging.cut(found, entryBytes)
    const slot = entries.at(-1)?.assignment.slot
    const last = slot === undefined ? undefined : yield* unit.receipt(asked[0], slot)
    return { entries, last, more: entries.length < found.length }
  })

  const newestSlot = (process: Id.ProcessId) =>
    Effect.map(unit.processes, (all) => (all.find((one) => one.process === process)?.nextSlot ?? 0) - 1)
  const slots = (process: Id.ProcessId, from: number) =>
    Paging.page(
      unit.slots(process, from),
      newestSlot(process),
      ({ entry }) => entry.assignment.slot,
      ({ entry }) => entryBytes(entry),
    )

  yield* Exchange.serve(network, SchedulerCalls.protocol, [
    answering(SchedulerCalls.submit, ({ item, proof }) => Effect.result(unit.submit(item, proof))),
    answering(SchedulerCalls.addData, (bytes) => Effect.result(unit.addData(bytes))),
    answering(SchedulerCalls.data, unit.data),
    answering(SchedulerCalls.receipt, ({ process, slot }) => Effect.result(unit.receipt(process, slot))),
    answering(SchedulerCalls.log, ({ process, from, limit }) => Effect.result(log([process, from, limit]))),
    answering(SchedulerCalls.processes, () => unit.processes),
    answering(SchedulerCalls.authority, (process) => Effect.result(unit.authority(process))),
    answering(SchedulerCalls.tenure, (process) => Effect.result(unit.tenure(process))),
    answering(SchedulerCalls.slots, ({ process, from }) => Effect.result(slots(process, from))),
    answering(SchedulerCalls.module, unit.module),
    answering(SchedulerCalls.knows, unit.knows),
    answering(SchedulerCalls.nextBatch, () => unit.nextBatch),
    answering(SchedulerCalls.batches, (from) =>
      Effect.orDie(
        Paging.page(
          unit.batches(from),
          Effect.map(unit.nextBatch, (next) => next - 1),
          ({ link }) => link.number,
          batchBytes,
        ),
      ),
    ),
  ])
})
