/**
 * Process: what its spawn message fixes for life (spec 01 §8). Everything else about it follows from its log.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Authority from "./Authority.ts"
import * as Id from "./Id.ts"
import * as Limit from "./Limit.ts"
import type * as Message from "./Message.ts"
import * as Tag from "./Tag.ts"

/** A message that a process gets every `intervalMs`, by the clock of its spawn. */
export interface Cron {
  readonly name: string
  readonly intervalMs: number
}

export interface Process {
  readonly id: Id.ProcessId
  readonly owner: Id.Address
  readonly module: Id.Id
  /** The engine that runs it (spec 04 §2); where none is named, that of the unit's version for such a module. */
  readonly engine: Id.Id | undefined
  readonly scheduler: Id.Address
  /** Compute units that run it: their attestations are about it. */
  readonly compute: ReadonlyArray<Id.Address>
  /** Whom it believes until its owner says otherwise. */
  readonly authority: Authority.Authority
  readonly fuelPerTurnMax: bigint
  /** Pages of 64 KiB. */
  readonly memoryPagesMax: number
  readonly cron: ReadonlyArray<Cron>
  readonly tags: ReadonlyArray<Tag.Tag>
}

export class SpawnInvalid extends Data.TaggedError("SpawnInvalid")<{
  readonly tag: string
  readonly detail: string
}> {
  override get message(): string {
    return `spawn refused, tag "${this.tag}": ${this.detail}`
  }
}

const units: Readonly<Record<string, number>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}

/** Reads AO's form, `10-seconds` or `1-hour`, as ms; `undefined` for anything else. */
export const intervalMs = (text: string): number | undefined => {
  const [, count, unit] = /^([1-9][0-9]{0,8})-(second|minute|hour|day)s?$/.exec(text) ?? []
  return count === undefined || unit === undefined ? undefined : Number(count) * units[unit]!
}

const areDistinct = (ids: ReadonlyArray<Id.Id | undefined>): ids is ReadonlyArray<Id.Id> =>
  !ids.includes(undefined) && new Set(ids).size === ids.length

/** Reads the spawn message of a process. */
export const fromSpawn = (message: Message.Message): Result.Result<Process, SpawnInvalid> => {
  const tags = message.item.tags
  const fail = (tag: string, detail: string) => Result.fail(new SpawnInvalid({ tag, detail }))
  const id = (name: string) => Id.parse(Tag.value(tags, name) ?? "")
  const module = id("Module")
  if (module === undefined)
    return fail("Module", "names no module; it takes the 43 characters of a module id")
  const engine = id("Engine")
  if (engine === undefined && Tag.value(tags, "Engine") !== undefined)
    return fail("Engine", "names no engine; it takes the 43 characters of an engine id")
  const scheduler = id("Scheduler")
  if (scheduler === undefined)
    return fail("Scheduler", "names no scheduler; it takes the 43 characters of an address")

  const named = (name: string) => tags.filter((tag) => tag.name === name).map((tag) => Id.parse(tag.value))
  const compute = named("Compute").length > 0 ? named("Compute") : [scheduler]
  if (!areDistinct(compute)) return fail("Compute", "takes addresses, each once")
  const authority = Authority.parse(tags, compute)
  if (Result.isFailure(authority)) return fail(authority.failure.tag, authority.failure.detail)

  const fuel = Tag.count(Tag.value(tags, "Compute-Limit") ?? String(Limit.fuelPerTurnDefault))
  if (fuel === undefined || fuel < Limit.fuelPerTurnMin || fuel > Limit.fuelPerTurnMax)
    return fail(
      "Compute-Limit",
      `takes fuel per turn from ${Limit.fuelPerTurnMin} to ${Limit.fuelPerTurnMax}`,
    )
  const pages = Tag.count(Tag.value(tags, "Memory-Limit") ?? String(Limit.memoryPagesDefault))
  if (pages === undefined || pages < Limit.memoryPagesMin || pages > Limit.memoryPagesMax)
    return fail(
      "Memory-Limit",
      `takes pages of 64 KiB from ${Limit.memoryPagesMin} to ${Limit.memoryPagesMax}`,
    )

  const cron: Array<Cron> = []
  for (const { name, value } of tags) {
    if (name !== "Cron-Interval") continue
    const interval = intervalMs(value)
    if (interval === undefined || interval < Limit.cronIntervalMsMin || interval > Limit.cronIntervalMsMax)
      return fail(
        "Cron-Interval",
        `"${value}" is not an interval of at least a second and at most a year, like "10-seconds" or "1-hour"`,
      )
    if (cron.some((entry) => entry.name === value))
      return fail("Cron-Interval", `"${value}" stands there twice`)
    cron.push({ name: value, intervalMs: interval })
  }
  if (cron.length > Limit.cronEntriesMax)
    return fail("Cron-Interval", `${cron.length} entries; at most ${Limit.cronEntriesMax}`)

  return Result.succeed({
    id: message.id,
    owner: message.from,
    module,
    engine,
    scheduler,
    compute,
    authority: authority.success,
    fuelPerTurnMax: BigInt(fuel),
    memoryPagesMax: pages,
    cron,
    tags,
  })
}
