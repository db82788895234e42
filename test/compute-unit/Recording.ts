/**
 * Recording: all that a source has of one process, as plain values that a test can change one by one.
 */
import * as Effect from "effect/Effect"
import type { ComputeUnit, Turn } from "../../compute-unit/ComputeUnit.ts"
import * as Engine from "../../compute-unit/Engine.ts"
import type { LogSource } from "../../compute-unit/LogSource.ts"
import * as Rerun from "../../compute-unit/Rerun.ts"
import * as Beginning from "../../compute-unit/Beginning.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import type { Taken } from "../../compute-unit/Sandbox.ts"
import type * as Attestation from "../../runtime/Attestation.ts"
import type * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import type { LogEntry } from "../../scheduler-unit/SchedulerUnit.ts"
import type * as LogBook from "../support/LogBook.ts"

export interface Recording {
  readonly process: Id.ProcessId
  readonly entries: ReadonlyArray<LogEntry>
  readonly turns: ReadonlyArray<Turn>
  readonly receipts: ReadonlyArray<Batch.Receipt>
  /** By the slot that each reaches. */
  readonly attestations: ReadonlyMap<number, Attestation.SignedAttestation>
  readonly modules: ReadonlyMap<Id.Id, Uint8Array>
  /** By hash. */
  readonly data: ReadonlyMap<Id.Id, Uint8Array>
  readonly snapshots: ReadonlyMap<number, Taken>
  /** By id in hexadecimal. */
  readonly engines: ReadonlyMap<string, Uint8Array>
}

export const sourceOf = (of: Recording, pageMax = Number.POSITIVE_INFINITY): LogSource<string> => ({
  log: (_, from, limit) => Effect.succeed(of.entries.slice(from, from + Math.min(limit, pageMax))),
  turns: (_, from, limit) => Effect.succeed(of.turns.slice(from, from + Math.min(limit, pageMax))),
  receipt: (_, slot) =>
    of.receipts[slot] ? Effect.succeed(of.receipts[slot]) : Effect.fail(`no receipt of ${slot}`),
  attestation: (_, slot) => Effect.succeed([...of.attestations].find(([to]) => to >= slot)?.[1]),
  module: (id) => Effect.succeed(of.modules.get(id)),
  data: (hash) => Effect.succeed(of.data.get(hash)),
  snapshots: () =>
    Effect.succeed(
      [...of.snapshots.values()].map(({ slot, stateRoot, bytes }) => ({
        slot,
        stateRoot,
        sha256: Hash.sha256(bytes),
        length: bytes.length,
        kept: true,
      })),
    ),
  snapshot: (_, slot) => Effect.succeed(of.snapshots.get(slot)?.bytes),
  engineBytes: (engine) => Effect.succeed(of.engines.get(Bytes.toHex(engine))),
})

/** All modules that are named in a test, by their ids. */
export const modulesOf = (...sources: ReadonlyArray<Uint8Array>): ReadonlyMap<Id.Id, Uint8Array> =>
  new Map(sources.map((source) => [Module.id(source), source]))

/** What a unit has computed of a log. */
export const record = Effect.fnUntraced(function* (
  book: LogBook.LogBook,
  unit: ComputeUnit["Service"],
  process: Id.ProcessId,
  modules: ReadonlyMap<Id.Id, Uint8Array>,
) {
  const entries = book.entries(process)
  const parked = Effect.flatMap(unit.parked(process), (why) => Effect.die(new Error(`parked: ${why}`)))
  yield* Effect.raceFirst(unit.turn(process, entries.length - 1), parked)
  const receipts = yield* Effect.orDie(
    Effect.forEach(entries, (_, slot) => book.service.receipt(process, slot)),
  )
  const attestations = new Map<number, Attestation.SignedAttestation>()
  for (const slot of entries.keys()) {
    const signed = (yield* unit.attestation(process, slot))!
    attestations.set(signed.attestation.to.slot, signed)
  }
  const turns = yield* unit.turns(process, 0, entries.length)
  const engines = new Map<string, Uint8Array>()
  for (const { attestation } of attestations.values()) {
    const engine = Engine.find(attestation.engine)
    if (engine?.kind === "script") engines.set(Bytes.toHex(engine.id), engine.artifact)
  }
  const recording: Recording = {
    process,
    entries,
    turns,
    receipts,
    attestations,
    modules,
    data: book.data,
    snapshots: new Map(),
    engines,
  }
  return recording
})

/** The same with a snapshot after each of these slots. */
export const withSnapshots = Effect.fnUntraced(function* (
  of: Recording,
  slots: ReadonlyArray<number> = [...of.attestations.keys()],
) {
  const [source, sandbox] = [sourceOf(of), SandboxInline.make()]
  const rerun = Rerun.make(source, sandbox)
  const beginning = yield* Beginning.atSpawn(source, rerun, of.process)
  yield* beginning.enter
  const examined = yield* Rerun.recalled(of.process, beginning.log, of)
  const snapshots = new Map<number, Taken>()
  let { inForce } = beginning
  for (const { entry } of examined) {
    inForce = (yield* rerun.turns(of.process, inForce, [{ ...entry, root: false }])).inForce
    if (slots.includes(entry.slot)) snapshots.set(entry.slot, yield* sandbox.take(of.process))
  }
  const made: Recording = { ...of, snapshots }
  return made
})

/** `list` with one value changed. */
export const at = <A>(list: ReadonlyArray<A>, slot: number, change: (value: A) => A): ReadonlyArray<A> =>
  list.map((value, i) => (i === slot ? change(value) : value))

/** Bytes with one bit changed. */
export const flip = (bytes: Uint8Array, index = bytes.length - 1): Uint8Array => {
  const flipped = Bytes.copy(bytes)
  flipped[index]! ^= 1
  return flipped
}
