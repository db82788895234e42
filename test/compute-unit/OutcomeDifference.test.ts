import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import * as OutcomeDifference from "../../compute-unit/OutcomeDifference.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Message from "../../runtime/Message.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import { hash, id } from "../support/Unsigned.ts"

const item = (data: Uint8Array | string, target = "bob"): Uint8Array =>
  Result.getOrThrow(
    OutboxItem.make(
      { source: id("process"), head: hash("head"), index: 0 },
      {
        target: Id.toBytes(id(target)),
        tags: Message.protocolTags("Message"),
        data: typeof data === "string" ? Bytes.fromText(data) : data,
      },
    ),
  ).bytes

const outcome: Outcome.Outcome = {
  slot: 7,
  message: id("message"),
  error: undefined,
  fuelUsed: 1_000n,
  replies: [
    { to: id("message"), value: '"ok"' },
    { to: id("other"), error: "late" },
  ],
  views: [
    { name: "n", value: "1" },
    { name: "gone", value: null },
  ],
  outbox: [{ kind: "message", item: item("hello"), pair: 1, due: 0 }],
}

const all = (change: Partial<Outcome.Outcome>) =>
  OutcomeDifference.ofAll(outcome, { ...outcome, ...change }).map(
    ({ what, recorded, now }) => `${what}: ${recorded} -> ${now}`,
  )

const entry = outcome.outbox[0]!

describe("the difference of two outcomes", () => {
  it("is none where all that the hash commits to is equal", () => {
    expect(all({})).toEqual([])
    expect(OutcomeDifference.ofAll(outcome, structuredClone(outcome))).toEqual([])
  })

  it.each<[string, Partial<Outcome.Outcome>, ReadonlyArray<string>]>([
    ["slot", { slot: 8 }, ["slot: 7 -> 8"]],
    ["message", { message: id("other") }, [`message: ${id("message")} -> ${id("other")}`]],
    ["fuel", { fuelUsed: 999n }, ["fuel: 1000 -> 999"]],
    ["error", { error: { reason: "threw", message: "no" } }, ["error: nothing -> threw: no"]],
    [
      "a reply's value",
      { replies: [{ to: id("message"), value: "2" }, outcome.replies[1]!] },
      [`reply to ${id("message")}: "ok" -> 2`],
    ],
    [
      "a value for an error",
      { replies: [outcome.replies[0]!, { to: id("other"), value: '"late"' }] },
      [`reply to ${id("other")}: error: late -> "late"`],
    ],
    [
      "no reply",
      { replies: outcome.replies.slice(0, 1) },
      [`reply to ${id("other")}: error: late -> nothing`],
    ],
    [
      "views",
      {
        views: [
          { name: "n", value: null },
          { name: "new", value: "[]" },
        ],
      },
      ['view "n": 1 -> taken away', 'view "gone": taken away -> nothing', 'view "new": nothing -> []'],
    ],
    ["data", { outbox: [{ ...entry, item: item("hallo") }] }, ["outbox 0: data: hello -> hallo"]],
    [
      "data that is no text",
      { outbox: [{ ...entry, item: item(Uint8Array.of(0xff, 1)) }] },
      ["outbox 0: data: hello -> 0xff01"],
    ],
    [
      "target",
      { outbox: [{ ...entry, item: item("hello", "eve") }] },
      [`outbox 0: target: ${id("bob")} -> ${id("eve")}`],
    ],
    [
      "kind and due",
      { outbox: [{ ...entry, kind: "timer", due: 5 }] },
      ["outbox 0: kind: message -> timer", "outbox 0: due: 0 -> 5"],
    ],
    [
      "no outbox",
      { outbox: [] },
      [
        `outbox 0: kind message, target ${id("bob")}, tags [["Data-Protocol","ao"],["Type","Message"],["Variant","heddle.1"]], data hello, due 0 -> nothing`,
      ],
    ],
  ])("is told field by field: %s", (_, change, words) => {
    expect(all(change)).toEqual(words)
  })

  it.each<[string, Partial<Outcome.Outcome>]>([
    ["a pair number", { outbox: [{ ...entry, pair: 2 }] }],
    ["the order of views", { views: outcome.views.toReversed() }],
    ["the order of replies", { replies: outcome.replies.toReversed() }],
  ])("is that of the hashes where the hash alone shows it: %s", (_, change) => {
    const [recorded, now] = [outcome, { ...outcome, ...change }].map((one) => Bytes.toHex(Outcome.hash(one)))
    expect(all(change)).toEqual([`outcome hash: ${recorded} -> ${now}`])
    expect(OutcomeDifference.ofEffects(outcome, { ...outcome, ...change })).toEqual([])
  })

  it("leaves out slot, message and fuel where only effects are compared", () => {
    const other = { ...outcome, slot: 8, message: id("other"), fuelUsed: 5n }
    expect(OutcomeDifference.ofEffects(outcome, other)).toEqual([])
  })

  it("takes texts that are the same in UTF-8 as equal", () => {
    const [broken, replaced] = ["\ud800", "\ufffd"].map((name) => ({
      ...outcome,
      views: [{ name, value: "1" }],
    }))
    expect(OutcomeDifference.ofAll(broken!, replaced!)).toEqual([])
  })

  it("shows of a long text the place where it parts", () => {
    const [a, b] = ["x", "y"].map((mark) => `${"a".repeat(5_000)}${mark}${"b".repeat(5_000)}`)
    const views = (value: string) => ({ ...outcome, views: [{ name: "n", value }] })
    const [found, ...more] = OutcomeDifference.ofAll(views(a!), views(b!))
    expect(more).toEqual([])
    expect(found!.recorded).toMatch(/^…a{40}xb+…$/)
    expect(found!.now).toMatch(/^…a{40}yb+…$/)
    expect(found!.now.length).toBeLessThan(250)
  })

  it("is shown of an outbox entry that is no item as bytes", () => {
    const outbox = [{ ...entry, item: Uint8Array.of(1, 2) }]
    expect(all({ outbox })).toContain("outbox 0: item: nothing -> 0x0102")
  })
})
