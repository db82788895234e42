/**
 * ViewProof: opens a state root at one view, so that a reader needs neither the process nor its memory (spec 04 §7).
 *
 *     state root = H("heddle/state/2", engine, metadata hash, u32 pages, memory root, globals)
 *     metadata hash = H("heddle/metadata/4", spawn, module, u64 term, scheduler, handles, sent, received, cron, timers,
 *                       authority, u64 views, root of the tree over views)
 *     view = H("heddle/view/1", name, SHA-256(JSON text))
 *
 * Views stand in the tree in the order of their names' bytes. A view is there when its leaf is; it is not there when
 * its neighbours stand side by side, or the one before it is the last.
 */
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Merkle from "./Merkle.ts"

/** What a process's metadata commits to beside its views, each as it goes into the hash. */
export interface MetadataHead {
  /** SHA-256 of the spawn item. */
  readonly spawn: Uint8Array
  /** Id of the module in force. */
  readonly module: Uint8Array
  /** Term of the next slot, and the address of who gives its slots. */
  readonly term: number
  readonly scheduler: Uint8Array
  readonly handles: Uint8Array
  /** SHA-256 of each map as written. */
  readonly sent: Uint8Array
  readonly received: Uint8Array
  readonly cron: Uint8Array
  readonly timers: Uint8Array
  /** Hash of the policy in force (`Authority.hash`). */
  readonly authority: Uint8Array
}

/** What a process's memory commits to; unset where its module does not load. */
export interface MemoryHead {
  /** Pages of 64 KiB. */
  readonly wasmPages: number
  readonly root: Uint8Array
  readonly globals: Uint8Array
}

/** A view as its leaf has it. */
export interface Leaf {
  readonly index: number
  readonly name: string
  /** SHA-256 of its JSON text. */
  readonly value: Uint8Array
  readonly path: ReadonlyArray<Uint8Array>
}

/** A state root, opened around one name: that view alone, or the one or two between which it would stand. */
export interface Opening {
  readonly engine: Uint8Array
  readonly metadata: MetadataHead
  readonly memory: MemoryHead | undefined
  /** Views there are. */
  readonly views: number
  readonly viewsRoot: Uint8Array
  readonly leaves: ReadonlyArray<Leaf>
}

export const viewValue = (name: string, value: Uint8Array): Uint8Array =>
  Hash.tagged("heddle/view/1", Bytes.fromText(name), value)

export const metadataHash = (head: MetadataHead, views: number, viewsRoot: Uint8Array): Uint8Array => {
  const { spawn, module, term, scheduler, handles, sent, received, cron, timers, authority } = head
  const maps = [sent, received, cron, timers]
  return Hash.tagged(
    "heddle/metadata/4",
    spawn,
    module,
    Bytes.u64(term),
    scheduler,
    handles,
    ...maps,
    authority,
    Bytes.u64(views),
    viewsRoot,
  )
}

export const stateRoot = (
  engine: Uint8Array,
  metadata: Uint8Array,
  memory: MemoryHead | undefined,
): Uint8Array =>
  memory === undefined
    ? Hash.tagged("heddle/state/2", engine, metadata)
    : Hash.tagged(
        "heddle/state/2",
        engine,
        metadata,
        Bytes.u32(memory.wasmPages),
        memory.root,
        memory.globals,
      )

/** The state root that an opening claims to open. */
export const rootOf = ({ engine, metadata, memory, views, viewsRoot }: Opening): Uint8Array =>
  stateRoot(engine, metadataHash(metadata, views, viewsRoot), memory)

const stands = ({ viewsRoot, views }: Opening, { index, name, value, path }: Leaf): boolean =>
  index < views && Bytes.equal(Merkle.rootOf(index, viewValue(name, value), path), viewsRoot)

const before = (a: string, b: string): boolean => Bytes.compare(Bytes.fromText(a), Bytes.fromText(b)) < 0

/**
 * What an opening shows of a view: the SHA-256 of its JSON text, `null` that there is none, or `undefined` where it
 * shows neither.
 */
export const shows = (opening: Opening, name: string): Uint8Array | null | undefined => {
  const { leaves, views } = opening
  if (!leaves.every((leaf) => stands(opening, leaf))) return undefined
  const [first, second] = leaves
  if (leaves.length === 1 && first!.name === name) return first!.value
  if (views === 0) return leaves.length === 0 ? null : undefined
  if (leaves.length === 1) {
    const atEnd = first!.index === views - 1 && before(first!.name, name)
    return atEnd || (first!.index === 0 && before(name, first!.name)) ? null : undefined
  }
  const between = leaves.length === 2 && first!.index + 1 === second!.index
  return between && before(first!.name, name) && before(name, second!.name) ? null : undefined
}

/** Opens the state of a process at a view, from its views in the order of their names. */
export const open = (
  state: Omit<Opening, "views" | "viewsRoot" | "leaves">,
  sorted: ReadonlyArray<readonly [name: string, value: Uint8Array]>,
  tree: Merkle.Tree,
  name: string,
): Opening => {
  const leaf = (index: number): Leaf => {
    const [named, value] = sorted[index]!
    return { index, name: named, value, path: Merkle.path(tree, index) }
  }
  const at = sorted.findIndex(([other]) => !before(other, name))
  const place = at < 0 ? sorted.length : at
  const indices = sorted[place]?.[0] === name ? [place] : [place - 1, place]
  const leaves = indices.filter((index) => index >= 0 && index < sorted.length).map(leaf)
  return { ...state, views: sorted.length, viewsRoot: tree.root, leaves }
}
