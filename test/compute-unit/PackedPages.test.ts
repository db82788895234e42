import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { pack, unpack } from "../../compute-unit/PackedPages.ts"
import { boot } from "./Stage.ts"

const image = boot("let a = 1")
const [full, zero] = [image.pages.findIndex((page) => page !== undefined), image.pages.indexOf(undefined)]
const standing = (index: number): Uint8Array => image.pages[index] ?? new Uint8Array(4_096)

/** What is written over a page: single bytes, and stretches of one byte. */
const writes = fc.array(
  fc.tuple(fc.nat(4_095), fc.oneof(fc.constant(1), fc.nat(40), fc.nat(4_096)), fc.nat(255)),
  { maxLength: 12 },
)

const written = (index: number, over: ReadonlyArray<readonly [number, number, number]>): Uint8Array => {
  const page = Uint8Array.from(standing(index))
  for (const [at, length, byte] of over) page.fill(byte, at, at + length)
  return page
}

const unpacked = (packed: ReturnType<typeof pack>): ReadonlyMap<number, Uint8Array> => {
  const pages = new Map<number, Uint8Array>()
  unpack(image, packed, (index, page) => pages.set(index, Uint8Array.from(page)))
  return pages
}

describe("packed pages", () => {
  it("are unpacked as they were, whatever differs in them from the boot image", () => {
    let differing = 0
    fc.assert(
      fc.property(writes, writes, writes, (a, b, c) => {
        const pages = new Map([
          [zero, written(zero, a)],
          [full, written(full, b)],
          [image.pages.length + 7, written(image.pages.length + 7, c)],
        ])
        const back = unpacked(pack(image, pages))
        for (const [index, page] of pages) {
          const same = Buffer.compare(page, standing(index)) === 0
          expect(back.get(index)).toEqual(same ? undefined : page)
          if (!same) differing++
        }
      }),
      { numRuns: 300, seed: 5 },
    )
    expect(differing).toBeGreaterThan(500)
  })

  it("take as many words as differ, and two for each run of them", () => {
    const one = new Map([[full, written(full, [[8, 4, 0xa5]])]])
    expect(pack(image, one)).toHaveLength(3)
    const two = new Map([
      [
        zero,
        written(zero, [
          [0, 4, 1],
          [4_000, 8, 1],
        ]),
      ],
    ])
    expect(pack(image, two)).toHaveLength(3 + 4)
    // Two equal words between cost less than another run.
    const near = new Map([
      [
        zero,
        written(zero, [
          [0, 4, 1],
          [12, 4, 1],
        ]),
      ],
    ])
    expect([...pack(image, near)].slice(1)).toEqual([4, 0x01010101, 0, 0, 0x01010101])
    expect(pack(image, new Map([[full, standing(full)]]))).toHaveLength(0)
  })

  it("take little more than the pages where nothing is as it was", () => {
    const pages = new Map([...Array(40).keys()].map((index) => [index, written(index, [])] as const))
    for (const page of pages.values()) for (let i = 0; i < 4_096; i += 16) page.fill(page[i]! + 1, i, i + 4)
    const packed = pack(image, pages)
    expect(packed.length).toBeLessThanOrEqual(40 * (1_024 + 2))
    expect(unpacked(packed)).toEqual(pages)
  })
})
