import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { hashPage, PageTree } from "../../compute-unit/PageTree.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Merkle from "../../runtime/Merkle.ts"

const page = (seed: number): Uint8Array => Bytes.u32(seed)
const expected = (pages: ReadonlyArray<Uint8Array>) => Bytes.toHex(Merkle.root(pages.map(Hash.sha256)))
const put = (tree: PageTree, entries: ReadonlyArray<readonly [number, Uint8Array]>) =>
  tree.update(entries.toSorted(([a], [b]) => a - b).map(([index, bytes]) => [index, hashPage(bytes)]))

describe("the tree of pages", () => {
  it("has the root that Merkle.root gives, after any changes in any portions, and over any tree below", () => {
    let changes = 0
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 80 }),
        fc.array(fc.uniqueArray(fc.nat(79), { maxLength: 12 }), { maxLength: 6 }),
        (size, rounds) => {
          const pages = Array.from({ length: size }, (_, index) => page(index))
          const below = new PageTree()
          put(below, [...pages.entries()])
          const before = expected(pages)
          const tree = new PageTree(below)
          for (const round of rounds) {
            const entries = round
              .filter((index) => index < size)
              .map((index) => [index, page(1_000 + changes++)] as const)
            for (const [index, bytes] of entries) pages[index] = bytes
            put(tree, entries)
            expect(Bytes.toHex(tree.root)).toBe(expected(pages))
          }
          expect(Bytes.toHex(below.root)).toBe(before)
        },
      ),
      { numRuns: 40, seed: 3 },
    )
    expect(changes).toBeGreaterThan(100)
  })

  it("grows by pages behind its last one", () => {
    const pages = Array.from({ length: 9 }, (_, index) => page(index))
    const below = new PageTree()
    put(below, [...pages.entries()].slice(0, 3))
    const tree = new PageTree(below)
    put(tree, [...pages.entries()].slice(3))
    expect(Bytes.toHex(tree.root)).toBe(expected(pages))
  })

  it("goes its own way once it is copied", () => {
    const tree = new PageTree()
    put(tree, [
      [0, page(0)],
      [1, page(1)],
    ])
    const copy = tree.copy()
    put(copy, [[1, page(2)]])
    expect(Bytes.toHex(tree.root)).toBe(expected([page(0), page(1)]))
    expect(Bytes.toHex(copy.root)).toBe(expected([page(0), page(2)]))
  })

  it("is empty as an absent tree is", () => {
    expect(Bytes.toHex(new PageTree().root)).toBe(Bytes.toHex(Merkle.root([])))
  })
})
