/**
 * MessengerUnit in the process of the other units: no hop between them, so an `ask` costs what its two commits cost.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { ArchiveUnit } from "../archive-unit/ArchiveUnit.ts"
import { ComputeUnit, ModuleInvalid } from "../compute-unit/ComputeUnit.ts"
import * as Address from "../runtime/Address.ts"
import type * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import * as Module from "../runtime/Module.ts"
import * as Process from "../runtime/Process.ts"
import { Store } from "../runtime/Store.ts"
import * as Tag from "../runtime/Tag.ts"
import { LogUnknown, SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import * as Delivery from "./Delivery.ts"
import * as Inbox from "./Inbox.ts"
import { type Answered, MessengerUnit, type ProcessInfo } from "./MessengerUnit.ts"

/** `version` is that of the program. */
export const make = Effect.fnUntraced(function* (version: string) {
  const store = yield* Store
  const scheduler = yield* SchedulerUnit
  const compute = yield* ComputeUnit
  const archive = yield* ArchiveUnit
  const inbox = yield* Inbox.make
  const delivery = yield* Delivery.make(inbox)
  const noProof = new Uint8Array(0)

  // Not to be interrupted by who lost patience: whoever waits for what was spawned, or who spoke, has to hear of it.
  const send = (item: Uint8Array) =>
    scheduler.submit(item, noProof).pipe(
      Effect.tap((accepted) =>
        Effect.sync(() => {
          delivery.arrived(accepted)
          delivery.met(() => Address.of(Result.getOrThrow(Item.decode(item)).owner).text)
        }),
      ),
      Effect.uninterruptible,
    )

  const replied = Effect.fnUntraced(function* (process: Id.ProcessId, slot: number) {
    const { outcome } = yield* compute.turn(process, slot)
    const { error, fuelUsed, message } = outcome
    if (error !== undefined)
      return { fuelUsed, result: { error: error.message, reason: error.reason } } satisfies Answered
    const reply = yield* compute.reply(process, message)
    const result =
      "error" in reply ? { error: reply.error, reason: "replied" as const } : { value: reply.value }
    return { fuelUsed, result } satisfies Answered
  })

  const answer = (process: Id.ProcessId, slot: number): Effect.Effect<Answered> => {
    const parked = Effect.map(compute.parked(process), (why): Answered => ({
      fuelUsed: 0n,
      result: { error: why, reason: "parked" },
    }))
    return Effect.raceFirst(replied(process, slot), parked)
  }

  const assigned = Effect.fnUntraced(function* (process: Id.ProcessId, slot: number) {
    const entries = yield* scheduler.log(process, slot, 1)
    if (entries.length === 0) return yield* new LogUnknown({ process, slot })
  })

  const describe = Effect.fnUntraced(function* (process: Id.ProcessId, slots: number, timestamp: number) {
    const [spawn] = yield* scheduler.log(process, 0, 1)
    const made = Result.getOrThrow(
      Result.flatMap(Item.decode(spawn!.item), (item) =>
        Result.flatMap(Message.parse(item), Process.fromSpawn),
      ),
    )
    const progress = yield* compute.progress(process)
    const attested = yield* compute.attestation(process, Math.max(progress.slots - 1, 0))
    const info: ProcessInfo = {
      process,
      owner: made.owner,
      module: made.module,
      name: Tag.value(made.tags, "Name"),
      slots,
      computed: progress.slots,
      timestamp,
      stateRoot: attested?.attestation.to.stateRoot ?? new Uint8Array(32),
      engine: progress.engine,
      parked: progress.parked,
    }
    return info
  })

  return MessengerUnit.of({
    info: Effect.succeed({
      version,
      scheduler: scheduler.address,
      compute: compute.address,
      engine: compute.engine,
    }),
    addModule: (source) => {
      if (source.length <= Limit.moduleBytesMax) return compute.addModule(source)
      const detail = `${source.length} bytes; at most ${Limit.moduleBytesMax} are allowed`
      return Effect.fail(new ModuleInvalid({ detail, file: "module.js", line: 1, column: 1 }))
    },
    module: (id) => Effect.sync(() => Module.get(store, id)),
    addData: scheduler.addData,
    data: scheduler.data,
    send,
    ask: (item) =>
      Effect.flatMap(send(item), (accepted) =>
        Effect.map(answer(accepted.process, accepted.slot), (answered) => ({ accepted, ...answered })),
      ),
    answer: (process, slot) => Effect.andThen(assigned(process, slot), answer(process, slot)),
    receipt: scheduler.receipt,
    log: scheduler.log,
    turn: (process, slot) => Effect.andThen(assigned(process, slot), compute.turn(process, slot)),
    turns: compute.turns,
    attestation: compute.attestation,
    equivocation: compute.equivocation,
    follow: (process, from) => Stream.unwrap(Effect.as(assigned(process, 0), compute.follow(process, from))),
    query: compute.query,
    // Half of a pair is kept as the bytes of another character, and would find what stands under that one.
    view: (process, name) => (name.isWellFormed() ? compute.view(process, name) : Effect.undefined),
    viewProof: compute.viewProof,
    snapshots: compute.snapshots,
    snapshot: compute.snapshot,
    engineBytes: compute.engineBytes,
    process: Effect.fnUntraced(function* (process) {
      const head = (yield* scheduler.processes).find((one) => one.process === process)
      return head === undefined
        ? yield* new LogUnknown({ process, slot: 0 })
        : yield* describe(process, head.nextSlot, head.timestamp)
    }),
    processes: Effect.flatMap(scheduler.processes, (heads) =>
      Effect.orDie(
        Effect.forEach(heads, ({ process, nextSlot, timestamp }) => describe(process, nextSlot, timestamp)),
      ),
    ),
    authority: scheduler.authority,
    outbox: delivery.undelivered,
    outboxEntry: delivery.entry,
    retry: delivery.retry,
    openInbox: (signatureType, owner) =>
      Effect.tap(inbox.open(signatureType, owner), (address) =>
        Effect.sync(() => delivery.met(() => address)),
      ),
    inbox: (address, from, limit, wait = false) => inbox.read(address, from, limit, wait),
    archive: archive.status,
    anchor: archive.anchor,
    archiveCost: (process) => Effect.andThen(assigned(process, 0), archive.cost(process)),
  })
})

export const layer = (version: string) => Layer.effect(MessengerUnit, make(version))
