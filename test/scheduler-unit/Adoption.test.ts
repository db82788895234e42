import { describe, expect, it } from "vitest"
import * as Admission from "../../runtime/Admission.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Adoption from "../../scheduler-unit/Adoption.ts"
import type { Foreign } from "../../scheduler-unit/AssignmentLog.ts"
import { hash, id } from "../support/Unsigned.ts"

const chain = (process: Id.ProcessId, length: number): ReadonlyArray<Assignment.Assignment> => {
  const made: Array<Assignment.Assignment> = []
  for (let slot = 0; slot < length; slot++)
    made.push(
      Assignment.make({
        process,
        term: 0,
        slot,
        timestamp: slot,
        entryHash: hash(`${process} ${slot}`),
        previous: made.at(-1)?.head ?? Assignment.emptyHead,
      }),
    )
  return made
}

const [p, q] = [chain(id("p"), 5), chain(id("q"), 2)]

const batch = (
  number: number,
  ...assignments: ReadonlyArray<Assignment.Assignment>
): ReadonlyArray<Foreign> =>
  assignments.map((assignment, index) => ({
    link: {
      number,
      previousRoot: hash("previous"),
      root: hash("root"),
      signatureType: 1065,
      owner: hash("scheduler"),
      signature: hash("signature"),
    },
    path: [],
    assignment,
    batch: number,
    index,
    item: Bytes.empty,
    proof: Bytes.empty,
    repeatKey: undefined,
    contentHash: Bytes.empty,
  }))

const after = (...ends: ReadonlyArray<Assignment.Assignment>) =>
  new Map(
    ends.map(({ process, slot, head }) => [process, { ...Admission.emptyLog, nextSlot: slot + 1, head }]),
  )

const here = (...ends: ReadonlyArray<Assignment.Assignment>) => {
  const states = after(...ends)
  return (process: Id.ProcessId) => states.get(process) ?? Admission.emptyLog
}

const placesOf = (made: Adoption.Adoption) =>
  made.slots.map(({ link, assignment: { slot } }) => [link.number, slot])

const all = [batch(3, p[0]!, q[0]!), batch(4, p[1]!, p[2]!), batch(7, p[3]!, q[1]!), batch(8, p[4]!)].flat()
const fresh = (
  stateOf: Parameters<typeof Adoption.fresh>[0],
  slots: ReadonlyArray<Foreign>,
  states: Adoption.Adoption["states"],
) => Adoption.fresh(stateOf, { slots, states })

describe("an adoption", () => {
  it("is all of it where nothing is here", () => {
    const made = fresh(here(), all, after(p[4]!, q[1]!))
    expect(placesOf(made)).toEqual([
      [3, 0],
      [3, 0],
      [4, 1],
      [4, 2],
      [7, 3],
      [7, 1],
      [8, 4],
    ])
    expect([...made.states.keys()]).toEqual([id("p"), id("q")])
  })

  it("is what comes after the slots that are here, and nothing of a process of which all is", () => {
    const made = fresh(here(p[1]!, q[1]!), all, after(p[4]!, q[1]!))
    expect(placesOf(made)).toEqual([
      [4, 2],
      [7, 3],
      [8, 4],
    ])
    expect([...made.states.keys()]).toEqual([id("p")])
    expect(fresh(here(p[4]!, q[1]!), all, after(p[4]!, q[1]!))).toEqual({
      slots: [],
      states: new Map(),
    })
  })

  it("is none where it leaves a gap, follows another head, or ends elsewhere than its state", () => {
    const follows = /does not follow the 2 slots that are here/
    expect(() => fresh(here(p[1]!), all.slice(4), after(p[4]!))).toThrow(follows)
    const forked = { ...p[1]!, head: hash("other head") }
    expect(() => fresh(here(forked), batch(4, p[2]!), after(p[2]!))).toThrow(follows)
    for (const state of [after(), after(p[3]!), after({ ...p[4]!, head: hash("other head") })])
      expect(() => fresh(here(p[1]!, q[1]!), all, state)).toThrow(/is not the one after slot 4/)
  })
})
