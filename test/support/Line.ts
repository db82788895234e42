/** A line between two nodes, as good or as bad as a test wants it, on which time goes on by itself. */
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type * as Id from "../../runtime/Id.ts"
import type { Network } from "../../runtime/Network.ts"
import * as NetworkMemory from "../../runtime/NetworkMemory.ts"
import * as NetworkFaulty from "../simulation/NetworkFaulty.ts"

/** What a call between units goes over. */
export interface Line {
  readonly name: string
  /** Gives each address its place on one network. */
  readonly join: Effect.Effect<(address: Id.Address) => Network["Service"]>
  /** Whether a request can be handled more than once, by the line or because its answer was lost. */
  readonly repeats: boolean
}

export const good: Line = {
  name: "over a network in memory",
  join: Effect.sync(() => {
    const board = NetworkMemory.switchboard()
    return (address) => NetworkMemory.make(address, board)
  }),
  repeats: false,
}

const faults = { lose: 0.25, double: 0.2, delayMsMax: 200, timeoutMs: 300 }

/** Loses, delays, doubles and reorders. */
export const bad = (seed: number): Line => ({
  name: `over a network that loses, doubles and delays, seed ${seed}`,
  join: Effect.map(good.join, (join) => {
    const next = NetworkFaulty.random(seed)
    return (address) => NetworkFaulty.bend(join(address), faults, next)
  }),
  repeats: true,
})

/** Lets time go on for as long as the test runs. */
export const timeGoesOn = Effect.forkScoped(
  Effect.forever(Effect.andThen(Effect.yieldNow, TestClock.adjust(20))),
)
