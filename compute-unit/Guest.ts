/**
 * Guest: one instance of guest code that runs, whatever runs it. What a `Machine` needs of it: to set what a turn
 * starts from beside memory, to run one, and to have its memory and globals taken out and put back.
 *
 * Nothing of the host is behind it: no environment, no locale, UTC, a clock that stands at the turn's timestamp, memory
 * that grows as asked up to the process's limit. What ends a turn early is thrown as `Ended`; a fault of the host,
 * which another try or machine would not have, as `HostFault`. After either, and whenever the memory grew in a turn
 * that is undone, the instance is thrown away: a trap leaves it as it fell.
 */
import type { Channel } from "./Intrinsic.ts"
import type { Said } from "./Emission.ts"
import type { Handles } from "./Handles.ts"
import type { TurnInput } from "./TurnInput.ts"

/** Bytes of one WebAssembly page. */
export const wasmPageBytes = 65_536

export interface Limits {
  readonly fuel: bigint
  /** Pages of 64 KiB. */
  readonly memoryPagesMax: number
}

/** What is run: a message, what a failed turn leaves to do, or a half of a change of program. */
export type Task = "turn" | "abandon" | "exportState" | "importState"

export interface Guest {
  /** Memory as bytes; another object after it grew. */
  readonly bytes: Buffer
  /** Size in pages of 64 KiB. */
  readonly pages: number
  /** Where turns write: byte ranges. What lies between is zero after every turn. */
  readonly written: ReadonlyArray<readonly [from: number, to: number]>
  /** Mutable globals by index, as 64-bit patterns. */
  globals: Uint8Array
  /** Places that boot left, where guest code is driven by such. */
  handles: Handles | undefined
  readonly fuelUsed: bigint
  readonly channel: Channel
  /** Whether the guest has asked for memory over its limit since `arm`. */
  readonly growRefused: boolean
  /** Sets everything that a turn starts from beside its memory. */
  readonly arm: (limits: Limits, clock: number, input: Uint8Array) => void
  /** Runs a task to its end; gives what the guest said. `words` is the input as JSON. */
  readonly run: (task: Task, words: string) => string
  /** Ends a turn: checks the counters, and clears what is dead. */
  readonly disarm: () => void
  /** Reads what the guest said in a turn of `input`. Throws `BadOutput`. */
  readonly read: (said: string, input: TurnInput) => Said
}
