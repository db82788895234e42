/**
 * Trial: a process's real log, run through another program in place of the one that its spawn names. What came out then
 * and what comes out now are held against each other slot by slot, so that an author sees what a new version would
 * have done before anybody gets it.
 *
 * Same spawn, same ids, same verdicts of admission; everything but the program is as it was. Memory is the program's,
 * so it starts at slot 0 and no snapshot helps.
 */
import * as Effect from "effect/Effect"
import * as Admission from "../runtime/Admission.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import type * as Outcome from "../runtime/Outcome.ts"
import type * as Process from "../runtime/Process.ts"
import { LogUnfit } from "./AuditFinding.ts"
import * as Beginning from "./Beginning.ts"
import { ModuleInvalid, type Turn } from "./ComputeUnit.ts"
import * as LogSource from "./LogSource.ts"
import * as OutcomeDifference from "./OutcomeDifference.ts"
import * as Rerun from "./Rerun.ts"
import type { Evaluated, Sandbox } from "./Sandbox.ts"

export interface Wanted {
  /** The first slot that is compared; those before it are run, since memory comes from them. */
  readonly from: number
  /** The last; without one, the newest that is recorded. */
  readonly to: number | undefined
  readonly program: Uint8Array
}

/** The first slot where the programs part. */
export interface Parting {
  readonly slot: number
  readonly differences: ReadonlyArray<OutcomeDifference.Difference>
  /** Of the program tried. */
  readonly trace: Outcome.Trace
}

export interface Trial {
  readonly process: Id.ProcessId
  /** The program tried. */
  readonly module: Id.Id
  /** Slots compared, both included; where `to` is before `from`, none. */
  readonly from: number
  readonly to: number
  readonly equal: number
  readonly different: number
  readonly first: Parting | undefined
  /** Of the slots compared. */
  readonly fuel: { readonly recorded: bigint; readonly now: bigint }
  /** Slots at which the process went over to another program: not run, since the one tried stays. */
  readonly upgradesSkipped: ReadonlyArray<number>
}

/** A program that does not load, within what this process may take, says so in its first outcome. */
const invalidOf = ({ outcome: { error } }: Evaluated): ModuleInvalid | undefined => {
  if (error?.reason !== "module invalid") return undefined
  const [, detail = error.message, file = "", line = "0", column = "0"] =
    /^(.*) \((\S+):(\d+):(\d+)\)$/s.exec(error.message) ?? []
  return new ModuleInvalid({ detail, file, line: Number(line), column: Number(column) })
}

/** Adds up what each slot came to. */
const tally = (from: number) => {
  let [equal, different, last] = [0, 0, from - 1]
  const fuel = { recorded: 0n, now: 0n }
  let first: Parting | undefined
  return {
    add: ({ outcome: recorded }: Turn, { outcome: now, trace }: Evaluated): void => {
      last = now.slot
      fuel.recorded += recorded.fuelUsed
      fuel.now += now.fuelUsed
      const differences = OutcomeDifference.ofEffects(recorded, now)
      if (differences.length === 0) equal++
      else different++
      if (differences.length > 0) first ??= { slot: now.slot, differences, trace }
    },
    get result() {
      return { from, to: last, equal, different, first, fuel }
    },
  }
}

/** The engine that the log was computed by, so that fuel can be compared, unless it does not run such a program. */
const engineOf = Effect.fnUntraced(function* <E>(
  source: LogSource.LogSource<E>,
  { id, module, engine }: Process.Process,
  program: Uint8Array,
) {
  if (engine !== undefined) return Id.toBytes(engine)
  const named = yield* source.module(module)
  if (named === undefined || Module.format(named) !== Module.format(program)) return undefined
  return (yield* source.attestation(id, 0))?.attestation.engine
})

/**
 * Runs the log through `wanted.program` in `sandbox`. `onProgress` hears the slot that was reached. Fails with
 * `ModuleInvalid` where the program does not load.
 */
export const run = Effect.fnUntraced(function* <E>(
  source: LogSource.LogSource<E>,
  sandbox: Sandbox["Service"],
  id: Id.ProcessId,
  { from, to = Number.POSITIVE_INFINITY, program }: Wanted,
  onProgress: (slots: number) => void = () => {},
) {
  const rerun = Rerun.make(source, sandbox)
  const { entry: spawn, process } = yield* Beginning.spawned(source, id)
  const engine = yield* engineOf(source, process, program)
  if (engine !== undefined) yield* rerun.engine(engine, 0)
  yield* Effect.orDie(
    sandbox.open({
      process: id,
      spawn: spawn.item,
      term: spawn.assignment.term,
      source: program,
      engine,
    }),
  )
  const reader = LogSource.reader(source, id)
  const sum = tally(from)
  const upgradesSkipped: Array<number> = []
  let log = Admission.emptyLog
  while (log.nextSlot <= to) {
    const count = Math.min(Limit.turnsPerRunMax, to + 1 - log.nextSlot)
    const { entries, turns } = yield* reader.take(log.nextSlot, count)
    const there = Math.min(entries.length, turns.length)
    if (there === 0) break
    const first = log.nextSlot
    const examined = yield* Rerun.recalled(id, log, { entries: entries.slice(0, there), turns })
    log = examined.at(-1)!.log
    const kept = examined.filter(({ entry }) => entry.upgrade === undefined)
    for (const { entry } of examined)
      if (entry.upgrade !== undefined && entry.slot >= from) upgradesSkipped.push(entry.slot)
    const wanted = kept.map(({ entry }) => ({ ...entry, root: false }))
    const { evaluated, stopped } = yield* rerun.turns(id, { source: program, engine }, wanted)
    if (stopped !== undefined) return yield* new LogUnfit(stopped)
    const invalid = first === 0 ? invalidOf(evaluated[0]!) : undefined
    if (invalid !== undefined) return yield* invalid
    for (const one of evaluated) if (one.outcome.slot >= from) sum.add(turns[one.outcome.slot - first]!, one)
    onProgress(log.nextSlot)
  }
  const trial: Trial = { process: id, module: Module.id(program), ...sum.result, upgradesSkipped }
  return trial
})
