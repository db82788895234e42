/** Plain modules that a process goes on as, and what they hand over. */
import {
  alloc,
  data,
  handle,
  id,
  memory,
  module,
  only,
  placed,
  reference,
  said,
  trapped,
  type Valid,
} from "./plainText.ts"

/** By the owner, who may be a process that waits. */
const upgraded = { action: "Upgrade" } as const
const upgradedAsked = { ...upgraded, fromProcess: true, tags: [reference] } as const

/** Says a text when it takes over. */
const importing = (text: string): string =>
  only(
    memory(),
    data(0x8000, text),
    alloc(),
    handle(),
    `(func (export "import") (param i32 i32) (result i64) ${said(text)})`,
  )

export const upgrades: ReadonlyArray<Valid> = [
  {
    name: "takes over, keeps what it is told then, and says it when it is asked",
    source: {
      wat: module({
        memory: "3",
        more: [
          data(1002, '{"replies": [{"value":'),
          `(data $end "}]}")`,
          "(global $length (mut i32) (i32.const 0))",
          `
          (func (export "import") (param $at i32) (param $length i32) (result i64)
            (global.set $length (i32.add (local.get $length) (i32.const 25)))
            (memory.copy (i32.const 0x10000) (i32.const 1002) (i32.add (local.get $length) (i32.const 22)))
            (memory.init $end (i32.add (i32.const 0x10016) (local.get $length)) (i32.const 0) (i32.const 3))
            (i64.const 0))`,
        ],
        handle: "(i64.or (i64.const 0x00010000_00000000) (i64.extend_i32_u (global.get $length)))",
      }),
    },
    turns: [{}],
  },
  {
    name: "speaks when it takes over",
    source: {
      wat: importing(
        `{"outbox":[{"kind":"spawn","module":"${id("module of a child")}"}],"views":[{"name":"v","value":1}],"replies":[{"value":"taken"}]}`,
      ),
    },
    turns: [{}],
  },
  { name: "refuses to take over", source: { wat: importing('{"error":"not from a counter"}') }, turns: [{}] },
  {
    name: "hands over, to modules that refuse, that can't and that do",
    source: {
      wat: module({
        more: [
          data(256, ' {"n" :18446744073709551615,"n":1.0} '),
          `
          (func (export "export") (result i64)
            (i32.store8 (i32.const 8) (i32.const 1))
            ${placed(256, 37)})`,
        ],
      }),
    },
    turns: [
      {},
      { ...upgraded, upgrade: "refuses to take over", fails: ["threw", "not from a counter"] },
      {
        ...upgradedAsked,
        upgrade: "says nothing",
        fails: ["threw", "this program has no import for what the one before it exported"],
      },
      {
        ...upgraded,
        upgrade: "takes over, keeps what it is told then, and says it when it is asked",
        data: "not told",
      },
      {},
      { ...upgraded, upgrade: "speaks when it takes over" },
      { ...upgradedAsked, upgrade: "says nothing" },
      {},
    ],
  },
  {
    name: "hands nothing over",
    source: { wat: module({}) },
    turns: [
      {},
      { ...upgraded, upgrade: "takes over, keeps what it is told then, and says it when it is asked" },
      {},
    ],
  },
  {
    name: "hands over what is no JSON",
    source: {
      wat: only(
        memory(),
        data(256, "{"),
        alloc(),
        handle(),
        `(func (export "export") (result i64) ${placed(256, 1)})`,
      ),
    },
    turns: [{}, { ...upgraded, upgrade: "says nothing", fails: ["bad output", "the words are no JSON"] }],
  },
  {
    name: "traps where it should hand over",
    source: { wat: only(memory(), alloc(), handle(), `(func (export "export") (result i64) (unreachable))`) },
    turns: [{}, { ...upgraded, upgrade: "says nothing", fails: trapped }],
  },
]
