/**
 * RestoreCheck: the end of a restore: each process is made as it was and what it comes to is held against what was
 * attested. What was assigned and has no turn yet is run, where the key is there to attest it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ComputeUnitLocal from "../compute-unit/ComputeUnitLocal.ts"
import type { EngineStore } from "../compute-unit/EngineStore.ts"
import * as Follower from "../compute-unit/Follower.ts"
import * as OutcomeLog from "../compute-unit/OutcomeLog.ts"
import * as Replay from "../compute-unit/Replay.ts"
import { Sandbox } from "../compute-unit/Sandbox.ts"
import * as SnapshotLog from "../compute-unit/SnapshotLog.ts"
import * as TurnRunner from "../compute-unit/TurnRunner.ts"
import { Signer } from "../identity/Signer.ts"
import * as Admission from "../runtime/Admission.ts"
import type * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { AssignmentLog } from "../scheduler-unit/AssignmentLog.ts"
import { SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"

/** A process that was restored. */
export interface Checked {
  readonly process: Id.ProcessId
  /** Assigned, and of those computed. */
  readonly slots: number
  readonly computed: number
  /** State root after the last computed slot, as it came out here; unset where nothing is computed. */
  readonly stateRoot: Uint8Array | undefined
  /** What the archive has attested last. */
  readonly attested: { readonly slot: number; readonly stateRoot: Uint8Array } | undefined
  /** Whether the state after that slot is the one attested; unset where there is nothing to compare. */
  readonly equal: boolean | undefined
  /** Why it could not be computed as far as it is assigned. */
  readonly detail: string | undefined
}

export interface Options {
  readonly log: AssignmentLog["Service"]
  /** Reads the log, and gives no slots. */
  readonly still: SchedulerUnit["Service"]
  readonly engines: EngineStore
  /** Of the node, where it is the one that attests. */
  readonly signer: Signer["Service"] | undefined
  /** By process, the last point that is attested in the archive. */
  readonly attested: ReadonlyMap<Id.ProcessId, Attestation.Point>
  /** By process, the point that its turns were seen to lead to before. */
  readonly rehearsed: ReadonlyMap<Id.ProcessId, Attestation.Point>
  readonly residentBytesMax: number
  /** Told of slots that are computed, of all. */
  readonly onSlots: (done: number, all: number) => void
}

/** Runs in a row that come to nothing before a process is left as it is: what passes by itself has had some seconds. */
const failuresMax = 6

/** Looks at how far the unit has come, in ms between two looks. */
const lookMs = 50

/** Runs what is assigned and not computed, as far as that goes; gives why a process came no further. */
const catchUp = Effect.fnUntraced(function* (
  { log, signer, onSlots, residentBytesMax }: Options,
  still: SchedulerUnit["Service"],
) {
  const stuck = new Map<Id.ProcessId, string>()
  if (signer === undefined) return stuck
  const services = Context.make(Signer, signer).pipe(Context.add(SchedulerUnit, still))
  const run = Effect.gen(function* () {
    // What is not here now will not come while nobody else runs: a process that waits for it is left to the node.
    const parks = ({ reason, failures }: ComputeUnitLocal.Waiting): boolean =>
      reason !== "other" || failures >= failuresMax
    const unit = yield* ComputeUnitLocal.make({ residentBytesMax, parks })
    const heads = log.processes()
    const all = heads.reduce((sum, { nextSlot }) => sum + nextSlot, 0)
    let open = heads
    let ended = 0
    while (open.length > 0) {
      const left: Array<(typeof heads)[number]> = []
      let under = 0
      for (const head of open) {
        const { slots, parked } = yield* unit.progress(head.process)
        if (parked !== undefined) stuck.set(head.process, parked)
        if (stuck.has(head.process) || slots >= head.nextSlot) ended += head.nextSlot
        else {
          left.push(head)
          under += slots
        }
      }
      onSlots(ended + under, all)
      open = left
      if (open.length > 0) yield* Effect.sleep(lookMs)
    }
  })
  yield* Effect.scoped(Effect.provideContext(run, services))
  return stuck
})

/** Computes what is to be computed and opens each process as it was attested last. */
export const check = Effect.fnUntraced(function* (options: Options) {
  const { log, still, attested, engines, rehearsed } = options
  const stuck = yield* catchUp(options, still)
  const sandbox = yield* Sandbox
  const outcomes = yield* OutcomeLog.make
  const replay = yield* Effect.provideService(
    Replay.make(
      outcomes,
      yield* SnapshotLog.make,
      yield* Effect.provideService(TurnRunner.make, SchedulerUnit, still),
    ),
    SchedulerUnit,
    still,
  )
  /** Whether it is known already that it comes to this. */
  const isRehearsed = (process: Id.ProcessId, { slot, head, stateRoot }: Attestation.Point): boolean => {
    const to = rehearsed.get(process)
    return to?.slot === slot && Bytes.equal(to.head, head) && Bytes.equal(to.stateRoot, stateRoot)
  }
  /** What was rehearsed came out of a content: that the log which is stored is the same is seen from its links alone. */
  const walk = Effect.fnUntraced(function* (process: Id.ProcessId, to: Attestation.Point) {
    let link: ReturnType<typeof Follower.checkLink> = Admission.emptyLog
    while (link.nextSlot <= to.slot) {
      const limit = Math.min(Limit.turnsPerRunMax, to.slot + 1 - link.nextSlot)
      const entries = yield* still.log(process, link.nextSlot, limit)
      if (entries.length === 0) throw new Follower.ChainBroken(link.nextSlot, "it is missing")
      for (const entry of entries) link = Follower.checkLink(process, link, entry)
    }
    if (!Bytes.equal(link.head, to.head))
      throw new Follower.ChainBroken(to.slot, "its head is not the one that was attested")
  })
  return yield* Effect.forEach(log.processes(), ({ process, nextSlot }) =>
    Effect.gen(function* () {
      const point = outcomes.point(process)
      const { slot, stateRoot } = point
      const opened =
        slot < 0 || stuck.has(process)
          ? undefined
          : yield* (
              isRehearsed(process, point) ? walk(process, point) : engines.provide(replay(process))
            ).pipe(
              Effect.as(undefined),
              // A sandbox that died is no state that differs, but nothing was seen to be equal either.
              Effect.catch(({ message }) => Effect.succeed(message)),
              Effect.catchDefect((defect) => Effect.succeed(String(defect))),
              Effect.ensuring(sandbox.close(process)),
            )
      const wrong = stuck.get(process) ?? opened
      const last = attested.get(process)
      const here = last && outcomes.attested(process, last.slot)?.to
      const equal =
        last === undefined
          ? undefined
          : here === undefined
            ? wrong === undefined
              ? undefined
              : false
            : wrong === undefined && here.slot === last.slot && Bytes.equal(here.stateRoot, last.stateRoot)
      const checked: Checked = {
        process,
        slots: nextSlot,
        computed: slot + 1,
        stateRoot: slot < 0 ? undefined : stateRoot,
        attested: last && { slot: last.slot, stateRoot: last.stateRoot },
        equal,
        detail: wrong,
      }
      return checked
    }),
  )
})
