/**
 * Turns that stand and are not copied out yet: whatever comes after them, and whoever looks, the process has the memory
 * that it would have had turn by turn.
 */
import * as fc from "fast-check"
import { afterEach, describe, expect, it, vi } from "vitest"
import { OwnPages } from "../../compute-unit/OwnPages.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import { Stage } from "./Stage.ts"

const script = `
  let count = 0
  const kept = []
  heddle.on("Add", () => ++count)
  heddle.on("Keep", (m) => { kept.push("x".repeat(3000) + m.from); return kept.length })
  heddle.on("Grow", () => { kept.push(new Uint8Array(300000).fill(count)); return kept.length })
  heddle.on("Throw", () => { kept.push("lost"); throw new Error("on purpose") })
  heddle.on("Burn", () => { kept.push("lost"); for (;;); })`

const within: Turn.Limits = { fuel: 3_000_000n, memoryPagesMax: 256 }

/** A process whose turns may be left ahead. */
class Batched extends Stage {
  /** What the message came to, in the form of a text that is equal for equal turns. */
  say(action: string, more: boolean): string {
    this.slot++
    this.timestamp++
    const input = this.input({ action })
    const result = this.machine.turn(this.memory, input, within, undefined, more)
    const told =
      result._tag === "Failed"
        ? [result.reason, result.message, this.machine.abandon(this.memory, input, result, within)]
        : [result.emission]
    return JSON.stringify([told, result.fuelUsed], (_, field) =>
      typeof field === "bigint" ? String(field) : field,
    )
  }
}

const make = (machine: Turn.Machine, name: string): Batched => {
  const made = new Batched(script, { machine, name, limits: { ...within, fuel: 200_000_000n } })
  made.spawn()
  // So many have to stand before others go ahead.
  for (let n = 0; n < 40; n++) made.say("Add", false)
  return made
}

const actions = fc.constantFrom("Add", "Add", "Add", "Keep", "Keep", "Grow", "Throw", "Burn")
const steps = fc.array(fc.record({ of: fc.nat(1), action: actions, more: fc.boolean(), look: fc.nat(9) }), {
  minLength: 20,
  maxLength: 60,
})

/** What somebody who looks now and then sees of a process. */
const seen = (of: Batched, look: number) =>
  look === 0 ? of.root : look === 1 ? of.memory.copy().difference() : undefined

afterEach(() => void vi.restoreAllMocks())

describe("turns ahead", () => {
  it("come to the same as turn by turn, whatever fails after them and whoever runs in between", () => {
    let [ahead, failedAfter] = [0, 0]
    fc.assert(
      fc.property(steps, (steps) => {
        const machine = new Turn.Machine()
        const [batched, single] = [0, 1].map((n) =>
          [`a`, `b`].map((name) => make(n === 0 ? machine : new Turn.Machine(), name)),
        )
        for (const { of, action, more, look } of steps) {
          const [one, other] = [batched![of]!, single![of]!]
          const was = one.memory.isAhead
          expect(one.say(action, more)).toBe(other.say(action, false))
          if (one.memory.isAhead) ahead++
          if (was && (action === "Throw" || action === "Burn")) failedAfter++
          expect(seen(one, look)).toEqual(seen(other, look))
        }
        for (const of of [0, 1]) expect(batched![of]!.root).toBe(single![of]!.root)
      }),
      { numRuns: 25, seed: 11 },
    )
    expect(ahead).toBeGreaterThan(100)
    expect(failedAfter).toBeGreaterThan(10)
  })

  it("are nobody's once their process is given up: the next one has its own memory", () => {
    const machine = new Turn.Machine()
    const [gone, next, alone] = [make(machine, "a"), make(machine, "b"), make(new Turn.Machine(), "b")]
    gone.say("Keep", true)
    gone.say("Keep", true)
    expect(gone.memory.isAhead).toBe(true)
    gone.memory.discard()
    const expected = alone.say("Add", false)
    const put = vi.spyOn(OwnPages.prototype, "put")
    expect(next.say("Add", true)).toBe(expected)
    expect(put).not.toHaveBeenCalled()
    put.mockRestore()
    expect(next.root).toBe(alone.root)
  })

  it("that the host has no memory for leave nothing of themselves to the next process", () => {
    const machine = new Turn.Machine()
    const [lost, next, alone] = [make(machine, "a"), make(machine, "b"), make(new Turn.Machine(), "b")]
    lost.say("Keep", true)
    expect(lost.memory.isAhead).toBe(true)
    const put = vi.spyOn(OwnPages.prototype, "put").mockImplementation(() => {
      throw new RangeError("Array buffer allocation failed")
    })
    expect(() => lost.memory.settle()).toThrow("allocation failed")
    put.mockRestore()
    lost.memory.discard()
    for (const action of ["Add", "Keep"]) expect(next.say(action, false)).toBe(alone.say(action, false))
    expect(next.root).toBe(alone.root)
  })
})
