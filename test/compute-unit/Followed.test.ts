import { describe, expect, it } from "vitest"
import * as Followed from "../../compute-unit/Followed.ts"
import { id } from "../support/Unsigned.ts"

describe("a process that is followed", () => {
  const running = (): Followed.Followed => ({
    ...Followed.make(id("process"), 0),
    running: true,
    groupsMax: 1,
  })

  it("rests where nothing is pending, and is known to in the same step", () => {
    const of = running()
    expect(Followed.rests(of)).toBe(true)
    expect([of.running, of.groupsMax]).toEqual([false, Number.POSITIVE_INFINITY])
  })

  it("goes on where something came before it rests", () => {
    const of = running()
    of.pending.push({ entries: [], by: undefined })
    expect(Followed.rests(of)).toBe(false)
    expect([of.running, of.groupsMax]).toEqual([true, 1])
  })

  it("rests where it is parked, whatever is pending", () => {
    const of = { ...running(), parked: "its log does not hold" }
    of.pending.push({ entries: [], by: undefined })
    expect(Followed.rests(of)).toBe(true)
    expect(of.running).toBe(false)
  })
})
