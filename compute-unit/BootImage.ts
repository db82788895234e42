/**
 * BootImage: a module as it stands after its script ran, before its first turn. It depends on engine and script
 * alone, so processes of one module share it; and what the engine is before any script is shared by all modules.
 */
import type { Engine } from "./Engine.ts"
import type { Guest } from "./Guest.ts"
import type { Handles } from "./Handles.ts"
import { hashPage, PageTree } from "./PageTree.ts"

/** Memory is kept and hashed by pages of this size. */
export const pageBytes = 4_096

/** Pages of ours in one WebAssembly page. */
export const pagesPerWasmPage = 16

export const zeroPage: Uint8Array = new Uint8Array(pageBytes)
export const zeroHash = hashPage(zeroPage)

type Line = readonly [level: string, text: string]

/** What makes instances in which the processes of an image run: images of one program share them. */
export interface Program {
  readonly engine: Engine
  readonly instantiate: (wasmPages: number) => Guest
}

export interface Booted {
  readonly program: Program
  readonly handles: Handles | undefined
  readonly globals: Uint8Array
  readonly fuelUsed: bigint
  readonly console: ReadonlyArray<Line>
  readonly memory: Buffer
}

export class BootImage {
  readonly program: Program
  readonly handles: Handles | undefined
  readonly globals: Uint8Array
  /** What the script took. */
  readonly fuelUsed: bigint
  /** What the script wrote. */
  readonly console: ReadonlyArray<Line>
  /** By index; `undefined` where all is zero. The same objects as in the image below where they are equal. */
  readonly pages: ReadonlyArray<Uint8Array | undefined>
  readonly #below: BootImage | undefined
  #tree: PageTree | undefined

  constructor({ program, handles, globals, fuelUsed, console, memory }: Booted, below?: BootImage) {
    this.program = program
    this.handles = handles
    this.globals = globals
    this.fuelUsed = fuelUsed
    this.console = console
    this.#below = below
    this.pages = Array.from({ length: memory.length / pageBytes }, (_, index) => {
      const page = memory.subarray(index * pageBytes, (index + 1) * pageBytes)
      if (page.equals(zeroPage)) return undefined
      const same = below?.pages[index]
      return same !== undefined && page.equals(same) ? same : new Uint8Array(page)
    })
  }

  /** Size in WebAssembly pages of 64 KiB. */
  get wasmPages(): number {
    return this.pages.length / pagesPerWasmPage
  }

  /** Made when first asked for: a module that is only checked needs no root. */
  get tree(): PageTree {
    if (this.#tree !== undefined) return this.#tree
    const before = this.#below?.pages ?? []
    this.#tree = new PageTree(this.#below?.tree)
    this.#tree.update(
      [...this.pages.entries()]
        .filter(([index, page]) => index >= before.length || page !== before[index])
        .map(([index, page]) => [index, page === undefined ? zeroHash : hashPage(page)]),
    )
    return this.#tree
  }
}
