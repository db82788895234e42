import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Audit from "../../compute-unit/Audit.ts"
import type { LogSource } from "../../compute-unit/LogSource.ts"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Overloaded, type Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import type * as Attestation from "../../runtime/Attestation.ts"
import type * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import type * as Outcome from "../../runtime/Outcome.ts"
import type { LogEntry } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as LogBook from "../support/LogBook.ts"
import * as Recording from "./Recording.ts"
import { at, flip, sourceOf } from "./Recording.ts"
import * as SmallNode from "../support/SmallNode.ts"
import { hash, id } from "../support/Unsigned.ts"

const ada = Caller.caller("ada")
const source = Bytes.fromText(`
  let n = 0
  heddle.on("Add", (m) => { heddle.publish("n", ++n); return { n, at: m.timestamp } })
  heddle.on("Fail", () => { throw new Error("no") })
  heddle.on("Emit", (m) => { heddle.send(m.tags.To, { action: "Add", data: "emitted" }); return n })`)
const module = Module.id(source)

/**
 * Slots 0 to 8 of a process, in batches that end at 0, 2, 5, 6, 7 and 8. Slot 2 fails, slot 4 is a message of another
 * process with its proof, slot 5 is inadmissible for its signature, slot 7 for its proof.
 */
const recorded = Effect.gen(function* () {
  const book = LogBook.make()
  const seams = SmallNode.seams()
  yield* Effect.orDie(seams.store.commit([Module.put(source)]))
  const unit = yield* SmallNode.compute(book.service, seams)
  const spawn = Effect.fnUntraced(function* () {
    const item = yield* Effect.promise(() => ada.spawn(module, book.service.address))
    book.write({ process: item.id, item: item.bytes })
    return item.id
  })
  const [process, emitter] = [yield* spawn(), yield* spawn()]
  const line = (of: Id.ProcessId, action: string, tags = {}) =>
    Effect.map(
      Effect.promise(() => ada.message(of, action, tags, "data")),
      ({ bytes }): LogBook.Line => ({ process: of, item: bytes }),
    )
  book.write(yield* line(emitter, "Emit", { To: process }), yield* line(emitter, "Emit", { To: process }))
  const released = yield* Stream.runHead(Stream.filter(unit.releases(0), ({ emitted }) => emitted.length > 0))
  const [first, second] = released._tag === "Some" ? released.value.emitted : []
  const forged = Bytes.copy((yield* line(process, "Add")).item)
  forged[50]! ^= 1
  const unattested = Bytes.copy(second!.proof)
  unattested[unattested.length - 1]! ^= 1

  book.write(yield* line(process, "Add"), yield* line(process, "Fail"))
  book.write(
    yield* line(process, "Add"),
    { process, item: first!.entry.item, proof: first!.proof },
    { process, item: forged },
  )
  book.write(yield* line(process, "Emit", { To: emitter }))
  book.write({ process, item: second!.entry.item, proof: unattested })
  book.write(yield* line(process, "Add"))
  const modules = Recording.modulesOf(source)
  return {
    life: yield* Recording.record(book, unit, process, modules),
    other: yield* Recording.record(book, unit, emitter, modules),
  }
})

const { life, other } = await Effect.runPromise(Effect.scoped(recorded))
const verifier = VerifierLocal.make()

const replay = (of: Recording.Recording, sandbox = SandboxInline.make()) =>
  Audit.run(sourceOf(of), sandbox, life.process, undefined)
const verify = (of: Recording.Recording, by: Verifier["Service"] = verifier) =>
  Audit.run(sourceOf(of), SandboxInline.make(), life.process, { verifier: by })

const entry = (slot: number, change: (of: LogEntry) => Partial<LogEntry>): Recording.Recording => ({
  ...life,
  entries: at(life.entries, slot, (of) => ({ ...of, ...change(of) })),
})
const assignment = (slot: number, change: (of: Assignment.Assignment) => Partial<Assignment.Assignment>) =>
  entry(slot, (of) => ({ assignment: { ...of.assignment, ...change(of.assignment) } }))
const receipt = (
  slot: number,
  change: (of: Batch.Receipt) => Partial<Batch.Receipt>,
): Recording.Recording => ({
  ...life,
  receipts: at(life.receipts, slot, (of) => ({ ...of, ...change(of) })),
})
const link = (slot: number, change: (of: Batch.SignedLink) => Partial<Batch.SignedLink>) =>
  receipt(slot, (of) => ({ link: { ...of.link, ...change(of.link) } }))
const signed = (
  slot: number,
  change: (of: Attestation.SignedAttestation) => Partial<Attestation.SignedAttestation>,
) => {
  const attestations = new Map(life.attestations)
  const of = attestations.get(slot)!
  return { ...life, attestations: attestations.set(slot, { ...of, ...change(of) }) }
}
const attestation = (
  slot: number,
  change: (of: Attestation.Attestation) => Partial<Attestation.Attestation>,
) => signed(slot, (of) => ({ attestation: { ...of.attestation, ...change(of.attestation) } }))
const outcome = (
  slot: number,
  change: (of: Outcome.Outcome) => Partial<Outcome.Outcome>,
): Recording.Recording => ({
  ...life,
  turns: at(life.turns, slot, (of) => ({ ...of, outcome: { ...of.outcome, ...change(of.outcome) } })),
})

/** The log with another message in slot 3 and all heads after it made to fit, as only its scheduler could sign it. */
const rewritten = (): Recording.Recording => {
  let previous = life.entries[2]!.assignment.head
  const item = life.entries[1]!.item
  const entries = life.entries.map((of, slot) => {
    if (slot < 3) return of
    const swapped = slot === 3 ? { ...of, item: flip(item, 60) } : of
    const entryHash = Assignment.entryHash(swapped.item, swapped.proof)
    const assignment = Assignment.make({ ...of.assignment, previous, entryHash })
    previous = assignment.head
    return { ...swapped, assignment }
  })
  return { ...life, entries }
}

type What = `${Audit.Finding["what"]} ${number}`

/** What is wrong, and what a verification and a replay make of it. */
const faults: Readonly<
  Record<string, readonly [of: Recording.Recording, verify: What, replay: What | "nothing"]>
> = {
  "a byte of an item": [entry(3, ({ item }) => ({ item: flip(item) })), "chain 3", "chain 3"],
  "a byte of an item's signature": [entry(3, ({ item }) => ({ item: flip(item, 9) })), "chain 3", "chain 3"],
  "a byte of a proof": [entry(4, ({ proof }) => ({ proof: flip(proof) })), "chain 4", "chain 4"],
  "a proof that is gone": [entry(4, () => ({ proof: Bytes.empty })), "chain 4", "chain 4"],
  "a head": [assignment(3, ({ head }) => ({ head: flip(head) })), "chain 3", "chain 3"],
  "a previous head": [assignment(3, ({ previous }) => ({ previous: flip(previous) })), "chain 3", "chain 3"],
  "an entry hash": [assignment(3, ({ entryHash }) => ({ entryHash: flip(entryHash) })), "chain 3", "chain 3"],
  "a timestamp": [assignment(3, ({ timestamp }) => ({ timestamp: timestamp + 1 })), "chain 3", "chain 3"],
  "a slot": [assignment(3, () => ({ slot: 4 })), "chain 4", "chain 4"],
  "a term": [assignment(3, () => ({ term: 1 })), "chain 3", "chain 3"],
  "a process": [assignment(3, () => ({ process: id("other") })), "chain 3", "chain 3"],
  "the log's end, written anew": [rewritten(), "receipt 3", "outcome 3"],

  "a receipt's head": [
    receipt(3, (of) => ({ assignment: { ...of.assignment, head: flip(of.assignment.head) } })),
    "receipt 3",
    "nothing",
  ],
  "a receipt's timestamp": [
    receipt(3, (of) => ({ assignment: { ...of.assignment, timestamp: 1 } })),
    "receipt 3",
    "nothing",
  ],
  "a receipt's place": [receipt(3, () => ({ index: 1 })), "receipt 3", "nothing"],
  "a receipt's path": [
    receipt(3, ({ path }) => ({ path: at(path, 7, (one) => flip(one)) })),
    "receipt 3",
    "nothing",
  ],
  "a receipt of the slot after": [receipt(3, () => life.receipts[4]!), "receipt 3", "nothing"],
  "a receipt of another process": [receipt(3, () => other.receipts[2]!), "receipt 3", "nothing"],
  "a batch's root": [link(3, ({ root }) => ({ root: flip(root) })), "receipt 3", "nothing"],
  "a batch's number": [link(4, ({ number }) => ({ number: number + 1 })), "signature 4", "nothing"],
  "a batch's previous root": [
    link(4, ({ previousRoot }) => ({ previousRoot: flip(previousRoot) })),
    "signature 4",
    "nothing",
  ],
  "a batch's signature": [
    link(4, ({ signature }) => ({ signature: flip(signature, 99) })),
    "signature 4",
    "nothing",
  ],
  "a batch's signature type": [link(4, () => ({ signatureType: 1044 })), "signature 4", "nothing"],
  "a batch signed by another": [link(4, () => ({ owner: ada.identity.owner })), "receipt 4", "nothing"],

  "an outcome's fuel": [
    outcome(3, ({ fuelUsed }) => ({ fuelUsed: fuelUsed + 1n })),
    "outcome 3",
    "outcome 3",
  ],
  "an outcome's reply": [
    outcome(3, ({ message }) => ({ replies: [{ to: message, value: "7" }] })),
    "outcome 3",
    "outcome 3",
  ],
  "an outcome's view": [outcome(3, () => ({ views: [] })), "outcome 3", "outcome 3"],
  "an outcome's error": [
    outcome(2, () => ({ error: { reason: "threw", message: "yes" } })),
    "outcome 2",
    "outcome 2",
  ],
  "an outcome's outbox": [
    outcome(6, ({ outbox }) => ({ outbox: at(outbox, 0, (of) => ({ ...of, item: flip(of.item) })) })),
    "outcome 6",
    "outcome 6",
  ],
  "an outcome's pair number": [
    outcome(6, ({ outbox }) => ({ outbox: at(outbox, 0, (of) => ({ ...of, pair: 2 })) })),
    "outcome 6",
    "outcome 6",
  ],
  "a good message called inadmissible": [
    outcome(3, () => ({ error: { reason: "inadmissible", message: "bad signature" } })),
    "outcome 3",
    "outcome 3",
  ],
  "a forged message called good": [outcome(5, () => ({ error: undefined })), "outcome 5", "outcome 5"],
  "a turn that is gone": [{ ...life, turns: life.turns.toSpliced(3, 1) }, "outcome 3", "outcome 3"],
  "the last turn gone": [{ ...life, turns: life.turns.slice(0, 8) }, "outcome 8", "outcome 8"],
  "all turns gone": [{ ...life, turns: [] }, "outcome 0", "outcome 0"],
  "the last entry gone": [{ ...life, entries: life.entries.slice(0, 8) }, "outcome 8", "outcome 8"],
  "an entry gone": [{ ...life, entries: life.entries.toSpliced(3, 1) }, "chain 4", "chain 4"],

  "a state root at the end": [
    attestation(8, ({ to }) => ({ to: { ...to, stateRoot: flip(to.stateRoot) } })),
    "state root 8",
    "state root 8",
  ],
  "a state root on the way": [
    attestation(5, ({ to }) => ({ to: { ...to, stateRoot: flip(to.stateRoot) } })),
    "state root 5",
    "nothing",
  ],
  "an outcome root": [
    attestation(5, ({ outcomeRoot }) => ({ outcomeRoot: flip(outcomeRoot) })),
    "outcome 5",
    "nothing",
  ],
  "another head attested": [
    attestation(5, ({ to }) => ({ to: { ...to, head: flip(to.head) } })),
    "attestation 5",
    "nothing",
  ],
  "another beginning attested": [
    attestation(5, ({ from }) => ({ from: { ...from, stateRoot: flip(from.stateRoot) } })),
    "attestation 5",
    "nothing",
  ],
  "another term attested": [attestation(5, () => ({ term: 1 })), "attestation 5", "nothing"],
  "an attestation of another process": [
    attestation(5, () => ({ process: other.process })),
    "attestation 5",
    "nothing",
  ],
  "an attestation that covers nothing": [
    attestation(5, ({ to }) => ({ to: { ...to, slot: 2 } })),
    "attestation 3",
    "nothing",
  ],
  "an attestation that covers too much": [
    attestation(5, ({ to }) => ({ to: { ...to, slot: 1_003 } })),
    "attestation 3",
    "nothing",
  ],
  "an attestation's signature": [
    signed(5, ({ signature }) => ({ signature: flip(signature, 99) })),
    "signature 5",
    "nothing",
  ],
  "an attestation's path": [
    signed(5, ({ path }) => ({ path: at(path, 7, (one) => flip(one)) })),
    "signature 5",
    "nothing",
  ],
  "an attestation's place": [signed(5, () => ({ index: 9 })), "signature 5", "nothing"],
  "an attestation signed by another": [
    signed(5, () => ({ owner: ada.identity.owner })),
    "attestation 5",
    "nothing",
  ],
  "an attestation that is gone": [
    { ...life, attestations: new Map([...life.attestations].filter(([to]) => to < 8)) },
    "attestation 8",
    "nothing",
  ],
  "all attestations gone": [{ ...life, attestations: new Map() }, "attestation 0", "nothing"],
  "another engine": [attestation(0, () => ({ engine: hash("engine") })), "engine 0", "engine 0"],
  "another engine on the way": [attestation(5, () => ({ engine: hash("engine") })), "engine 5", "nothing"],

  "another process's log": [{ ...life, entries: other.entries }, "chain 0", "chain 0"],
  "another process's turns": [{ ...life, turns: other.turns }, "outcome 0", "outcome 0"],
  "another process's attestations": [
    { ...life, attestations: other.attestations },
    "attestation 0",
    "nothing",
  ],
  "no log at all": [{ ...life, entries: [] }, "chain 0", "chain 0"],
  "no code": [{ ...life, modules: new Map() }, "module 0", "module 0"],
  "a byte of the code": [
    { ...life, modules: new Map([[module, Bytes.concat([source, Bytes.fromText(" ")])]]) },
    "module 0",
    "module 0",
  ],
}

const found = ({ finding }: Audit.Report) =>
  finding === undefined ? "nothing" : `${finding.what} ${finding.slot}`

describe("an audit", () => {
  it.effect("finds nothing in a log that is as it should be, and says what it went through", () =>
    Effect.gen(function* () {
      const reports = [yield* replay(life), yield* verify(life)]
      const { stateRoot } = life.attestations.get(8)!.attestation.to
      const fuelUsed = life.turns.reduce((sum, { outcome }) => sum + outcome.fuelUsed, 0n)
      for (const report of reports) {
        assert.deepInclude(report, {
          process: life.process,
          slots: 9,
          inadmissible: 2,
          fuelUsed,
          finding: undefined,
        })
        assert.deepStrictEqual(report.stateRoot, stateRoot)
      }
      const batches = new Set(life.entries.map(({ batch }) => batch)).size
      assert.deepStrictEqual(
        reports.map(({ signatures }) => signatures),
        [0, 9 + batches + life.attestations.size],
      )
      assert.strictEqual(
        found(yield* Audit.run(sourceOf(other), SandboxInline.make(), other.process, { verifier })),
        "nothing",
      )
    }),
  )

  for (const [name, [of, byVerify, byReplay]] of Object.entries(faults))
    it.effect(`names what does not fit and the first slot where: ${name}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual([found(yield* verify(of)), found(yield* replay(of))], [byVerify, byReplay])
      }),
    )

  // The attestation that ends at 5 covers slots 3 to 5, and all of the log is one piece of a replay.
  const pairs: Readonly<Record<string, readonly [of: Recording.Recording, verify: What, replay: What]>> = {
    "an outcome before a broken link": [
      { ...entry(5, ({ item }) => ({ item: flip(item) })), turns: outcome(3, () => ({ views: [] })).turns },
      "outcome 3",
      "outcome 3",
    ],
    "a broken link before an outcome": [
      { ...entry(3, ({ item }) => ({ item: flip(item) })), turns: outcome(5, () => ({ views: [] })).turns },
      "chain 3",
      "chain 3",
    ],
    "a broken link at the slot of an outcome": [
      { ...entry(4, ({ item }) => ({ item: flip(item) })), turns: outcome(4, () => ({ views: [] })).turns },
      "chain 4",
      "chain 4",
    ],
    "an outcome before a receipt": [
      { ...outcome(3, () => ({ views: [] })), receipts: receipt(4, () => ({ index: 1 })).receipts },
      "outcome 3",
      "outcome 3",
    ],
    "a receipt before an outcome": [
      { ...outcome(4, () => ({ replies: [] })), receipts: receipt(3, () => ({ index: 1 })).receipts },
      "receipt 3",
      "outcome 4",
    ],
    "two receipts before an outcome": [
      {
        ...outcome(5, () => ({ replies: [{ to: life.process, value: "1" }] })),
        receipts: at(receipt(3, () => ({ index: 1 })).receipts, 4, () => life.receipts[0]!),
      },
      "receipt 3",
      "outcome 5",
    ],
    "a receipt before a broken link": [
      {
        ...entry(5, ({ item }) => ({ item: flip(item) })),
        receipts: receipt(4, () => ({ index: 0 })).receipts,
      },
      "receipt 4",
      "chain 5",
    ],
    "a broken link before an attestation": [
      {
        ...entry(5, ({ item }) => ({ item: flip(item) })),
        attestations: attestation(5, () => ({ outcomeRoot: hash("other") })).attestations,
      },
      "chain 5",
      "chain 5",
    ],
    "an outcome before a turn that is gone": [
      { ...life, turns: outcome(6, () => ({ outbox: [] })).turns.slice(0, 8) },
      "outcome 6",
      "outcome 6",
    ],
  }

  for (const [name, [of, byVerify, byReplay]] of Object.entries(pairs))
    it.effect(`names the first of two that do not fit: ${name}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(found(yield* verify(of)), byVerify)
        assert.strictEqual(found(yield* replay(of)), byReplay)
      }),
    )

  it.effect("takes the trace for what it is: words for the author, not part of what is recomputed", () =>
    Effect.gen(function* () {
      const trace = { console: [["log", "never said"]] as const, stack: "none" }
      const of = { ...life, turns: at(life.turns, 3, (turn) => ({ ...turn, trace })) }
      assert.deepStrictEqual([found(yield* verify(of)), found(yield* replay(of))], ["nothing", "nothing"])
    }),
  )

  it.effect("stops without a finding where slots are assigned that nobody has computed yet", () =>
    Effect.gen(function* () {
      const attestations = new Map([...life.attestations].filter(([to]) => to <= 5))
      const of = { ...life, attestations, turns: life.turns.slice(0, 6) }
      for (const report of [yield* verify(of), yield* replay(of)])
        assert.deepInclude(report, { slots: 6, finding: undefined })
    }),
  )

  it.effect("names the first slot whose root differs, where a sandbox computes otherwise from there on", () =>
    Effect.gen(function* () {
      const inner = SandboxInline.make()
      const drifting: Sandbox["Service"] = {
        ...inner,
        run: (process, entries) =>
          Effect.map(inner.run(process, entries), (evaluated) =>
            evaluated.map((one) =>
              one.outcome.slot >= 3 && one.stateRoot ? { ...one, stateRoot: hash("drift") } : one,
            ),
          ),
      }
      const report = yield* replay(life, drifting)
      assert.strictEqual(found(report), "state root 5")
      assert.strictEqual(report.slots, 9)
    }),
  )

  it.effect("reads on where a source gives short pages, and asks for no slot twice", () =>
    Effect.gen(function* () {
      for (const pageMax of [1, 2, 4]) {
        let asked = 0
        const of = sourceOf(life, pageMax)
        const counting: LogSource<string> = {
          ...of,
          turns: (...args) =>
            Effect.tap(of.turns(...args), (page) => Effect.sync(() => (asked += page.length))),
        }
        for (const checks of [undefined, { verifier }]) {
          asked = 0
          const report = yield* Audit.run(counting, SandboxInline.make(), life.process, checks)
          assert.deepInclude(report, { slots: 9, finding: undefined })
          assert.strictEqual(asked, 9)
        }
      }
    }),
  )

  it.effect("tells how far it is, and leaves nothing open in the sandbox", () =>
    Effect.gen(function* () {
      const [sandbox, heard] = [SandboxInline.make(), [] as Array<number>]
      yield* Audit.run(sourceOf(life), sandbox, life.process, { verifier }, (slots) => heard.push(slots))
      assert.deepStrictEqual(heard, [1, 3, 6, 7, 8, 9])
      const gone = yield* Effect.flip(sandbox.run(life.process, []))
      assert.strictEqual(gone._tag, "SandboxLost")
    }),
  )

  it.effect("reads and examines the next piece while the sandbox runs the one before", () =>
    Effect.gen(function* () {
      const [inner, source] = [SandboxInline.make(), sourceOf(life)]
      const running = Deferred.makeUnsafe<void>()
      const asked: Array<number> = []
      const gated: Sandbox["Service"] = {
        ...inner,
        run: (process, entries) =>
          Effect.andThen(
            entries[0]?.slot === 1 ? Deferred.await(running) : Effect.void,
            inner.run(process, entries),
          ),
      }
      const watched: LogSource<string> = {
        ...source,
        receipt: (process, slot) =>
          Effect.tap(source.receipt(process, slot), () => Effect.sync(() => asked.push(slot))),
      }
      const run = yield* Effect.forkChild(Audit.run(watched, gated, life.process, { verifier }))
      // The run of slots 1 and 2 has not ended, and slots 3 to 5 are examined; no more than those.
      yield* SmallNode.until(
        "the next piece is examined",
        Effect.sync(() => asked.includes(5)),
      )
      for (let i = 0; i < 100; i++) yield* Effect.yieldNow
      assert.deepStrictEqual(asked, [0, 1, 2, 3, 4, 5])
      yield* Deferred.succeed(running, undefined)
      assert.strictEqual(found(yield* Fiber.join(run)), "nothing")
    }),
  )

  it.effect("names what does not fit in a piece, though the next can't even be read", () =>
    Effect.gen(function* () {
      const of = {
        ...outcome(2, () => ({ views: [{ name: "n", value: "9" }] })),
        receipts: life.receipts.slice(0, 3),
      }
      assert.strictEqual(found(yield* verify(of)), "outcome 2")
      assert.strictEqual(yield* Effect.flip(verify({ ...of, turns: life.turns })), "no receipt of 3")
    }),
  )

  it.effect("fails where its source fails or its verifier is overloaded: that is no finding", () =>
    Effect.gen(function* () {
      const noReceipts = { ...life, receipts: [] }
      assert.strictEqual(yield* Effect.flip(verify(noReceipts)), "no receipt of 0")
      const busy: Verifier["Service"] = {
        ...verifier,
        verifyItem: () => Effect.fail(new Overloaded({ reason: "queue full", waitingMax: 1 })),
      }
      const refused = yield* Effect.flip(verify(life, busy))
      assert.isTrue(typeof refused !== "string" && refused.reason === "overloaded")
    }),
  )
})
