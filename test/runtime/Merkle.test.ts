import { assert, describe, it } from "@effect/vitest"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Merkle from "../../runtime/Merkle.ts"

const values = (count: number) => Array.from({ length: count }, (_, i) => Hash.sha256(Bytes.u32(i)))

describe("Merkle", () => {
  it("opens every leaf of trees of 1 to 9 leaves, and no leaf at another place", () => {
    let opened = 0
    for (let count = 1; count <= 9; count++) {
      const all = values(count)
      const tree = Merkle.tree(all)
      for (let index = 0; index < count; index++) {
        const path = Merkle.path(tree, index)
        assert.strictEqual(path.length, Merkle.depth)
        for (let other = 0; other < 10; other++) {
          const root = Merkle.rootOf(other, all[index]!, path)
          assert.strictEqual(Bytes.equal(root, tree.root), other === index)
        }
        opened += 1
      }
    }
    assert.strictEqual(opened, 45)
  })

  it("has another root when any sibling or any value is another", () => {
    const all = values(5)
    const tree = Merkle.tree(all)
    const path = Merkle.path(tree, 3)
    for (let level = 0; level < Merkle.depth; level++) {
      const bent = path.map((sibling, n) => (n === level ? Hash.sha256(sibling) : sibling))
      assert.isFalse(Bytes.equal(Merkle.rootOf(3, all[3]!, bent), tree.root))
    }
    for (let i = 0; i < 5; i++) {
      const bent = all.map((value, n) => (n === i ? Hash.sha256(value) : value))
      assert.isFalse(Bytes.equal(Merkle.root(bent), tree.root))
    }
  })

  it("goes the way of a leaf to the same root whichever was gone before it, with every sibling of its own", () => {
    const all = values(9)
    const tree = Merkle.tree(all)
    const bend = Hash.sha256(Bytes.u8(1))
    let bent = 0
    for (let before = 0; before < 9; before++)
      for (let index = 0; index < 9; index++) {
        const path = Merkle.path(tree, index)
        for (let level = 0; level < Merkle.depth; level++) {
          Merkle.rootOf(before, all[before]!, Merkle.path(tree, before))
          const other = path.map((sibling, n) => (n === level ? bend : sibling))
          assert.isFalse(Bytes.equal(Merkle.rootOf(index, all[index]!, other), tree.root))
          assert.isTrue(Bytes.equal(Merkle.rootOf(index, all[index]!, path), tree.root))
          assert.isFalse(Bytes.equal(Merkle.rootOf(index, all[(index + 1) % 9]!, path), tree.root))
          bent += 1
        }
      }
    assert.strictEqual(bent, 9 * 9 * Merkle.depth)
  })

  it("goes the next way from its leaf where one was left half gone", () => {
    const all = values(4)
    const tree = Merkle.tree(all)
    const path = Merkle.path(tree, 1)
    for (let level = 0; level < Merkle.depth; level++) {
      const short = path.map((sibling, n) => (n === level ? sibling.subarray(1) : sibling))
      assert.isTrue(Bytes.equal(Merkle.rootOf(1, all[1]!, path), tree.root))
      assert.throws(() => Merkle.rootOf(1, all[2]!, short), RangeError)
      assert.isFalse(Bytes.equal(Merkle.rootOf(1, all[2]!, path), tree.root))
    }
  })

  it("tells an absent leaf from every leaf, and a shorter list from a longer one", () => {
    const roots = Array.from({ length: 6 }, (_, count) => Bytes.toHex(Merkle.root(values(count))))
    assert.strictEqual(new Set(roots).size, 6)
    assert.strictEqual(roots[0], Bytes.toHex(Merkle.absent[Merkle.depth]!))
  })

  it("takes 65,536 leaves and asserts against one more", () => {
    const all = values(Merkle.leavesMax)
    const tree = Merkle.tree(all)
    for (const index of [0, 1, 32_767, 65_535])
      assert.isTrue(Bytes.equal(Merkle.rootOf(index, all[index]!, Merkle.path(tree, index)), tree.root))
    assert.throws(() => Merkle.tree([...all, all[0]!]), RangeError)
  })

  it("writes a path as 512 bytes and reads it back", () => {
    const path = Merkle.path(Merkle.tree(values(3)), 2)
    const bytes = Merkle.encodePath(path)
    assert.strictEqual(bytes.length, Merkle.pathBytes)
    const read = Merkle.readPath(new Bytes.Reader(bytes))
    assert.deepStrictEqual(read.map(Bytes.toHex), path.map(Bytes.toHex))
    assert.throws(() => Merkle.readPath(new Bytes.Reader(bytes.subarray(1))), Bytes.EndOfBytes)
  })
})
