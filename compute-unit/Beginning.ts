/**
 * Beginning: where turns are run from: the spawn, or the state after a slot as a snapshot has it. What a source gives of
 * a snapshot is believed only so far as it leads to the state root attested.
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import type { Verifier } from "../identity/Verifier.ts"
import * as Admission from "../runtime/Admission.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import type * as Process from "../runtime/Process.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import { isUnfit, type LogUnfit, ofChain, unfit } from "./AuditFinding.ts"
import * as Follower from "./Follower.ts"
import type { LogSource } from "./LogSource.ts"
import type { InForce, Rerun } from "./Rerun.ts"
import type { Opening } from "./Sandbox.ts"
import * as Snapshot from "./Snapshot.ts"

export interface Beginning {
  readonly process: Process.Process
  /** Everything up to here is taken as it is. */
  readonly from: Attestation.Point
  readonly log: Admission.LogState
  readonly inForce: InForce
  readonly opening: Opening
  /** Makes the process in the sandbox as it is then. */
  readonly enter: Effect.Effect<void, LogUnfit>
}

/** Says good to every signature, where what was computed is compared, not who said so. */
export const credulous: Verifier["Service"] = {
  verify: () => Effect.succeed(true),
  verifyItem: () => Effect.void,
}

/** A process with the entry that made it. */
export interface Spawned {
  readonly process: Process.Process
  readonly entry: LogEntry
}

export const spawned = <E>(source: LogSource<E>, id: Id.ProcessId): Effect.Effect<Spawned, E | LogUnfit> =>
  ofChain(
    Effect.map(source.log(id, 0, 1), ([first]) => ({ process: Follower.spawned(id, first), entry: first! })),
  )

const openingOf = ({ process, entry }: Spawned, { source, engine }: InForce): Opening => ({
  process: process.id,
  spawn: entry.item,
  term: entry.assignment.term,
  source,
  engine,
})

/** Before slot 0, under the engine of the spawn's tag or that of the first attestation. */
export const atSpawn = Effect.fnUntraced(function* <E>(
  source: LogSource<E>,
  rerun: Rerun<E>,
  id: Id.ProcessId,
) {
  const made = yield* spawned(source, id)
  const { process } = made
  const code = yield* rerun.module(process.module, 0)
  const engine =
    process.engine === undefined
      ? (yield* source.attestation(id, 0))?.attestation.engine
      : Id.toBytes(process.engine)
  if (engine !== undefined) yield* rerun.engine(engine, 0)
  const inForce = { source: code, engine }
  const opening = openingOf(made, inForce)
  const enter = Effect.suspend(() => Effect.orDie(rerun.sandbox.open(opening)))
  const beginning: Beginning = {
    process,
    from: Attestation.origin,
    log: Admission.emptyLog,
    inForce,
    opening,
    enter,
  }
  return beginning
})

/** The attestation that a snapshot's state is held against. */
export const attestedAt = Effect.fnUntraced(function* <E>(
  source: LogSource<E>,
  process: Id.ProcessId,
  slot: number,
) {
  const signed = yield* source.attestation(process, slot)
  if (signed === undefined || signed.attestation.to.slot !== slot)
    return yield* unfit(slot, "snapshot", "no attestation ends at its slot")
  return signed
})

const counters = <K extends string>(map: ReadonlyMap<K, number>): HashMap.HashMap<K, number> =>
  HashMap.fromIterable(map)

/** After the slot of `last`, where the attestation ends, from its snapshot. `verifier` is asked about the spawn alone. */
export const atSnapshot = Effect.fnUntraced(function* <E>(
  source: LogSource<E>,
  rerun: Rerun<E>,
  id: Id.ProcessId,
  { engine, to }: Attestation.Attestation,
  last: LogEntry,
  verifier: Verifier["Service"],
) {
  const { slot, stateRoot } = to
  const refuse = (detail: string) => unfit(slot, "snapshot", detail)
  const made = yield* spawned(source, id)
  const bytes = yield* source.snapshot(id, slot)
  if (bytes === undefined) return yield* refuse("its bytes are not to be had")
  const decoded = Snapshot.decode(bytes)
  if (Result.isFailure(decoded)) return yield* refuse(decoded.failure)
  const { metadata, engine: claimed, slot: of } = decoded.success
  if (of !== slot) return yield* refuse(`it is of slot ${of}`)
  if (!Bytes.equal(claimed, engine))
    return yield* refuse(
      `it is of engine ${Bytes.toBase64Url(claimed)}, and ${Bytes.toBase64Url(engine)} is attested`,
    )
  yield* rerun.engine(engine, slot)
  // That it runs this module is only what the snapshot says so far.
  const code = yield* Effect.catchIf(rerun.module(metadata.module, slot), isUnfit, ({ detail }) =>
    refuse(`what it runs is not there: ${detail}`),
  )
  const inForce = { source: code, engine }
  const [zero] = yield* ofChain(
    Follower.examine(
      () => verifier,
      id,
      Admission.emptyLog,
      [made.entry],
      () => undefined,
    ),
  )
  const log: Admission.LogState = {
    ...zero!.log,
    nextSlot: slot + 1,
    head: to.head,
    timestamp: last.assignment.timestamp,
    term: metadata.term,
    scheduler: zero!.log.scheduler && metadata.scheduler,
    authority: zero!.log.authority && metadata.authority,
    pairs: counters(metadata.received),
    cron: counters(metadata.cron),
  }
  const opening = openingOf(made, inForce)
  const enter = Effect.suspend(() =>
    rerun.sandbox.restore(opening, bytes, stateRoot).pipe(
      Effect.catchTag("SnapshotInvalid", ({ detail }) => refuse(detail)),
      Effect.catchTag(["SandboxLost", "EngineUnknown"], Effect.die),
    ),
  )
  const beginning: Beginning = { process: made.process, from: to, log, inForce, opening, enter }
  return beginning
})
