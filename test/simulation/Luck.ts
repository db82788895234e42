/**
 * Luck: all that is left to chance in a simulation, from a seed. Each purpose has a stream of its own, so that one who
 * draws more often does not change what another draws: without that no workload could be shrunk.
 */
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import { random } from "./NetworkFaulty.ts"

export interface Luck {
  /** In [0, 1). */
  readonly next: () => number
  /** 0 to `end` - 1. */
  readonly below: (end: number) => number
  readonly chance: (share: number) => boolean
  readonly pick: <A>(from: ReadonlyArray<A>) => A
  readonly bytes: (length: number) => Uint8Array
}

export const make = (seed: number, stream: string): Luck => {
  const digest = Hash.tagged("heddle/simulation/1", Bytes.u64(seed), Bytes.fromText(stream))
  const next = random(new Bytes.Reader(digest).u32())
  const below = (end: number) => Math.floor(next() * end)
  return {
    next,
    below,
    chance: (share) => share > 0 && next() < share,
    pick: (from) => from[below(from.length)]!,
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
  }
}
