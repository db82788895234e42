/**
 * AuditFinding: what does not fit in a log, named by its slot. An audit reports it; whatever else goes over a log and
 * can't go on for it fails with it.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Bytes from "../runtime/Bytes.ts"
import * as Follower from "./Follower.ts"

export interface Finding {
  readonly slot: number
  readonly what:
    | "module"
    | "data"
    | "chain"
    | "receipt"
    | "signature"
    | "engine"
    | "snapshot"
    | "outcome"
    | "state root"
    | "attestation"
  readonly detail: string
}

/** A log that can't be gone on with. */
export class LogUnfit extends Data.TaggedError("LogUnfit")<Finding> {
  override get message(): string {
    return `slot ${this.slot}, ${this.what}: ${this.detail}`
  }

  get finding(): Finding {
    return { slot: this.slot, what: this.what, detail: this.detail }
  }
}

export const isUnfit = (error: unknown): error is LogUnfit => error instanceof LogUnfit

export const unfit = (slot: number, what: Finding["what"], detail: string): Effect.Effect<never, LogUnfit> =>
  Effect.fail(new LogUnfit({ slot, what, detail }))

/** The one at the lowest slot; of two at one slot the one that is given first. */
export const first = (findings: ReadonlyArray<Finding | undefined>): Finding | undefined =>
  findings.reduce((a, b) => (a === undefined || (b !== undefined && b.slot < a.slot) ? b : a), undefined)

/** A break of the chain as what is wrong with the log: the follower throws it, since nothing can follow it. */
export const ofChain = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | LogUnfit, R> =>
  Effect.catchDefect(effect, (defect) =>
    defect instanceof Follower.ChainBroken ? unfit(defect.slot, "chain", defect.message) : Effect.die(defect),
  )

/** Why a log can't be recomputed here: an engine id commits to everything that could make the difference. */
export const otherEngine = (attested: Uint8Array, here: Uint8Array): string =>
  `it was computed by engine ${Bytes.toBase64Url(attested)}, and what the log names is engine ${Bytes.toBase64Url(here)}`
