/**
 * Turn: (memory, input) -> (memory, emission), or nothing at all. The synchronous core of a sandbox.
 *
 * A turn is a transaction. It ends in `Done`, and the memory has what it wrote, or in `Failed`, and the memory is
 * what it was and nothing is emitted. Both are the same on every machine. A `HostFault` is thrown instead: it says
 * that this thread could not run the turn, and nothing about the turn.
 */
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Emission from "./Emission.ts"
import { Ended, type EndReason, spoken, Threw } from "./Ending.ts"
import * as Engine from "./Engine.ts"
import type { Guest, Limits } from "./Guest.ts"
import { Instance } from "./Instance.ts"
import type { Memory } from "./Memory.ts"
import { Recent } from "./Recent.ts"

export { boot, type BootResult } from "./Boot.ts"
export { BootImage } from "./BootImage.ts"
export { HostFault } from "./Ending.ts"
export type { Limits } from "./Guest.ts"
export { handleBytes } from "./Handles.ts"
export { type Difference, Memory } from "./Memory.ts"

/** Instances that a thread keeps, each of another size: most processes have the smallest. */
const instancesMax = 8

export interface ProcessInfo {
  readonly id: Id.ProcessId
  readonly owner: Id.Address
  readonly module: Id.Id
  readonly scheduler: Id.Address
  readonly tags: ReadonlyArray<readonly [name: string, value: string]>
}

export interface MessageInput {
  readonly id: Id.Id
  /** Text of an id; empty for a query that nobody signed. */
  readonly from: string
  /** Whether `from` is a process, whose word was proven, and not the holder of a key. */
  readonly fromProcess: boolean
  /** Text of an id; of the process itself for its spawn. */
  readonly target: string
  /** Empty where the message has none. */
  readonly action: string
  readonly tags: ReadonlyArray<readonly [name: string, value: string]>
  readonly data: Uint8Array
}

export interface TurnInput {
  readonly slot: number
  /** ms since 1970: the only time there is. */
  readonly timestamp: number
  /** Head of the log at this slot. */
  readonly head: Id.Id
  /** 32 bytes that seed `Math.random`. */
  readonly seed: Uint8Array
  /** Who the process is; given with slot 0, and remembered. */
  readonly process?: ProcessInfo | undefined
  readonly message: MessageInput
}

export type FailReason = EndReason | "threw" | "output too large" | "bad output"

interface Ran {
  readonly fuelUsed: bigint
  readonly console: ReadonlyArray<readonly [level: string, text: string]>
}

export type Done = Ran & { readonly _tag: "Done"; readonly emission: Emission.Emission }

export type Failed = Ran & {
  readonly _tag: "Failed"
  readonly reason: FailReason
  readonly message: string
  /** Lines of the author's script, innermost first, where the guest threw. */
  readonly stack: string | undefined
  /** Messages whose handlers ended with an error, where the turn got so far that this is known. */
  readonly failed: ReadonlyArray<Id.Id>
}

export type TurnResult = Done | Failed

/** Looks at what a turn wants to give out before its memory is kept. */
export type Objection = (emission: Emission.Emission) => string | undefined

const object = (done: Done, objection: Objection): TurnResult => {
  const message = objection(done.emission)
  if (message === undefined) return done
  const { fuelUsed, console } = done
  return {
    _tag: "Failed",
    reason: "output too large",
    message,
    stack: undefined,
    failed: [],
    fuelUsed,
    console,
  }
}

const toWords = (input: TurnInput, more: object = {}): string => {
  const { message, process = null } = input
  const data = Bytes.toText(message.data) ?? null
  return JSON.stringify({
    slot: input.slot,
    timestamp: input.timestamp,
    head: input.head,
    seed: Bytes.toHex(input.seed),
    process,
    message: { ...message, data, length: message.data.length },
    ...more,
  })
}

const failedOf = (error: unknown, ran: Ran): Failed => {
  const failed = (reason: FailReason, message: string, stack?: string): Failed => ({
    _tag: "Failed",
    reason,
    message,
    stack: stack === "" ? undefined : stack,
    failed: [],
    ...ran,
  })
  if (error instanceof Ended) return failed(error.reason, error.message)
  if (error instanceof Threw) return failed("threw", spoken(error), error.stackText)
  if (error instanceof Emission.BadOutput) return failed("bad output", error.message)
  throw error
}

/** The engine of one thread and the processes that it runs, one at a time. */
export class Machine {
  readonly #engine = Engine.load()
  /** By size in WebAssembly pages. */
  readonly #instances = new Recent<number, Instance>(instancesMax)

  /** Runs a message and keeps what it did, unless `objection` says in words why it may not be kept. */
  turn(memory: Memory, input: TurnInput, limits: Limits, objection: Objection = () => undefined): TurnResult {
    return this.#run(memory, "turn", toWords(input), input, limits, objection)
  }

  /** Runs a message and keeps nothing. */
  query(memory: Memory, input: TurnInput, limits: Limits): TurnResult {
    return this.#run(memory, "turn", toWords(input), input, limits, undefined)
  }

  /**
   * After a turn that failed, on reserve fuel and without the author's code: answers with `TurnFailed` who waits for
   * what it was doing, and lets go of the wait that it ended. `input` is that of the turn. A process runs it after
   * every turn that fails: at slot 0 it is also how the process learns who it is.
   */
  abandon(
    memory: Memory,
    input: TurnInput,
    failure: Failed,
    limits: Limits,
    objection: Objection = () => undefined,
  ): TurnResult {
    // Without the data and with a short error, so that the reserve is enough whatever the message was.
    const bare = { ...input, message: { ...input.message, data: Bytes.empty } }
    const words = toWords(bare, {
      failed: failure.failed,
      error: failure.message.slice(0, Engine.caps.errorLengthMax),
    })
    const memoryPagesMax = limits.memoryPagesMax + Engine.caps.memoryPagesReserve
    return this.#run(
      memory,
      "abandon",
      words,
      input,
      { fuel: Engine.caps.fuelReserve, memoryPagesMax },
      objection,
    )
  }

  #run(
    memory: Memory,
    kind: "turn" | "abandon",
    words: string,
    input: TurnInput,
    limits: Limits,
    objection: Objection | undefined,
  ): TurnResult {
    const instance = this.#instanceFor(memory)
    const { guest } = instance
    const channelData = Bytes.toText(input.message.data) === undefined ? input.message.data : Bytes.empty
    let result: TurnResult
    try {
      instance.load(memory)
      guest.arm(limits, input.timestamp, channelData)
      guest.tell(kind, words)
      guest.drain()
      const said = guest.result()
      guest.disarm()
      result = this.#read(said, guest, { fuelUsed: guest.fuelUsed, console: guest.channel.console })
      if (result._tag === "Done" && objection !== undefined) result = object(result, objection)
    } catch (error) {
      // A trap leaves the engine as it fell; only what it threw in good order leaves it whole.
      this.#instances.delete(instance.wasmPages)
      return failedOf(error, { fuelUsed: guest.fuelUsed, console: guest.channel.console })
    }
    const size = instance.wasmPages
    if (result._tag === "Done" && objection !== undefined) instance.commit()
    else if (!instance.rollback()) this.#instances.delete(size)
    if (instance.wasmPages !== size) {
      this.#instances.delete(size)
      this.#instances.set(instance.wasmPages, instance)
    }
    return result
  }

  #read(said: string, guest: Guest, ran: Ran): TurnResult {
    if (said === "" || Buffer.byteLength(said) > Limit.outputBytesPerTurnMax) {
      const message = `replies, views and outbox take more than ${Limit.outputBytesPerTurnMax} bytes`
      return { _tag: "Failed", reason: "output too large", message, stack: undefined, failed: [], ...ran }
    }
    const { emission, failures } = Emission.read(said, guest.channel.output)
    const [first] = failures
    if (first === undefined) return { _tag: "Done", emission, ...ran }
    const { name, stack } = first
    const failed = failures.map(({ origin }) => origin)
    // With no memory left for an error to be made of, the engine throws null.
    const starved = guest.growRefused && name === "" && first.message === "null"
    const message = starved ? "no memory is left" : spoken(first)
    return {
      _tag: "Failed",
      reason: starved ? "out of memory" : first.kind,
      message,
      stack: stack === "" ? undefined : stack,
      failed,
      ...ran,
    }
  }

  #instanceFor(memory: Memory): Instance {
    const size = memory.wasmPages
    const instance = this.#instances.get(size) ?? new Instance(this.#engine, size)
    this.#instances.set(size, instance)
    return instance
  }
}
