/**
 * Memory: what a process remembers between turns, as 4 KiB pages of its own over the boot image of its module.
 *
 *     own pages (about thirty) -> boot image (about 130 pages that are not zero, shared) -> zero
 *
 * Copy-on-write is how it is stored, never part of what it is: two memories with equal bytes have equal roots,
 * however their pages came about. Turns may be ahead of what is kept: they are settled before anybody looks.
 */
import { type BootImage, pageBytes, pagesPerWasmPage, zeroHash, zeroPage } from "./BootImage.ts"
import { OpenPages } from "./OpenPages.ts"
import { OwnPages } from "./OwnPages.ts"
import { hashPage, type PageHash, PageTree } from "./PageTree.ts"

/** Everything by which a memory differs from its boot image, as plain data. */
export interface Difference {
  readonly wasmPages: number
  readonly globals: Uint8Array
  readonly pages: ReadonlyArray<readonly [index: number, bytes: Uint8Array]>
}

/** Pages of all processes of a thread that are not packed: 64 MiB. */
const open = new OpenPages(16_384)

/** A process with more pages is not packed: that would hold the others of its thread up. */
const packedPagesMax = 1_024

export class Memory {
  readonly boot: BootImage
  /** The own pages that are kept, whatever turns are ahead. */
  readonly kept: OwnPages
  /** Brings what turns wrote that are ahead. */
  #bring: (() => void) | undefined
  #wasmPages: number
  #globals: Uint8Array
  #version = 0
  /** Turns that stood since one failed: how far others may go ahead. */
  stood = 0
  /** What `ownBytes` was, and of which version. */
  #counted = { version: -1, bytes: 0 }
  #tree: PageTree | undefined
  /** Pages that changed since the tree was brought up to date, where there is one. */
  readonly #stale = new Set<number>()
  readonly #self = new WeakRef(this)

  constructor(
    boot: BootImage,
    difference: Difference = { wasmPages: boot.wasmPages, globals: boot.globals, pages: [] },
  ) {
    this.boot = boot
    this.#globals = difference.globals
    this.#wasmPages = difference.wasmPages
    this.kept = new OwnPages(boot, difference.pages)
    this.use()
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
    this.settle()
    return this.#globals
  }

  /** Pages that differ from the boot image, by index. */
  get own(): ReadonlyMap<number, Uint8Array> {
    this.settle()
    this.use()
    return this.kept.all
  }

  /** Bytes of the pages that differ from the boot image, as they were when it was last looked at. */
  get ownBytes(): number {
    if (this.#counted.version !== this.#version)
      this.#counted = { version: this.#version, bytes: this.#differing().length * pageBytes }
    return this.#counted.bytes
  }

  page(index: number): Uint8Array {
    return this.own.get(index) ?? this.boot.pages[index] ?? zeroPage
  }

  /** Says that turns have run which it has not seen; `bring` commits what they wrote, when somebody looks. */
  ahead(bring: (() => void) | undefined): void {
    this.#bring = bring
  }

  /** Commits what turns wrote that are ahead. */
  settle(): void {
    const bring = this.#bring
    if (bring === undefined) return
    this.#bring = undefined
    try {
      bring()
    } catch (error) {
      this.#bring = bring // a fault of the host: the turns still stand
      throw error
    }
  }

  /** Whether turns have run which it has not seen. */
  get isAhead(): boolean {
    return this.#bring !== undefined
  }

  /** Gives up what turns wrote that are ahead: nobody will look at it any more. */
  discard(): void {
    this.#bring = undefined
  }

  /** Takes over what turns wrote: the pages at `indices` of `bytes`, which is the whole memory, and its globals. */
  commit(indices: Iterable<number>, bytes: Buffer, globals: Uint8Array): void {
    const before = this.#wasmPages
    this.#bring = undefined
    this.#globals = globals
    this.#wasmPages = bytes.length / (pageBytes * pagesPerWasmPage)
    this.#version++
    const { all } = this.kept
    for (const index of indices) {
      const page = bytes.subarray(index * pageBytes, (index + 1) * pageBytes)
      if (all.has(index) || this.boot.pages[index] !== undefined || !page.equals(zeroPage))
        this.kept.put(index, page)
      this.#stale.add(index)
    }
    for (const index of this.#grownFrom(before)) this.#stale.add(index)
    this.use()
  }

  /** Notes that it is used just now: the pages of those that are not are packed first. */
  use(): void {
    const pages = this.kept.all.size
    if (pages > packedPagesMax) open.remove(this.#self)
    else open.use(this.#self, Math.max(1, pages))
  }

  /** Packs its pages until it is used again; false where turns are ahead of them. */
  pack(): boolean {
    if (this.#bring !== undefined) return false
    this.kept.pack()
    this.#tree = undefined
    open.remove(this.#self)
    return true
  }

  /** Merkle root over the SHA-256 of every page by index. Hashes only what changed since it was last asked for. */
  root(): Uint8Array {
    const { own } = this
    if (this.#tree === undefined) {
      this.#tree = new PageTree(this.boot.tree)
      this.#stale.clear()
      for (const indices of [own.keys(), this.#grownFrom(this.boot.wasmPages)])
        for (const index of indices) this.#stale.add(index)
    }
    const stale = [...this.#stale].toSorted((a, b) => a - b)
    this.#tree.update(stale.map((index) => [index, this.#hashOf(index)]))
    this.#stale.clear()
    return this.#tree.root
  }

  /** A memory equal to this one that goes its own way. */
  copy(): Memory {
    const made = new Memory(this.boot, this.difference())
    made.#tree = this.#tree?.copy()
    for (const index of this.#stale) made.#stale.add(index)
    return made
  }

  difference(): Difference {
    this.settle()
    const differ = this.#differing().toSorted(([a], [b]) => a - b)
    const bytes = new Uint8Array(differ.length * pageBytes)
    const pages = differ.map(([index, page], at) => {
      const copy = bytes.subarray(at * pageBytes, (at + 1) * pageBytes)
      copy.set(page)
      return [index, copy] as const
    })
    return { wasmPages: this.#wasmPages, globals: this.#globals, pages }
  }

  /** Own pages without those that have come to be the boot image's again. */
  #differing(): Array<[index: number, page: Uint8Array]> {
    this.use()
    return [...this.kept.all].filter(
      ([index, page]) => Buffer.compare(page, this.boot.pages[index] ?? zeroPage) !== 0,
    )
  }

  #hashOf(index: number): PageHash {
    const page = this.kept.all.get(index) ?? this.boot.pages[index] ?? zeroPage
    return page === zeroPage ? zeroHash : hashPage(page)
  }

  /** Pages that memory grew by count, zero or not. */
  *#grownFrom(wasmPages: number): Generator<number> {
    for (let i = wasmPages * pagesPerWasmPage; i < this.#wasmPages * pagesPerWasmPage; i++) yield i
  }
}
