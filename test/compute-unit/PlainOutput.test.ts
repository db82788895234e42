/** What a plain module says, and what the host makes of it: a parrot says what it is sent. */
import { describe, expect, it } from "vitest"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Result from "effect/Result"
import { parrot, stage } from "./PlainStage.ts"
import { id, type Sent } from "./Stage.ts"

const bird = stage(parrot, { limits: { fuel: 1_000_000_000n, memoryPagesMax: 1_024 } })
bird.spawn()

const other = id("another process")

/** What becomes of a turn in which the module says this. */
const done = (said: unknown, sent: Sent = {}) => {
  const data = typeof said === "string" || said instanceof Uint8Array ? said : JSON.stringify(said)
  return bird.done({ ...sent, data }).emission
}

/** In which words it is refused. */
const refused = (said: unknown, sent: Sent = {}): string => {
  const data = typeof said === "string" || said instanceof Uint8Array ? said : JSON.stringify(said)
  const { root } = bird
  const { reason, message } = bird.failed({ ...sent, data })
  expect(reason).toBe("bad output")
  expect(bird.root).toBe(root)
  return message
}

const tagsOf = (entry: { readonly tags: ReadonlyArray<{ readonly name: string; readonly value: string }> }) =>
  entry.tags.map(({ name, value }) => `${name}: ${value}`)

const protocol = (type: string) => ["Data-Protocol: ao", `Type: ${type}`, "Variant: heddle.1"]

describe("nothing", () => {
  it("is said by no bytes and by an object without fields", () => {
    const nothing = { outbox: [], replies: [], views: [] }
    expect([done(""), done({}), done(" {\n} ")]).toEqual([nothing, nothing, nothing])
    expect(done({ replies: [], views: [], outbox: [] })).toEqual(nothing)
  })
})

describe("a reply", () => {
  it("answers the message of the turn, or any that it names", () => {
    expect(done({ replies: [{ value: 5 }, { to: other, value: null }, { to: bird.self }] }).replies).toEqual([
      { to: id(`${bird.self} message ${bird.slot}`), value: "5" },
      { to: other, value: "null" },
      { to: bird.self, value: "null" },
    ])
  })

  it("has its value as the module wrote it", () => {
    const value = `{"b": 18446744073709551615,"1":[1.10,"\\u00e9"],"b":1e999}`
    expect(done(`{"replies":[{"value": ${value} }]}`).replies[0]).toMatchObject({ value })
  })

  it("may be an error, which does not undo the turn", () => {
    const { root } = bird
    expect(done({ replies: [{ error: "no \u{1f9f5}" }] }).replies).toMatchObject([{ error: "no \u{1f9f5}" }])
    expect(bird.root).not.toBe(root)
    expect(done(`{"replies":[{"error":"\\ud83e"}]}`).replies).toMatchObject([{ error: "\ufffd" }])
    expect(done({ replies: [{ error: "" }] }).replies).toMatchObject([{ error: "" }])
  })

  it("is one or the other, to one message once", () => {
    expect(refused({ replies: [{ value: 1, error: "a" }] })).toBe(
      'output.replies[0] has both "value" and "error"',
    )
    expect(refused({ replies: [{ value: 1 }, { error: "a" }] })).toBe("a message is answered twice")
    expect(refused({ replies: [{ to: other }, {}, { to: other }] })).toBe("a message is answered twice")
  })

  it("goes to the process that waits for it, with its number", () => {
    const asked = { from: "bob", process: true, tags: [["Reference", "7"] as const] }
    const [entry, ...none] = done({ replies: [{ value: { a: [1] } }, { to: other, value: 2 }] }, asked).outbox
    expect(none).toEqual([])
    expect(entry).toMatchObject({ kind: "message", target: Id.toBytes(id("bob")), due: 0 })
    expect(tagsOf(entry!)).toEqual([...protocol("Message"), "Action: Reply", "X-Reference: 7"])
    expect(Bytes.toText(entry!.data)).toBe('{"a":[1]}')
    const [failed] = done({ replies: [{ error: "no" }] }, asked).outbox
    expect(tagsOf(failed!).slice(3)).toEqual(["Action: Reply", "X-Reference: 7", "Error: no"])
    expect(failed!.data).toHaveLength(0)
  })

  it("goes nowhere where nobody waits: to keys, without a number, with one too long", () => {
    const value = { replies: [{ value: 1 }] }
    const number = (reference: string) => [["Reference", reference] as const]
    expect(done(value, { from: "bob", process: true }).outbox).toEqual([])
    expect(done(value, { from: "bob", tags: number("7") }).outbox).toEqual([])
    const longest = done(value, { from: "bob", process: true, tags: number("7".repeat(64)) })
    expect(longest.outbox).toHaveLength(1)
    expect(done(value, { from: "bob", process: true, tags: number("7".repeat(65)) }).outbox).toEqual([])
    expect(done({}, { from: "bob", process: true, tags: number("7") }).outbox).toEqual([])
  })

  it("carries 1,000 units of an error, and never half a letter", () => {
    const asked = { from: "bob", process: true, tags: [["Reference", "7"] as const] }
    const error = `${"x".repeat(999)}\u{1f9f5}`
    const { outbox, replies } = done({ replies: [{ error }] }, asked)
    expect(tagsOf(outbox[0]!).at(-1)).toBe(`Error: ${"x".repeat(999)}\ufffd`)
    expect(replies).toMatchObject([{ error }])
    expect(tagsOf(done({ replies: [{ error: "" }] }, asked).outbox[0]!).at(-1)).toBe("Error: failed")
  })
})

describe("a view", () => {
  it("is JSON as written, or taken away by null or nothing", () => {
    expect(
      done('{"views":[{"name":"a","value":{ "x":1e2}},{"value":null,"name":"b"},{"name":"c"}]}').views,
    ).toEqual([
      { name: "a", value: '{ "x":1e2}' },
      { name: "b", value: null },
      { name: "c", value: null },
    ])
  })

  it("has a name and at most 262,144 bytes", () => {
    expect(refused({ views: [{ value: 1 }] })).toBe('output.views[0] lacks "name"')
    expect(refused({ views: [{ name: "" }] })).toBe("output.views[0].name is empty")
    const letters = (bytes: number) => ({ views: [{ name: "a", value: "é".repeat((bytes - 2) / 2) }] })
    expect(done(letters(Limit.viewBytesMax)).views).toHaveLength(1)
    expect(refused(letters(Limit.viewBytesMax + 2))).toBe(
      `output.views[0].value takes more than ${Limit.viewBytesMax} bytes`,
    )
  })

  it("is one of at most 1,000 a turn", () => {
    const views = (count: number) => ({ views: Array.from({ length: count }, (_, n) => ({ name: `v${n}` })) })
    expect(done(views(Limit.viewsMax)).views).toHaveLength(Limit.viewsMax)
    expect(refused(views(Limit.viewsMax + 1))).toBe("output.views has more than 1000 elements")
  })
})

describe("a message", () => {
  const message = (more: object = {}) => ({ outbox: [{ kind: "message", target: other, ...more }] })

  it("has the tags of the protocol, its action, its reference, and then its own", () => {
    const own = [
      ["Quantity", "5"],
      ["Quantity", "6"],
    ]
    const [entry] = done(message({ action: "Pay", reference: "12", tags: own, data: "é" })).outbox
    expect(entry).toMatchObject({ kind: "message", target: Id.toBytes(other), due: 0 })
    const tags = ["Action: Pay", "Reference: 12", "Quantity: 5", "Quantity: 6"]
    expect(tagsOf(entry!)).toEqual([...protocol("Message"), ...tags])
    expect(Bytes.toText(entry!.data)).toBe("é")
  })

  it("carries nothing, text, JSON as written, or bytes", () => {
    const data = (more: object) => Bytes.toHex(done(message(more)).outbox[0]!.data)
    expect([data({}), data({ data: "" }), data({ data: "a" }), data({ base64url: "_wA" })]).toEqual([
      "",
      "",
      "61",
      "ff00",
    ])
    const json = `{ "n": 1e2 }`
    const said = `{"outbox":[{"json":${json},"kind":"message","target":"${other}"}]}`
    expect(Bytes.toText(done(said).outbox[0]!.data)).toBe(json)
    expect(refused(message({ data: "a", json: 1 }))).toBe(
      'output.outbox[0] has more than one of "data", "json" and "base64url"',
    )
    for (const bad of ["_wA=", "/wA", "_wB", "a", 5])
      expect(refused(message({ base64url: bad }))).toBe("output.outbox[0].base64url is not base64url")
    expect(refused(message({ data: 5 }))).toBe("output.outbox[0].data is not a text")
  })

  it("goes to an id, or to a process spawned before it in the same turn", () => {
    expect(refused(message({ target: "bob" }))).toBe("output.outbox[0].target is not an id")
    expect(refused({ outbox: [{ kind: "message" }] })).toBe('output.outbox[0] lacks "target"')
    const [spawn, to] = done({
      outbox: [
        { kind: "spawn", module: other, data: "seed" },
        { kind: "message", child: 0 },
      ],
    }).outbox
    const origin = { source: bird.self, head: bird.head(bird.slot), index: 0 }
    const child = Result.getOrThrow(OutboxItem.make(origin, spawn!)).id
    expect(Id.fromBytes(to!.target)).toBe(child)
    const bad = "output.outbox[1].child is not a spawn before it"
    for (const child of [1, 2, 5_000])
      expect(
        refused({
          outbox: [
            { kind: "spawn", module: other },
            { kind: "message", child },
          ],
        }),
      ).toBe(bad)
    expect(
      refused({
        outbox: [
          { kind: "message", target: other },
          { kind: "message", child: 0 },
        ],
      }),
    ).toBe(bad)
    expect(refused(message({ child: 0 }))).toBe('output.outbox[0] has both "target" and "child"')
  })

  it("can't have what an item can't", () => {
    const full = (count: number) => message({ tags: Array.from({ length: count }, (_, n) => [`n${n}`, "v"]) })
    expect(done(full(Limit.tagsMax - 3)).outbox).toHaveLength(1)
    expect(refused(full(Limit.tagsMax - 2))).toBe("output.outbox[0]: 129 tags; at most 128 are allowed")
    expect(refused(full(Limit.tagsMax + 1))).toBe("output.outbox[0].tags has more than 128 elements")
    expect(refused(message({ tags: [["a", "b".repeat(4_100)]] }))).toMatch(
      /^output\.outbox\[0\]: tags take \d+ bytes; at most 4096 are allowed$/,
    )
    expect(refused(message({ tags: [["a", ""]] }))).toBe('output.outbox[0]: tag "a" has an empty value')
    expect(refused(message({ action: "" }))).toBe('output.outbox[0]: tag "Action" has an empty value')
    for (const name of ["Data-Protocol", "Type", "Variant"])
      expect(refused(message({ tags: [[name, "x"]] }))).toBe(
        `output.outbox[0]: the tag "${name}" is set by heddle`,
      )
    expect(refused(message({ action: "A", tags: [["Action", "B"]] }))).toBe(
      'output.outbox[0]: the tag "Action" is set by heddle',
    )
    expect(tagsOf(done(message({ tags: [["Action", "B"]] })).outbox[0]!).at(-1)).toBe("Action: B")
    expect(
      done(`{"outbox":[{"kind":"message","target":"${other}","tags":[["\\ud800","x"]]}]}`),
    ).toMatchObject({ outbox: [{ tags: [{}, {}, {}, { name: "\ufffd" }] }] })
  })

  it("has its tags as pairs of texts", () => {
    const bad: ReadonlyArray<readonly [unknown, string]> = [
      [{ a: "b" }, ".tags is not a list"],
      ["a", ".tags is not a list"],
      [["a"], ".tags[0] is not a list"],
      [[["a"]], ".tags[0] is not two texts"],
      [[[]], ".tags[0] is not two texts"],
      [[["a", "b", "c"]], ".tags[0] has more than 2 elements"],
      [[["a", 5]], ".tags[0][1] is not a text"],
      [[[null, "b"]], ".tags[0][0] is not a text"],
    ]
    for (const [tags, words] of bad) expect(refused(message({ tags }))).toBe(`output.outbox[0]${words}`)
  })

  it("bears a number that the one who is asked can bear back", () => {
    expect(tagsOf(done(message({ reference: "r".repeat(64) })).outbox[0]!).at(-1)).toHaveLength(75)
    for (const reference of ["", "r".repeat(65)])
      expect(refused(message({ reference }))).toBe(
        "output.outbox[0].reference does not have 1 to 64 characters",
      )
    expect(refused(message({ reference: 7 }))).toBe("output.outbox[0].reference is not a text")
    expect(refused(message({ reference: "7", tags: [["Reference", "8"]] }))).toBe(
      'output.outbox[0]: the tag "Reference" is set by heddle',
    )
  })
})

describe("a spawn", () => {
  const spawn = (more: object = {}) => ({ outbox: [{ kind: "spawn", module: other, ...more }] })

  it("names its module, and the scheduler of its parent unless it names another", () => {
    const [entry] = done(spawn({ action: "Go", tags: [["Name", "Child"]], json: [1] })).outbox
    expect(entry).toMatchObject({ kind: "spawn", target: new Uint8Array(0), due: 0 })
    const set = ["Action: Go", `Module: ${other}`, `Scheduler: ${id("scheduler")}`, "Name: Child"]
    expect(tagsOf(entry!)).toEqual([...protocol("Process"), ...set])
    expect(Bytes.toText(entry!.data)).toBe("[1]")
    const elsewhere = done(spawn({ tags: [["Scheduler", other]] })).outbox[0]!
    expect(tagsOf(elsewhere).slice(3)).toEqual([`Module: ${other}`, `Scheduler: ${other}`])
  })

  it("lacks nothing and has nothing else", () => {
    expect(refused({ outbox: [{ kind: "spawn" }] })).toBe('output.outbox[0] lacks "module"')
    expect(refused(spawn({ module: "x" }))).toBe("output.outbox[0].module is not an id")
    expect(refused(spawn({ target: other }))).toBe('output.outbox[0] is a spawn and has no "target"')
    expect(refused(spawn({ due: 1 }))).toBe('output.outbox[0] is a spawn and has no "due"')
    expect(refused(spawn({ reference: "1" }))).toBe('output.outbox[0] is a spawn and has no "reference"')
    expect(refused(spawn({ tags: [["Module", other]] }))).toBe(
      'output.outbox[0]: the tag "Module" is set by heddle',
    )
  })
})

describe("a timer", () => {
  const timer = (more: object = {}) => ({ outbox: [{ kind: "timer", due: 1_900_000_000_000, ...more }] })

  it("goes to the process itself when it is due", () => {
    const [entry] = done(timer({ reference: "4" })).outbox
    expect(entry).toMatchObject({ kind: "timer", target: Id.toBytes(bird.self), due: 1_900_000_000_000 })
    expect(tagsOf(entry!)).toEqual([...protocol("Message"), "Action: Timer", "X-Reference: 4"])
    expect(tagsOf(done(timer()).outbox[0]!)).toEqual([...protocol("Message"), "Action: Timer"])
  })

  it("is due at a whole number of ms that is exact", () => {
    const due = (text: string) => `{"outbox":[{"kind":"timer","due":${text}}]}`
    expect([due("0"), due("9007199254740991")].map((said) => done(said).outbox[0]!.due)).toEqual([
      0,
      Number.MAX_SAFE_INTEGER,
    ])
    for (const text of ["9007199254740992", "-1", "1.5", "1e3", "1.0", '"1"', "null", "99999999999999999999"])
      expect(refused(due(text))).toBe("output.outbox[0].due is not a count")
    expect(refused({ outbox: [{ kind: "timer" }] })).toBe('output.outbox[0] lacks "due"')
    for (const field of ["target", "module"])
      expect(refused(timer({ [field]: other }))).toBe(`output.outbox[0] is a timer and has no "${field}"`)
    expect(refused(timer({ action: "A" }))).toBe('output.outbox[0] is a timer and has no "action"')
  })
})

describe("an error", () => {
  it("fails the turn in the module's own words, and nothing is kept", () => {
    const { root } = bird
    const said = { error: "Insufficient balance", replies: [{ value: 1 }], views: [{ name: "a", value: 1 }] }
    const failed = bird.failed({ data: JSON.stringify(said) })
    expect(failed).toMatchObject({ reason: "threw", message: "Insufficient balance", stack: undefined })
    expect(failed.failed).toEqual([id(`${bird.self} message ${bird.slot}`)])
    expect(bird.root).toBe(root)
  })

  it("has at most 1,000 units, and never half a letter", () => {
    const message = (error: string) => bird.failed({ data: JSON.stringify({ error }) }).message
    expect(message("x".repeat(1_001))).toBe("x".repeat(1_000))
    expect(message(`${"x".repeat(999)}\u{1f9f5}`)).toBe(`${"x".repeat(999)}\ufffd`)
    expect([message(""), message("null")]).toEqual(["", "null"])
  })

  it("is no excuse for the rest", () => {
    expect(refused({ error: "no", replies: 5 })).toBe("output.replies is not a list")
    expect(refused({ error: 5 })).toBe("output.error is not a text")
  })
})

describe("what does not fit", () => {
  it.each<readonly [string, string]>([
    ["[]", "output is not an object"],
    ["null", "output is not an object"],
    ['"{}"', "output is not an object"],
    ["{", "the words are no JSON"],
    ["{} {}", "the words are no JSON"],
    ['{"replies":[{"value":01}]}', "the words are no JSON"],
    ["[".repeat(101) + "]".repeat(101), "the words are nested deeper than 100"],
    ['{"reply":5}', 'output has a field "reply", which there is not'],
    ['{"__proto__":5}', 'output has a field "__proto__", which there is not'],
    ['{"constructor":5}', 'output has a field "constructor", which there is not'],
    ['{"state":"{}"}', 'output has a field "state", which there is not'],
    ['{"failed":[]}', 'output has a field "failed", which there is not'],
    ['{"replies":[],"replies":[]}', 'output has "replies" twice'],
    ['{"replies":[],"\\u0072eplies":[]}', 'output has "replies" twice'],
    ['{"replies":{}}', "output.replies is not a list"],
    ['{"replies":null}', "output.replies is not a list"],
    ['{"replies":[5]}', "output.replies[0] is not an object"],
    ['{"replies":[{},{"to":"me"}]}', "output.replies[1].to is not an id"],
    ['{"replies":[{"To":1}]}', 'output.replies[0] has a field "To", which there is not'],
    ['{"views":[[]]}', "output.views[0] is not an object"],
    ['{"views":[{"name":5}]}', "output.views[0].name is not a text"],
    ['{"outbox":[{}]}', 'output.outbox[0] lacks "kind"'],
    ['{"outbox":[{"kind":"reply"}]}', 'output.outbox[0].kind is not "message", "spawn" or "timer"'],
    ['{"outbox":[{"kind":"toString"}]}', 'output.outbox[0].kind is not "message", "spawn" or "timer"'],
    ['{"outbox":[{"kind":5}]}', "output.outbox[0].kind is not a text"],
    ['{"outbox":[{"kind":"message","x":1}]}', 'output.outbox[0] has a field "x", which there is not'],
  ])("%s", (said, words) => {
    expect(refused(said)).toBe(words)
  })

  it("is said of the first misfit from left to right", () => {
    expect(refused('{"views":5,"replies":5}')).toBe("output.views is not a list")
    expect(refused('{"outbox":[{"due":"x","kind":5}]}')).toBe("output.outbox[0].due is not a count")
    expect(refused('{"views":5,"replies":5')).toBe("the words are no JSON")
  })

  it("is shown with at most 100 letters of a name", () => {
    expect(refused({ ["x".repeat(5_000)]: 1 })).toBe(
      `output has a field "${"x".repeat(100)}", which there is not`,
    )
    const long = refused({ outbox: [{ kind: "message", target: other, tags: [["x".repeat(5_000), ""]] }] })
    expect(long).toHaveLength(1_000)
  })

  it("is what is no text", () => {
    expect(refused(Uint8Array.of(0x7b, 0xff, 0x7d))).toBe("what it says is not UTF-8")
    expect(refused(Uint8Array.of(0xed, 0xa0, 0x80))).toBe("what it says is not UTF-8")
    expect(refused("\ufeff{}")).toBe("the words are no JSON")
  })
})

describe("a turn says", () => {
  it("at most 1,024 entries, the answers that processes wait for among them", () => {
    const entries = (count: number) => ({
      outbox: Array.from({ length: count }, () => ({ kind: "message", target: other })),
      replies: [{ value: 1 }],
    })
    const asked = { from: "bob", process: true, tags: [["Reference", "7"] as const] }
    const max = Limit.outboxEntriesPerTurnMax
    expect(done(entries(max)).outbox).toHaveLength(max)
    expect(refused(entries(max + 1))).toBe("output.outbox has more than 1024 elements")
    expect(done(entries(max - 1), asked).outbox).toHaveLength(max)
    expect(refused(entries(max), asked)).toBe("the outbox and its answers are more than 1024")
  })

  it("at most 1,024 replies", () => {
    const replies = (count: number) => ({
      replies: Array.from({ length: count }, (_, n) => ({ to: id(`m${n}`) })),
    })
    expect(done(replies(1_024)).replies).toHaveLength(1_024)
    expect(refused(replies(1_025))).toBe("output.replies has more than 1024 elements")
  })

  it("at most 10 MiB, in all and as data", () => {
    const padded = (bytes: number) => `{"replies":[{"value":"${"x".repeat(bytes - 26)}"}]}`
    const max = Limit.outputBytesPerTurnMax
    expect(padded(max)).toHaveLength(max)
    expect(done(padded(max)).replies).toHaveLength(1)
    expect(bird.failed({ data: padded(max + 1) })).toMatchObject({
      reason: "output too large",
      message: `replies, views and outbox take more than ${max} bytes`,
    })
    const asked = { from: "bob", process: true, tags: [["Reference", "7"] as const] }
    const value = "x".repeat(5_500_000)
    const both = JSON.stringify({ outbox: [], replies: [{ value }] })
    expect(done(both, asked).outbox[0]!.data).toHaveLength(value.length + 2)
  })
})
