import { describe, expect, it } from "vitest"
import type { Group } from "../../compute-unit/Followed.ts"
import * as Run from "../../compute-unit/Run.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type { LogEntry } from "../../scheduler-unit/SchedulerUnit.ts"
import { hash, id } from "../support/Unsigned.ts"

const entry = (process: string, slot: number, batch: number, term = 0): LogEntry => ({
  assignment: Assignment.make({
    process: id(process),
    term,
    slot,
    timestamp: slot,
    entryHash: hash("entry"),
    previous: hash("previous"),
  }),
  batch,
  index: 0,
  item: Bytes.empty,
  proof: Bytes.empty,
})

const groupsOf = (...entries: ReadonlyArray<LogEntry>) =>
  Run.groupsOf(entries, ({ assignment: { slot } }) => id(`signer of ${slot}`))

const slots = (groups: ReadonlyArray<Group>) =>
  groups.map(({ entries }) => entries.map(({ assignment: { slot } }) => slot))

describe("entries", () => {
  it("stand in groups of one process and one batch, in the order of its slots", () => {
    const groups = groupsOf(
      entry("p", 3, 7),
      entry("q", 0, 7),
      entry("p", 4, 7),
      entry("p", 5, 8),
      entry("q", 1, 8),
    )
    expect(slots(groups)).toEqual([[3, 4], [0], [5], [1]])
  })

  it("are signed as the last of their group is, whose head commits to those before it", () => {
    const groups = groupsOf(entry("p", 3, 7), entry("p", 4, 7), entry("p", 5, 8))
    expect(groups.map(({ by }) => by)).toEqual([id("signer of 4"), id("signer of 5")])
  })

  it("of two schedulers are two groups, though their batches have one number", () => {
    const groups = groupsOf(entry("p", 0, 5), entry("p", 1, 5), entry("p", 2, 5, 1), entry("p", 3, 5, 1))
    expect(slots(groups)).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(groupsOf()).toEqual([])
  })
})
