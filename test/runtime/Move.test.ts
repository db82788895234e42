/** Moves, each against what is in force: who may say it, and what it has to name. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Admission from "../../runtime/Admission.ts"
import type * as Id from "../../runtime/Id.ts"
import type * as Message from "../../runtime/Message.ts"
import * as Move from "../../runtime/Move.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { hash, id } = Unsigned
const spawn = Unsigned.spawn({ owner: "ada" })
const { process } = spawn
const [first, next] = [id("Scheduler"), id("next scheduler")]

const says = (
  owner: string,
  tags: ReadonlyArray<readonly [string, string]>,
  target: Id.ProcessId = process,
) => Unsigned.message(target, { owner, tags: [["Action", "Scheduler"], ...tags] })
const to = (scheduler: string, term: string) =>
  [
    ["Scheduler", scheduler],
    ["Term", term],
  ] as const

const admit = (log: Admission.LogState, message: Message.Message, term?: number) =>
  Admission.admit(log, { message, voucher: { signed: true }, seen: undefined }, 0, term)
const admitted = (log: Admission.LogState, message: Message.Message, term?: number): Admission.LogState => ({
  ...Result.getOrThrow(admit(log, message, term)),
  head: hash("head"),
})
const log = admitted(Admission.emptyLog, spawn)
/** Held by one whose key is known by its owner's name. */
const held: Admission.LogState = { ...log, term: 4, scheduler: says("operator", to(next, "5")).from }

const tenure = ({ term, scheduler }: Omit<Admission.LogState, "head">) => ({ term, scheduler })
const after = (state: Admission.LogState, message: Message.Message, term?: number) =>
  tenure(Result.getOrThrow(admit(state, message, term)))
const refused = (state: Admission.LogState, message: Message.Message, term?: number): string => {
  const made = admit(state, message, term)
  return Result.isSuccess(made) ? "admitted" : made.failure.message
}

describe("who schedules a process", () => {
  it("is whom its spawn names, in term 0", () => {
    assert.deepStrictEqual(tenure(log), { term: 0, scheduler: first })
    assert.deepStrictEqual(tenure(admitted(log, Unsigned.message(process, { owner: "ada" }))), tenure(log))
  })

  it("is another from the slot after its owner's or its scheduler's word on: a hand-over", () => {
    assert.deepStrictEqual(after(log, says("ada", to(next, "1"))), { term: 1, scheduler: next })
    assert.deepStrictEqual(after(held, says("operator", to(next, "5"))), { term: 5, scheduler: next })
    const again = admitted(log, says("ada", to(next, "1")))
    assert.deepStrictEqual(after(again, says("ada", to(first, "2"))), { term: 2, scheduler: first })
  })

  it("is another in the slot of its owner's word where that is of the next term: a takeover", () => {
    assert.deepStrictEqual(after(log, says("ada", to(next, "1")), 1), { term: 1, scheduler: next })
    assert.match(refused(held, says("operator", to(next, "5")), 5), /^bad move: .*has it taken over/)
  })

  it("stays whoever else speaks, whatever the tags lack, and in no other term", () => {
    const wrong: ReadonlyArray<readonly [Message.Message, number, RegExp]> = [
      [says("bob", to(next, "1")), 0, /only the process's owner .* and its scheduler .* move it/],
      [says("ada", []), 0, /"Scheduler": names no scheduler/],
      [says("ada", to("nobody", "1")), 0, /"Scheduler": names no scheduler/],
      [says("ada", [["Scheduler", next]]), 0, /"Term": names no term/],
      [says("ada", to(next, "01")), 0, /"Term": names no term/],
      [says("ada", to(next, "0")), 0, /"Term": names no term/],
      [says("ada", to(next, "2")), 0, /"Term": the next is 1, not 2/],
      [says("ada", to(next, "2")), 2, /"Term": the next is 1/],
      [says("ada", to(next, "1")), 2, /"Term": the next is 1/],
      [says("ada", to(first, "1")), 0, /"Scheduler": schedules the process already/],
      [Unsigned.message(process, { owner: "ada" }), 1, /no takeover begins this term/],
    ]
    for (const [message, term, words] of wrong) {
      assert.match(refused(log, message, term), /^bad move: /)
      assert.match(refused(log, message, term), words)
    }
  })

  it("is no business of what was said to another process", () => {
    const other = says("ada", to(next, "1"), id("other"))
    assert.isFalse(Move.is(process, other))
    assert.isUndefined(
      Result.getOrThrow(
        Move.read({ id: process, owner: spawn.from }, { term: 0, scheduler: first }, other, 0),
      ),
    )
  })
})
