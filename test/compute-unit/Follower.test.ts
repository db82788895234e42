import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import * as Follower from "../../compute-unit/Follower.ts"
import type { Seen } from "../../compute-unit/OutcomeLog.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import { Overloaded, type Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Admission from "../../runtime/Admission.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Drop from "../../runtime/Drop.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import type { LogEntry } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as Emitted from "../support/Emitted.ts"
import * as LogBook from "../support/LogBook.ts"
import { hash, id } from "../support/Unsigned.ts"

const ada = Caller.caller("ada")
const unit = Caller.caller("small node").identity
const stranger = Caller.caller("stranger").identity
const source = id("source")
const verifier = VerifierLocal.make()

const sign = (fields: Partial<SignedItem.Fields>, action = "Act", by = ada): Item.Item =>
  Effect.runSync(
    Effect.orDie(
      SignedItem.sign(by.signer, {
        tags: [...Message.protocolTags("Message"), { name: "Action", value: action }],
        data: Bytes.fromText("data"),
        ...fields,
      }),
    ),
  )

const spawnItem = Effect.runSync(
  Effect.orDie(
    SignedItem.sign(ada.signer, {
      tags: [
        ...Message.protocolTags("Process"),
        { name: "Module", value: id("module") },
        { name: "Scheduler", value: unit.address },
        { name: "Cron-Interval", value: "10-seconds" },
      ],
      data: Bytes.fromText("data"),
    }),
  ),
)
const process = spawnItem.id
const target = Id.toBytes(process)

/** Messages from `source` that stand in one turn of it, with a proof that `units` attested. */
const emitted = (emissions: ReadonlyArray<Emitted.Emission>, units = [unit], from = source) =>
  Emitted.emit({ source: from, slot: 5, emissions }, units).map(({ item, proof }) => ({
    process,
    item: item.bytes,
    proof: OutboxProof.encode(proof),
  }))
const message = (pair: number): Emitted.Emission => ({ kind: "message", target: process, pair })

/** Follows a log to its end, in runs of these lengths; what this unit saw before is kept between runs only. */
const follow = Effect.fnUntraced(function* (
  entries: ReadonlyArray<LogEntry>,
  runs: ReadonlyArray<number> = [entries.length],
  by: Verifier["Service"] = verifier,
) {
  const kept = new Map<string, Seen>()
  const done: Array<Follower.Examined> = []
  for (const length of runs) {
    const log = done.at(-1)?.log ?? Admission.emptyLog
    const part = entries.slice(done.length, done.length + length)
    const look = (key: Uint8Array) => kept.get(Bytes.toHex(key))
    const examined = yield* Follower.examine(() => by, process, log, part, look)
    for (const { seen, entry } of examined)
      if (seen) kept.set(Bytes.toHex(seen.key), { slot: entry.slot, contentHash: seen.contentHash })
    done.push(...examined)
  }
  return done
})

const verdicts = (examined: ReadonlyArray<Follower.Examined>) =>
  examined.map(({ entry }) => entry.inadmissible)

const state = ({ log }: Follower.Recalled) => ({
  ...log,
  process: log.process?.id,
  pairs: new Map(HashMap.toEntries(log.pairs)),
  cron: new Map(HashMap.toEntries(log.cron)),
})

/** A log that begins with the spawn. */
const begun = () => {
  const book = LogBook.make()
  book.write({ process, item: spawnItem.bytes })
  return book
}

/** Verdicts of what follows the spawn, each a batch. */
const verdictsOf = (...lines: ReadonlyArray<Omit<LogBook.Line, "process">>) => {
  const book = begun()
  for (const line of lines) book.write({ process, ...line })
  return Effect.map(follow(book.entries(process)), (examined) => verdicts(examined).slice(1))
}

/** What follows the spawn, as it is examined and, the same, as it is recalled. */
const followed = Effect.fnUntraced(function* (...lines: ReadonlyArray<Omit<LogBook.Line, "process">>) {
  const book = begun()
  for (const line of lines) book.write({ process, ...line })
  const entries = book.entries(process)
  const examined = yield* follow(entries)
  let log = Admission.emptyLog
  for (const [i, entry] of entries.entries()) {
    const recalled = Follower.recall(process, log, entry, examined[i]!.entry.inadmissible)
    assert.deepStrictEqual(state(recalled), state(examined[i]!))
    if (examined[i]!.entry.inadmissible === undefined)
      assert.deepStrictEqual(recalled.entry, examined[i]!.entry)
    log = recalled.log
  }
  return examined.slice(1)
})

/** A void in place of an item. */
const voidOf = (item: Uint8Array, pair: number): Emitted.Emission => {
  const given = Result.getOrThrow(Item.decode(item))
  return {
    kind: "void",
    target: process,
    pair,
    tags: [
      ["Entry", given.id],
      ["Content-Hash", Id.fromBytes(Item.contentHash(given))],
      ["Reason", "given up"],
    ],
  }
}

describe("what a scheduler should not have let in", () => {
  it.effect("is named: a signature that is not good, and a proof beside a signature", () =>
    Effect.gen(function* () {
      const good = sign({ target })
      const forged = Bytes.copy(good.bytes)
      forged[100]! ^= 1
      const proof = Uint8Array.of(1)
      const found = yield* verdictsOf(
        { item: forged },
        { item: sign({ target }).bytes, proof },
        { item: good.bytes },
      )
      assert.deepStrictEqual(found, ["bad signature", "bad proof", undefined])
    }),
  )

  it.effect("is named: a message for another process, though its signature is good", () =>
    Effect.gen(function* () {
      const elsewhere = sign({ target: hash("elsewhere") })
      const [stray] = Emitted.emit(
        { source, slot: 5, emissions: [{ kind: "message", target: id("elsewhere"), pair: 1 }] },
        [unit],
      )
      const proof = OutboxProof.encode(stray!.proof)
      const other = yield* Effect.promise(() => ada.spawn(id("module"), unit.address))
      const found = yield* verdictsOf(
        { item: elsewhere.bytes },
        { item: stray!.item.bytes, proof },
        { item: other.bytes },
      )
      assert.deepStrictEqual(found, ["other process", "other process", "other process"])
    }),
  )

  it.effect("is named: the same again, the same signed again, and an anchor with other content", () =>
    Effect.gen(function* () {
      const anchor = hash("anchor")
      const first = sign({ target, anchor })
      const found = yield* verdictsOf(
        { item: first.bytes },
        { item: first.bytes },
        { item: sign({ target, anchor }).bytes },
        { item: sign({ target, anchor }, "Other").bytes },
        { item: sign({ target, anchor }, "Act", Caller.caller("bob")).bytes },
        { item: spawnItem.bytes },
      )
      assert.deepStrictEqual(found, [undefined, "repeat", "repeat", "anchor reused", undefined, "repeat"])
    }),
  )

  it.effect(
    "is named: what a process emitted without its proof, with a bad one, or not attested by a unit believed",
    () =>
      Effect.gen(function* () {
        const [line] = emitted([message(1)])
        const [other] = emitted([message(1)], [Caller.caller("somebody").identity])
        const [, second] = emitted([message(1), message(2)])
        const flipped = Bytes.copy(line!.proof)
        flipped[100]! ^= 1
        const unsigned = Bytes.copy(line!.proof)
        unsigned[unsigned.length - 1]! ^= 1
        const cut = line!.proof.subarray(0, -1)
        const proofs = [Bytes.empty, flipped, cut, second!.proof, unsigned, other!.proof, line!.proof]
        const found = yield* verdictsOf(...proofs.map((proof) => ({ item: line!.item, proof })))
        assert.deepStrictEqual(found, [
          "no proof",
          "bad proof",
          "bad proof",
          "bad proof",
          "not attested",
          "not attested",
          undefined,
        ])
      }),
  )

  it.effect("is named: pairs out of their order; what comes in order later is let in", () =>
    Effect.gen(function* () {
      const lines = emitted([message(1), message(2), message(3)])
      const [other] = emitted([message(1)], [unit], id("other source"))
      const [first, second, third] = lines
      const found = yield* verdictsOf(second!, first!, third!, other!, second!, first!, third!)
      const out = "pair out of order"
      assert.deepStrictEqual(found, [out, undefined, out, undefined, undefined, "repeat", undefined])
    }),
  )

  it.effect("is named: a number that another message of the pair has", () =>
    Effect.gen(function* () {
      const [first, second] = emitted([message(1), message(2)])
      const [, , fork] = emitted([message(3), message(2), message(1)])
      assert.deepStrictEqual(yield* verdictsOf(first!, fork!, second!), [
        undefined,
        "source forked",
        undefined,
      ])
    }),
  )

  it.effect("is named: a void and what it stands for, whichever comes second; the number is taken once", () =>
    Effect.gen(function* () {
      const [first, second] = emitted([message(1), message(2)])
      const [empty] = emitted([voidOf(first!.item, 1)])
      const after = yield* followed(empty!, first!, second!)
      assert.deepStrictEqual(verdicts(after), [undefined, "repeat", undefined])
      assert.deepStrictEqual(
        after.map(({ entry }) => [entry.pair, entry.void]),
        [
          [1, "given up"],
          [1, undefined],
          [2, undefined],
        ],
      )
      const before = yield* followed(first!, empty!, second!)
      assert.deepStrictEqual(verdicts(before), [undefined, "repeat", undefined])
      assert.deepStrictEqual(state(before.at(-1)!).pairs, new Map([[source, 2]]))
      const [unnamed, wrong] = emitted([{ ...message(1), kind: "void" }, voidOf(first!.item, 2)])
      const [believed] = emitted([voidOf(first!.item, 1)], [])
      assert.deepStrictEqual(yield* verdictsOf(unnamed!, wrong!, believed!, empty!), [
        "bad proof",
        "pair out of order",
        "not attested",
        undefined,
      ])
    }),
  )

  it.effect("is named: a drop by the owner that drops nothing; who else says it says something", () =>
    Effect.gen(function* () {
      const entry = (units = [unit], from = process) =>
        emitted([{ kind: "message", target: source, pair: 4, tags: [["Reference", "2"]] }], units, from)[0]!
      const good = entry()
      const drop = (of = good, by = ada) => ({
        item: sign(
          {
            target,
            tags: [
              ...Message.protocolTags("Message"),
              { name: "Action", value: "Drop" },
              ...Drop.tags(Result.getOrThrow(Item.decode(of.item)).id, "nobody is there"),
            ],
            data: Drop.data(of.item, of.proof),
          },
          "Drop",
          by,
        ).bytes,
      })
      const bad = [entry([]), entry([stranger]), entry([unit], source)].map((one) => drop(one))
      const examined = yield* followed(
        drop(),
        ...bad,
        drop(good, Caller.caller("eve")),
        drop(entry([]), Caller.caller("eve")),
      )
      const named = "bad drop"
      assert.deepStrictEqual(verdicts(examined), [undefined, named, named, named, undefined, undefined])
      assert.deepStrictEqual(
        examined.map((one) => one.entry.drop?.pair),
        [4, undefined, undefined, undefined, undefined, undefined],
      )
      assert.deepInclude(examined[0]!.entry.drop, {
        target: source,
        reference: "2",
        reason: "nobody is there",
      })
      assert.notProperty(examined[0]!.entry.drop, "attestors")
    }),
  )

  it.effect("is named: a timer early, never asked for, of another process, or for the second time", () =>
    Effect.gen(function* () {
      const timer: Emitted.Emission = { kind: "timer", target: process, due: 50_000 }
      const [own] = emitted([timer], [unit], process)
      const [forOther] = emitted([timer])
      const unasked = Result.getOrThrow(
        OutboxItem.make(
          { source: process, head: hash("no turn"), index: 0 },
          { target, tags: Message.protocolTags("Message"), data: Bytes.empty },
        ),
      )
      const found = yield* verdictsOf(
        { ...own!, timestamp: 49_999 },
        { item: unasked.bytes, timestamp: 49_999 },
        { item: unasked.bytes, proof: own!.proof, timestamp: 49_999 },
        { ...own!, timestamp: 50_000 },
        own!,
        forOther!,
      )
      assert.deepStrictEqual(found, [
        "timer early",
        "no proof",
        "bad proof",
        undefined,
        "repeat",
        "bad proof",
      ])
    }),
  )

  it.effect("is named: a cron message early or after a later one", () =>
    Effect.gen(function* () {
      const cron = (count: number, timestamp: number) => ({
        item: OutboxItem.cron(process, "10-seconds", count).bytes,
        timestamp,
      })
      const spawned = LogBook.timestamp0
      const found = yield* verdictsOf(
        cron(1, spawned + 9_999),
        cron(2, spawned + 20_000),
        cron(1, spawned + 20_000),
        { ...cron(3, spawned + 30_000), item: OutboxItem.cron(process, "9-seconds", 3).bytes },
        cron(3, spawned + 30_000),
      )
      assert.deepStrictEqual(found, ["timer early", undefined, "cron out of order", "no proof", undefined])
    }),
  )

  it.effect("is everything, where the spawn itself was not admitted", () =>
    Effect.gen(function* () {
      const forged = Bytes.copy(spawnItem.bytes)
      forged[forged.length - 1]! ^= 1
      const book = LogBook.make()
      book.write({ process, item: forged })
      book.write({ process, item: sign({ target }).bytes })
      assert.deepStrictEqual(verdicts(yield* follow(book.entries(process))), [
        "bad signature",
        "unknown process",
      ])
    }),
  )
})

/** A log with something of everything. */
const mixed = () => {
  const book = begun()
  const anchor = hash("mixed")
  const lines = emitted([message(1), message(2)])
  const write = (...lines: ReadonlyArray<Omit<LogBook.Line, "process">>) =>
    book.write(...lines.map((line) => ({ process, ...line })))
  write({ item: sign({ target, anchor }).bytes }, lines[1]!)
  write(lines[0]!, { item: sign({ target, anchor }, "Other").bytes }, lines[1]!)
  write({ item: sign({ target, anchor }).bytes })
  write({ item: OutboxItem.cron(process, "10-seconds", 1).bytes, timestamp: 20_000 }, lines[1]!)
  write({ item: sign({ target }).bytes })
  return book.entries(process)
}

describe("a log", () => {
  it.effect("is read the same in whatever pieces it comes", () =>
    Effect.gen(function* () {
      const entries = mixed()
      const whole = yield* follow(entries)
      assert.deepStrictEqual(verdicts(whole), [
        undefined,
        undefined,
        "pair out of order",
        undefined,
        "anchor reused",
        undefined,
        "repeat",
        undefined,
        "repeat",
        undefined,
      ])
      for (const runs of [entries.map(() => 1), [2, 8], [4, 3, 3], [9, 1]]) {
        const pieces = yield* follow(entries, runs)
        assert.deepStrictEqual(pieces.map(state), whole.map(state), runs.join())
        assert.deepStrictEqual(
          pieces.map(({ entry }) => entry),
          whole.map(({ entry }) => entry),
        )
      }
    }),
  )

  it.effect("gives with each slot what the metadata notes of it: pair and cron count", () =>
    Effect.gen(function* () {
      const noted = (yield* follow(mixed())).map(({ entry }) => [entry.pair, entry.cron?.count])
      assert.deepStrictEqual(noted.slice(2, 6), [
        [2, undefined],
        [1, undefined],
        [undefined, undefined],
        [2, undefined],
      ])
      assert.deepStrictEqual(noted[7], [undefined, 1])
    }),
  )

  it.effect("is gone over again from the verdicts kept, to the same states, without a signature", () =>
    Effect.gen(function* () {
      const entries = mixed()
      const examined = yield* follow(entries)
      let log = Admission.emptyLog
      for (const [i, entry] of entries.entries()) {
        const { inadmissible } = examined[i]!.entry
        const recalled = Follower.recall(process, log, entry, inadmissible)
        assert.deepStrictEqual(state(recalled), state(examined[i]!))
        if (inadmissible === undefined) assert.deepStrictEqual(recalled.entry, examined[i]!.entry)
        else assert.strictEqual(recalled.entry.inadmissible, inadmissible)
        log = recalled.log
      }
      assert.strictEqual(log.nextSlot, 10)
    }),
  )

  it.effect("gets no verdict from a verifier that is overloaded: the unit asks again", () =>
    Effect.gen(function* () {
      let asked = 0
      const busy: Verifier["Service"] = {
        verify: (...args) => verifier.verify(...args),
        verifyItem: (item) =>
          Effect.suspend(() =>
            ++asked === 2
              ? Effect.fail(new Overloaded({ reason: "queue full", waitingMax: 1 }))
              : verifier.verifyItem(item),
          ),
      }
      const entries = mixed()
      const refused = yield* Effect.flip(follow(entries, undefined, busy))
      assert.strictEqual(refused.reason, "overloaded")
      assert.strictEqual(verdicts(yield* follow(entries, undefined, busy)).filter(Boolean).length, 4)
    }),
  )
})

/** Slot and words of the fault that following a log ends with. */
const chainFault = (entries: ReadonlyArray<LogEntry>) =>
  follow(entries).pipe(
    Effect.as("the chain holds"),
    Effect.catchDefect((defect) =>
      Effect.succeed(
        defect instanceof Follower.ChainBroken ? `${defect.slot} | ${defect.message}` : String(defect),
      ),
    ),
  )

describe("a chain that does not hold", () => {
  const broken = Effect.fnUntraced(function* (
    bend: LogBook.Line["bend"],
    change?: (entry: LogEntry) => LogEntry,
  ) {
    const book = begun()
    book.write({ process, item: sign({ target }).bytes })
    book.write({ process, item: sign({ target }).bytes, ...(bend === undefined ? {} : { bend }) })
    book.write({ process, item: sign({ target }).bytes })
    const entries = book.entries(process).map((entry, slot) => (slot === 2 && change ? change(entry) : entry))
    return yield* chainFault(entries)
  })
  const faults: Readonly<Record<string, (assignment: Assignment.Assignment) => Assignment.Assignment>> = {
    "2 | slot 2: it belongs to process": (of) => ({ ...of, process: id("other") }),
    "2 | slot 2: term 1 follows term 0": (of) => Assignment.make({ ...of, term: 1 }),
    "3 | slot 3: slot 2 is missing": (of) => ({ ...of, slot: 3 }),
    "1 | slot 1: slot 2 is missing": (of) => ({ ...of, slot: 1 }),
    "2 | slot 2: it does not follow the head before it": (of) => ({ ...of, previous: hash("other") }),
    "2 | slot 2: the item or its proof is not the one that was assigned": (of) => ({
      ...of,
      entryHash: hash("other"),
    }),
    "2 | slot 2: its head does not follow from it": (of) => ({ ...of, head: hash("other") }),
  }
  for (const [words, bend] of Object.entries(faults))
    it.effect(`is named by its slot: ${words}`, () =>
      Effect.map(broken(bend), (found) => assert.isTrue(found.startsWith(words), found)),
    )

  it.effect("is named by its slot: a timestamp that goes back, however well it is signed", () =>
    Effect.gen(function* () {
      const book = begun()
      book.write({ process, item: sign({ target }).bytes, timestamp: LogBook.timestamp0 - 1 })
      assert.strictEqual(
        yield* chainFault(book.entries(process)),
        "1 | slot 1: its timestamp is before the one before it",
      )
    }),
  )

  it.effect("is named by its first fault, though what comes after is no item at all", () =>
    Effect.gen(function* () {
      const book = begun()
      const bend = (of: Assignment.Assignment) => Assignment.make({ ...of, term: 1 })
      book.write({ process, item: sign({ target }).bytes, bend }, { process, item: Uint8Array.of(1, 2, 3) })
      assert.strictEqual(yield* chainFault(book.entries(process)), "1 | slot 1: term 1 follows term 0")
    }),
  )

  it.effect("is named by its slot: another proof, a byte of the item, an item that is none", () =>
    Effect.gen(function* () {
      const assigned = "2 | slot 2: the item or its proof is not the one that was assigned"
      const flip = (bytes: Uint8Array) => {
        const copy = Bytes.copy(bytes)
        copy[copy.length - 1]! ^= 1
        return copy
      }
      assert.strictEqual(yield* broken(undefined, (of) => ({ ...of, item: flip(of.item) })), assigned)
      assert.strictEqual(yield* broken(undefined, (of) => ({ ...of, proof: Uint8Array.of(1) })), assigned)
      const book = begun()
      book.write({ process, item: Uint8Array.of(1, 2, 3) })
      assert.match(yield* chainFault(book.entries(process)), /^1 \| slot 1: item refused, /)
    }),
  )
})

describe("an assigned item in a log", () => {
  const eve = Caller.caller("eve")
  const tagged = (tags: SignedItem.Fields["tags"], data: Uint8Array, by = eve) =>
    Effect.runSync(
      Effect.orDie(
        SignedItem.sign(by.signer, { target, tags: [...Message.protocolTags("Message"), ...tags], data }),
      ),
    )
  const assign = (of: Item.Item, by = eve) => tagged([{ name: "Assign", value: of.id }], of.bytes, by)
  const bend = (of: Item.Item): Item.Item => {
    const bytes = Bytes.copy(of.bytes)
    bytes[bytes.length - 1]! ^= 1
    return Result.getOrThrow(Item.decode(bytes))
  }
  const anyone = sign({ target: undefined }, "Anyone")
  const here = sign({ target }, "Here")
  const elsewhere = sign({ target: hash("elsewhere") }, "Elsewhere")

  /** Each line with the verdict that it comes to. */
  const lines: ReadonlyArray<readonly [Item.Item, string | undefined]> = [
    [assign(anyone), undefined],
    [assign(anyone), "repeat"],
    [assign(anyone, ada), "repeat"],
    [here, undefined],
    [assign(here), "repeat"],
    [assign(elsewhere), "not assignable"],
    [assign(bend(sign({ target }, "Forged"))), "bad assigned item"],
    [bend(assign(sign({ target }, "Carried"))), "bad signature"],
    [tagged([{ name: "Assign", value: here.id }], Bytes.fromText("no item")), "bad assigned item"],
    [tagged([{ name: "Assign", value: here.id }], anyone.bytes), "bad assigned item"],
    [assign(assign(sign({ target }, "Nested"))), "bad assigned item"],
  ]
  const book = begun()
  for (const [item] of lines) book.write({ process, item: item.bytes })
  const entries = book.entries(process)

  it.effect("is admitted, or refused by name, however the log is split", () =>
    Effect.gen(function* () {
      for (const runs of [[entries.length], entries.map(() => 1), [3, entries.length - 3]]) {
        const found = verdicts(yield* follow(entries, runs)).slice(1)
        assert.deepStrictEqual(
          found,
          lines.map(([, verdict]) => verdict),
        )
      }
    }),
  )

  it.effect("is not believed for the good signature of who assigned it, nor the other way round", () =>
    Effect.gen(function* () {
      const good = assign(sign({ target }, "Twice signed"))
      const bytes = Bytes.copy(good.bytes)
      bytes[100]! ^= 1 // in the signature of who assigns
      const found = yield* verdictsOf({ item: bytes }, { item: good.bytes })
      assert.deepStrictEqual(found, ["bad signature", undefined])
    }),
  )

  it.effect("is gone over again, with the verdicts kept, to the same", () =>
    Effect.gen(function* () {
      const examined = yield* follow(entries)
      let log = Admission.emptyLog
      for (const [i, entry] of entries.entries()) {
        const recalled = Follower.recall(process, log, entry, examined[i]!.entry.inadmissible)
        assert.deepStrictEqual(state(recalled), state(examined[i]!))
        log = recalled.log
      }
      assert.strictEqual(log.nextSlot, lines.length + 1)
    }),
  )

  it.effect("that was refused can come again, and then is no repeat", () =>
    Effect.gen(function* () {
      const item = sign({ target }, "Late")
      const broken = bend(item)
      assert.strictEqual(broken.id, item.id)
      const found = yield* verdictsOf({ item: assign(broken).bytes }, { item: assign(item).bytes })
      assert.deepStrictEqual(found, ["bad assigned item", undefined])
    }),
  )

  it.effect("asks again where a verifier has no room for its own signature", () =>
    Effect.gen(function* () {
      const busy: Verifier["Service"] = {
        verify: (...args) => verifier.verify(...args),
        verifyItem: (item) =>
          item.id === anyone.id
            ? Effect.fail(new Overloaded({ reason: "queue full", waitingMax: 1 }))
            : verifier.verifyItem(item),
      }
      assert.strictEqual((yield* Effect.flip(follow(entries, undefined, busy))).reason, "overloaded")
    }),
  )
})
