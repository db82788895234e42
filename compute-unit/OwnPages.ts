/**
 * OwnPages: the pages of a process that differ from the boot image of its module.
 *
 * While the process waits they may be packed, as what differs in them; whoever looks at them has them open again.
 */
import { type BootImage, pageBytes } from "./BootImage.ts"
import { type PackedPages, pack, unpack } from "./PackedPages.ts"

/** Pages that stand side by side in memory, and in what is kept of them. */
export interface Run {
  /** Index of the first. */
  readonly first: number
  readonly pages: number
  readonly bytes: Buffer
}

/** A run is compared at once, and page by page where a turn wrote into it. */
const runPagesMax = 16

/** Pages for which room is made at a time: an eighth of what there is, so that little of it is left over. */
const roomPagesMin = 8
const roomPagesMax = 256

const runsOf = (pages: ReadonlyMap<number, Uint8Array<ArrayBuffer>>): ReadonlyArray<Run> => {
  const runs: Array<Run> = []
  for (const [index, page] of [...pages].toSorted(([a], [b]) => a - b)) {
    const last = runs.at(-1)
    const joins =
      last !== undefined &&
      last.pages < runPagesMax &&
      last.first + last.pages === index &&
      last.bytes.buffer === page.buffer &&
      last.bytes.byteOffset + last.bytes.length === page.byteOffset
    if (joins) runs.pop()
    const [first, from, count] = joins
      ? [last.first, last.bytes.byteOffset, last.pages + 1]
      : [index, page.byteOffset, 1]
    runs.push({ first, pages: count, bytes: Buffer.from(page.buffer, from, count * pageBytes) })
  }
  return runs
}

export class OwnPages {
  readonly #boot: BootImage
  readonly #pages = new Map<number, Uint8Array<ArrayBuffer>>()
  /** What there is instead while they are packed. */
  #packed: PackedPages | undefined
  #runs: ReadonlyArray<Run> | undefined
  /** Where pages to come are put: those of a turn lie side by side. */
  #room = new Uint8Array(0)

  constructor(boot: BootImage, pages: ReadonlyArray<readonly [index: number, bytes: Uint8Array]>) {
    this.#boot = boot
    this.#makeRoom(pages.length)
    for (const [index, page] of pages) this.#add(index, page)
  }

  /** By index. */
  get all(): ReadonlyMap<number, Uint8Array> {
    this.#open()
    return this.#pages
  }

  /** By index, as runs; another list whenever the pages are others, or lie elsewhere. */
  get runs(): ReadonlyArray<Run> {
    this.#open()
    return (this.#runs ??= runsOf(this.#pages))
  }

  /** Puts bytes in the place of a page. Those that stood there are written over: a fresh page costs more than all else. */
  put(index: number, bytes: Uint8Array): void {
    this.#open()
    const kept = this.#pages.get(index)
    if (kept === undefined) this.#add(index, bytes)
    else kept.set(bytes)
  }

  get isPacked(): boolean {
    return this.#packed !== undefined
  }

  /** Packs them, until somebody looks at them. */
  pack(): void {
    this.#packed ??= pack(this.#boot, this.#pages)
    this.#pages.clear()
    this.#runs = undefined
    this.#room = new Uint8Array(0)
  }

  #open(): void {
    if (this.#packed === undefined) return
    const packed = this.#packed
    this.#packed = undefined
    unpack(this.#boot, packed, (index, page) => this.#add(index, page))
  }

  #makeRoom(pages: number): void {
    this.#room = new Uint8Array(Buffer.allocUnsafeSlow(pages * pageBytes).buffer)
  }

  #add(index: number, bytes: Uint8Array): void {
    if (this.#room.length === 0)
      this.#makeRoom(Math.max(roomPagesMin, Math.min(roomPagesMax, this.#pages.size >> 3)))
    const page = this.#room.subarray(0, pageBytes)
    this.#room = this.#room.subarray(pageBytes)
    page.set(bytes)
    this.#pages.set(index, page)
    this.#runs = undefined
  }
}
