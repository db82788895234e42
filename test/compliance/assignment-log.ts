/** What every `AssignmentLog` must do, whatever keeps it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Address from "../../runtime/Address.ts"
import * as Admission from "../../runtime/Admission.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import type { StoreFailed } from "../../runtime/Store.ts"
import type { Appended, AssignmentLog, Foreign } from "../../scheduler-unit/AssignmentLog.ts"
import type { LogEntry, ProcessHead } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Sequencer from "../../scheduler-unit/Sequencer.ts"
import * as Emitted from "../support/Emitted.ts"
import * as Unsigned from "../support/Unsigned.ts"

type Log = AssignmentLog["Service"]

/** A log that can be opened again, as after a restart, and whose next appends can be made to fail. */
export interface Bench {
  readonly open: Effect.Effect<Log>
  readonly fail: (appends: number) => void
}

/** The key that appends, and its address. */
const owner = Unsigned.hash("scheduler")
const own = Address.of(owner).text
const unit = Unsigned.id("unit")
const spawn = (name: string, ...crons: ReadonlyArray<string>) =>
  Unsigned.spawn({
    owner: `owner of ${name}`,
    anchor: name,
    tags: [["Scheduler", own], ["Authority", unit], ...crons.map((cron) => ["Cron-Interval", cron] as const)],
  })

const plain = (message: Message.Message): Sequencer.Submission => ({
  message,
  voucher: { signed: true },
  proof: Bytes.empty,
  repeatKey: Message.repeatKey(message),
  contentHash: Item.contentHash(message.item),
  seen: undefined,
})

const emitted = (source: string, target: Id.ProcessId, pair: number): Sequencer.Submission => {
  const turn = {
    source: Unsigned.id(source),
    slot: pair,
    emissions: [{ kind: "message", target, pair }],
  } as const
  const { message } = Emitted.emit(turn, [])[0]!
  const proven = { source: turn.source, kind: "message", pair, due: 0, attestors: [unit] } as const
  return { ...plain(message), voucher: { proven }, proof: Bytes.fromText(`proof ${pair} of ${source}`) }
}

const cron = (process: Id.ProcessId, name: string, count: number): Sequencer.Submission => ({
  ...plain(Result.getOrThrow(Message.parse(OutboxItem.cron(process, name, count)))),
  voucher: { none: true },
})

const emptyRoot = new Uint8Array(32)

interface Made {
  readonly link: Batch.SignedLink
  readonly entries: ReadonlyArray<Appended>
  readonly states: ReadonlyMap<Id.ProcessId, Admission.LogState>
}

/** Its entries as another scheduler takes them in. */
const foreign = ({ link, entries }: Omit<Made, "states">): ReadonlyArray<Foreign> => {
  const tree = Batch.tree(entries.map(({ assignment }) => assignment))
  return entries.map((entry) => ({ ...entry, link, path: Merkle.path(tree, entry.index) }))
}

/** The batch that a scheduler makes of submissions, after its batch `last`. */
const give = (
  stateOf: Log["state"],
  last: Batch.SignedLink | undefined,
  now: number,
  submissions: ReadonlyArray<Sequencer.Submission>,
  scheduler = "scheduler",
): Made => {
  const { assigned, states } = Sequencer.step(own, stateOf, submissions, now)
  assert.strictEqual(assigned.length, submissions.length)
  const number = (last?.number ?? -1) + 1
  const entries = assigned.map(({ submission, assignment }, index) => ({
    assignment,
    batch: number,
    index,
    item: submission.message.item.bytes,
    proof: submission.proof,
    repeatKey: submission.repeatKey,
    contentHash: submission.contentHash,
  }))
  const link: Batch.SignedLink = {
    number,
    previousRoot: last?.root ?? emptyRoot,
    root: Batch.tree(entries.map(({ assignment }) => assignment)).root,
    signatureType: 1065,
    owner: Unsigned.hash(scheduler),
    signature: Unsigned.hash(`signature ${number} of ${scheduler}`),
  }
  return { link, entries, states }
}

/** Appends what the sequencer makes of submissions; gives the batch as it was appended. */
const append = Effect.fnUntraced(function* (
  log: Log,
  now: number,
  submissions: ReadonlyArray<Sequencer.Submission>,
): Effect.fn.Return<Made, StoreFailed> {
  const made = give(log.state, log.last(), now, submissions)
  yield* log.append(made.link, made.entries, made.states)
  return made
})

/** Batches of another scheduler, one for each list of submissions, and what a process has in them. */
const elsewhere = (scheduler: string, ...batches: ReadonlyArray<ReadonlyArray<Sequencer.Submission>>) => {
  const states = new Map<Id.ProcessId, Admission.LogState>()
  let last: Batch.SignedLink | undefined
  const made = batches.map((submissions, n) => {
    const stateOf = (process: Id.ProcessId) => states.get(process) ?? Admission.emptyLog
    const one = give(stateOf, last, 1_000 * n, submissions, scheduler)
    for (const [process, state] of one.states) states.set(process, state)
    last = one.link
    return one
  })
  return {
    address: Address.of(Unsigned.hash(scheduler)).text,
    states: (...processes: ReadonlyArray<Id.ProcessId>) =>
      new Map(processes.map((process) => [process, states.get(process)!])),
    of: (...processes: ReadonlyArray<Id.ProcessId>): ReadonlyArray<Foreign> =>
      made.flatMap(foreign).filter(({ assignment }) => processes.includes(assignment.process)),
  }
}

/** Bytes as hexadecimal text, so that any two implementations' values compare. */
const shown = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Bytes.toHex(value)
  if (HashMap.isHashMap(value))
    return Object.fromEntries(HashMap.toEntries(value).map(([key, of]) => [String(key), of]))
  if (Array.isArray(value)) return value.map(shown)
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, of]) => [key, shown(of)]))
    : value
}

const entry = ({ assignment, batch, index, item, proof }: LogEntry) =>
  shown({ assignment, batch, index, item, proof })
const link = ({ number, previousRoot, root, signatureType, owner, signature }: Batch.SignedLink) =>
  shown({ number, previousRoot, root, signatureType, owner, signature })
const state = (of: Admission.LogState) => shown({ ...of, process: of.process && { ...of.process } })

export const assignmentLogSuite = <E>(name: string, make: Effect.Effect<Bench, E, Scope.Scope>): void => {
  const run = <A>(body: (bench: Bench, log: Log) => Effect.Effect<A, unknown>) =>
    Effect.scoped(Effect.flatMap(make, (bench) => Effect.flatMap(bench.open, (log) => body(bench, log))))

  const [ada, bob] = [spawn("ada"), spawn("bob")]
  const say = (to: Message.Message, data: string) =>
    plain(Unsigned.message(to.process, { data, owner: `owner ${data}` }))
  const believe = (to: Message.Message, ...units: ReadonlyArray<Id.Address>) =>
    plain(
      Unsigned.message(to.process, {
        owner: "owner of ticking",
        tags: [["Action", "Authority"], ...units.map((unit) => ["Authority", unit] as const)],
      }),
    )

  describe(`AssignmentLog: ${name}`, () => {
    it.effect("is empty at first", () =>
      run((_, log) =>
        Effect.sync(() => {
          assert.strictEqual(log.last(), undefined)
          assert.strictEqual(log.batch(0), undefined)
          assert.strictEqual(log.batchFrom(0), undefined)
          assert.strictEqual(log.leaves(0), undefined)
          assert.strictEqual(log.entry(ada.process, 0), undefined)
          assert.deepStrictEqual(log.entries(ada.process, 0, 10), [])
          assert.deepStrictEqual(log.processes(), [])
          assert.deepStrictEqual(log.cronDue(10), [])
          assert.strictEqual(log.seen(ada.process, Message.repeatKey(ada)), undefined)
          assert.deepEqual(state(log.state(ada.process)), state(Admission.emptyLog))
        }),
      ),
    )

    it.effect("gives back what was appended, byte for byte, now and when it is opened again", () =>
      run((bench, log) =>
        Effect.gen(function* () {
          const batches = [
            yield* append(log, 1_000, [plain(ada), say(ada, "one"), plain(bob)]),
            yield* append(log, 2_000, [say(bob, "two"), emitted("x", ada.process, 1)]),
            yield* append(log, 1_500, [
              say(ada, "one"),
              emitted("x", ada.process, 2),
              emitted("y", ada.process, 1),
            ]),
          ]
          const all = batches.flatMap(({ entries }) => entries)
          for (const opened of [log, yield* bench.open]) {
            assert.deepEqual(link(opened.last()!), link(batches[2]!.link))
            for (const [number, batch] of batches.entries()) {
              const found = opened.batch(number)!
              assert.deepEqual(link(found.link), link(batch.link))
              assert.deepEqual(found.entries.map(entry), batch.entries.map(entry))
              assert.deepEqual(link(opened.batchFrom(number)!.link), link(batch.link))
              const sealed = opened.leaves(number)!
              assert.deepEqual(link(sealed.link), link(batch.link))
              assert.deepEqual(shown(Merkle.root(sealed.leaves)), shown(batch.link.root))
            }
            assert.strictEqual(opened.batch(3), undefined)
            assert.strictEqual(opened.batchFrom(3), undefined)
            for (const { process } of [ada, bob]) {
              const own = all.filter(({ assignment }) => assignment.process === process)
              assert.deepEqual(opened.entries(process, 0, 100).map(entry), own.map(entry))
              assert.deepEqual(opened.entries(process, 1, 2).map(entry), own.slice(1, 3).map(entry))
              assert.deepStrictEqual(opened.entries(process, own.length, 10), [])
              for (const [slot, one] of own.entries()) {
                assert.deepEqual(entry(opened.entry(process, slot)!), entry(one))
                assert.deepEqual(
                  shown(opened.seen(process, one.repeatKey)),
                  shown({ slot, contentHash: one.contentHash }),
                )
              }
              assert.strictEqual(opened.entry(process, own.length), undefined)
            }
            assert.strictEqual(
              opened.seen(bob.process, Message.repeatKey(ada)),
              undefined,
              "seen is a process's own",
            )
            assert.deepStrictEqual(
              new Map(
                opened
                  .processes()
                  .map(({ process, nextSlot, timestamp }) => [process, [nextSlot, timestamp]]),
              ),
              new Map([
                [ada.process, [6, 2_000]],
                [bob.process, [2, 2_000]],
              ]),
            )
          }
        }),
      ),
    )

    it.effect("has the state that follows from the log, however often it is opened", () =>
      run((bench, log) =>
        Effect.gen(function* () {
          const ticking = spawn("ticking", "10-seconds", "1-minute")
          let [current, expected] = [log, Admission.emptyLog]
          const steps: ReadonlyArray<readonly [number, Sequencer.Submission]> = [
            [1_000, plain(ticking)],
            [1_500, say(ticking, "one")],
            [2_000, emitted("x", ticking.process, 1)],
            [3_000, emitted("y", ticking.process, 1)],
            [3_000, emitted("x", ticking.process, 2)],
            [21_000, cron(ticking.process, "10-seconds", 2)],
            [61_000, cron(ticking.process, "1-minute", 1)],
            [61_000, cron(ticking.process, "10-seconds", 5)],
            [62_000, believe(ticking, unit, Unsigned.id("another unit"))],
            [62_000, say(ticking, "two")],
            [63_000, believe(ticking, Unsigned.id("another unit"))],
            [63_000, believe(ticking, unit)],
          ]
          for (const [now, submission] of steps) {
            const step = Sequencer.step(own, () => expected, [submission], now)
            expected = step.states.get(ticking.process)!
            yield* append(current, now, [submission])
            assert.deepEqual(state(current.state(ticking.process)), state(expected))
            current = yield* bench.open
            assert.deepEqual(state(current.state(ticking.process)), state(expected))
          }
          assert.deepEqual(shown(expected.pairs), { [Unsigned.id("x")]: 2, [Unsigned.id("y")]: 1 })
          assert.deepEqual(expected.authority, { units: [unit], quorum: 1, since: 12 })
          assert.deepEqual(shown(expected.cron), { "10-seconds": 5, "1-minute": 1 })
        }),
      ),
    )

    it.effect("keeps nothing of an append that failed", () =>
      run((bench, log) =>
        Effect.gen(function* () {
          const ticking = spawn("ticking", "10-seconds")
          yield* append(log, 1_000, [plain(ada)])
          const before = () => [
            link(log.last()!),
            log.processes(),
            log.cronDue(10),
            state(log.state(ada.process)),
            log.entries(ada.process, 0, 10).map(entry),
            log.batch(1),
          ]
          const held = before()
          bench.fail(1)
          const lost = [say(ada, "lost"), plain(ticking), emitted("x", ada.process, 1)]
          assert.strictEqual((yield* Effect.flip(append(log, 2_000, lost)))._tag, "StoreFailed")
          assert.deepEqual(before(), held)
          for (const { message, repeatKey } of lost)
            assert.strictEqual(log.seen(message.process, repeatKey), undefined)
          assert.deepEqual(state(log.state(ticking.process)), state(Admission.emptyLog))
          const again = yield* append(log, 3_000, lost)
          for (const opened of [log, yield* bench.open])
            assert.deepEqual(opened.batch(1)!.entries.map(entry), again.entries.map(entry))
        }),
      ),
    )

    it.effect("keeps owners of every kind of signature, and gives each item its own back", () =>
      run((bench, log) =>
        Effect.gen(function* () {
          const from = (owner: string, data: string) => plain(Unsigned.message(ada.process, { owner, data }))
          const appended = yield* append(log, 0, [
            plain(ada),
            from("one", "a"),
            from("two", "b"),
            from("one", "c"),
            emitted("x", ada.process, 1),
          ])
          yield* append(log, 0, [from("one", "d"), from("three", "e")])
          const opened = yield* bench.open
          yield* append(opened, 0, [from("three", "f"), from("one", "g")])
          assert.deepEqual(opened.batch(0)!.entries.map(entry), appended.entries.map(entry))
          for (const [slot, { item }] of opened.entries(ada.process, 0, 100).entries()) {
            const read = Result.getOrThrow(Item.decode(item))
            if (slot > 0 && slot !== 4)
              assert.strictEqual(
                Bytes.toHex(read.owner),
                Bytes.toHex(
                  Unsigned.hash(["", "one", "two", "one", "", "one", "three", "three", "one"][slot]!),
                ),
              )
          }
        }),
      ),
    )

    it.effect("knows the addresses of keys that signed what it has, and no others", () =>
      run((bench, log) =>
        Effect.gen(function* () {
          const of = (owner: Uint8Array) => Address.of(owner).text
          const one = of(Unsigned.hash("one"))
          assert.isFalse(log.knows(one))
          yield* append(log, 0, [plain(spawn("crons", "1-second"))])
          const [{ process }] = log.processes() as [ProcessHead]
          yield* append(log, 1_000, [
            plain(Unsigned.message(process, { owner: "one" })),
            cron(process, "1-second", 1),
          ])
          for (const opened of [log, yield* bench.open]) {
            assert.isTrue(opened.knows(one))
            assert.isTrue(opened.knows(of(Unsigned.hash("owner of crons"))))
            assert.isFalse(opened.knows(of(Unsigned.hash("two"))))
            assert.isFalse(opened.knows(of(Id.toBytes(process))), "no key has the id of a process")
          }
        }),
      ),
    )

    it.effect("names the processes whose cron is due first, in order of time", () =>
      run((bench, log) =>
        Effect.gen(function* () {
          const [slow, quick, both] = [
            spawn("slow", "1-hour"),
            spawn("quick", "10-seconds"),
            spawn("both", "1-minute", "25-seconds"),
          ]
          const due = (of: Log, limit = 10) =>
            of.cronDue(limit).map(({ process, at }): readonly [Id.ProcessId, number] => [process, at])
          yield* append(log, 1_000, [plain(ada), plain(slow)])
          assert.deepStrictEqual(due(log), [[slow.process, 3_601_000]])
          yield* append(log, 2_000, [plain(quick), plain(both)])
          const expected: ReadonlyArray<readonly [Id.ProcessId, number]> = [
            [quick.process, 12_000],
            [both.process, 27_000],
            [slow.process, 3_601_000],
          ]
          for (const opened of [log, yield* bench.open]) {
            assert.deepEqual(due(opened), [...expected])
            assert.deepEqual(due(opened, 1), expected.slice(0, 1))
          }
          yield* append(log, 12_000, [cron(quick.process, "10-seconds", 1), say(both, "hello")])
          assert.deepStrictEqual(due(log, 2), [
            [quick.process, 22_000],
            [both.process, 27_000],
          ])
          const opened = yield* bench.open
          yield* append(opened, 95_000, [
            cron(both.process, "25-seconds", 3),
            cron(quick.process, "10-seconds", 9),
          ])
          assert.deepStrictEqual(due(opened), [
            [both.process, 62_000],
            [quick.process, 102_000],
            [slow.process, 3_601_000],
          ])
        }),
      ),
    )

    it.effect(
      "has a process that came from another scheduler beside its own chain, and goes on with it",
      () =>
        run((bench, log) =>
          Effect.gen(function* () {
            yield* append(log, 1_000, [plain(bob)])
            const cy = spawn("cy")
            const other = elsewhere(
              "another scheduler",
              [plain(ada), plain(cy), say(ada, "one")],
              [say(cy, "not moved")],
              [say(ada, "two"), say(cy, "nor this")],
            )
            const moved = other.of(ada.process)
            yield* log.adopt(moved, other.states(ada.process), own)
            assert.deepEqual(
              state(log.state(ada.process)),
              state(other.states(ada.process).get(ada.process)!),
            )
            const appended = yield* append(log, 3_000, [say(bob, "own"), say(ada, "three")])
            const entries = [...moved, appended.entries[1]!]
            for (const opened of [log, yield* bench.open]) {
              // The chain is as it would be without it.
              assert.deepEqual(link(opened.last()!), link(appended.link))
              assert.strictEqual(opened.last()!.number, 1)
              assert.deepEqual(opened.batch(1)!.entries.map(entry), appended.entries.map(entry))
              assert.strictEqual(opened.batch(2), undefined)
              assert.strictEqual(opened.batchFrom(2), undefined)
              // The log is one, whoever gave the slot; equal batch numbers are two batches.
              assert.deepEqual(opened.entries(ada.process, 0, 10).map(entry), entries.map(entry))
              const places = entries.map((_, slot) => opened.entry(ada.process, slot)!)
              assert.deepStrictEqual(
                places.map(({ foreign: by, batch }) => [by?.scheduler, batch]),
                [
                  [other.address, 0],
                  [other.address, 0],
                  [other.address, 2],
                  [undefined, 1],
                ],
              )
              for (const { assignment, batch, index, foreign: by } of places.slice(0, 3)) {
                const found = opened.foreignLink(by!.scheduler, batch)!
                assert.isTrue(Batch.receiptHolds({ link: found, assignment, index, path: by!.path }))
              }
              assert.deepEqual(shown(opened.leaves(0)!.link.owner), shown(Unsigned.hash("scheduler")))
              assert.strictEqual(opened.foreignLink(other.address, 1), undefined, "nothing of it is here")
              // A repeat of what had its slot elsewhere is one here.
              assert.strictEqual(opened.seen(ada.process, Message.repeatKey(ada))?.slot, 0)
              assert.strictEqual(opened.state(cy.process).nextSlot, 0)
              assert.deepStrictEqual(
                new Set(opened.processes().map(({ process }) => process)),
                new Set([ada.process, bob.process]),
              )
              assert.deepEqual(link(opened.newestForeign(other.address)!), link(moved[2]!.link))
              assert.strictEqual(opened.newestForeign(Unsigned.id("nobody")), undefined)
            }
          }),
        ),
    )

    it.effect("has no cron fall due of a process that another scheduler goes on with", () =>
      run((_, log) =>
        Effect.gen(function* () {
          const ticking = spawn("ticking", "10-seconds")
          const other = elsewhere("another scheduler", [plain(ticking)])
          yield* log.adopt(other.of(ticking.process), other.states(ticking.process), Unsigned.id("reader"))
          assert.strictEqual(log.state(ticking.process).nextSlot, 1)
          assert.deepStrictEqual(log.cronDue(10), [])
        }),
      ),
    )

    it.effect("takes over whole or not at all, once, and never back to where it was handed over", () =>
      run((bench, log) =>
        Effect.gen(function* () {
          const ticking = spawn("ticking", "10-seconds")
          const other = elsewhere("another scheduler", [plain(ticking)], [say(ticking, "one")])
          const [moved, after] = [other.of(ticking.process), other.states(ticking.process)]
          bench.fail(1)
          assert.strictEqual((yield* Effect.flip(log.adopt(moved, after, own)))._tag, "StoreFailed")
          assert.deepEqual(state(log.state(ticking.process)), state(Admission.emptyLog))
          assert.strictEqual(log.newestForeign(other.address), undefined)
          yield* log.adopt(moved, after, own)
          assert.deepStrictEqual(log.cronDue(10), [{ process: ticking.process, at: 10_000 }])
          yield* append(log, 12_000, [cron(ticking.process, "10-seconds", 1)])
          const held = () => [
            state(log.state(ticking.process)),
            log.entries(ticking.process, 0, 10).map(entry),
            log.cronDue(10),
          ]
          const before = held()
          yield* log.adopt(moved, after, own)
          assert.deepEqual(held(), before)
          const gap = yield* Effect.exit(
            log.adopt(
              elsewhere("x", [plain(ada)], [say(ada, "1")])
                .of(ada.process)
                .slice(1),
              new Map(),
              own,
            ),
          )
          assert.isTrue(Exit.hasDies(gap))
          assert.deepEqual(state(log.state(ada.process)), state(Admission.emptyLog))
        }),
      ),
    )

    it.effect("can have a process of which some slots are its own, and those between another's", () =>
      run((bench, log) =>
        Effect.gen(function* () {
          const first = yield* append(log, 0, [plain(ada)])
          const there = give(log.state, undefined, 1, [say(ada, "there")], "another scheduler")
          yield* log.adopt([...foreign(first), ...foreign(there)], there.states, own)
          yield* append(log, 2, [say(ada, "back")])
          for (const opened of [log, yield* bench.open]) {
            const places = [0, 1, 2].map((slot) => opened.entry(ada.process, slot)!)
            assert.deepStrictEqual(
              places.map(({ foreign: by, batch }) => [by !== undefined, batch]),
              [
                [false, 0],
                [true, 0],
                [false, 1],
              ],
            )
          }
        }),
      ),
    )

    it.effect("pages through a long log", () =>
      run((_, log) =>
        Effect.gen(function* () {
          yield* append(log, 0, [plain(ada)])
          for (let n = 0; n < 4; n++)
            yield* append(
              log,
              n,
              Array.from({ length: 75 }, (_, i) => say(ada, `${n}/${i}`)),
            )
          const slots: Array<number> = []
          for (let from = 0, pages = 0; pages < 10; pages++, from = slots.length)
            slots.push(...log.entries(ada.process, from, 40).map(({ assignment }) => assignment.slot))
          assert.deepStrictEqual(
            slots,
            Array.from({ length: 301 }, (_, i) => i),
          )
          let head = Assignment.emptyHead
          for (const { assignment } of log.entries(ada.process, 0, 1_000)) {
            assert.isTrue(Bytes.equal(assignment.previous, head))
            head = assignment.head
          }
        }),
      ),
    )
  })
}
