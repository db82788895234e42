/**
 * Rerun: runs turns again in a sandbox with programs and engines that are fetched from a log's source and whose ids
 * are checked. It is the same for everyone who recomputes: an audit, a trial, a debugger.
 */
import * as Effect from "effect/Effect"
import type * as Admission from "../runtime/Admission.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Module from "../runtime/Module.ts"
import * as Outcome from "../runtime/Outcome.ts"
import { type Finding, isUnfit, type LogUnfit, ofChain, unfit } from "./AuditFinding.ts"
import * as Engine from "./Engine.ts"
import * as Follower from "./Follower.ts"
import type { LogSource, Stretch } from "./LogSource.ts"
import { Recent } from "../runtime/Recent.ts"
import * as ReferencedData from "./ReferencedData.ts"
import type { Entry, Evaluated, Sandbox, Upgrade } from "./Sandbox.ts"

type Examined = Follower.Recalled

/** What runs a process: its program's code, and the engine where that is known. */
export interface InForce {
  readonly source: Uint8Array
  readonly engine: Uint8Array | undefined
}

/** An examined entry, and whether the state root after it is wanted. */
export type Wanted = Examined["entry"] & { readonly root: boolean }

export interface Ran {
  readonly evaluated: ReadonlyArray<Evaluated>
  /** After the last of them. */
  readonly inForce: InForce
  /** Why the rest could not be run. */
  readonly stopped: Finding | undefined
}

export interface Rerun<E> {
  readonly sandbox: Sandbox["Service"]
  /** Guest code that a slot needs. */
  readonly module: (module: Id.Id, slot: number) => Effect.Effect<Uint8Array, E | LogUnfit>
  /** Makes the sandbox have the engine that a slot needs. */
  readonly engine: (engine: Uint8Array, slot: number) => Effect.Effect<void, E | LogUnfit>
  /** Runs entries in the process that is open, as far as they can be run. */
  readonly turns: (
    process: Id.ProcessId,
    inForce: InForce,
    entries: ReadonlyArray<Wanted>,
  ) => Effect.Effect<Ran, E>
}

/** Entries with the verdicts that are recorded of them: what is compared is what the turns did, not who signed. */
export const recalled = (
  process: Id.ProcessId,
  log: Admission.LogState,
  { entries, turns }: Stretch,
): Effect.Effect<ReadonlyArray<Examined>, LogUnfit> =>
  ofChain(
    Effect.sync(() => {
      let state = log
      return entries.map((entry, i) => {
        const refused = Outcome.inadmissible(turns[i]!.outcome)
        const examined = Follower.recall(process, state, entry, refused)
        state = examined.log
        return examined
      })
    }),
  )

/** Programs kept: upgrades are rare, and steps back and forth over one need two. */
const modulesMax = 4

/** A piece begins with what is brought for it, so that what is before one is run before it is looked for. */
const begins = ({ upgrade, data }: Wanted): boolean => upgrade !== undefined || data !== undefined

export const make = <E>(source: LogSource<E>, sandbox: Sandbox["Service"]): Rerun<E> => {
  const modules = new Recent<Id.Id, Uint8Array>(modulesMax)
  const fetch = ReferencedData.make(source.data)
  const engines = new Set([sandbox.engine, Engine.plain.id].map(Bytes.toHex))

  const module = Effect.fnUntraced(function* (id: Id.Id, slot: number) {
    const kept = modules.get(id)
    if (kept !== undefined) return kept
    const code = yield* source.module(id)
    if (code === undefined || Module.id(code) !== id)
      return yield* unfit(slot, "module", `module ${id} is not to be had`)
    modules.set(id, code)
    return code
  })

  const engine = Effect.fnUntraced(function* (id: Uint8Array, slot: number) {
    if (engines.has(Bytes.toHex(id))) return
    const artifact = yield* source.engineBytes(id)
    if (artifact === undefined)
      return yield* unfit(slot, "engine", `engine ${Bytes.toBase64Url(id)} is not to be had`)
    yield* Effect.catchTag(sandbox.addEngine(artifact, id), "EngineInvalid", (invalid) =>
      unfit(slot, "engine", invalid.message),
    )
    engines.add(Bytes.toHex(id))
  })

  /**
   * The engine of an upgrade that names none and can't keep the one in force: this version's for such a module, unless
   * the slot's attestation says that it was another's.
   */
  const engineOf = Effect.fnUntraced(function* (
    process: Id.ProcessId,
    slot: number,
    inForce: InForce,
    code: Uint8Array,
  ) {
    if (Module.format(code) === Module.format(inForce.source)) return undefined
    const attested = (yield* source.attestation(process, slot))?.attestation.engine
    return inForce.engine !== undefined && attested !== undefined && Bytes.equal(attested, inForce.engine)
      ? undefined
      : attested
  })

  const upgradeOf = Effect.fnUntraced(function* (
    process: Id.ProcessId,
    inForce: InForce,
    { slot, upgrade }: Wanted,
  ) {
    if (upgrade === undefined) return undefined
    const code = yield* module(upgrade.module, slot)
    const wanted = upgrade.engine ?? (yield* engineOf(process, slot, inForce, code))
    if (wanted !== undefined) yield* engine(wanted, slot)
    const made: Upgrade = { module: upgrade.module, engine: wanted, source: code }
    return made
  })

  const dataOf = ({ slot, data }: Wanted) =>
    data === undefined
      ? Effect.undefined
      : Effect.catchIf(fetch(data, slot), ReferencedData.isMissing, ({ detail }) =>
          unfit(slot, "data", detail),
        )

  const bring = (process: Id.ProcessId, inForce: InForce, entry: Wanted) =>
    Effect.all({ upgrade: upgradeOf(process, inForce, entry), data: dataOf(entry) })

  const turns = Effect.fnUntraced(function* (
    process: Id.ProcessId,
    inForce: InForce,
    entries: ReadonlyArray<Wanted>,
  ) {
    const evaluated: Array<Evaluated> = []
    let now = inForce
    for (const piece of ReferencedData.pieces(entries, begins)) {
      const brought = yield* Effect.catchIf(bring(process, now, piece[0]!), isUnfit, Effect.succeed)
      if (isUnfit(brought)) return { evaluated, inForce: now, stopped: brought.finding }
      const { upgrade } = brought
      const none = { upgrade: undefined, data: undefined }
      const run = piece.map((entry, i): Entry => ({ ...entry, ...(i === 0 ? brought : none) }))
      const done = yield* Effect.orDie(sandbox.run(process, run))
      evaluated.push(...done)
      const upgraded = upgrade !== undefined && done[0]!.outcome.error === undefined
      now = { source: upgraded ? upgrade.source : now.source, engine: done.at(-1)!.engine }
    }
    return { evaluated, inForce: now, stopped: undefined }
  })

  return { sandbox, module, engine, turns }
}
