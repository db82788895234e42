/**
 * Intake: what a scheduler takes in hand, before it reads it. Places for what comes from peers, none of whom can take all
 * of them, and rates for peers, identities and processes (spec 03 §11).
 *
 *     peer       charged for what it sends, before anything is decoded: the transport says who it is
 *     identity   asked before its signature is verified, charged once it is: else a forger could use up what is another's
 *     process    the same: for what keys say to it, and, in a bucket of its own, for what it says itself
 *
 * What gets no slot of its own is given back, so neither repeats nor refusals cost anybody but the peer that sent them.
 * Nothing here waits or reads a clock.
 */
import * as Context from "effect/Context"
import type { Voucher } from "../identity/Voucher.ts"
import { Refused } from "../runtime/Admission.ts"
import type * as Assignment from "../runtime/Assignment.ts"
import * as Gate from "../runtime/Gate.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import type { Peer } from "../runtime/Peer.ts"
import * as Rate from "./Rate.ts"

/** Messages a second; 0 where there is no rate. */
export interface Rates {
  readonly peer: number
  readonly identity: number
  readonly process: number
}

export const noRates: Rates = { peer: 0, identity: 0, process: 0 }

/** A bucket that a message comes out of. */
export interface Charge {
  readonly of: "identity" | "process"
  readonly bucket: string
  /** Who is told that it sends too much. */
  readonly who: string
}

type SlotOf = Pick<Assignment.Assignment, "process" | "slot">

export interface IntakeService {
  /** Charges a peer for one request, or says why not. */
  readonly rated: (peer: Peer, now: number) => Refused | undefined
  /** Takes a message of a peer in hand and charges the peer, or says why not. */
  readonly enter: (peer: Peer, now: number) => Gate.Place | Refused
  /** A message has its slot. Its place is kept for it until the turn is over, where a unit of this node computes. */
  readonly placed: (place: Gate.Place, slot: SlotOf) => void
  /**
   * For a unit that computes what is assigned: tells that the turns of a process up to a slot are over, or that none is
   * to be waited for.
   */
  readonly computing: () => (process: Id.ProcessId, slot: number) => void
  /** Why one of these can't be charged now. */
  readonly refusal: (charges: ReadonlyArray<Charge>, now: number) => Refused | undefined
  /** Charges all of them, or none and says why. */
  readonly charge: (charges: ReadonlyArray<Charge>, now: number) => Refused | undefined
  readonly giveBack: (charges: ReadonlyArray<Charge>) => void
}

/** Whom a message is charged to that a key signed: whoever signed what comes in, and the process that it is for. */
export const ofSigned = (message: Message.Message): ReadonlyArray<Charge> => {
  const who = message.carrier === undefined ? message.from : Message.from(message.carrier)
  const identity = { of: "identity", bucket: who, who } as const
  const { kind, process } = message
  return kind === "Process"
    ? [identity]
    : [identity, { of: "process", bucket: `to ${process}`, who: process }]
}

/**
 * Whom a message is charged to by what speaks for it. What a process emitted is charged to it as those have it who attest
 * it: whoever invents attestors for it uses up another bucket. A cron message without a proof is nobody's doing.
 */
export const ofVoucher = (message: Message.Message, voucher: Voucher): ReadonlyArray<Charge> => {
  if ("signed" in voucher) return ofSigned(message)
  if ("none" in voucher) return []
  const { source, attestors } = voucher.proven
  return [{ of: "process", bucket: `by ${[source, ...attestors.toSorted()].join(" ")}`, who: source }]
}

const overRate = (what: string, { perSecond }: Rate.Rate, waitMs: number): Refused =>
  new Refused({
    reason: "over rate",
    detail: `${what} may send ${perSecond} messages a second here; send it again in ${waitMs} ms`,
    retryMs: waitMs,
  })

const bucketsOf = (perSecond: number): Rate.Buckets | undefined =>
  perSecond > 0 ? Rate.buckets(Rate.perSecond(perSecond)) : undefined

const says = { identity: (who: string) => `identity ${who}`, process: (who: string) => `process ${who}` }

export const make = (rates: Rates, placesMax: number = Limit.peerMessagesMax): IntakeService => {
  const gate = Gate.make(placesMax)
  const peers = bucketsOf(rates.peer)
  const buckets = { identity: bucketsOf(rates.identity), process: bucketsOf(rates.process) }

  const refusal: IntakeService["refusal"] = (charges, now) => {
    for (const { of, bucket, who } of charges) {
      const some = buckets[of]
      const waitMs = some?.waitMs(bucket, now) ?? 0
      if (some !== undefined && waitMs > 0) return overRate(says[of](who), some.rate, waitMs)
    }
    return undefined
  }

  const rated: IntakeService["rated"] = ({ name }, now) => {
    const waitMs = peers?.take(name, now) ?? 0
    return peers === undefined || waitMs === 0 ? undefined : overRate(`peer ${name}`, peers.rate, waitMs)
  }

  /** Of messages whose turn is not over, by process, in the order of their slots. */
  const kept = new Map<Id.ProcessId, Array<{ readonly slot: number; readonly place: Gate.Place }>>()
  let isComputed = false
  const computed = (process: Id.ProcessId, slot: number): void => {
    const places = kept.get(process)
    if (places === undefined) return
    while (places.length > 0 && places[0]!.slot <= slot) places.shift()!.place.leave()
    if (places.length === 0) kept.delete(process)
  }

  return {
    refusal,
    rated,
    placed: (place, { process, slot }) => {
      if (!isComputed) return place.leave()
      const places = kept.get(process)
      if (places === undefined) kept.set(process, [{ slot, place }])
      else places.push({ slot, place })
    },
    computing: () => {
      isComputed = true
      return computed
    },
    enter: (peer, now) => {
      const refused = rated(peer, now)
      if (refused !== undefined) return refused
      const place = gate.enter(peer.name)
      if (place !== undefined) return place
      peers?.giveBack(peer.name)
      return new Refused({
        reason: "overloaded",
        detail: `${gate.inside()} messages of peers are in hand; try again later`,
      })
    },
    charge: (charges, now) => {
      const refused = refusal(charges, now)
      if (refused === undefined) for (const { of, bucket } of charges) buckets[of]?.take(bucket, now)
      return refused
    },
    giveBack: (charges) => {
      for (const { of, bucket } of charges) buckets[of]?.giveBack(bucket)
    },
  }
}

const inside: Gate.Place = { leave: () => {} }

/** For a scheduler that no peer reaches. */
const open: IntakeService = {
  rated: () => undefined,
  enter: () => inside,
  refusal: () => undefined,
  placed: () => {},
  computing: () => () => {},
  charge: () => undefined,
  giveBack: () => {},
}

export const Intake = Context.Reference<IntakeService>("heddle/Intake", { defaultValue: () => open })
