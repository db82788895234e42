/** What a plain module may say at the end of a turn, and what does not fit (spec 04 §10): the data of messages to a parrot. */
import * as Reference from "./reference.ts"
import { asked, id, module, parrot, type Sent, unlessSpawned, type Valid } from "./plainText.ts"

const [target, child] = [id("target"), id("module of a child")]

const says = (data: object | string, more: Sent = {}): Sent => ({
  data: typeof data === "string" ? data : JSON.stringify(data),
  ...more,
})

const message = { kind: "message", target }
const outbox = (...entries: ReadonlyArray<object>) => ({ outbox: entries })

const replies: ReadonlyArray<Sent> = [
  says("{}"),
  says({ replies: [{}] }),
  says({ replies: [{ value: null }] }),
  says('{"replies":[{"value":18446744073709551615}]}'),
  says(' {"replies" : [ {"value": {"b": 1.0, "a" :\t-0e+1,"b":[ ]\n} } ] } '),
  says(
    '{"replies":[{"value":"Gr\\u00f6\\u00dfe \\ud800"},{"to":"' + id("earlier message") + '","value":true}]}',
  ),
  says({ replies: [{ to: id("earlier message"), error: "no longer \ud83e\uddf5" }] }),
  says({ replies: [] }),
  says({ replies: [{ value: [1, { two: "2" }] }] }, asked),
  says({ replies: [{ error: "not today" }] }, asked),
  says({ replies: [{ error: "" }] }, asked),
  says({ replies: [{ to: id("earlier message"), value: 5 }] }, asked),
  says({ replies: [{ value: 5 }] }, { ...asked, fromProcess: false }),
  says({ replies: [{ value: 5 }] }, { ...asked, tags: [] }),
  says({ replies: [{ value: 5 }] }, { ...asked, tags: [["Reference", "r".repeat(64)]] }),
  says({ replies: [{ value: 5 }] }, { ...asked, tags: [["Reference", "r".repeat(65)]] }),
  says(
    { replies: [{ value: 5 }], ...outbox(message) },
    {
      ...asked,
      tags: [
        ["Reference", "7"],
        ["Reference", "8"],
      ],
    },
  ),
]

const views: ReadonlyArray<Sent> = [
  says(
    '{"views":[{"name":"count","value":1},{"name":"a","value":{"z":[ 1.50 ]}},{"value":"","name":"Gr\\u00f6\\u00dfe \\ud800"}]}',
  ),
  says({ views: [{ name: "count", value: null }, { name: "a" }] }),
  says({
    views: [
      { name: "count", value: 1 },
      { name: "count", value: 2 },
    ],
  }),
]

const entries: ReadonlyArray<Sent> = [
  says(outbox(message)),
  says(
    outbox({
      data: "text é",
      reference: "a1",
      tags: [
        ["A", "1"],
        ["A", "2"],
      ],
      action: "Hi",
      target,
      kind: "message",
    }),
  ),
  says(`{"outbox":[{"kind":"message","target":"${target}","json":{"n": 1e3}}]}`),
  says(
    outbox({ ...message, base64url: Reference.base64(Uint8Array.of(0, 255, 16)) }, { ...message, data: "" }),
  ),
  says(outbox({ kind: "spawn", module: child })),
  says(
    outbox({
      kind: "spawn",
      module: child,
      action: "Begin",
      tags: [
        ["Scheduler", id("another scheduler")],
        ["Name", "child"],
      ],
      json: null,
    }),
  ),
  says(
    outbox(
      message,
      { kind: "spawn", module: child, data: "first" },
      { kind: "spawn", module: child, data: "second" },
      { kind: "message", child: 2, action: "Hi" },
      { kind: "message", child: 1, json: [1] },
    ),
  ),
  says(
    outbox({ kind: "timer", due: 1_700_000_009_000 }, { kind: "timer", due: 0, reference: "r".repeat(64) }),
  ),
  says({
    ...outbox({ kind: "timer", due: 9_007_199_254_740_991 }),
    views: [{ name: "v", value: 1 }],
    replies: [{ value: 2 }],
  }),
]

const bad = (data: object | string | Uint8Array, words: string, more: Sent = {}): Sent => ({
  data: typeof data === "string" || data instanceof Uint8Array ? data : JSON.stringify(data),
  fails: ["bad output", words],
  ...more,
})

const notJson = "the words are no JSON"
const first = "output.outbox[0]"

const misfits: ReadonlyArray<Sent> = [
  bad("heddle", notJson),
  bad("{", notJson),
  bad("{} {}", notJson),
  bad("\ufeff{}", notJson),
  bad('{"views":[{"name":"a","value":01}]}', notJson),
  bad('{"views":5,"replies":5', notJson),
  bad(Uint8Array.of(0x7b, 0xff, 0x7d), "what it says is not UTF-8"),
  bad(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), "what it says is not UTF-8"),
  bad("[".repeat(101) + "]".repeat(101), "the words are nested deeper than 100"),
  bad("[]", "output is not an object"),
  bad("null", "output is not an object"),
  bad('{"reply":5}', 'output has a field "reply", which there is not'),
  bad('{"__proto__":{}}', 'output has a field "__proto__", which there is not'),
  bad('{"replies":[],"\\u0072eplies":[]}', 'output has "replies" twice'),
  bad('{"views":5,"replies":5}', "output.views is not a list"),
  bad({ error: null }, "output.error is not a text"),
  bad({ replies: [{}, { to: "me" }] }, "output.replies[1].to is not an id"),
  bad({ replies: [{ value: 1, error: "both" }] }, 'output.replies[0] has both "value" and "error"'),
  bad({ replies: [{ value: 1 }, { value: 2 }] }, "a message is answered twice"),
  bad({ views: [{ value: 1 }] }, 'output.views[0] lacks "name"'),
  bad({ views: [{ name: "", value: 1 }] }, "output.views[0].name is empty"),
  bad(outbox({}), `${first} lacks "kind"`),
  bad(outbox({ kind: "reply" }), `${first}.kind is not "message", "spawn" or "timer"`),
  bad(outbox({ kind: "message" }), `${first} lacks "target"`),
  bad(outbox({ kind: "message", target: `${target}=` }), `${first}.target is not an id`),
  bad(outbox({ ...message, child: 0 }), `${first} has both "target" and "child"`),
  bad(
    outbox({ kind: "message", child: 1 }, { kind: "spawn", module: child }),
    `${first}.child is not a spawn before it`,
  ),
  bad(outbox(message, { kind: "message", child: 0 }), "output.outbox[1].child is not a spawn before it"),
  bad(outbox({ ...message, module: child }), `${first} is a message and has no "module"`),
  bad(
    outbox({ ...message, data: "", json: 1 }),
    `${first} has more than one of "data", "json" and "base64url"`,
  ),
  bad(outbox({ ...message, base64url: "AB" }), `${first}.base64url is not base64url`),
  bad(
    outbox({ ...message, tags: Array.from({ length: 129 }, () => ["A", ""]) }),
    `${first}.tags has more than 128 elements`,
  ),
  bad(outbox({ ...message, tags: [["A"]] }), `${first}.tags[0] is not two texts`),
  bad(outbox({ ...message, tags: [["Type", "Process"]] }), `${first}: the tag "Type" is set by heddle`),
  bad(
    outbox({ ...message, action: "Hi", tags: [["Action", "Ho"]] }),
    `${first}: the tag "Action" is set by heddle`,
  ),
  bad(outbox({ ...message, reference: "" }), `${first}.reference does not have 1 to 64 characters`),
  bad(outbox({ kind: "spawn" }), `${first} lacks "module"`),
  bad(outbox({ kind: "spawn", module: child, reference: "1" }), `${first} is a spawn and has no "reference"`),
  bad(outbox({ kind: "timer" }), `${first} lacks "due"`),
  bad(outbox({ kind: "timer", due: 1.5 }), `${first}.due is not a count`),
  bad(outbox({ kind: "timer", due: -1 }), `${first}.due is not a count`),
  bad(outbox({ kind: "timer", due: 2 ** 53 }), `${first}.due is not a count`),
  bad('{"outbox":5}', "output.outbox is not a list", asked),
]

const threw = (data: object, message: string, more: Sent = {}): Sent =>
  says(data, { fails: ["threw", message], ...more })

const errors: ReadonlyArray<Sent> = [
  threw({ error: "not today" }, "not today"),
  threw({ error: "" }, ""),
  threw({ error: `${"x".repeat(999)}🧵` }, `${"x".repeat(999)}\ufffd`, asked),
  threw(
    { ...outbox(message), views: [{ name: "v", value: 1 }], replies: [{ value: 1 }], error: "after all" },
    "after all",
  ),
  threw({ error: "for whoever waits" }, "for whoever waits", asked),
]

const valid = (name: string, turns: ReadonlyArray<Sent>): Valid => ({
  name,
  source: { wat: parrot },
  turns: [{}, ...turns],
})

/** Where `alloc` and `handle` place what is said. */
const places: ReadonlyArray<Valid> = [
  {
    name: "the input ends where memory does",
    source: { wat: module({ alloc: "(i32.sub (i32.const 0x10000) (local.get $length))" }) },
    turns: [{}, { data: "é" }],
  },
  {
    name: "the input would end a byte behind memory",
    source: { wat: module({ alloc: "(i32.sub (i32.const 0x10001) (local.get $length))" }) },
    turns: [{ fails: ["bad output", "the place for the input is outside of memory"] }],
  },
  {
    name: "the place for the input is the last address there is",
    source: { wat: module({ alloc: "(i32.const -1)" }) },
    turns: [{ fails: ["bad output", "the place for the input is outside of memory"] }],
  },
  {
    name: "the place for the input is in memory that alloc added",
    source: { wat: module({ alloc: "(i32.shl (memory.grow (i32.const 1)) (i32.const 16))" }) },
    turns: [{}, { data: "again" }],
  },
  {
    name: "the data is the place of what is said, eight bytes",
    source: {
      wat: module({
        imports: ["read"],
        more: `(data (i32.const 0xfffe) "{}")`,
        handle: [
          unlessSpawned,
          "(call $read (i32.const 0) (i32.const 0) (i32.const 8))",
          "(i64.load (i32.const 0))",
        ],
      }),
    },
    turns: [
      {},
      ...(
        [
          [0xfffe, 2, false],
          [0xfffe, 3, true],
          [0xffff, 2, true],
          [0x10000, 0, false],
          [0xffff_ffff, 0, false],
          [0xffff_ffff, 1, true],
          [0, 0xffff_ffff, true],
          [0xffff_ffff, 0xffff_ffff, true],
        ] as const
      ).map(([at, length, outside]): Sent => ({
        data: Reference.join(Reference.number(length, 4), Reference.number(at, 4)),
        ...(outside ? { fails: ["bad output", "what it says lies outside of memory"] as const } : {}),
      })),
    ],
  },
]

export const outputs: ReadonlyArray<Valid> = [
  valid("a parrot says what fits", [...replies, ...views, ...entries]),
  valid("a parrot says what does not fit, and errors", [...misfits, ...errors]),
  ...places,
]
