/** What an author's module may do that an engine can't: grow its memory, and keep floats in globals. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import * as Allowance from "../../compute-unit/Allowance.ts"
import { instrument } from "../../compute-unit/Instrumentation.ts"
import { f64, get, i64, type Parts, type, wasm } from "./WasmModule.ts"

const options = { frameWordsMax: 1_024, chargeValues: true, authored: true }

const made = (parts: Parts) => {
  const result = instrument(wasm(parts), options)
  if (result._tag === "Refused") throw new Error(`${result.refusal}: ${result.detail}`)
  const instance = new WebAssembly.Instance(new WebAssembly.Module(result.bytes), {})
  const live = instance.exports as Record<string, WebAssembly.Global> &
    Record<string, (...args: ReadonlyArray<number | bigint>) => number | bigint> // the module's and the pass's
  const arm = (fuel: bigint) => void (live["__allowance"]!.value = Allowance.of(fuel, 10_000))
  const left = () => Allowance.fuel(live["__allowance"]!.value as bigint) // an i64
  arm(1_000_000_000_000n)
  return { ...result, live, arm, left }
}

/** A module whose `f` grows memory by as many pages as it is told. */
const growing = (...memory: ReadonlyArray<number>): Parts => ({
  functions: [{ takes: [type.i32], gives: [type.i32], name: "f", body: [...get(0), 0x40, 0] }],
  memory,
})

describe("memory.grow of an author's module", () => {
  const grow = (memory: ReadonlyArray<number>, pagesMax: number) => {
    const { live, left } = made(growing(...memory))
    live["__pages_max"]!.value = pagesMax
    return (pages: number) => {
      live["__denied"]!.value = 0
      const before = left()
      const value = live["f"]!(pages)
      const used = before - left()
      return { value, denied: live["__denied"]!.value, used }
    }
  }

  it("is held to the limit that the host sets, at the limit and one page over", () => {
    const to = grow([0, 1], 10)
    expect(to(9)).toMatchObject({ value: 1, denied: 0 })
    expect(to(0)).toMatchObject({ value: 10, denied: 0 })
    expect(to(1)).toMatchObject({ value: -1, denied: 1 })
    expect(grow([0, 1], 10)(10)).toMatchObject({ value: -1, denied: 1 })
  })

  it("does not wrap around: no number of pages fits that is over the limit", () => {
    const to = grow([0, 1], 10)
    for (const pages of [-1, -2, -9, 0x7fff_ffff, -0x8000_0000])
      expect(to(pages)).toMatchObject({ value: -1, denied: 1 })
    expect(to(0)).toMatchObject({ value: 1 })
  })

  it("gets nothing where the host has set no limit", () => {
    const { live } = made(growing(0, 1))
    expect(live["f"]!(1)).toBe(-1)
    expect(live["__denied"]!.value).toBe(1)
  })

  it("is refused by what the module itself declares as if there were no host", () => {
    const to = grow([1, 1, 3], 10)
    expect(to(2)).toMatchObject({ value: 1, denied: 0 })
    expect(to(1)).toMatchObject({ value: -1, denied: 0 })
    expect(to(0)).toMatchObject({ value: 3, denied: 0 })
  })

  it("costs the pages asked for, whether it gets them or not", () => {
    const to = grow([0, 1], 10)
    const none = to(0).used
    expect([to(3).used - none, to(100).used - none]).toEqual([3n * 4_096n, 100n * 4_096n])
    expect(to(-1).used - none).toBe(65_536n * 4_096n)
    const { live, arm } = made(growing(0, 1))
    live["__pages_max"]!.value = 10
    arm(5_000n)
    expect(() => live["f"]!(1)).toThrow(WebAssembly.RuntimeError)
    expect((live["memory"] as unknown as WebAssembly.Memory).buffer.byteLength).toBe(65_536)
  })

  it("traps where the host can't give what is allowed, and says so", async () => {
    const { bytes } = made(growing(0, 1))
    const script = `
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(${JSON.stringify([...bytes])})), {})
      exports.__allowance.value = ${Allowance.of(1_000_000_000n, 10_000)}n
      exports.__pages_max.value = 30
      const said = [exports.f(19), exports.__denied.value]
      try { said.push(exports.f(1)) } catch (error) { said.push(error.message) }
      console.log(JSON.stringify([...said, exports.__denied.value]))`
    const args = ["--wasm-max-mem-pages=20", "--eval", script]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    expect(JSON.parse(stdout)).toEqual([1, 0, "unreachable", 2])
  })
})

describe("a mutable float global of an author's module", () => {
  const odd = 0xfff4_0000_0000_0001n // a negative signalling NaN with a payload
  const bytes = (bits: bigint) => [...new Uint8Array(BigInt64Array.of(BigInt.asIntN(64, bits)).buffer)]
  const global = (of: number, mutable: 0 | 1, ...initial: ReadonlyArray<number>) => [
    of,
    mutable,
    ...initial,
    0x0b,
  ]
  const narrow = [1, 0, 0xa0, 0xff] // of an f32

  const { live, globals } = made({
    functions: [
      { gives: [type.i64], name: "bits", body: [0x23, 1, 0xbd] },
      { gives: [type.i32], name: "bits32", body: [0x23, 2, 0xbc] },
      { takes: [type.i64], name: "set", body: [...get(0), 0xbf, 0x24, 1] },
      { takes: [type.i32], name: "set32", body: [...get(0), 0xbe, 0x24, 2] },
      { gives: [type.f64], name: "double", body: [0x23, 1, ...f64(2), 0xa2] },
    ],
    sections: {
      6: [
        5,
        ...global(type.f64, 0, 0x44, ...bytes(odd)),
        ...global(type.f64, 1, 0x23, 0),
        ...global(type.f32, 1, 0x43, ...narrow),
        ...global(type.f64, 1, ...f64(1.5)),
        ...global(type.i64, 1, ...i64(-3)),
      ],
    },
  })

  it("is kept as its bits, which the host can carry: numbers, and every NaN", () => {
    expect(globals).toEqual([
      { index: 1, type: "i64" },
      { index: 2, type: "i32" },
      { index: 3, type: "i64" },
      { index: 4, type: "i64" },
    ])
    const signed = BigInt.asIntN(64, odd)
    expect([1, 2, 3, 4].map((n) => live[`__global_${n}`]!.value)).toEqual([
      signed,
      new DataView(Uint8Array.from(narrow).buffer).getInt32(0, true),
      0x3ff8_0000_0000_0000n,
      -3n,
    ])
    expect(live["bits"]!()).toBe(signed)
    expect(live["bits32"]!()).toBe(live["__global_2"]!.value)
  })

  it("gives the program the float that the program or the host has set", () => {
    for (const bits of [0x4009_21fb_5444_2d18n, -1n, -0x8000_0000_0000_0000n, 0x7ff0_0000_0000_0001n]) {
      live["set"]!(bits)
      expect(live["__global_1"]!.value).toBe(bits)
      live["__global_1"]!.value = ~bits
      expect(live["bits"]!()).toBe(~bits)
    }
    live["set32"]!(0x7fa0_0001)
    expect(live["__global_2"]!.value).toBe(0x7fa0_0001)
    live["__global_1"]!.value = 0x4004_0000_0000_0000n
    expect(live["double"]!()).toBe(5)
  })

  it("is refused where it begins as a global of somebody else", () => {
    const parts: Parts = {
      functions: [{ body: [] }],
      sections: { 2: [1, 1, 0x6d, 1, 0x67, 3, type.f64, 0], 6: [1, ...global(type.f64, 1, 0x23, 0)] },
    }
    expect(instrument(wasm(parts), options)).toMatchObject({ _tag: "Refused", refusal: "hidden state" })
    const engine = instrument(wasm(parts), { ...options, authored: false })
    expect(engine).toMatchObject({ _tag: "Instrumented", globals: [{ index: 1, type: "f64" }] })
  })
})

describe("what a module declares", () => {
  it("is told to whoever links it, without what the pass adds", () => {
    const result = made({
      functions: [
        { takes: [type.i32, type.f64], gives: [type.i64], name: "handle", body: [...i64(1)] },
        { takes: [], body: [], name: "\uFEFFmemory" },
      ],
      memory: [1, 2, 7],
      globals: [[type.i32, 1]],
      start: 1,
    })
    expect(result.memory).toEqual({ pagesMin: 2, pagesMax: 7 })
    expect(result.start).toBe(true)
    expect(result.imports).toEqual([])
    expect(result.exports).toEqual([
      { name: "handle", kind: "function", index: 0, type: { takes: ["i32", "f64"], gives: ["i64"] } },
      { name: "\uFEFFmemory", kind: "function", index: 1, type: { takes: [], gives: [] } },
      { name: "memory", kind: "memory", index: 0 },
    ])
    expect(typeof result.live["__start"]).toBe("function")
  })
})
