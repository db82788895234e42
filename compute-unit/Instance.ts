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
import type { Engine } from "./Engine.ts"
import { Guest, wasmPageBytes } from "./Guest.ts"
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

  constructor(engine: Engine, wasmPages: number) {
    this.guest = new Guest(engine, wasmPages)
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
    memory.commit(changed, bytes)
    this.#version = memory.version
  }

  /** Takes back what the turn wrote; false where its memory grew, which can't be taken back. */
  rollback(): boolean {
    const { bytes } = this.guest
    if (bytes.length !== this.#shadow.length) return false
    this.#eachChange((index) =>
      this.#shadow.copy(bytes, index * pageBytes, index * pageBytes, (index + 1) * pageBytes),
    )
    return true
  }

  /** Changes to another boot image. Images share what is equal in them, so little is written. */
  #loadBoot(boot: BootImage): void {
    const before = this.#boot
    for (let index = 0; index < this.#shadow.length / pageBytes; index++) {
      const page = boot.pages[index]
      // In a new instance stands what its segments wrote.
      const stands = before !== undefined && before.pages[index] === page && !this.#loaded.has(index)
      if (!stands) this.#write(index, page ?? zeroPage)
    }
    this.#loaded.clear()
    this.#boot = boot
    this.guest.handles = boot.handles
  }

  #write(index: number, page: Uint8Array): void {
    this.guest.bytes.set(page, index * pageBytes)
    this.#shadow.set(page, index * pageBytes)
  }

  /** Visits the pages that differ from the shadow, in static data and the heap. The stack between them is zero. */
  #eachChange(visit: (index: number) => void): void {
    const { bytes, dataEnd, stackBase } = this.guest
    const regions = [
      [0, Math.ceil(dataEnd / pageBytes)],
      [Math.floor(stackBase / pageBytes), this.#shadow.length / pageBytes],
    ] as const
    const differs = (from: number, to: number): boolean =>
      this.#shadow.compare(bytes, from * pageBytes, to * pageBytes, from * pageBytes, to * pageBytes) !== 0
    for (const [start, end] of regions)
      for (let from = start; from < end; from += chunkPages) {
        const to = Math.min(from + chunkPages, end)
        if (differs(from, to))
          for (let index = from; index < to; index++) if (differs(index, index + 1)) visit(index)
      }
  }
}
