/**
 * PageTree: the Merkle tree over a process's memory, kept and changed along the paths that a turn touched.
 *
 * It is `Merkle.root` over the SHA-256 of every page by index. Places are numbered as in a heap: the root is 1, the
 * children of n are 2n and 2n + 1, page i stands at 65,536 + i. A tree stands on the tree of the boot image and
 * keeps only what differs, so that thousands of processes of one module cost a few kilobytes each.
 *
 * Hashes are kept as strings of one character a byte: a turn of a small process changes a hundred nodes, and so
 * they are made, kept and joined in a quarter of the time that byte arrays take.
 */
import crypto from "node:crypto"
import * as Merkle from "../runtime/Merkle.ts"

/** 32 bytes as 32 characters. */
export type PageHash = string

export const hashPage = (page: Uint8Array): PageHash => crypto.hash("sha256", page, "binary")

const leafInput = Buffer.alloc(1 + 2 + 32)
const nodeInput = Buffer.alloc(1 + 32 + 32, 1)

const leaf = (index: number, hash: PageHash): string => {
  leafInput.writeUInt16LE(index, 1)
  leafInput.write(hash, 3, "latin1")
  return crypto.hash("sha256", leafInput, "binary")
}

const node = (left: string, right: string): string => {
  nodeInput.write(left, 1, "latin1")
  nodeInput.write(right, 33, "latin1")
  return crypto.hash("sha256", nodeInput, "binary")
}

const absent = Merkle.absent.map((hash) => Buffer.from(hash).toString("latin1"))

/** Levels above the leaves at which a place stands. */
const levelOf = (place: number): number => Merkle.depth - (31 - Math.clz32(place))

export class PageTree {
  readonly #below: PageTree | undefined
  readonly #nodes: Map<number, string>

  constructor(below?: PageTree, nodes: ReadonlyMap<number, string> = new Map()) {
    this.#below = below
    this.#nodes = new Map(nodes)
  }

  get root(): Uint8Array {
    return new Uint8Array(Buffer.from(this.#node(1), "latin1"))
  }

  /** A tree of its own, equal to this one now. */
  copy(): PageTree {
    return new PageTree(this.#below, this.#nodes)
  }

  /** Puts page hashes in their places, given in the order of their indices. */
  update(pages: ReadonlyArray<readonly [index: number, hash: PageHash]>): void {
    let places: Array<number> = []
    const up = (to: Array<number>, place: number): void => {
      if (to.at(-1) !== place >> 1) to.push(place >> 1)
    }
    for (const [index, hash] of pages) {
      this.#nodes.set(Merkle.leavesMax + index, leaf(index, hash))
      up(places, Merkle.leavesMax + index)
    }
    while (places[0] !== undefined && places[0] > 0) {
      const above: Array<number> = []
      for (const place of places) {
        this.#nodes.set(place, node(this.#node(2 * place), this.#node(2 * place + 1)))
        up(above, place)
      }
      places = above
    }
  }

  #node(place: number): string {
    return (
      this.#nodes.get(place) ??
      (this.#below === undefined ? absent[levelOf(place)]! : this.#below.#node(place))
    )
  }
}
