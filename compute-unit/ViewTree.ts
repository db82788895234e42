/**
 * ViewTree: the views of a process as the metadata hashes them (spec 04 §4), kept between roots.
 *
 * Most turns publish one view or none, and the texts are long: what a turn leaves as it is, is not hashed again.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Merkle from "../runtime/Merkle.ts"
import * as ViewProof from "../runtime/ViewProof.ts"
import { inOrder } from "./Counts.ts"
import { PageTree } from "./PageTree.ts"

type Views = ReadonlyMap<string, string>

interface Leaf {
  readonly json: string
  /** SHA-256 of it. */
  readonly text: Uint8Array
  readonly value: Uint8Array
}

const leafOf = (name: string, json: string): Leaf => {
  const text = Hash.sha256(Bytes.fromText(json))
  return { json, text, value: ViewProof.viewValue(name, text) }
}

export class ViewTree {
  /** In the order of their bytes. */
  #names: ReadonlyArray<string> = []
  readonly #leaves = new Map<string, Leaf>()
  #tree = new PageTree()
  /** With all levels; made when a proof asks for it. */
  #whole: Merkle.Tree | undefined

  constructor(views: Views) {
    this.update(views)
  }

  /** The root of the tree over the views. */
  get root(): Uint8Array {
    return this.#tree.root
  }

  /** By the order of their names, each with the hash of its text. */
  get sorted(): ReadonlyArray<readonly [name: string, text: Uint8Array]> {
    return this.#names.map((name) => [name, this.#leaves.get(name)!.text])
  }

  get whole(): Merkle.Tree {
    return (this.#whole ??= Merkle.tree(this.#names.map((name) => this.#leaves.get(name)!.value)))
  }

  /** Takes over what the views are now. */
  update(views: Views): void {
    let before = this.#names
    if (before.length !== views.size || !before.every((name) => views.has(name))) {
      for (const name of this.#leaves.keys()) if (!views.has(name)) this.#leaves.delete(name)
      this.#names = inOrder(views.keys())
      // No tree takes a leaf away.
      if (this.#names.length < before.length) [before, this.#tree] = [[], new PageTree()]
    }
    const changed: Array<readonly [index: number, value: string]> = []
    for (const [index, name] of this.#names.entries()) {
      const json = views.get(name)!
      let leaf = this.#leaves.get(name)
      const stands = leaf !== undefined && leaf.json === json
      if (leaf === undefined || !stands) this.#leaves.set(name, (leaf = leafOf(name, json)))
      if (!stands || before[index] !== name) changed.push([index, Bytes.view(leaf.value).toString("latin1")])
    }
    this.#tree.update(changed)
    this.#whole = undefined
  }
}
