/** Plain modules that are run, and the messages that they are sent: the valid cases of `spec/vectors/plain-module.json`. */
import { endings } from "./plainEndings.ts"
import { intrinsics } from "./plainIntrinsics.ts"
import { outputs } from "./plainOutputs.ts"
import { states } from "./plainStates.ts"
import { upgrades } from "./plainUpgrades.ts"
import { asked, asker, data, id, module, reference, saying, type Valid } from "./plainText.ts"

const byOf = "By takes a whole number of 1 to 9 digits"

const examples: ReadonlyArray<Valid> = [
  {
    name: "says nothing",
    source: { wat: module({}) },
    turns: [{}, { action: "Hi", data: "text" }, asked],
  },
  {
    name: "the counter of the examples",
    source: { example: "wat-counter/counter.wasm" },
    turns: [
      {},
      { action: "Increment" },
      { action: "Increment", from: "bob", tags: [["By", "41"]] },
      { action: "Increment", tags: [["By", "x"]], fails: ["threw", byOf] },
      { action: "Get", data: "read by nobody" },
      { action: "Increment", ...asker, tags: [["By", "7"], reference] },
      { action: "Increment", ...asker, tags: [reference, ["By", "-7"]], fails: ["threw", byOf] },
      { action: "Decrement", fails: ["threw", "this counter knows Increment and Get"] },
      { action: "Get" },
    ],
  },
  {
    name: "the tally of the examples",
    source: { example: "assemblyscript-tally/tally.wasm" },
    tags: [["Turnout", id("turnout")]],
    turns: [
      {},
      { action: "Vote", from: "ada", tags: [["Choice", "tea"]] },
      { action: "Vote", from: "bob", tags: [["Choice", 'coffee "ü"']] },
      { action: "Vote", from: "ada", tags: [["Choice", 'coffee "ü"']] },
      { action: "Vote", from: "bob", fails: ["threw", "a Vote has a Choice"] },
      { action: "Close", from: "ada", fails: ["threw", "only the owner closes the vote"] },
      { action: "Close" },
      { action: "Vote", from: "bob", tags: [["Choice", "tea"]], fails: ["threw", "the vote is closed"] },
      { action: "Result", ...asked },
    ],
  },
  {
    name: "an echo: the value of its reply is what it is told",
    source: {
      wat: module({
        more: [data(1002, '{"replies": [{"value":'), `(data $end "}]}")`],
        handle: `
          (memory.init $end (i32.add (local.get $at) (local.get $length)) (i32.const 0) (i32.const 3))
          (i64.or (i64.const 0x000003ea_00000000) (i64.extend_i32_u (i32.add (local.get $length) (i32.const 25))))`,
      }),
    },
    turns: [
      {},
      {
        action: "Hi",
        from: "bob",
        tags: [
          ["A", "Größe"],
          ["A", 'a "quote"'],
        ],
        data: "line\nbreak, \u0000, \\, /, \u007f, \u2028, 🧵",
      },
      { ...asked, data: "" },
      { data: Uint8Array.of(0xff, 0, 1) },
      { data: Uint8Array.of(0xef, 0xbb, 0xbf, 0x61) },
      { data: Uint8Array.of(0xed, 0xa0, 0x80) },
    ],
  },
]

/** One that always says the same, where all that the host makes of it is in one turn. */
const everything: Valid = {
  name: "a reply, two views and an outbox of each kind",
  source: {
    wat: module(
      saying(
        JSON.stringify({
          replies: [{ value: { of: "everything" } }],
          views: [{ name: "a", value: 1 }, { name: "b" }],
          outbox: [
            { kind: "spawn", module: id("module of a child"), action: "Begin" },
            { kind: "message", child: 0, action: "Hi", json: { n: 1 } },
            { kind: "message", target: id("target"), reference: "1", tags: [["A", "b"]], data: "text" },
            { kind: "timer", due: 1_700_000_060_000, reference: "2" },
          ],
        }),
      ),
    ),
  },
  turns: [{}, asked],
}

export const valid: ReadonlyArray<Valid> = [
  ...examples,
  everything,
  ...outputs,
  ...intrinsics,
  ...states,
  ...endings,
  ...upgrades,
]
