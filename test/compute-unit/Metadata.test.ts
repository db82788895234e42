import { describe, expect, it } from "vitest"
import * as Metadata from "../../compute-unit/Metadata.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import { hash, id } from "../support/Unsigned.ts"

const [ada, bob, eve] = [id("ada"), id("bob"), id("eve")]
const handles = Hash.layout("handles", Bytes.u32(7))

const believed = { units: [id("unit a"), id("unit b")], quorum: 2 }

const tenure = { term: 0, scheduler: id("scheduler") }

const rich = (): Metadata.Metadata => {
  const metadata = Metadata.initial(hash("spawn"), id("module"), tenure, believed)
  metadata.sent.set(ada, 3).set(bob, 1)
  metadata.received.set(bob, 2).set(eve, 9)
  metadata.cron.set("1-minute", 4)
  metadata.authority = { ...believed, since: 7 }
  metadata.timers.set(id("timer"), 1_700_000_000_000).set(id("other"), 5)
  metadata.views.set("count", "5").set("Ünïcode", '"é"')
  return metadata
}

const message = (to: string): Metadata.Change["outbox"][number] => ({
  kind: "message",
  due: 0,
  item: hash(`item to ${to}`),
  id: id(`item to ${to}`),
  target: id(to),
})
const timer = (name: string, due: number): Metadata.Change["outbox"][number] => ({
  kind: "timer",
  due,
  item: hash(name),
  id: id(name),
  target: ada,
})
const change = (change: Partial<Metadata.Change>): Metadata.Change => ({ outbox: [], views: [], ...change })

describe("the hash of metadata", () => {
  it("is laid out as the chapter says, keys in the order of their bytes", () => {
    const byKey = (...pairs: ReadonlyArray<readonly [string, number]>) =>
      Hash.sha256(
        Hash.layout(
          "map",
          ...pairs
            .map(([key, value]) => [Bytes.fromText(key), Bytes.u64(value)] as const)
            .toSorted(([a], [b]) => Bytes.compare(a, b))
            .flat(),
        ),
      )
    const view = (name: string, json: string) =>
      Hash.tagged("heddle/view/1", Bytes.fromText(name), Hash.sha256(Bytes.fromText(json)))
    expect(Metadata.hash(rich(), handles)).toEqual(
      Hash.tagged(
        "heddle/metadata/4",
        hash("spawn"),
        Id.toBytes(id("module")),
        Bytes.u64(0),
        hash("scheduler"),
        handles,
        byKey([ada, 3], [bob, 1]),
        byKey([eve, 9], [bob, 2]),
        byKey(["1-minute", 4]),
        byKey([id("timer"), 1_700_000_000_000], [id("other"), 5]),
        Hash.tagged("heddle/authority/1", Bytes.u64(7), Bytes.u64(2), hash("unit a"), hash("unit b")),
        Bytes.u64(2),
        Merkle.root([view("count", "5"), view("Ünïcode", '"é"')]),
      ),
    )
  })

  it("does not depend on the order in which things came to be", () => {
    const turned = Metadata.initial(hash("spawn"), id("module"), tenure, believed)
    turned.authority = { ...believed, since: 7 }
    const from = rich()
    for (const field of ["sent", "received", "cron", "timers"] as const)
      for (const [key, value] of [...from[field]].toReversed())
        (turned[field] as Map<string, number>).set(key, value)
    for (const [key, value] of [...from.views].toReversed()) turned.views.set(key, value)
    expect(Metadata.hash(turned, handles)).toEqual(Metadata.hash(from, handles))
  })

  it("is another for each thing that could be otherwise", () => {
    const changes: ReadonlyArray<(metadata: Metadata.Metadata) => void> = [
      (of) => (of.term = 1),
      (of) => (of.scheduler = id("another scheduler")),
      (of) => (of.module = id("another module")),
      (of) => of.sent.set(ada, 4),
      (of) => of.sent.delete(bob),
      (of) => of.received.set(ada, 3),
      (of) => of.received.set(bob, 3),
      (of) => of.cron.set("1-minute", 5),
      (of) => of.cron.set("2-minutes", 4),
      (of) => of.timers.set(id("timer"), 1_700_000_000_001),
      (of) => of.timers.delete(id("timer")),
      (of) => (of.authority = { ...of.authority, since: 8 }),
      (of) => (of.authority = { ...of.authority, quorum: 1 }),
      (of) => (of.authority = { ...of.authority, units: of.authority.units.toReversed() }),
      (of) => of.views.set("count", "6"),
      (of) => of.views.set("Count", "5"),
      (of) => of.views.delete("count"),
      (of) => (of.sent.delete(ada), of.received.set(ada, 3)),
    ]
    const hashes = changes.map((change) => {
      const metadata = rich()
      change(metadata)
      return Bytes.toHex(Metadata.hash(metadata, handles))
    })
    hashes.push(Bytes.toHex(Metadata.hash(rich(), handles)))
    hashes.push(Bytes.toHex(Metadata.hash(rich(), Bytes.empty)))
    hashes.push(Bytes.toHex(Metadata.hash({ ...rich(), spawn: hash("other spawn") }, handles)))
    expect(new Set(hashes).size).toBe(changes.length + 3)
  })
})

describe("a change", () => {
  it("numbers messages per target over the life of the source, and neither spawns nor timers", () => {
    const metadata = Metadata.initial(hash("spawn"), id("module"), tenure, believed)
    const spawn = { ...message("child"), kind: "spawn" as const, target: undefined }
    const first = Metadata.apply(
      metadata,
      change({ outbox: [message("ada"), spawn, message("bob"), timer("t", 9), message("ada")] }),
    )
    expect(first.map(({ kind, pair, due }) => [kind, pair, due])).toEqual([
      ["message", 1, 0],
      ["spawn", 0, 0],
      ["message", 1, 0],
      ["timer", 0, 9],
      ["message", 2, 0],
    ])
    const second = Metadata.apply(metadata, change({ outbox: [message("bob"), message("ada")] }))
    expect(second.map(({ pair }) => pair)).toEqual([2, 3])
    expect([...metadata.sent]).toEqual([
      [ada, 3],
      [bob, 2],
    ])
    expect([...metadata.timers]).toEqual([[id("t"), 9]])
  })

  it("sets, replaces and takes away views, the last word on a name counting", () => {
    const metadata = rich()
    const views = [
      { name: "count", value: "6" },
      { name: "new", value: "1" },
      { name: "new", value: null },
      { name: "Ünïcode", value: null },
      { name: "nothing", value: null },
    ]
    Metadata.apply(metadata, change({ views }))
    expect([...metadata.views]).toEqual([["count", "6"]])
  })

  it("may leave as many timers pending as there may be, and not one more", () => {
    const metadata = Metadata.initial(hash("spawn"), id("module"), tenure, believed)
    for (let i = 0; i < Limit.timersPendingMax - 1; i++) metadata.timers.set(id(`timer ${i}`), i)
    expect(Metadata.broken(metadata, change({ outbox: [timer("a", 1), message("ada")] }))).toBeUndefined()
    expect(Metadata.broken(metadata, change({ outbox: [timer("a", 1), timer("b", 1)] }))).toBe(
      "10001 timers pending; at most 10000 are allowed",
    )
  })

  it("may leave as many views as there may be, and not one more; one that goes makes room", () => {
    const metadata = Metadata.initial(hash("spawn"), id("module"), tenure, believed)
    for (let i = 0; i < Limit.viewsMax - 1; i++) metadata.views.set(`view ${i}`, "1")
    const view = (name: string, value: string | null = "1") => ({ name, value })
    expect(Metadata.broken(metadata, change({ views: [view("a"), view("view 3")] }))).toBeUndefined()
    expect(Metadata.broken(metadata, change({ views: [view("a"), view("b")] }))).toBe(
      "1001 views; at most 1000 are allowed",
    )
    expect(
      Metadata.broken(metadata, change({ views: [view("view 3", null), view("a"), view("b")] })),
    ).toBeUndefined()
  })

  it("may publish a view as large as one may be in UTF-8, and not a byte more", () => {
    const metadata = Metadata.initial(hash("spawn"), id("module"), tenure, believed)
    const text = "é".repeat(Limit.viewBytesMax / 2)
    expect(Metadata.broken(metadata, change({ views: [{ name: "v", value: text }] }))).toBeUndefined()
    expect(Metadata.broken(metadata, change({ views: [{ name: "v", value: `${text}x` }] }))).toContain(
      'view "v" takes 262145 bytes',
    )
  })
})
