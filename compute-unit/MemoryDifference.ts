/**
 * MemoryDifference: how a process's memory after one slot differs from that after another, page by page.
 *
 * A snapshot has the pages by which memory differs from the boot image. A page that only one of two has is the boot
 * image's on the other side, and has to be asked for there.
 */
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import type { Format } from "../runtime/Module.ts"
import { pageBytes, zeroPage } from "./BootImage.ts"
import type { Difference } from "./Memory.ts"

/** What lies in a page: for a script as its engine lays memory out; of a plain module that is not known. */
export type Kind = "static data" | "heap" | "memory"

export interface PageChange {
  /** Of 4 KiB. */
  readonly index: number
  /** That differ. */
  readonly bytes: number
  readonly kind: Kind
}

export interface MemoryDifference {
  /** Size in pages of 64 KiB. */
  readonly wasmPages: { readonly before: number; readonly after: number }
  /** It is the memory of another module, and pages are not compared. */
  readonly replaced: boolean
  readonly pages: ReadonlyArray<PageChange>
  /** That differ, in all pages. */
  readonly bytes: number
}

/** A memory with all that is needed of it to be compared. */
export interface Side {
  readonly module: Id.Id
  readonly format: Format
  /** Unset where the module does not load. */
  readonly memory: Difference | undefined
  /** Pages that the other side has of its own and this one has not, as they are here. */
  readonly lacking: ReadonlyMap<number, Uint8Array>
}

const indices = (memory: Difference | undefined): ReadonlyArray<number> =>
  memory === undefined ? [] : memory.pages.map(([index]) => index)

/** Pages of its own that `other` has and `memory` has not. */
export const lacking = (
  memory: Difference | undefined,
  other: Difference | undefined,
): ReadonlyArray<number> => {
  const own = new Set(indices(memory))
  return indices(other).filter((index) => !own.has(index))
}

const differing = (a: Uint8Array, b: Uint8Array): number => {
  if (Bytes.equal(a, b)) return 0
  let count = 0
  for (let i = 0; i < pageBytes; i++) if (a[i] !== b[i]) count++
  return count
}

/**
 * A script's engine has its stack pointer, which between turns is where the stack begins, as its first global. Static
 * data lies below the stack and the heap above it; the stack itself is zero between turns.
 */
const kindOf = (index: number, format: Format, { globals }: Difference): Kind => {
  if (format !== "javascript") return "memory"
  const stackBase = new DataView(globals.buffer, globals.byteOffset).getUint32(0, true)
  return (index + 1) * pageBytes > stackBase ? "heap" : "static data"
}

export const between = (before: Side, after: Side): MemoryDifference => {
  const wasmPages = { before: before.memory?.wasmPages ?? 0, after: after.memory?.wasmPages ?? 0 }
  const replaced = before.module !== after.module
  const { memory } = after
  if (replaced || memory === undefined) return { wasmPages, replaced, pages: [], bytes: 0 }
  const pagesOf = (side: Side) => new Map([...side.lacking, ...(side.memory?.pages ?? [])])
  const [from, to] = [pagesOf(before), pagesOf(after)]
  const pages = [...new Set([...from.keys(), ...to.keys()])]
    .toSorted((a, b) => a - b)
    .map((index) => ({
      index,
      bytes: differing(from.get(index) ?? zeroPage, to.get(index) ?? zeroPage),
      kind: kindOf(index, after.format, memory),
    }))
    .filter(({ bytes }) => bytes > 0)
  return { wasmPages, replaced, pages, bytes: pages.reduce((sum, { bytes }) => sum + bytes, 0) }
}
