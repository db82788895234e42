/**
 * Instance: one running engine and the process whose memory is loaded into it.
 *
 * Beside the guest's memory stands a shadow of it, equal to what is kept of the loaded process. What differs after a
 * turn is what the turn wrote: copied out and into the shadow when the turn stands, copied back from the shadow when
 * it does not. Changing to another process writes only pages by which the two differ.
 *
 * Memory can't shrink, and guest code sees its size: an instance takes processes of exactly its own size.
 */
import { type BootImage, pageBytes, zeroPage } from "./BootImage.ts"
import { type Guest, wasmPageBytes } from "./Guest.ts"
import type { Memory } from "./Memory.ts"

/** Pages compared at once before they are compared one by one. */
const chunkPages = 16

export class Instance {
  readonly guest: Guest
  #shadow: Buffer
  #boot: BootImage | undefined
  #memory: Memory | undefined
  #version = -1
  /** Indices of pages loaded that may differ from the boot image. */
  readonly #loaded = new Set<number>()

  constructor(guest: Guest) {
    this.guest = guest
    this.#shadow = Buffer.from(this.guest.bytes)
  }

  /** Size in WebAssembly pages of the processes that it takes; grows when a turn that grew is committed. */
  get wasmPages(): number {
    return this.#shadow.length / wasmPageBytes
  }

  /** Puts the memory of a process in place. */
  load(memory: Memory): void {
    if (this.#memory === memory && this.#version === memory.version) return
    if (memory.wasmPages !== this.wasmPages)
      throw new Error("a process is loaded into an instance of its own size")
    if (this.#boot !== memory.boot) this.#loadBoot(memory.boot)
    for (const index of this.#loaded) if (!memory.own.has(index)) this.#write(index, memory.page(index))
    this.#loaded.clear()
    for (const [index, page] of memory.own) {
      this.#write(index, page)
      this.#loaded.add(index)
    }
    this.guest.globals = memory.globals
    this.#memory = memory
    this.#version = memory.version
  }

  /** Makes what the turn wrote the process's own. */
  commit(): void {
    const memory = this.#memory!
    const { bytes } = this.guest
    const changed: Array<number> = []
    this.#eachChange((index) => changed.push(index))
    if (bytes.length > this.#shadow.length) {
      for (let index = this.#shadow.length / pageBytes; index < bytes.length / pageBytes; index++)
        changed.push(index)
      this.#shadow = Buffer.concat([this.#shadow], bytes.length)
    }
    for (const index of changed) {
      bytes.copy(this.#shadow, index * pageBytes, index * pageBytes, (index + 1) * pageBytes)
      this.#loaded.add(index)
    }
    memory.commit(changed, bytes, this.guest.globals)
    this.#version = memory.version
  }

  /** Takes back what the turn wrote; false where its memory grew, which can't be taken back. */
  rollback(): boolean {
    const { bytes } = this.guest
    if (bytes.length !== this.#shadow.length) return false
    this.#eachChange((index) =>
      this.#shadow.copy(bytes, index * pageBytes, index * pageBytes, (index + 1) * pageBytes),
    )
    if (this.#memory !== undefined) this.guest.globals = this.#memory.globals
    return true
  }

  /** Changes to another boot image. Images share what is equal in them, so little is written. */
  #loadBoot(boot: BootImage): void {
    const before = this.#boot
    for (let index = 0; index < this.#shadow.length / pageBytes; index++) {
      const page = boot.pages[index]
      // In a new instance stands what its segments wrote, and zeros that are best left untouched.
      const stands =
        before === undefined
          ? page === undefined && this.#isZero(index)
          : before.pages[index] === page && !this.#loaded.has(index)
      if (!stands) this.#write(index, page ?? zeroPage)
    }
    this.#loaded.clear()
    this.#boot = boot
    this.guest.handles = boot.handles
  }

  #isZero(index: number): boolean {
    return this.#shadow.compare(zeroPage, 0, pageBytes, index * pageBytes, (index + 1) * pageBytes) === 0
  }

  #write(index: number, page: Uint8Array): void {
    this.guest.bytes.set(page, index * pageBytes)
    this.#shadow.set(page, index * pageBytes)
  }

  /** Visits the pages that differ from the shadow, where turns write. */
  #eachChange(visit: (index: number) => void): void {
    const { bytes, written } = this.guest
    const differs = (from: number, to: number): boolean =>
      this.#shadow.compare(bytes, from * pageBytes, to * pageBytes, from * pageBytes, to * pageBytes) !== 0
    for (const [start, end] of written) {
      const last = Math.min(Math.ceil(end / pageBytes), this.#shadow.length / pageBytes)
      for (let from = Math.floor(start / pageBytes); from < last; from += chunkPages) {
        const to = Math.min(from + chunkPages, last)
        if (differs(from, to))
          for (let index = from; index < to; index++) if (differs(index, index + 1)) visit(index)
      }
    }
  }
}
