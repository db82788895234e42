import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Allowance from "../../compute-unit/Allowance.ts"
import { instrument, type Options } from "../../compute-unit/Instrumentation.ts"
import * as EngineFile from "../../compute-unit/EngineFile.ts"
import { f64, type FunctionParts, get, i32, type Parts, set, type, wasm } from "./WasmModule.ts"

const options: Options = { frameWordsMax: 1_024, chargeValues: false }

const refusal = (bytes: Uint8Array, given: Partial<Options> = {}) => {
  const result = instrument(bytes, { ...options, ...given })
  return result._tag === "Refused" ? result.refusal : result._tag
}

const counter = (instance: WebAssembly.Instance, name: string): { value: number | bigint } =>
  instance.exports[name] as { value: number | bigint } // exported by the pass

/** Stack words that a call may use. */
const wordsMax = 10_000
const plenty = 1_000_000n

/** An instrumented module with an allowance for each call. */
const run = (parts: Parts, given: Partial<Options> = {}) => {
  const result = instrument(wasm(parts), { ...options, ...given })
  if (result._tag === "Refused") throw new Error(`${result.refusal}: ${result.detail}`)
  const instance = new WebAssembly.Instance(new WebAssembly.Module(result.bytes), {})
  const allowance = counter(instance, "__allowance") as { value: bigint } // an i64
  const enter = (name: string, ...args: ReadonlyArray<number | bigint>) =>
    (instance.exports[name] as (...args: ReadonlyArray<number | bigint>) => number | bigint)(...args)
  const arm = (fuel = plenty, words = wordsMax) => void (allowance.value = Allowance.of(fuel, words))
  const left = () => ({ fuel: Allowance.fuel(allowance.value), words: Allowance.words(allowance.value) })
  const call = (name: string, ...args: ReadonlyArray<number | bigint>) => {
    arm()
    const value = enter(name, ...args)
    return { value, fuel: plenty - left().fuel }
  }
  return { ...result, instance, arm, left, enter, call }
}

const one = (
  body: ReadonlyArray<number>,
  more: Partial<FunctionParts> = {},
  parts: Partial<Parts> = {},
): Parts => ({
  functions: [{ takes: [type.i32], gives: [type.i32], name: "f", ...more, body }],
  ...parts,
})

/** Sum of 1 to n by a loop. */
const sum: FunctionParts = {
  takes: [type.i32],
  gives: [type.i32],
  locals: [type.i32],
  name: "sum",
  // block { loop { if n == 0 break; s += n; n -= 1; again } } s
  body: [0x02, 0x40, 0x03, 0x40, ...get(0), 0x45, 0x0d, 1, ...get(1), ...get(0), 0x6a, ...set(1)].concat([
    ...get(0),
    ...i32(1),
    0x6b,
    ...set(0),
    0x0c,
    0,
    0x0b,
    0x0b,
    ...get(1),
  ]),
}

describe("fuel", () => {
  it("is charged once per basic block, by the number of its instructions", () => {
    // Entry 1, local.get 1, const 1, add 1.
    expect(run(one([...get(0), ...i32(5), 0x6a])).call("f", 2)).toEqual({ value: 7, fuel: 4n })
  })

  it("is charged for the branch that is taken, not for the other", () => {
    const parts = one([...get(0), 0x04, type.i32, ...i32(1), 0x05, ...i32(1), ...i32(1), 0x6a, 0x0b])
    // Entry 1, local.get 1, if 1; then 1 or 3.
    expect(run(parts).call("f", 1)).toEqual({ value: 1, fuel: 4n })
    expect(run(parts).call("f", 0)).toEqual({ value: 2, fuel: 6n })
  })

  it("is not charged for what a branch passes over, however far out it leads", () => {
    const tail = Array.from({ length: 5 }, () => [...i32(1), 0x1a]).flat() // ten instructions
    const passing = {
      // block block (br_if out) end, tail end
      "out of two blocks": [0x02, 0x40, 0x02, 0x40, ...get(0), 0x0d, 1, 0x0b, ...tail, 0x0b, ...i32(0)],
      // if return end, tail
      "out of the function": [...get(0), 0x04, 0x40, ...i32(0), 0x0f, 0x0b, ...tail, ...i32(0)],
      // block (br_table: 0 to the inner end, others out) end, tail end
      "by table": [0x02, 0x40, 0x02, 0x40, ...get(0), 0x0e, 1, 0, 1, 0x0b, ...tail, 0x0b, ...i32(0)],
      // block loop (br_if out) end, tail end
      "out of a loop": [0x02, 0x40, 0x03, 0x40, ...get(0), 0x0d, 1, 0x0b, ...tail, 0x0b, ...i32(0)],
    }
    for (const body of Object.values(passing)) {
      const { call } = run(one(body))
      const more = body === passing["out of the function"] ? 9n : 10n // const and return on the way out, const at the end
      expect(call("f", 0).fuel - call("f", 1).fuel).toBe(more)
    }
  })

  it("is charged together for what stands before and after a block that nothing leaves", () => {
    const inner = [0x02, 0x40, ...get(0), 0x0d, 0, ...i32(1), 0x1a, 0x0b]
    const { call } = run(one([...inner, ...inner, ...i32(1)]))
    // Entry 1, twice (local.get 1, br_if 1 and, where it is not taken, const 1, drop 1), const 1.
    expect([call("f", 1).fuel, call("f", 0).fuel]).toEqual([6n, 10n])
  })

  it("is charged for each round of a loop", () => {
    const { call } = run({ functions: [sum] })
    const [none, few, many] = [call("sum", 0), call("sum", 10), call("sum", 110)]
    expect([none.value, few.value, many.value]).toEqual([0, 55, 6105])
    expect(many.fuel - few.fuel).toBe(10n * (few.fuel - none.fuel))
  })

  it("ends an endless loop, and an endless recursion of functions without one", () => {
    expect(() => run(one([0x03, 0x40, 0x0c, 0, 0x0b, ...i32(0)])).call("f", 0)).toThrow(
      WebAssembly.RuntimeError,
    )
    const { arm, enter, left } = run(one([...get(0), 0x10, 0]))
    arm(1_000n, 1_000_000)
    expect(() => enter("f", 0)).toThrow(WebAssembly.RuntimeError)
    expect(left().fuel).toBeLessThan(0n)
  })

  it("is charged for memory in bulk by length, before a byte is written", () => {
    // memory.fill(at 0, value 7, length n)
    const parts = one([...i32(0), ...i32(7), ...get(0), 0xfc, 11, 0, ...i32(0)], {}, { memory: [0, 2] })
    const { arm, call, enter, instance } = run(parts)
    expect(call("f", 16_000).fuel - call("f", 0).fuel).toBe(1_000n)
    const bytes = new Uint8Array((instance.exports["memory"] as WebAssembly.Memory).buffer)
    bytes.fill(0)
    arm(500n)
    expect(() => enter("f", 100_000)).toThrow(WebAssembly.RuntimeError)
    expect(bytes.every((byte) => byte === 0)).toBe(true)
  })

  it("is charged for memory that grows by the page", () => {
    const { call } = run(one([...get(0), 0x40, 0], {}, { memory: [1, 1, 100] }))
    const [none, few] = [call("f", 0), call("f", 3)]
    expect([none.value, few.value]).toEqual([1, 1])
    expect(few.fuel - none.fuel).toBe(3n * 4_096n)
  })
})

describe("depth", () => {
  const recursive = (locals: number): Parts =>
    one([...get(0), 0x45, 0x04, type.i32, ...i32(0), 0x05, ...get(0), ...i32(1), 0x6b, 0x10, 0, 0x0b], {
      locals: new Array<number>(locals).fill(type.i64),
    })

  it("traps where a call would go over the limit, and not one call before", () => {
    const { call, frameWordsLargest, left } = run(recursive(0))
    const calls = Math.floor(wordsMax / frameWordsLargest)
    expect(call("f", calls - 1).value).toBe(0)
    expect(left().words).toBe(wordsMax)
    expect(() => call("f", calls)).toThrow(WebAssembly.RuntimeError)
    expect(left().words).toBeLessThan(0)
    expect(left().fuel).toBeGreaterThan(0n)
  })

  it("is counted by parameters, locals and operands", () => {
    expect(run(recursive(10)).frameWordsLargest - run(recursive(0)).frameWordsLargest).toBe(10)
    const height = (n: number) => {
      const body = [...Array.from({ length: n }, () => get(0)).flat(), ...new Array<number>(n - 1).fill(0x6a)]
      return run(one(body)).frameWordsLargest
    }
    expect(height(30) - height(2)).toBe(28)
  })

  it("is counted by values computed too, where the module is a stranger's", () => {
    const body = [...get(0), ...Array.from({ length: 50 }, () => [...get(0), 0x6a]).flat()]
    const [plain, strict] = [run(one(body)), run(one(body), { chargeValues: true })]
    expect(strict.frameWordsLargest - plain.frameWordsLargest).toBe(50)
  })

  it("refuses a function whose frame is over the cap, at the cap and one more", () => {
    const { frameWordsLargest } = run(recursive(0))
    const bytes = wasm(recursive(50))
    expect(refusal(bytes, { frameWordsMax: frameWordsLargest + 50 })).toBe("Instrumented")
    expect(refusal(bytes, { frameWordsMax: frameWordsLargest + 49 })).toBe("frame too large")
    expect(refusal(wasm(recursive(40_000)))).toBe("frame too large")
  })
})

describe("state", () => {
  it("exports every mutable global, and names them", () => {
    const globals = [
      [type.i32, 1],
      [type.i64, 0],
      [type.f64, 1],
    ] as const
    const { instance, ...result } = run(one([...i32(9), 0x24, 0, ...i32(0)], {}, { globals }))
    expect(result.globals).toEqual([
      { index: 0, type: "i32" },
      { index: 2, type: "f64" },
    ])
    result.call("f", 0)
    expect(counter(instance, "__global_0").value).toBe(9)
    expect(counter(instance, "__global_2").value).toBe(0)
  })

  it("marks the lowest value of the stack pointer", () => {
    const push = (n: number) => [0x23, 0, ...i32(n), 0x6b, 0x24, 0]
    const parts = one([...push(48), ...push(-16), ...push(-32), ...i32(0)], {}, { globals: [[type.i32, 1]] })
    const { call, instance } = run(parts, { stackPointer: 0 })
    const [pointer, mark] = [counter(instance, "__sp"), counter(instance, "__mark")]
    pointer.value = 1_000
    mark.value = 1_000
    call("f", 0)
    expect([pointer.value, mark.value]).toEqual([1_000, 952])
  })

  it("keeps a start function from running before it is called", () => {
    const parts: Parts = { functions: [{ body: [...i32(3), 0x24, 0] }], globals: [[type.i32, 1]], start: 0 }
    const { arm, enter, instance } = run(parts)
    expect(counter(instance, "__global_0").value).toBe(0)
    arm(100n)
    enter("__start")
    expect(counter(instance, "__global_0").value).toBe(3)
  })

  it("gives the one canonical NaN, whatever NaNs go in", () => {
    const odd = [0x44, 1, 0, 0, 0, 0, 0, 0xf4, 0xff] // a negative signalling NaN with a payload
    const bits = (op: number) => {
      const body = op >= 0x99 && op <= 0x9f ? [...odd, op, 0xbd] : [...odd, ...f64(1), op, 0xbd]
      return run({ functions: [{ gives: [type.i64], name: "f", body }] }).call("f").value
    }
    const operations = Array.from({ length: 11 }, (_, i) => 0x9b + i)
    expect(operations.map(bits)).toEqual(operations.map(() => 0x7ff8000000000000n))
    const narrow = { gives: [type.i32], name: "f", body: [...odd, 0xb6, 0xbc] }
    expect(run({ functions: [narrow] }).call("f").value).toBe(0x7fc00000)
  })
})

describe("refusals", () => {
  const body = (...code: ReadonlyArray<number>) => wasm(one([...code, ...i32(0)], {}, { memory: [0, 1] }))
  const table = { 4: [1, 0x70, 0, 1] }

  it.each([
    ["not WebAssembly", Uint8Array.of(1, 2, 3)],
    ["not WebAssembly", body(0x6a)],
    ["SIMD", body(...i32(0), 0xfd, 15, 0x1a)],
    ["SIMD", wasm(one(i32(0), { locals: [type.v128] }))],
    ["threads", body(...i32(0), 0xfe, 0x10, 2, 0, 0x1a)],
    ["threads", wasm(one(i32(0), {}, { memory: [3, 1, 1] }))],
    ["64-bit memory", wasm(one(i32(0), {}, { memory: [4, 1] }))],
    ["several memories", wasm(one(i32(0), {}, { sections: { 5: [2, 0, 1, 0, 1] } }))],
    ["tail calls", wasm(one([...get(0), 0x12, 0]))],
    ["exceptions", wasm(one([0x1f, 0x40, 0, 0x0b, ...i32(0)]))],
    ["unknown opcode", wasm(one([...i32(0), 0xfb, 28, 0xfb, 29, 0]))],
    ["unknown type", wasm(one(i32(0), { locals: [0x6e] }))],
    ["hidden state", wasm(one([...i32(0), 0xd0, 0x70, 0x26, 0, ...i32(0)], {}, { sections: table }))],
    ["hidden state", wasm(one([0xd0, 0x70, ...i32(1), 0xfc, 15, 0], {}, { sections: table }))],
    ["hidden state", wasm(one(i32(0), {}, { globals: [[0x70, 1]] }))],
    ["reserved name", wasm(one(i32(0), { name: "__allowance" }))],
    ["reserved name", wasm(one(i32(0), { name: "__global_7" }))],
  ] as const)("says %s", (expected, bytes) => {
    expect(refusal(bytes)).toBe(expected)
  })

  it("does not refuse names that begin like those of metering", () => {
    expect(refusal(wasm(one(i32(0), { name: "__allowances" })))).toBe("Instrumented")
  })
})

/** Code that leaves one i32, out of locals 0 and 1, blocks, branches, calls of `sum` and traps. */
const { code } = fc.letrec<{ code: Array<number> }>((tie) => ({
  code: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.integer({ min: -9, max: 9 }).map(i32),
    fc.constantFrom(get(0), get(1)),
    fc
      .tuple(
        fc.constantFrom(0x46, 0x48, 0x6a, 0x6b, 0x6c, 0x6d, 0x6f, 0x71, 0x73, 0x74),
        tie("code"),
        tie("code"),
      )
      .map(([op, a, b]) => [...a, ...b, op]),
    fc
      .tuple(tie("code"), tie("code"), tie("code"))
      .map(([a, b, c]) => [...a, 0x04, type.i32, ...b, 0x05, ...c, 0x0b]),
    fc.tuple(tie("code"), tie("code")).map(([a, b]) => [0x02, type.i32, ...a, ...b, 0x0d, 0, 0x0b]),
    fc.tuple(tie("code"), tie("code")).map(([a, b]) => [0x02, type.i32, ...a, 0x0c, 0, ...b, 0x6a, 0x0b]),
    fc.tuple(tie("code"), tie("code")).map(([a, b]) => [...a, ...set(1), ...b]),
    tie("code").map((a) => [...a, ...i32(63), 0x71, 0x10, 1]),
    tie("code").map((a) => [...a, 0xb7, ...f64(0.3), 0xa3, 0xfc, 2]),
    tie("code").map((a) => [...a, 0x0f, ...get(0)]),
    fc.tuple(tie("code"), tie("code")).map(([a, b]) => [...a, ...b, ...i32(1), 0x1b]),
  ),
}))

describe("an instrumented module", () => {
  it("computes what the original computes, for equal fuel on every run, and for the sum of two when run twice", () => {
    const outcome = (body: () => unknown) => {
      try {
        return body()
      } catch (error) {
        if (error instanceof WebAssembly.RuntimeError) return error.message
        throw error
      }
    }
    let ended = 0
    fc.assert(
      fc.property(code, fc.integer(), fc.integer(), (body, a, b) => {
        const f = { takes: [type.i32, type.i32], gives: [type.i32], name: "f", body }
        const parts: Parts = { functions: [f, sum] }
        const original = new WebAssembly.Instance(new WebAssembly.Module(wasm(parts)), {}).exports["f"] as (
          a: number,
          b: number,
        ) => number // as declared
        const { arm, call, enter, left } = run(parts)
        const expected = outcome(() => original(a, b))
        expect(outcome(() => call("f", a, b).value)).toBe(expected)
        if (typeof expected === "string") return
        const once = call("f", a, b).fuel
        expect(call("f", a, b).fuel).toBe(once)
        arm()
        enter("f", a, b)
        enter("f", a, b)
        expect(left()).toEqual({ fuel: plenty - 2n * once, words: wordsMax })
        ended++
      }),
      { numRuns: 300, seed: 7 },
    )
    expect(ended).toBeGreaterThan(100)
  })

  it("is made of the engine too, the same bytes each time", () => {
    const file = EngineFile.wasm()
    const given = { stackPointer: 0, memoryPages: { min: 90, max: 4_096 } }
    const [first, second] = [
      instrument(file, { ...options, ...given }),
      instrument(file, { ...options, ...given }),
    ]
    if (first._tag === "Refused" || second._tag === "Refused") throw new Error("refused")
    expect(Buffer.from(first.bytes).equals(second.bytes)).toBe(true)
    expect(first.frameWordsLargest).toBe(82)
    expect(first.globals).toEqual([{ index: 0, type: "i32" }])
  })
})
