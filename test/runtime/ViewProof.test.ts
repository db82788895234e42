import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as ViewProof from "../../runtime/ViewProof.ts"
import { hash } from "../support/Unsigned.ts"

const state = {
  engine: hash("engine"),
  metadata: {
    spawn: hash("spawn"),
    module: hash("module"),
    term: 3,
    handles: hash("handles"),
    sent: hash("sent"),
    received: hash("received"),
    cron: hash("cron"),
    timers: hash("timers"),
    scheduler: hash("scheduler"),
    authority: hash("authority"),
  },
  memory: { wasmPages: 90, root: hash("memory"), globals: Bytes.u64(7) },
}

const valueOf = (name: string) => Hash.sha256(Bytes.fromText(`value of ${name}`))

const open = (names: ReadonlyArray<string>, name: string): ViewProof.Opening => {
  const inOrder = [...new Set(names)].toSorted((a, b) => Bytes.compare(Bytes.fromText(a), Bytes.fromText(b)))
  const sorted = inOrder.map((one) => [one, valueOf(one)] as const)
  const tree = Merkle.tree(sorted.map(([one, value]) => ViewProof.viewValue(one, value)))
  return ViewProof.open(state, sorted, tree, name)
}

const name = fc.string({ unit: "binary", maxLength: 6 }).filter((text) => text.isWellFormed())

describe("a state root opened at a view", () => {
  /** What is to be shown of a name: its hash, or that there is nothing. */
  const truth = (names: ReadonlyArray<string>, wanted: string) =>
    names.includes(wanted) ? valueOf(wanted) : null

  it("shows the view's hash where there is one and that there is none where there is none", () => {
    let there = 0
    fc.assert(
      fc.property(fc.array(name, { maxLength: 12 }), name, (names, wanted) => {
        const opening = open(names, wanted)
        there += names.includes(wanted) ? 1 : 0
        expect(ViewProof.shows(opening, wanted)).toEqual(truth(names, wanted))
        expect(opening.leaves.length).toBeLessThanOrEqual(2)
      }),
      { examples: [[["a", "b"], "a"]] },
    )
    expect(there).toBeGreaterThan(0)
  })

  it("shows of no name what is not so, whatever it was opened at", () => {
    const names = ["b", "d", "f", "h"]
    const all = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
    for (const wanted of all) {
      const shown = all.map((other) => ViewProof.shows(open(names, wanted), other))
      expect(shown.map((one, i) => one ?? truth(names, all[i]!))).toEqual(
        all.map((other) => truth(names, other)),
      )
      expect(shown[all.indexOf(wanted)]).toEqual(truth(names, wanted))
    }
  })

  const present = open(["b", "d", "f"], "d")
  const absent = open(["b", "d", "f"], "c")
  const flip = (bytes: Uint8Array) => bytes.with(5, bytes[5]! ^ 1)

  it.each<readonly [string, (of: ViewProof.Opening) => ViewProof.Opening]>([
    [
      "the value",
      (of) => ({ ...of, leaves: of.leaves.map((leaf) => ({ ...leaf, value: flip(leaf.value) })) }),
    ],
    ["the name", (of) => ({ ...of, leaves: of.leaves.map((leaf) => ({ ...leaf, name: `${leaf.name}x` })) })],
    ["the place", (of) => ({ ...of, leaves: of.leaves.map((leaf) => ({ ...leaf, index: leaf.index + 1 })) })],
    [
      "the path",
      (of) => ({ ...of, leaves: of.leaves.map((leaf) => ({ ...leaf, path: leaf.path.map(flip) })) }),
    ],
    ["the root of the views", (of) => ({ ...of, viewsRoot: flip(of.viewsRoot) })],
    ["the number of views below the place", (of) => ({ ...of, views: of.leaves[0]!.index })],
    ["no leaf at all", (of) => ({ ...of, leaves: [] })],
    ["the first leaf alone", (of) => ({ ...of, leaves: [open(["b", "d", "f"], "f").leaves[0]!] })],
  ])("shows nothing when %s is another", (_, change) => {
    for (const [opening, wanted] of [
      [present, "d"],
      [absent, "c"],
    ] as const)
      expect(ViewProof.shows(change(opening), wanted)).toBeUndefined()
  })

  it("takes two leaves for an absence only where they stand side by side around the name", () => {
    const [b] = open(["b", "d", "f"], "b").leaves
    const [d] = present.leaves
    const [f] = open(["b", "d", "f"], "f").leaves
    const shows = (leaves: ViewProof.Opening["leaves"], wanted: string) =>
      ViewProof.shows({ ...absent, leaves }, wanted)
    expect(shows([b!, d!], "c")).toBeNull()
    expect(shows([b!, f!], "c")).toBeUndefined()
    expect(shows([d!, b!], "c")).toBeUndefined()
    expect(shows([b!, d!], "e")).toBeUndefined()
    expect(shows([d!], "e")).toBeUndefined()
    expect(shows([b!, d!, f!], "c")).toBeUndefined()
  })

  it("leads to a root that is another for every part of it", () => {
    const bent: ReadonlyArray<ViewProof.Opening> = [
      present,
      { ...present, engine: flip(present.engine) },
      ...(["spawn", "module", "handles", "sent", "received", "cron", "timers"] as const).map((part) => ({
        ...present,
        metadata: { ...present.metadata, [part]: flip(present.metadata[part]) },
      })),
      { ...present, metadata: { ...present.metadata, term: 4 } },
      { ...present, views: 4 },
      { ...present, viewsRoot: flip(present.viewsRoot) },
      { ...present, memory: undefined },
      { ...present, memory: { ...state.memory, wasmPages: 91 } },
      { ...present, memory: { ...state.memory, root: flip(state.memory.root) } },
      { ...present, memory: { ...state.memory, globals: flip(state.memory.globals) } },
    ]
    const roots = bent.map((opening) => Bytes.toHex(ViewProof.rootOf(opening)))
    expect(new Set(roots).size).toBe(bent.length)
    expect(ViewProof.rootOf(absent)).toEqual(ViewProof.rootOf(present))
  })
})
