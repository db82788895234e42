/**
 * A network that loses, delays and doubles what another carries, by a seed. It is as bad as the seam allows, and worse
 * where `double` is set: the seam promises that a request is handled at most once.
 *
 * A lost request and a lost answer look the same to who asked: `timeout`, after a time on the clock.
 */
import * as Effect from "effect/Effect"
import { type Network, NetworkFailed } from "../../runtime/Network.ts"

export interface Faults {
  readonly seed: number
  /** Share of requests, and of answers, that are lost: 0 to 1. */
  readonly lose: number
  /** Share of requests that are handled twice. */
  readonly double: number
  /** A request and its answer each take up to so long. */
  readonly delayMsMax: number
  readonly timeoutMs: number
}

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
export const random = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Bends a place on a network; all places of one network share `next`, the source of its luck. */
export const bend = (
  network: Network["Service"],
  { lose, double, delayMsMax, timeoutMs }: Omit<Faults, "seed">,
  next: () => number,
): Network["Service"] => ({
  ...network,
  request: (to, protocol, body) =>
    Effect.suspend(() => {
      // All drawn at once, so that one request's luck does not depend on how long another takes.
      const [lost, there, back, twice, lostAnswer] = [
        next() < lose,
        next(),
        next(),
        next() < double,
        next() < lose,
      ]
      const timeout = Effect.fail(
        new NetworkFailed({ address: to, reason: "timeout", detail: `nothing came for ${timeoutMs} ms` }),
      )
      const silence = Effect.andThen(Effect.sleep(timeoutMs), timeout)
      const delay = (part: number) =>
        delayMsMax === 0 ? Effect.void : Effect.sleep(Math.ceil(part * delayMsMax))
      const ask = network.request(to, protocol, body)
      return Effect.gen(function* () {
        yield* delay(there)
        if (lost) return yield* silence
        if (twice) yield* Effect.forkDetach(Effect.ignore(ask))
        const answer = yield* ask
        yield* delay(back)
        return lostAnswer ? yield* silence : answer
      })
    }),
})
