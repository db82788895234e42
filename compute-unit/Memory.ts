/**
 * Memory: what a process remembers between turns, as 4 KiB pages of its own over the boot image of its module.
 *
 *     own pages (about ten) -> boot image (about eighty pages that are not zero, shared) -> zero
 *
 * Copy-on-write is how it is stored, never part of what it is: two memories with equal bytes have equal roots,
 * however their pages came about.
 */
import { type BootImage, pageBytes, pagesPerWasmPage, zeroHash, zeroPage } from "./BootImage.ts"
import { hashPage, type PageHash, PageTree } from "./PageTree.ts"

/** Everything by which a memory differs from its boot image, as plain data. */
export interface Difference {
  readonly wasmPages: number
  readonly globals: Uint8Array
  readonly pages: ReadonlyArray<readonly [index: number, bytes: Uint8Array]>
}

export class Memory {
  readonly boot: BootImage
  /** Pages that differ from the boot image, by index. Commits write into them. */
  readonly own: Map<number, Uint8Array>
  #wasmPages: number
  #globals: Uint8Array
  #version = 0
  #tree: PageTree | undefined
  /** Pages that changed since the tree was brought up to date. */
  readonly #stale: Set<number>

  constructor(
    boot: BootImage,
    difference: Difference = { wasmPages: boot.wasmPages, globals: boot.globals, pages: [] },
  ) {
    this.boot = boot
    this.#globals = difference.globals
    this.own = new Map(difference.pages)
    this.#wasmPages = difference.wasmPages
    this.#stale = new Set(this.own.keys())
    this.#staleFrom(boot.wasmPages)
  }

  /** Size in WebAssembly pages of 64 KiB. */
  get wasmPages(): number {
    return this.#wasmPages
  }

  /** Grows with every commit: tells whether a copy that was loaded elsewhere is still this memory. */
  get version(): number {
    return this.#version
  }

  /** Mutable globals after the last turn, as 64-bit patterns. */
  get globals(): Uint8Array {
    return this.#globals
  }

  /** Bytes that are this memory's alone. */
  get ownBytes(): number {
    return this.own.size * pageBytes
  }

  page(index: number): Uint8Array {
    return this.own.get(index) ?? this.boot.pages[index] ?? zeroPage
  }

  /** Takes over what a turn wrote: the pages at `indices` of `bytes`, which is the whole memory, and its globals. */
  commit(indices: Iterable<number>, bytes: Buffer, globals: Uint8Array): void {
    const before = this.#wasmPages
    this.#globals = globals
    this.#wasmPages = bytes.length / (pageBytes * pagesPerWasmPage)
    this.#version++
    for (const index of indices) {
      const page = bytes.subarray(index * pageBytes, (index + 1) * pageBytes)
      const kept = this.own.get(index)
      // Written in place, because a fresh page costs more than all else that is done with it.
      if (kept !== undefined) kept.set(page)
      else if (this.boot.pages[index] !== undefined || !page.equals(zeroPage))
        this.own.set(index, new Uint8Array(page))
      this.#stale.add(index)
    }
    this.#staleFrom(before)
  }

  /** Merkle root over the SHA-256 of every page by index. Hashes only what changed since it was last asked for. */
  root(): Uint8Array {
    this.#tree ??= new PageTree(this.boot.tree)
    const stale = [...this.#stale].toSorted((a, b) => a - b)
    this.#tree.update(stale.map((index) => [index, this.#hashOf(index)]))
    this.#stale.clear()
    return this.#tree.root
  }

  /** A memory equal to this one that goes its own way. */
  copy(): Memory {
    const made = new Memory(this.boot, this.difference())
    if (this.#tree === undefined) return made
    made.#tree = this.#tree.copy()
    made.#stale.clear()
    for (const index of this.#stale) made.#stale.add(index)
    return made
  }

  difference(): Difference {
    const pages = [...this.own].toSorted(([a], [b]) => a - b)
    return {
      wasmPages: this.#wasmPages,
      globals: this.#globals,
      pages: pages.map(([index, page]) => [index, new Uint8Array(page)]),
    }
  }

  #hashOf(index: number): PageHash {
    const page = this.page(index)
    return page === zeroPage ? zeroHash : hashPage(page)
  }

  /** Pages that memory grew by count, zero or not. */
  #staleFrom(wasmPages: number): void {
    for (let i = wasmPages * pagesPerWasmPage; i < this.#wasmPages * pagesPerWasmPage; i++) this.#stale.add(i)
  }
}
