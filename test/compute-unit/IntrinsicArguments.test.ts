/** The one door between guests and intrinsics: what fits is paid for and run, what does not fit touches nothing. */
import crypto from "node:crypto"
import { ed25519 } from "@noble/curves/ed25519.js"
import { describe, expect, it } from "vitest"
import * as Intrinsic from "../../compute-unit/Intrinsic.ts"
import * as Bytes from "../../runtime/Bytes.ts"

const page = 65_536
const int = 0
const undefinedType = 3
const stringType = -7

/** Memory of a plain module and what a call of it costs. */
const plain = (bytes: Uint8Array = Bytes.empty, input: Uint8Array = Bytes.empty) => {
  const memory = new ArrayBuffer(2 * page)
  const view = new Uint8Array(memory)
  view.set(bytes)
  const channel = new Intrinsic.Channel(input)
  let charged = 0n
  const call = (name: string, ...values: ReadonlyArray<number>) => {
    const found = Object.entries(Intrinsic.table).find(([, one]) => one.name === name)!
    const args = new Intrinsic.PlainArguments(memory, values, channel)
    Intrinsic.call(Number(found[0]), args, (fuel) => void (charged += fuel))
  }
  return { view, channel, call, charged: () => charged }
}

/** Memory of a script whose arguments stand at 1,000 and whose buffer at 4,096. */
const script = () => {
  const memory = new ArrayBuffer(4 * page)
  const view = new DataView(memory)
  const io = new Uint8Array(memory, 4_096, Intrinsic.ioBytes)
  const channel = new Intrinsic.Channel(Bytes.empty)
  const call = (number: number, ...values: ReadonlyArray<readonly [value: number, type: number]>) => {
    for (const [i, [value, type]] of values.entries()) {
      view.setInt32(1_000 + 8 * i, value, true)
      view.setInt32(1_004 + 8 * i, type, true)
    }
    const args = new Intrinsic.ScriptArguments(memory, values.length, 1_000, 4_096, channel)
    Intrinsic.call(number, args, () => {})
  }
  return { memory, io, channel, call }
}

const sha256 = (bytes: Uint8Array) => Bytes.toHex(crypto.hash("sha256", bytes, "buffer"))
const abc = Bytes.fromText("abc")

describe("a plain module", () => {
  it("may import what needs neither strings nor the turn's output, with a place for the answer where there is one", () => {
    expect(Intrinsic.plain).toEqual([
      { name: "sha256", number: 1, parameters: 3 },
      { name: "read", number: 3, parameters: 3 },
      { name: "log", number: 6, parameters: 3 },
      { name: "hash", number: 9, parameters: 5 },
      { name: "verify", number: 12, parameters: 10 },
    ])
  })

  it("gets its answers anywhere in its memory, over what was hashed too", () => {
    const { view, call } = plain(abc)
    call("sha256", 0, 3, 2 * page - 32)
    expect(Bytes.toHex(view.subarray(2 * page - 32))).toBe(sha256(abc))
    call("hash", 1, 0, 3, 32, 1)
    expect(Bytes.toHex(view.subarray(1, 33))).toBe(sha256(abc))
    call("hash", 7, 0, 0, 100_000 - page, 500)
    const shake = crypto.createHash("shake128", { outputLength: 100_000 - page }).digest()
    expect(Bytes.equal(view.subarray(500, 500 + shake.length), shake)).toBe(true)
  })

  it("reads the bytes of its message and writes lines to the console", () => {
    const { view, channel, call } = plain(Bytes.fromText("a line"), Bytes.fromText("0123456789"))
    call("read", 4, 100, 3)
    expect(Bytes.toText(view.subarray(99, 104))).toBe("\u0000456\u0000")
    call("log", 2, 0, 6)
    expect(channel.console).toEqual([["info", "a line"]])
  })

  it("gets 1 for a good signature and 0 for any other", () => {
    const seed = Bytes.fromHex("77".repeat(32))!
    const key = crypto.createPrivateKey({
      key: Bytes.view(seed),
      format: "raw-seed",
      asymmetricKeyType: "ml-dsa-44",
    })
    const owner = crypto.createPublicKey(key).export({ format: "raw-public" })
    const signature = crypto.sign(null, abc, { key, context: Bytes.fromText("use") })
    const { view, call } = plain(Bytes.concat([abc, Bytes.fromText("use"), owner, signature]))
    const verify = (context: number) => {
      view[page] = 9
      call("verify", 1_044, 6, owner.length, 0, 3, 6 + owner.length, signature.length, 3, context, page)
      return view[page]
    }
    expect([verify(3), verify(2), verify(0), verify(256)]).toEqual([1, 0, 0, 0])
  })

  it("gets 0 for a context that a scheme does not bind", () => {
    const seed = Bytes.fromHex("77".repeat(32))!
    const { view, call } = plain(
      Bytes.concat([abc, ed25519.getPublicKey(seed), ed25519.sign(abc, seed), Bytes.fromText("use")]),
    )
    const verify = (context: number) => {
      call("verify", 2, 3, 32, 0, 3, 35, 64, 99, context, page)
      return view[page]
    }
    expect([verify(0), verify(3)]).toEqual([1, 0])
  })

  it.each([
    ["sha256", [0, 3]],
    ["sha256", [0, 3, 0, 0]],
    ["sha256", [-1, 3, 0]],
    ["sha256", [0, -1, 0]],
    ["sha256", [2 * page - 2, 3, 0]],
    ["sha256", [0, 3, 2 * page - 31]],
    ["sha256", [0, 3, -1]],
    ["hash", [0, 0, 3, 32, 0]],
    ["hash", [9, 0, 3, 32, 0]],
    ["hash", [1, 0, 3, 31, 0]],
    ["hash", [7, 0, 3, 0, 0]],
    ["hash", [7, 0, 3, 65_537, 0]],
    ["hash", [4, 2 * page, 1, 32, 0]],
    ["read", [0, 0, 11]],
    ["read", [11, 0, 0]],
    ["read", [0, 2 * page - 9, 10]],
    ["log", [5, 0, 1]],
    ["log", [0, 2 * page, 1]],
    ["verify", [1_065, 0, 1, 0, 1, 0, 1, 0, 1]],
    ["verify", [2_065, 0, 1, 0, 1, 0, 1, 0, 1, 0]],
    ["verify", [1_065, 2 * page, 1, 0, 1, 0, 1, 0, 1, 0]],
    ["verify", [1_065, 0, 1, 2 * page, 1, 0, 1, 0, 1, 0]],
    ["verify", [1_065, 0, 1, 0, 1, 2 * page, 1, 0, 1, 0]],
    ["verify", [1_065, 0, 1, 0, 1, 0, 1, 2 * page, 1, 0]],
    ["verify", [1_065, 0, 1, 0, 1, 0, 1, 0, 1, 2 * page]],
    ["utf8", [0, 0, 0]],
    ["write", [0, 1]],
    ["digest", [0, 0]],
    ["fromId", [0, 0]],
    ["toId", [0, 0]],
    ["digestOf", [1, 0, 32, 0]],
    ["unwrite", [0]],
  ] as const)("is stopped at a call that does not fit: %s(%j)", (name, values) => {
    const { view, channel, call } = plain(abc, Bytes.fromText("0123456789"))
    expect(() => call(name, ...values)).toThrow(Intrinsic.BadCall)
    expect([...view].reduce((sum, byte) => sum + byte)).toBe(97 + 98 + 99)
    expect([channel.output.length, channel.console]).toEqual([0, []])
  })

  it("is not served by numbers that the table does not have", () => {
    const args = new Intrinsic.PlainArguments(new ArrayBuffer(page), [], new Intrinsic.Channel(Bytes.empty))
    for (const number of [0, 13, -1, NaN])
      expect(() => Intrinsic.call(number, args, () => {})).toThrow(Intrinsic.BadCall)
  })
})

describe("a script", () => {
  const ints = (...values: ReadonlyArray<number>) => values.map((value) => [value, int] as const)

  it("gets its answers at the beginning of the buffer, and from nowhere outside of it", () => {
    const { io, call } = script()
    io.set(abc, 40)
    call(1, ...ints(40, 3))
    expect(Bytes.toHex(io.subarray(0, 32))).toBe(sha256(abc))
    io.set(abc, Intrinsic.ioBytes - 3)
    call(9, ...ints(1, Intrinsic.ioBytes - 3, 3, 32))
    expect(Bytes.toHex(io.subarray(0, 32))).toBe(sha256(abc))
    expect(() => call(1, ...ints(Intrinsic.ioBytes - 2, 3))).toThrow(Intrinsic.BadCall)
    expect(() => call(4, ...ints(Intrinsic.ioBytes, 1))).toThrow(Intrinsic.BadCall)
    expect(() => call(8, ...ints(Intrinsic.ioBytes - 31))).toThrow(Intrinsic.BadCall)
  })

  it("hashes its output from any place on and takes back what it wrote, never more than that", () => {
    const { io, channel, call } = script()
    io.set(Bytes.fromText("before abc"), 40)
    call(4, ...ints(40, 10))
    call(10, ...ints(1, 7, 32))
    expect(Bytes.toHex(io.subarray(0, 32))).toBe(sha256(abc))
    call(10, ...ints(4, 10, 32))
    expect(Bytes.toHex(io.subarray(0, 32))).toBe(crypto.createHash("sha3-256").digest("hex"))
    expect(() => call(11, ...ints(11))).toThrow(Intrinsic.BadCall)
    call(11, ...ints(6))
    expect(Bytes.toText(channel.output)).toBe("before")
    call(4, ...ints(46, 4))
    expect(Bytes.toText(channel.output)).toBe("before abc")
  })

  it.each([
    ["a number too few", 1, ints(0)],
    ["a number too many", 1, ints(0, 0, 0)],
    ["a number below zero", 1, ints(0, -1)],
    ["undefined for a number", 1, [[0, int] as const, [0, undefinedType] as const]],
    ["a text for a number", 1, [[0, stringType] as const, [0, int] as const]],
    ["a number for a text", 2, ints(0, 0, 0)],
    ["a number for an id", 7, ints(0, 0)],
    ["no such intrinsic", 13, []],
  ])("is stopped at a call that does not fit: %s", (_, number, values) => {
    const { io, call } = script()
    expect(() => call(number, ...values)).toThrow(Intrinsic.BadCall)
    expect(io.every((byte) => byte === 0)).toBe(true)
  })
})

describe("the price of a call", () => {
  it.each([
    ["sha256", [0, 100, 0], 2_000n + 10_000n + 8n * 132n],
    ["hash", [1, 0, 100, 32, 0], 2_000n + 10_000n + 8n * 132n],
    ["hash", [2, 0, 100, 48, 0], 2_000n + 10_000n + 16n * 148n],
    ["hash", [3, 0, 100, 64, 0], 2_000n + 10_000n + 16n * 164n],
    ["hash", [4, 0, 100, 32, 0], 2_000n + 20_000n + 32n * 132n],
    ["hash", [5, 0, 100, 48, 0], 2_000n + 20_000n + 40n * 148n],
    ["hash", [6, 0, 100, 64, 0], 2_000n + 20_000n + 64n * 164n],
    ["hash", [7, 0, 100, 400, 0], 2_000n + 20_000n + 40n * 500n],
    ["hash", [8, 0, 100, 400, 0], 2_000n + 20_000n + 40n * 500n],
    ["read", [0, 0, 7], 2_000n + 7n],
    ["log", [0, 0, 50], 2_000n + 50n],
    ["verify", [1_044, 0, 1, 0, 100, 0, 1, 0, 1, 0], 2_000n + 2_000_000n + 40n * 100n],
    ["verify", [1_065, 0, 1, 0, 100, 0, 1, 0, 1, 0], 2_000n + 3_000_000n + 40n * 100n],
    ["verify", [1_087, 0, 1, 0, 100, 0, 1, 0, 1, 0], 2_000n + 4_000_000n + 40n * 100n],
    ["verify", [2, 0, 1, 0, 100, 0, 1, 0, 1, 0], 2_000n + 2_000_000n + 16n * 100n],
    ["verify", [1, 0, 1, 0, 100, 0, 1, 0, 1, 0], 2_000n + 2_000_000n + 8n * 100n],
    ["verify", [3, 0, 1, 0, 100, 0, 1, 0, 1, 0], 2_000n + 20_000_000n + 400n * 100n],
  ] as const)("is fixed: %s(%j) takes %d", (name, values, fuel) => {
    const { call, charged } = plain(Bytes.empty, new Uint8Array(7))
    call(name, ...values)
    expect(charged()).toBe(fuel)
  })

  it("is charged before anything is touched", () => {
    const memory = new Uint8Array(page)
    const args = new Intrinsic.PlainArguments(memory.buffer, [0, 3, 100], new Intrinsic.Channel(Bytes.empty))
    const refuse = () => {
      throw new Error("no fuel")
    }
    expect(() => Intrinsic.call(1, args, refuse)).toThrow("no fuel")
    expect(memory.every((byte) => byte === 0)).toBe(true)
  })

  it("is part of what an engine id commits to, with the table", () => {
    const { table, hashes, signatures } = JSON.parse(Intrinsic.description) as Record<string, unknown>
    expect(table).toHaveLength(Object.keys(Intrinsic.table).length)
    expect(hashes).toContainEqual([8, "shake256", 0, "20000", "40"])
    expect(signatures).toContainEqual([1_065, "3000000", "40"])
  })
})
