/**
 * Instance: one running guest and the process whose memory is loaded into it.
 *
 * What a page is when no turn runs is said in one place: by the process where the page is its own, else by the boot
 * image, which stands beside the guest's memory page for page. What differs from that after a turn is what the turn
 * wrote: copied out when the turn stands, copied back when it does not. Changing to another process of the image
 * writes only pages that one of the two owns.
 *
 * To find what differs takes a third of a turn, so turns that stand may be left in the guest's memory alone, ahead of
 * what is kept of the process, until somebody looks at it. They are noted: where one after them fails, they are run
 * again from what is kept, which comes to the same.
 *
 * Memory can't shrink, and guest code sees its size: an instance takes processes of exactly its own size.
 */
import * as Limit from "../runtime/Limit.ts"
import { type BootImage, pageBytes, zeroPage } from "./BootImage.ts"
import { HostFault } from "./Ending.ts"
import { type Guest, type Limits, type Task, wasmPageBytes } from "./Guest.ts"
import type { Memory } from "./Memory.ts"
import type { Run } from "./OwnPages.ts"

/** A turn that stands, with all that it takes to run it again. */
export interface Step {
  readonly task: Task
  readonly words: string
  readonly data: Uint8Array
  readonly clock: number
  readonly limits: Limits
  /** What it took. */
  readonly fuelUsed: bigint
}

/** Bounds of what is ahead, so that to run it again takes some milliseconds and to note it no memory to speak of. */
const stepsMax = 64
/** Turns that have to stand in a row for one to go ahead: where many fail, running others again would cost too much. */
const stoodPerStep = 4
const stepsFuelMax = 20_000_000n
const stepsBytesMax = 1_048_576

export class Instance {
  readonly guest: Guest
  /** The boot image. It begins at a page of the machine, as the guest's memory does: two that lie alike are compared in half the time. */
  readonly #standing: WebAssembly.Memory
  #standingBytes: Buffer
  #boot: BootImage | undefined
  #memory: Memory | undefined
  #version = -1
  /** Pages kept of the loaded process; where they lie is where they are compared. */
  #runs: ReadonlyArray<Run> = []
  #globals: Uint8Array
  /** Turns of the loaded process that are not kept yet. */
  #ahead: Array<Step> = []
  #aheadFuel = 0n
  #aheadBytes = 0
  #spoiled = false

  constructor(guest: Guest) {
    this.guest = guest
    this.#standing = given(
      () => new WebAssembly.Memory({ initial: guest.pages, maximum: Limit.memoryPagesMax }),
    )
    this.#standingBytes = Buffer.from(this.#standing.buffer)
    this.#globals = guest.globals
  }

  /** Size in WebAssembly pages of the processes that it takes; grows when a turn that grew is committed. */
  get wasmPages(): number {
    return this.#standingBytes.length / wasmPageBytes
  }

  /** Puts the memory of a process in place. */
  load(memory: Memory): void {
    if (this.#ahead.length > 0) {
      if (this.#memory === memory) return
      if (this.#memory!.isAhead) this.#memory!.settle()
      else this.#drop()
    }
    memory.settle()
    memory.use()
    const { runs } = memory.kept
    if (this.#memory === memory && this.#version === memory.version && this.#runs === runs) return
    if (memory.wasmPages !== this.wasmPages)
      throw new Error("a process is loaded into an instance of its own size")
    this.#unload(memory)
    if (this.#boot !== memory.boot) this.#loadBoot(memory.boot)
    for (const { first, bytes } of runs) this.guest.bytes.set(bytes, first * pageBytes)
    this.guest.globals = memory.globals
    this.#memory = memory
    this.#note(memory)
  }

  /** Leaves a turn that stands ahead, to be committed with those after it; or commits now, where enough is ahead. */
  stand(step: Step): void {
    const memory = this.#memory!
    const fuel = this.#aheadFuel + step.fuelUsed
    const bytes = this.#aheadBytes + step.words.length + step.data.length
    const enough =
      this.#ahead.length >= Math.min(stepsMax, memory.stood / stoodPerStep) ||
      fuel > stepsFuelMax ||
      bytes > stepsBytesMax ||
      this.guest.bytes.length > this.#standingBytes.length
    if (enough) return this.commit()
    this.#ahead.push(step)
    this.#aheadFuel = fuel
    this.#aheadBytes = bytes
    memory.ahead(() => this.commit())
  }

  /** Whether a commit failed in it: what stands in the guest is then nobody's. */
  get isSpoiled(): boolean {
    return this.#spoiled
  }

  /** Makes what turns wrote the process's own. */
  commit(): void {
    this.#spoiled = true
    this.#commit()
    this.#spoiled = false
  }

  #commit(): void {
    const memory = this.#memory!
    const { bytes } = this.guest
    const before = this.#standingBytes.length
    const changed = this.#changed()
    if (bytes.length > before) {
      for (let index = before / pageBytes; index < bytes.length / pageBytes; index++) changed.push(index)
      given(() => this.#standing.grow((bytes.length - before) / wasmPageBytes))
      this.#standingBytes = Buffer.from(this.#standing.buffer)
    }
    memory.commit(changed, bytes, this.guest.globals)
    this.#forget()
    this.#note(memory)
  }

  /** Takes back what a process left ahead that is no more. Memory did not grow: a turn in which it does is committed. */
  #drop(): void {
    this.#forget()
    this.rollback()
  }

  /** Takes back what is not kept; false where memory grew, which can't be taken back. */
  rollback(): boolean {
    const { bytes } = this.guest
    if (bytes.length !== this.#standingBytes.length) return false
    const memory = this.#memory!
    for (const index of this.#changed()) {
      const own = memory.kept.all.get(index)
      if (own === undefined) this.#putStanding(index)
      else bytes.set(own, index * pageBytes)
    }
    this.guest.globals = this.#globals
    return true
  }

  /** Gives up the turns that are ahead, in order: what they wrote is nowhere else until they are run again. */
  giveUp(): ReadonlyArray<Step> {
    const steps = this.#ahead
    if (steps.length > 0) this.#memory!.ahead(undefined)
    this.#forget()
    return steps
  }

  /** Notes what is kept of a process, which is what stands in the guest. */
  #note(memory: Memory): void {
    this.#runs = memory.kept.runs
    this.#globals = memory.globals
    this.#version = memory.version
  }

  #forget(): void {
    this.#ahead = []
    this.#aheadFuel = 0n
    this.#aheadBytes = 0
  }

  /** Puts the boot image back where a process owned pages that the next one does not. */
  #unload(next: Memory): void {
    const { all } = next.kept
    const sameBoot = this.#boot === next.boot
    for (const { first, pages } of this.#runs)
      for (let index = first; index < first + pages; index++)
        if (!sameBoot || !all.has(index)) this.#putStanding(index)
    this.#runs = []
  }

  /** Changes to another boot image. Images share what is equal in them, so little is written. */
  #loadBoot(boot: BootImage): void {
    const before = this.#boot
    const write = (index: number, page: Uint8Array): void => {
      this.guest.bytes.set(page, index * pageBytes)
      this.#standingBytes.set(page, index * pageBytes)
    }
    if (before === undefined) {
      // In a new instance stands what its segments wrote, and zeros that are best left untouched.
      for (const [from, to] of this.#writtenPages())
        for (let index = from; index < to; index++) if (!this.#isZero(index)) write(index, zeroPage)
    }
    for (let index = 0; index < this.#standingBytes.length / pageBytes; index++) {
      const page = boot.pages[index]
      if (page !== before?.pages[index]) write(index, page ?? zeroPage)
    }
    this.#boot = boot
    this.guest.handles = boot.handles
  }

  #isZero(index: number): boolean {
    return this.guest.bytes.compare(zeroPage, 0, pageBytes, index * pageBytes, (index + 1) * pageBytes) === 0
  }

  #putStanding(index: number): void {
    const [from, to] = [index * pageBytes, (index + 1) * pageBytes]
    this.guest.bytes.set(this.#standingBytes.subarray(from, to), from)
  }

  /** Where turns write, as pages. What memory grew by since the last commit is not among them. */
  #writtenPages(): ReadonlyArray<readonly [from: number, to: number]> {
    const last = this.#standingBytes.length / pageBytes
    return this.guest.written.map(([from, to]) => [
      Math.floor(from / pageBytes),
      Math.min(Math.ceil(to / pageBytes), last),
    ])
  }

  /** Pages that differ from what is kept. */
  #changed(): Array<number> {
    const { bytes } = this.guest
    const changed: Array<number> = []
    const differs = (kept: Buffer, first: number, from: number, to: number): boolean =>
      kept.compare(
        bytes,
        from * pageBytes,
        to * pageBytes,
        (from - first) * pageBytes,
        (to - first) * pageBytes,
      ) !== 0
    /** `kept` is what pages are kept as, from page `first` on. */
    const look = (kept: Buffer, first: number, from: number, to: number): void => {
      if (!differs(kept, first, from, to)) return
      if (to - from === 1) changed.push(from)
      else
        for (let index = from; index < to; index++)
          if (differs(kept, first, index, index + 1)) changed.push(index)
    }
    let next = 0
    for (const [from, to] of this.#writtenPages()) {
      let at = from
      for (let run = this.#runs[next]; run !== undefined && run.first < to; run = this.#runs[++next]) {
        if (at < run.first) look(this.#standingBytes, 0, at, run.first)
        look(run.bytes, run.first, run.first, run.first + run.pages)
        at = run.first + run.pages
      }
      if (at < to) look(this.#standingBytes, 0, at, to)
    }
    return changed
  }
}

/** What the host gives, if it has it. */
const given = <A>(ask: () => A): A => {
  try {
    return ask()
  } catch (error) {
    throw error instanceof RangeError ? new HostFault(error.message) : error
  }
}
