/**
 * Merkle tree of always 16 levels over at most 65,536 places (spec 01 §6).
 *
 *     leaf   = SHA-256(0x00 | u16 index | value)     value: a hash of what stands there (32 bytes; 48 in batch types)
 *     node   = SHA-256(0x01 | left | right)
 *     absent = SHA-256(0x02)                         where no leaf stands
 *
 * One depth for every tree means that a proof is always 16 siblings and that none of them can be left out:
 * a shorter proof would be a second spelling of the same fact. The index is in the leaf, so a proof for one
 * place is no proof for another.
 */
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"

export const depth = 16

/** Places in one tree: 65,536. */
export const leavesMax = 2 ** depth

/** `00 | u16 index | value`, and whatever a longer value left behind it. */
const leafInput = new Uint8Array(3 + 48)

/** `01 | left | right`: written over for each node, since a tree is mostly nodes. */
const nodeInput = new Uint8Array(1 + 2 * Hash.length)
nodeInput[0] = 1

export const leaf = (index: number, value: Uint8Array): Uint8Array => {
  leafInput[1] = index
  leafInput[2] = index >>> 8
  leafInput.set(value, 3)
  return Hash.sha256(leafInput.subarray(0, 3 + value.length))
}

export const node = (left: Uint8Array, right: Uint8Array): Uint8Array => {
  if (left.length !== Hash.length || right.length !== Hash.length)
    throw new RangeError("a node joins two hashes of 32 bytes")
  nodeInput.set(left, 1)
  nodeInput.set(right, 1 + Hash.length)
  return Hash.sha256(nodeInput)
}

/** `absent[n]` is the root of a subtree of n levels in which no leaf stands. */
export const absent: ReadonlyArray<Uint8Array> = (() => {
  const roots = [Hash.sha256(Bytes.u8(2))]
  for (let level = 0; level < depth; level++) roots.push(node(roots[level]!, roots[level]!))
  return roots
})()

/** A tree as its levels, leaves first; levels hold only what is not absent. */
export interface Tree {
  readonly levels: ReadonlyArray<ReadonlyArray<Uint8Array>>
  readonly root: Uint8Array
}

/** Builds the tree of `values` at places 0, 1, 2... Asserts that they fit. */
export const tree = (values: ReadonlyArray<Uint8Array>): Tree => {
  if (values.length > leavesMax) throw new RangeError(`${values.length} leaves in a tree of ${leavesMax}`)
  let level = values.map((value, index) => leaf(index, value))
  const levels = [level]
  for (let n = 0; n < depth; n++) {
    const above: Array<Uint8Array> = []
    for (let i = 0; i < level.length; i += 2) above.push(node(level[i]!, level[i + 1] ?? absent[n]!))
    level = above
    levels.push(level)
  }
  return { levels, root: level[0] ?? absent[depth]! }
}

export const root = (values: ReadonlyArray<Uint8Array>): Uint8Array => tree(values).root

/** The 16 siblings from the leaf at `index` up to the root. */
export const path = (of: Tree, index: number): ReadonlyArray<Uint8Array> => {
  const siblings: Array<Uint8Array> = []
  for (let n = 0; n < depth; n++) siblings.push(of.levels[n]![(index >> n) ^ 1] ?? absent[n]!)
  return siblings
}

/**
 * The way that was gone last from a leaf up to its root: whose leaf is near it in the same tree goes only as far as the
 * two ways meet. Everything is compared, so that a sibling which is another leads to another root.
 */
const last = {
  index: -1,
  siblings: Array.from({ length: depth }, () => new Uint8Array(Hash.length)),
  hashes: [...absent],
}

/** The level from which on a way has the places and siblings of the last one. */
const sharedFrom = (index: number, siblings: ReadonlyArray<Uint8Array>): number => {
  let level = depth
  while (
    level > 0 &&
    index >> (level - 1) === last.index >> (level - 1) &&
    Bytes.equal(siblings[level - 1]!, last.siblings[level - 1]!)
  )
    level--
  return level
}

/**
 * The root that `value` at `index` has under `siblings`. A proof holds when it equals the root believed. Asserts the
 * shape that every reader of a proof has checked: a place of the tree and 16 hashes.
 */
export const rootOf = (index: number, value: Uint8Array, siblings: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (!Number.isInteger(index) || index < 0 || index >= leavesMax || siblings.length !== depth)
    throw new RangeError(`no place ${index} with ${siblings.length} siblings in a tree of ${depth} levels`)
  const shared = sharedFrom(index, siblings)
  let hash = leaf(index, value)
  // A way that is left half gone is none.
  last.index = -1
  for (let n = 0; n < depth; n++) {
    if (n >= shared && Bytes.equal(hash, last.hashes[n]!)) {
      hash = last.hashes[depth]!
      break
    }
    last.hashes[n] = hash
    hash = (index >> n) & 1 ? node(siblings[n]!, hash) : node(hash, siblings[n]!)
    if (n < shared) last.siblings[n]!.set(siblings[n]!)
  }
  last.hashes[depth] = hash
  last.index = index
  return hash
}

/** A path as 512 bytes. */
export const encodePath = (siblings: ReadonlyArray<Uint8Array>): Uint8Array => Bytes.concat(siblings)

/** Bytes of an encoded path. */
export const pathBytes = depth * Hash.length

export const readPath = (reader: Bytes.Reader): ReadonlyArray<Uint8Array> =>
  Array.from({ length: depth }, () => reader.take(Hash.length))
