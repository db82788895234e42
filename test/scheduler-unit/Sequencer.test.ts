import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Admission from "../../runtime/Admission.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import type { Seen } from "../../scheduler-unit/AssignmentLog.ts"
import * as Sequencer from "../../scheduler-unit/Sequencer.ts"
import * as Emitted from "../support/Emitted.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { id } = Unsigned
const unit = id("unit")

const submission = (
  message: Message.Message,
  change: Partial<Sequencer.Submission> = {},
): Sequencer.Submission => ({
  message,
  voucher: { signed: true },
  proof: Bytes.empty,
  repeatKey: Message.repeatKey(message),
  contentHash: Item.contentHash(message.item),
  seen: undefined,
  ...change,
})

const spawn = (name: string) => Unsigned.spawn({ anchor: name, tags: [["Authority", unit]] })

const emitted = (source: string, target: Id.ProcessId, pair: number) => {
  const { message } = Emitted.emit(
    { source: id(source), slot: pair, emissions: [{ kind: "message", target, pair }] },
    [],
  )[0]!
  const proven = { source: id(source), kind: "message", pair, due: 0, attestors: [unit] } as const
  return submission(message, { voucher: { proven }, proof: Bytes.fromText(`proof of ${pair}`) })
}

/** Whom the spawns of `Unsigned` name. */
const own = Unsigned.id("Scheduler")

/** What a scheduler does around the sequencer: looks up, steps, keeps. */
const scheduler = () => {
  const states = new Map<Id.ProcessId, Admission.LogState>()
  const seen = new Map<string, Seen>()
  const logs = new Map<Id.ProcessId, Array<Sequencer.Assigned>>()
  const key = ({ message, repeatKey }: Sequencer.Submission) => `${message.process} ${Bytes.toHex(repeatKey)}`
  return {
    logs,
    states,
    step: (submissions: ReadonlyArray<Sequencer.Submission>, now = 0): Sequencer.Step => {
      const facts = submissions.map((one) => ({ ...one, seen: seen.get(key(one)) }))
      const step = Sequencer.step(own, (process) => states.get(process) ?? Admission.emptyLog, facts, now)
      for (const [process, state] of step.states) states.set(process, state)
      for (const one of step.assigned) {
        const { process, slot } = one.assignment
        seen.set(key(one.submission), { slot, contentHash: one.submission.contentHash })
        logs.set(process, [...(logs.get(process) ?? []), one])
      }
      return step
    },
  }
}

const short = (answer: Sequencer.Answer): string =>
  answer._tag === "Assigned"
    ? `slot ${answer.assignment.slot}`
    : answer._tag === "Repeat"
      ? `repeat of ${answer.slot}`
      : answer.refused.reason

const answers = ({ answers }: Sequencer.Step) => answers.map(short)

/** A log as the spec wants it: slots without a gap, one chain, time that does not go back, each word once. */
const checkLog = (log: ReadonlyArray<Sequencer.Assigned>): void => {
  let previous = Assignment.emptyHead
  let timestamp = 0
  for (const [slot, { assignment, submission }] of log.entries()) {
    assert.strictEqual(assignment.slot, slot)
    assert.isTrue(Bytes.equal(assignment.previous, previous))
    assert.isTrue(Bytes.equal(Assignment.make(assignment).head, assignment.head))
    const { item } = submission.message
    assert.isTrue(Bytes.equal(assignment.entryHash, Assignment.entryHash(item.bytes, submission.proof)))
    assert.strictEqual(assignment.process, submission.message.process)
    assert.isAtLeast(assignment.timestamp, timestamp)
    previous = assignment.head
    timestamp = assignment.timestamp
  }
  const keys = log.map(({ submission }) => Bytes.toHex(submission.repeatKey))
  assert.strictEqual(new Set(keys).size, keys.length)
}

const shown = (log: ReadonlyArray<Sequencer.Assigned> | undefined) =>
  (log ?? []).map(({ assignment: { slot, timestamp, head } }) => [slot, timestamp, Bytes.toHex(head)])

describe("the sequencer", () => {
  it("gives slots 0, 1, 2... on one chain, over many steps", () => {
    const { step, logs, states } = scheduler()
    const [ada, bob] = [spawn("ada"), spawn("bob")]
    const message = ({ process }: Message.Message) => submission(Unsigned.message(process))
    assert.deepStrictEqual(answers(step([submission(ada)], 5)), ["slot 0"])
    assert.deepStrictEqual(answers(step([message(ada), submission(bob), message(ada), message(bob)], 6)), [
      "slot 1",
      "slot 0",
      "slot 2",
      "slot 1",
    ])
    assert.deepStrictEqual(answers(step([message(ada)], 7)), ["slot 3"])
    for (const { process } of [ada, bob]) {
      checkLog(logs.get(process)!)
      const last = logs.get(process)!.at(-1)!.assignment
      assert.strictEqual(states.get(process)!.nextSlot, last.slot + 1)
      assert.isTrue(Bytes.equal(states.get(process)!.head, last.head))
    }
  })

  it("admits a message in the step that spawns its process, after the spawn and not before", () => {
    const { step } = scheduler()
    const ada = spawn("ada")
    const [early, late] = [
      submission(Unsigned.message(ada.process)),
      submission(Unsigned.message(ada.process)),
    ]
    assert.deepStrictEqual(answers(step([early, submission(ada), late])), [
      "unknown process",
      "slot 0",
      "slot 1",
    ])
  })

  it("gives one slot to equal messages, the first of them, in one step and later", () => {
    const { step } = scheduler()
    const ada = spawn("ada")
    const one = (signature: string) =>
      submission(Unsigned.message(ada.process, { anchor: "a", data: "hello", signature }))
    assert.notStrictEqual(one("first").message.id, one("again").message.id)
    const all = [submission(ada), one("first"), one("first"), one("again")]
    assert.deepStrictEqual(answers(step(all)), ["slot 0", "slot 1", "repeat of 1", "repeat of 1"])
    assert.deepStrictEqual(
      answers(step([one("later"), submission(Unsigned.message(ada.process)), one("last")])),
      ["repeat of 1", "slot 2", "repeat of 1"],
    )
    assert.deepStrictEqual(answers(step([submission(ada)])), ["repeat of 0"])
  })

  it("tells equal messages without an anchor apart by their signatures", () => {
    const { step } = scheduler()
    const ada = spawn("ada")
    const one = (signature: string) =>
      submission(Unsigned.message(ada.process, { anchor: undefined, data: "hello", signature }))
    assert.deepStrictEqual(answers(step([submission(ada), one("a"), one("b"), one("a")])), [
      "slot 0",
      "slot 1",
      "slot 2",
      "repeat of 1",
    ])
  })

  it("refuses an anchor that its owner used for something else, in one step and later, in this process only", () => {
    const { step } = scheduler()
    const [ada, bob] = [spawn("ada"), spawn("bob")]
    const one = (data: string, change: Unsigned.Fields = {}, to = ada) =>
      submission(Unsigned.message(to.process, { anchor: "a", data, ...change }))
    step([submission(ada), submission(bob)])
    assert.deepStrictEqual(
      answers(step([one("x"), one("y"), one("x", { owner: "eve" }), one("y", {}, bob)])),
      ["slot 1", "anchor reused", "slot 2", "slot 1"],
    )
    assert.deepStrictEqual(answers(step([one("z"), one("x")])), ["anchor reused", "repeat of 1"])
    const retagged = one("x", { tags: [["Action", "Other"]] })
    assert.deepStrictEqual(answers(step([retagged])), ["anchor reused"])
  })

  it("keeps nothing of what it refused: neither its anchor nor its place", () => {
    const { step, logs, states } = scheduler()
    const ada = spawn("ada")
    const one = submission(Unsigned.message(ada.process, { anchor: "a" }))
    const refused = step([one])
    assert.deepStrictEqual(
      [answers(refused), refused.assigned, refused.states.size],
      [["unknown process"], [], 0],
    )
    step([submission(ada)])
    const before = states.get(ada.process)
    const early = emitted("source", ada.process, 2)
    assert.deepStrictEqual(answers(step([early])), ["pair out of order"])
    assert.strictEqual(states.get(ada.process), before)
    assert.deepStrictEqual(answers(step([one, emitted("source", ada.process, 1), early])), [
      "slot 1",
      "slot 2",
      "slot 3",
    ])
    checkLog(logs.get(ada.process)!)
  })

  it("admits what processes emit in the order of their pairs, each step seeing the one before", () => {
    const { step, states } = scheduler()
    const ada = spawn("ada")
    step([submission(ada)])
    const from = (source: string, pair: number) => emitted(source, ada.process, pair)
    assert.deepStrictEqual(
      answers(step([from("x", 1), from("y", 1), from("x", 3), from("x", 2), from("x", 3), from("x", 1)])),
      ["slot 1", "slot 2", "pair out of order", "slot 3", "slot 4", "repeat of 1"],
    )
    assert.deepStrictEqual(answers(step([from("y", 3), from("x", 4)])), ["pair out of order", "slot 5"])
    assert.deepStrictEqual(
      new Map(states.get(ada.process)!.pairs),
      new Map([
        [id("x"), 4],
        [id("y"), 1],
      ]),
    )
  })

  it("commits to the proof beside the item", () => {
    const [one, other] = [scheduler(), scheduler()]
    const ada = spawn("ada")
    const proven = emitted("x", ada.process, 1)
    one.step([submission(ada), proven])
    other.step([submission(ada), { ...proven, proof: Bytes.fromText("another proof") }])
    assert.notDeepEqual(shown(one.logs.get(ada.process)), shown(other.logs.get(ada.process)))
  })
})

describe("the time of a slot", () => {
  it("is the clock's, repeats the last while the clock is set back, and goes on from there", () => {
    const { step, logs } = scheduler()
    const [ada, bob] = [spawn("ada"), spawn("bob")]
    const message = () => submission(Unsigned.message(ada.process))
    step([submission(ada)], 1_000)
    for (const now of [1_500, 900, 0, 1_499, 1_500, 1_501]) step([message()], now)
    assert.deepStrictEqual(
      logs.get(ada.process)!.map(({ assignment }) => assignment.timestamp),
      [1_000, 1_500, 1_500, 1_500, 1_500, 1_500, 1_501],
    )
    step([submission(bob)], 900)
    assert.strictEqual(
      logs.get(bob.process)![0]!.assignment.timestamp,
      900,
      "another process has its own time",
    )
  })

  it("is what a timer is due by, also when the clock is behind it", () => {
    const { step } = scheduler()
    const ada = spawn("ada")
    step([submission(ada)], 2_000)
    const { message } = Emitted.emit(
      { source: ada.process, slot: 0, emissions: [{ kind: "timer", target: ada.process, due: 1_500 }] },
      [],
    )[0]!
    const timer = (due: number) =>
      submission(message, {
        voucher: { proven: { source: ada.process, kind: "timer", pair: 0, due, attestors: [unit] } },
      })
    assert.deepStrictEqual(answers(step([timer(2_001)], 100)), ["timer early"])
    assert.deepStrictEqual(answers(step([timer(2_000)], 100)), ["slot 1"])
  })
})

/** What can be said to one process: by a key, with a used anchor, without one, by another process. */
type Word =
  | { readonly kind: "say"; readonly anchor: number; readonly data: number }
  | { readonly kind: "bare"; readonly signature: number }
  | { readonly kind: "emit"; readonly pair: number }
  | { readonly kind: "spawn" }

const anyWord: fc.Arbitrary<Word> = fc.oneof(
  fc.record({ kind: fc.constant("say" as const), anchor: fc.nat(4), data: fc.nat(1) }),
  fc.record({ kind: fc.constant("bare" as const), signature: fc.nat(3) }),
  fc.record({ kind: fc.constant("emit" as const), pair: fc.integer({ min: 1, max: 5 }) }),
  fc.constant({ kind: "spawn" as const }),
)

const spawns = ["ada", "bob", "eve"].map(spawn)
const spoken = (to: number, word: Word): Sequencer.Submission => {
  const { process } = spawns[to]!
  switch (word.kind) {
    case "say":
      return submission(Unsigned.message(process, { anchor: `a${word.anchor}`, data: `${word.data}` }))
    case "bare":
      return submission(Unsigned.message(process, { anchor: undefined, signature: `${word.signature}` }))
    case "emit":
      return emitted("source", process, word.pair)
    case "spawn":
      return submission(spawns[to]!)
  }
}

/** Words to three processes, an order in which they arrive, and where steps begin. */
const anyArrival = fc
  .array(fc.array(anyWord, { maxLength: 12 }), { minLength: 3, maxLength: 3 })
  .chain((words) =>
    fc.record({
      words: fc.constant(words),
      order: fc.shuffledSubarray(
        words.flatMap((own, to) => own.map(() => to)),
        { minLength: words.flat().length },
      ),
      cuts: fc.infiniteStream(fc.integer({ min: 1, max: 6 })),
    }),
  )

const arrive = (
  words: ReadonlyArray<ReadonlyArray<Word>>,
  order: ReadonlyArray<number>,
  cut: () => number,
) => {
  const { step, logs } = scheduler()
  const left = words.map((own) => [...own])
  const queue = order.map((to) => [to, spoken(to, left[to]!.shift()!)] as const)
  const said: Array<Array<string>> = [[], [], []]
  for (let from = 0; from < queue.length;) {
    const part = queue.slice(from, from + cut())
    const { answers: given } = step(
      part.map(([, one]) => one),
      1_000,
    )
    for (const [i, [to]] of part.entries()) said[to]!.push(short(given[i]!))
    from += part.length
  }
  return { said, logs: spawns.map(({ process }) => logs.get(process) ?? []) }
}

describe("whatever arrives", () => {
  it("makes logs as the spec wants them, and answers each submission once", () => {
    fc.assert(
      fc.property(anyArrival, ({ words, order, cuts }) => {
        const { said, logs } = arrive(words, order, () => cuts.next().value)
        for (const log of logs) checkLog(log)
        assert.deepStrictEqual(
          said.map((own) => own.length),
          words.map((own) => own.length),
        )
      }),
    )
  })

  it("does not depend on how the messages of different processes mix, nor on where steps begin", () => {
    let slots = 0
    fc.assert(
      fc.property(anyArrival, ({ words, order, cuts }) => {
        const mixed = arrive(words, order, () => cuts.next().value)
        const apart = arrive(
          words,
          order.toSorted((a, b) => a - b),
          () => 1,
        )
        assert.deepStrictEqual(mixed.said, apart.said)
        assert.deepStrictEqual(mixed.logs.map(shown), apart.logs.map(shown))
        slots += mixed.logs.flat().length
      }),
    )
    assert.isAbove(slots, 200)
  })
})

describe("an assigned item", () => {
  const { message: process } = submission(spawn("assigned"))
  const item = Unsigned.item({ anchor: "of ada", data: "said" })
  const by = (owner: string) => submission(Unsigned.assigned(process.process, item, { owner }))

  it("has one slot, whoever assigns it, and the entry is the item that assigned it first", () => {
    const unit = scheduler()
    const first = by("bob")
    const { answers } = unit.step([submission(process), first, by("eve"), by("bob")])
    assert.deepStrictEqual(
      answers.map(({ _tag }) => _tag),
      ["Assigned", "Assigned", "Repeat", "Repeat"],
    )
    assert.deepInclude(unit.step([by("carol")]).answers[0], { _tag: "Repeat", slot: 1 })
    const { entryHash } = unit.logs.get(process.process)![1]!.assignment
    const logged = first.message.carrier!.bytes
    assert.isTrue(Bytes.equal(entryHash, Assignment.entryHash(logged, Bytes.empty)))
  })

  it("and the same item sent by its owner are repeats of each other", () => {
    const sent = submission(Unsigned.message(process.process, { owner: "ada", anchor: "sent", data: "said" }))
    const assigned = submission(Unsigned.assigned(process.process, sent.message.item))
    for (const [first, second] of [
      [sent, assigned],
      [assigned, sent],
    ] as const) {
      const unit = scheduler()
      unit.step([submission(process)])
      unit.step([first])
      assert.deepInclude(unit.step([second]).answers[0], { _tag: "Repeat", slot: 1 })
    }
  })
})
