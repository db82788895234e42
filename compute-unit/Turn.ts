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
import type { BootImage, Program } from "./BootImage.ts"
import * as Emission from "./Emission.ts"
import { Ended, type EndReason, HostFault, outOfFuel, spoken, Threw } from "./Ending.ts"
import * as Engine from "./Engine.ts"
import type { Guest, Limits, Task } from "./Guest.ts"
import { GuestScript } from "./GuestScript.ts"
import { Instance, type Step } from "./Instance.ts"
import { Memory } from "./Memory.ts"
import * as PlainOutput from "./PlainOutput.ts"
import { Recent } from "../runtime/Recent.ts"
import { toWords, type TurnInput } from "./TurnInput.ts"

export { boot, type BootResult } from "./Boot.ts"
export { BootImage } from "./BootImage.ts"
export { HostFault } from "./Ending.ts"
export type { Limits } from "./Guest.ts"
export { handleBytes } from "./Handles.ts"
export { type Difference, Memory } from "./Memory.ts"
export type { MessageInput, ProcessInfo, TurnInput } from "./TurnInput.ts"

/** Instances that a thread keeps, each of another program or size: most processes are scripts of the smallest. */
const instancesMax = 8

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

const failure = (reason: FailReason, message: string, ran: Ran, more: Partial<Failed> = {}): Failed => ({
  _tag: "Failed",
  reason,
  message,
  stack: undefined,
  failed: [],
  ...ran,
  ...more,
})

const stackOf = (text: string): Partial<Failed> => (text === "" ? {} : { stack: text })

const failedOf = (error: unknown, ran: Ran): Failed => {
  if (error instanceof Ended) return failure(error.reason, error.message, ran)
  if (error instanceof Threw) return failure("threw", spoken(error), ran, stackOf(error.stackText))
  if (error instanceof Emission.BadOutput) return failure("bad output", error.message, ran)
  throw error
}

/** What becomes of the memory of a task that went well. */
type Keeping = "kept" | "kept, more follow" | "thrown away"

/** How a task ended; one that went well with what it hands over. */
type Result = (Done & { readonly state: string | undefined }) | Failed

/** One thread's instances of guest code, and the processes that run in them, one at a time. */
export class Machine {
  /** By program, then by size in WebAssembly pages. */
  readonly #instances = new Recent<string, Instance>(instancesMax)
  readonly #programs = new WeakMap<Program, number>()
  #programsSeen = 0

  /**
   * Runs a message and keeps what it did, unless `objection` says in words why it may not be kept. Where `more` turns of
   * the process follow at once, what it wrote may be copied out with theirs.
   */
  turn(
    memory: Memory,
    input: TurnInput,
    limits: Limits,
    objection: Objection = () => undefined,
    more = false,
  ): TurnResult {
    const keeping = more ? "kept, more follow" : "kept"
    return this.#run(memory, "turn", this.#words(memory, input), input, limits, keeping, objection)
  }

  /** Runs a message and keeps nothing. */
  query(memory: Memory, input: TurnInput, limits: Limits): TurnResult {
    return this.#run(memory, "turn", this.#words(memory, input), input, limits, "thrown away")
  }

  /**
   * After a turn that failed, on reserve fuel and without the author's code: answers with `TurnFailed` who waits for
   * what it was doing, and lets go of the wait that it ended. `input` is that of the turn. A process runs it after
   * every turn that fails: at slot 0 it is also how the process learns who it is.
   */
  abandon(
    memory: Memory,
    input: TurnInput,
    failed: Failed,
    limits: Limits,
    objection: Objection = () => undefined,
  ): TurnResult {
    const error = failed.message.slice(0, Engine.caps.errorLengthMax)
    if (memory.boot.program.engine.kind === "plain") return answerFor(input, error, objection)
    // Without the data and with a short error, so that the reserve is enough whatever the message was.
    const bare = { ...input, message: { ...input.message, data: Bytes.empty } }
    const words = toWords(bare, input.slot === 0, { failed: failed.failed, error })
    const memoryPagesMax = limits.memoryPagesMax + Engine.caps.memoryPagesReserve
    const reserve = { fuel: Engine.caps.fuelReserve, memoryPagesMax }
    return this.#run(memory, "abandon", words, input, reserve, "kept", objection)
  }

  /**
   * The change to another program (spec 04 §9): what the old one exports goes into the new one's fresh memory, which is
   * given back where both went well. The memory of before stays as it is.
   */
  upgrade(
    memory: Memory,
    image: BootImage,
    input: TurnInput,
    limits: Limits,
    objection: Objection,
  ): { readonly result: TurnResult; readonly memory: Memory } {
    const bare = { ...input, message: { ...input.message, data: Bytes.empty } }
    const words = this.#words(memory, bare)
    const left = this.#run(memory, "exportState", words, bare, limits, "thrown away")
    if (left._tag === "Failed") return { result: left, memory }
    const rest = { ...limits, fuel: limits.fuel - left.fuelUsed }
    const next = new Memory(image)
    const both = (came: Done): Done => join(left, came)
    const told = toWords(bare, true, { state: left.state })
    const came = this.#run(next, "importState", told, bare, rest, "kept", (emission) =>
      tooMuch(left.emission, emission, objection),
    )
    if (came._tag === "Done") return { result: both(came), memory: next }
    const ran = { fuelUsed: left.fuelUsed + came.fuelUsed, console: [...left.console, ...came.console] }
    // The words are those of a whole turn: what the first half took is not the author's to know.
    const message = came.reason === "out of fuel" ? outOfFuel(limits) : came.message
    return { result: { ...came, ...ran, message }, memory }
  }

  /** What an expression comes to on a copy of the memory, in words for a person. */
  inspect(
    memory: Memory,
    expression: string,
    limits: Limits,
    clock: number,
  ): Ran & { readonly text: string } {
    memory.settle()
    const { instance, key } = this.#instanceFor(memory)
    const { guest } = instance
    if (!(guest instanceof GuestScript))
      return { text: "a plain module has no expressions", fuelUsed: 0n, console: [] }
    this.#instances.delete(key)
    instance.load(memory)
    guest.arm(limits, clock, Bytes.empty)
    const text = ((): string => {
      try {
        return guest.inspect(expression)
      } catch (error) {
        if (error instanceof Ended) return `${error.reason}: ${error.message}`
        if (error instanceof Threw) return `threw ${spoken(error)}`
        throw error
      }
    })()
    return { text, fuelUsed: guest.fuelUsed, console: guest.channel.console }
  }

  #words(memory: Memory, input: TurnInput): string {
    return toWords(input, input.slot === 0 || memory.boot.program.engine.kind === "plain")
  }

  #run(
    memory: Memory,
    task: Task,
    words: string,
    input: TurnInput,
    limits: Limits,
    keeping: Keeping,
    objection: Objection = () => undefined,
  ): Result {
    // What a task did that is thrown away is undone by what is kept.
    if (keeping === "thrown away") memory.settle()
    const { instance, key } = this.#instanceFor(memory)
    const { guest, wasmPages: size } = instance
    this.#load(instance, key, memory)
    const ran = (): Ran => ({ fuelUsed: guest.fuelUsed, console: guest.channel.console })
    const { timestamp: clock, message } = input
    let result: Result
    try {
      guest.arm(limits, clock, message.data)
      const said = guest.run(task, words)
      guest.disarm()
      result = readSaid(said, guest, input, ran())
      const refused = result._tag === "Done" ? objection(result.emission) : undefined
      if (refused !== undefined) result = failure("output too large", refused, ran())
      if (keeping !== "thrown away") memory.stood = result._tag === "Done" ? memory.stood + 1 : 0
      if (result._tag === "Failed" || keeping === "thrown away") this.#undo(memory, instance, key)
      else if (keeping === "kept") instance.commit()
      else instance.stand({ task, words, data: message.data, clock, limits, fuelUsed: result.fuelUsed })
    } catch (error) {
      // A trap leaves the engine as it fell; only what it threw in good order leaves it whole.
      this.#throwAway(memory, instance, key)
      const failed = failedOf(error, ran())
      if (keeping !== "thrown away") memory.stood = 0
      return failed
    }
    if (instance.wasmPages !== size) {
      this.#instances.delete(key)
      this.#instances.set(this.#keyOf(memory.boot.program, instance.wasmPages), instance)
    }
    return result
  }

  #load(instance: Instance, key: string, memory: Memory): void {
    try {
      instance.load(memory)
    } catch (error) {
      this.#instances.delete(key)
      throw error
    }
  }

  /** Takes back what a task did. */
  #undo(memory: Memory, instance: Instance, key: string): void {
    this.#runAgain(memory, instance.giveUp())
    if (!instance.rollback()) this.#instances.delete(key)
  }

  #throwAway(memory: Memory, instance: Instance, key: string): void {
    this.#instances.delete(key)
    this.#runAgain(memory, instance.giveUp())
  }

  /** Turns that stood, and that nothing is kept of, are run again when somebody looks. */
  #runAgain(memory: Memory, steps: ReadonlyArray<Step>): void {
    if (steps.length === 0) return
    memory.ahead(() => {
      const { instance, key } = this.#instanceFor(memory)
      const { guest } = instance
      this.#load(instance, key, memory)
      try {
        for (const { task, words, data, clock, limits, fuelUsed } of steps) {
          guest.arm(limits, clock, data)
          guest.run(task, words)
          guest.disarm()
          if (guest.fuelUsed !== fuelUsed) throw new Error(`${guest.fuelUsed} fuel, and not ${fuelUsed}`)
        }
      } catch (error) {
        this.#instances.delete(key)
        // Whatever it is, it is no outcome of theirs: that has been told.
        const what = error instanceof Error ? error.message : String(error)
        throw new HostFault(`a turn that stood does not run again: ${what}`)
      }
      instance.commit()
    })
  }

  #keyOf(program: Program, wasmPages: number): string {
    let number = this.#programs.get(program)
    if (number === undefined) this.#programs.set(program, (number = this.#programsSeen++))
    return `${number} ${wasmPages}`
  }

  #instanceFor({ boot: { program }, wasmPages }: Memory): {
    readonly instance: Instance
    readonly key: string
  } {
    const key = this.#keyOf(program, wasmPages)
    const found = this.#instances.get(key)
    if (found?.isSpoiled === false) return { instance: found, key }
    const instance = new Instance(program.instantiate(wasmPages))
    this.#instances.set(key, instance)
    return { instance, key }
  }
}

const readSaid = (said: string, guest: Guest, input: TurnInput, ran: Ran): Result => {
  if (said === "" || Buffer.byteLength(said) > Limit.outputBytesPerTurnMax)
    return failure(
      "output too large",
      `replies, views and outbox take more than ${Limit.outputBytesPerTurnMax} bytes`,
      ran,
    )
  const { emission, failures, state } = guest.read(said, input)
  const [first] = failures
  if (first === undefined) return { _tag: "Done", emission, state, ...ran }
  const failed = failures.map(({ origin }) => origin)
  // With no memory left for an error to be made of, the engine throws null.
  const starved = guest.growRefused && first.name === "" && first.message === "null"
  const message = starved ? "no memory is left" : spoken(first)
  const reason = starved ? "out of memory" : first.kind
  return failure(reason, message, ran, { ...stackOf(first.stack), failed })
}

const joined = (a: Emission.Emission, b: Emission.Emission): Emission.Emission => ({
  outbox: [...a.outbox, ...b.outbox],
  replies: [...a.replies, ...b.replies],
  views: [...a.views, ...b.views],
})

const join = (left: Done, came: Done): Done => ({
  _tag: "Done",
  emission: joined(left.emission, came.emission),
  fuelUsed: left.fuelUsed + came.fuelUsed,
  console: [...left.console, ...came.console],
})

/** Holds both halves of an upgrade together to what one turn may give out. */
const tooMuch = (a: Emission.Emission, b: Emission.Emission, objection: Objection): string | undefined => {
  const both = joined(a, b)
  if (both.outbox.length > Limit.outboxEntriesPerTurnMax)
    return `${both.outbox.length} messages; at most ${Limit.outboxEntriesPerTurnMax} are allowed`
  return objection(both)
}

/** What `abandon` comes to where no prelude does it: the host answers the message of the turn. */
const answerFor = (input: TurnInput, error: string, objection: Objection): TurnResult => {
  const reply = { to: input.message.id, error: `TurnFailed: ${error}` }
  const emission = { outbox: PlainOutput.answerTo(reply, input), replies: [reply], views: [] }
  const ran = { fuelUsed: 0n, console: [] }
  const message = objection(emission)
  return message === undefined
    ? { _tag: "Done", emission, ...ran }
    : failure("output too large", message, ran)
}
