/**
 * Peer: whom a request comes from, as the transport says that brought it. Nobody signs for it and nothing is believed
 * because of it: it says only whose share of this machine a request takes.
 *
 * Whoever serves a transport sets it for what it hands on. Where none is set, this very program asks.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Refused } from "./Admission.ts"
import type * as Gate from "./Gate.ts"

export interface Peer {
  readonly name: string
  /** Hands over the place among what peers have in hand, where the transport has taken one already. */
  readonly place?: (() => Gate.Place | undefined) | undefined
}

export const Peer = Context.Reference<Peer | undefined>("heddle/Peer", { defaultValue: () => undefined })

/** Does something while it has a place for the peer who asks for it; refuses at once where there is none. */
export const within =
  (gate: Gate.Gate, what: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Refused, R> =>
    Effect.flatMap(Peer, (peer): Effect.Effect<A, E | Refused, R> => {
      const place = gate.enter(peer?.name ?? "")
      return place === undefined
        ? Effect.fail(
            new Refused({
              reason: "overloaded",
              detail: `${gate.inside()} ${what} are in hand; try again later`,
            }),
          )
        : Effect.ensuring(effect, Effect.sync(place.leave))
    })

/** Groups of an IPv6 address, of which the first four are what a provider gives one customer. */
const groups = 8
const groupsOfNetwork = 4

/**
 * An IP address as the name of a peer. Whoever has one address of IPv6 has 2^64, so it is the network that counts;
 * IPv4 that a socket writes as IPv6 is IPv4.
 */
export const ofAddress = (address: string): string => {
  const [plain = ""] = address.toLowerCase().split("%", 1)
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1]
  if (mapped !== undefined || !plain.includes(":")) return mapped ?? plain
  const [before = "", after] = plain.split("::")
  const head = before === "" ? [] : before.split(":")
  const tail = after === undefined || after === "" ? [] : after.split(":")
  const zeros = Array.from({ length: Math.max(0, groups - head.length - tail.length) }, () => "0")
  const all = [...head, ...zeros, ...tail].map((group) => group.replace(/^0+(?=.)/, ""))
  return `${all.slice(0, groupsOfNetwork).join(":")}::/64`
}
