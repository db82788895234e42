/**
 * Bisection: the first attestation in which two compute units of one log say different things (spec 04 §6). Attestations
 * are a chain of states, so the units are compared in the middle until two begin in one state and end in two.
 *
 * Example: units agree after slot 3 and not after slot 40. In the middle, after slot 21, they differ; after slot 12 they
 * agree; the attestations of slots 13 to 15 begin alike and do not end alike, so these two contradict each other.
 */
import * as Effect from "effect/Effect"
import * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"

type Signed = Attestation.SignedAttestation

/** What two units attest of the turns that reach a slot. */
export type Pair = readonly [first: Signed, second: Signed]

export type Found =
  /** They attest the same of all turns up to this one. */
  | { readonly _tag: "Equal"; readonly slot: number }
  /** Two attestations that contradict each other: the first such. */
  | { readonly _tag: "Apart"; readonly first: Signed; readonly second: Signed }
  /** They can't be compared at this slot, and why. */
  | { readonly _tag: "Incomparable"; readonly slot: number; readonly detail: string }

const samePoint = (a: Attestation.Point, b: Attestation.Point): boolean =>
  a.slot === b.slot && Bytes.equal(a.head, b.head) && Bytes.equal(a.stateRoot, b.stateRoot)

/** Why two attestations are not about the same turns of one log by one engine, or `undefined`. */
const apart = ([{ attestation: a }, { attestation: b }]: Pair): string | undefined => {
  if (a.process !== b.process || a.term !== b.term) return "they are about two processes, or two terms of one"
  if (a.from.slot !== b.from.slot || a.to.slot !== b.to.slot)
    return `one is about slots ${a.from.slot + 1} to ${a.to.slot}, the other about ${b.from.slot + 1} to ${b.to.slot}`
  if (!Bytes.equal(a.from.head, b.from.head) || !Bytes.equal(a.to.head, b.to.head))
    return "they are about different logs"
  return Bytes.equal(a.engine, b.engine) ? undefined : "they ran the process with different engines"
}

/** `ask` gives what both attest of the turns that reach a slot; `newest` is the last that both have. */
export const bisect = <E, R>(
  newest: number,
  ask: (slot: number) => Effect.Effect<Pair | undefined, E, R>,
): Effect.Effect<Found, E, R> =>
  Effect.gen(function* () {
    const incomparable = (slot: number, detail: string): Found => ({ _tag: "Incomparable", slot, detail })
    /** The last slot after which they are known to agree. */
    let equal = -1
    /** The first pair known to differ. */
    let differing: Pair | undefined
    for (let slot = newest; ;) {
      const pair = yield* ask(slot)
      if (pair === undefined) return incomparable(slot, "one of them attests nothing of it")
      const why = apart(pair)
      if (why !== undefined) return incomparable(slot, why)
      const [first, second] = pair
      const [a, b] = [first.attestation, second.attestation]
      if (Attestation.contradict(a, b)) return { _tag: "Apart", first, second }
      if (samePoint(a.to, b.to)) equal = a.to.slot
      else differing = pair
      if (differing === undefined) return { _tag: "Equal", slot: equal }
      // They begin in two states, so they went apart before.
      const { slot: begin } = differing[0].attestation.from
      if (begin <= equal) return incomparable(begin, "one of them attests two states after one slot")
      slot = Math.floor((equal + 1 + begin) / 2)
    }
  })
