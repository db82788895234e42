/**
 * PackedPages: the pages of a process that waits for its next message, as the words by which they differ from the
 * boot image. A turn writes into some thirty pages, and into most of them a reference count or two.
 *
 *     index | n | n words      index | n | n words ...       in words of 32 bits; an index counts words of all memory
 *
 * So a counter that has 31 pages of its own, 126,976 bytes, waits in about 5,500.
 */
import { type BootImage, pageBytes, zeroPage } from "./BootImage.ts"

export type PackedPages = Int32Array<ArrayBuffer>

const pageWords = pageBytes / 4

/** Equal words between two runs that are written out: a run more would take as much. */
const gapWordsMax = 2

/** Words that a page takes at most: runs are parted by three words and more, and begin with two. */
const packedWordsMax = pageWords + 2

const wordsOf = (page: Uint8Array): Int32Array => new Int32Array(page.buffer, page.byteOffset, pageWords)

/** Where pages are packed; as long as the largest memory packed so far needs. */
let scratch = new Int32Array(0)

/** First place from `at` on at which two pages differ; `pageWords` where there is none. */
const differing = (page: Int32Array, standing: Int32Array, at: number): number => {
  let i = at
  while (i < pageWords && page[i] === standing[i]) i++
  return i
}

/** Packs pages, each at a multiple of four bytes in its buffer. One that is the boot image's leaves nothing. */
export const pack = (boot: BootImage, pages: ReadonlyMap<number, Uint8Array>): PackedPages => {
  if (scratch.length < pages.size * packedWordsMax) scratch = new Int32Array(pages.size * packedWordsMax)
  const out = scratch
  let at = 0
  for (const [index, page] of pages) {
    const words = wordsOf(page)
    const standing = wordsOf(boot.pages[index] ?? zeroPage)
    let start = differing(words, standing, 0)
    while (start < pageWords) {
      let end = start + 1
      let next = differing(words, standing, end)
      while (next < pageWords && next - end <= gapWordsMax) {
        end = next + 1
        next = differing(words, standing, end)
      }
      out[at++] = index * pageWords + start
      out[at++] = end - start
      for (let i = start; i < end; i++) out[at++] = words[i]!
      start = next
    }
  }
  return out.slice(0, at)
}

/** Visits the pages again, in the order in which they were packed: each is to be copied, the next stands in its place. */
export const unpack = (
  boot: BootImage,
  packed: PackedPages,
  visit: (index: number, page: Uint8Array) => void,
): void => {
  const page = new Uint8Array(pageBytes)
  const words = wordsOf(page)
  let current = -1
  for (let at = 0; at < packed.length;) {
    const place = packed[at]!
    const length = packed[at + 1]!
    const index = Math.floor(place / pageWords)
    if (index !== current) {
      if (current >= 0) visit(current, page)
      page.set(boot.pages[index] ?? zeroPage)
      current = index
    }
    const from = place % pageWords
    for (let i = 0; i < length; i++) words[from + i] = packed[at + 2 + i]!
    at += 2 + length
  }
  if (current >= 0) visit(current, page)
}
