import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Audit from "../../compute-unit/Audit.ts"
import type { LogSource } from "../../compute-unit/LogSource.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Snapshot from "../../compute-unit/Snapshot.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import type * as Attestation from "../../runtime/Attestation.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Drop from "../../runtime/Drop.ts"
import * as Item from "../../runtime/Item.ts"
import * as Module from "../../runtime/Module.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SmallNode from "../support/SmallNode.ts"
import { hash, id } from "../support/Unsigned.ts"
import * as Lives from "./Lives.ts"
import * as Recording from "./Recording.ts"
import { at, flip, sourceOf } from "./Recording.ts"

const life = await Effect.runPromise(Effect.scoped(Lives.pinned))
const last = life.entries.length - 1
const verifier = VerifierLocal.make()
const ways = ["verify", "replay"] as const

const audit = (
  of: Recording.Recording,
  start: Audit.Start | undefined,
  how: (typeof ways)[number] = "verify",
  onProgress?: (slots: number) => void,
  source: LogSource<string> = sourceOf(of),
) =>
  Audit.run(
    source,
    SandboxInline.make(),
    of.process,
    how === "verify" ? { verifier } : undefined,
    onProgress,
    start,
  )

const found = ({ finding }: Audit.Report) =>
  finding === undefined ? "nothing" : `${finding.what} ${finding.slot}`

const entry = (slot: number, change: (item: Uint8Array) => Uint8Array): Recording.Recording => ({
  ...life,
  entries: at(life.entries, slot, (of) => ({ ...of, item: change(of.item) })),
})

const snapshot = (slot: number, change: (bytes: Uint8Array) => Uint8Array): Recording.Recording => {
  const taken = life.snapshots.get(slot)!
  return {
    ...life,
    snapshots: new Map([...life.snapshots, [slot, { ...taken, bytes: change(taken.bytes) }]]),
  }
}

/** A snapshot that was read, changed and written again. */
const rewritten = (slot: number, change: (of: Snapshot.Snapshot) => Snapshot.Snapshot) =>
  snapshot(slot, (bytes) => Snapshot.encode(change(Result.getOrThrow(Snapshot.decode(bytes)))))

const metadata = (change: (of: Snapshot.Snapshot["metadata"]) => Partial<Snapshot.Snapshot["metadata"]>) =>
  rewritten(5, (of) => ({ ...of, metadata: { ...of.metadata, ...change(of.metadata) } }))

const memory = (change: (of: NonNullable<Snapshot.Snapshot["memory"]>) => Snapshot.Snapshot["memory"]) =>
  rewritten(5, (of) => ({ ...of, memory: change(of.memory!) }))

const attested = (slot: number, change: (of: Uint8Array) => Uint8Array): Recording.Recording => {
  const signed = life.attestations.get(slot)!
  return {
    ...life,
    attestations: new Map([...life.attestations, [slot, { ...signed, signature: change(signed.signature) }]]),
  }
}

/** What the attestation says that the snapshot is held against, where nobody looks at its signature. */
const said = (
  change: (of: Attestation.Attestation) => Partial<Attestation.Attestation>,
  of: Recording.Recording = life,
): Recording.Recording => {
  const signed = of.attestations.get(5)!
  const attestation = { ...signed.attestation, ...change(signed.attestation) }
  return { ...of, attestations: new Map([...of.attestations, [5, { ...signed, attestation }]]) }
}

/** The log with another item in slot 3 and all heads after it made to fit, as only its scheduler could sign it. */
const anew = (item: Uint8Array): Recording.Recording => {
  let previous = life.entries[2]!.assignment.head
  const entries = life.entries.map((of, slot) => {
    if (slot < 3) return of
    const swapped = slot === 3 ? { ...of, item } : of
    const entryHash = Assignment.entryHash(swapped.item, swapped.proof)
    const assignment = Assignment.make({ ...of.assignment, previous, entryHash })
    previous = assignment.head
    return { ...swapped, assignment }
  })
  return { ...life, entries }
}

describe("an audit from a snapshot", () => {
  it.effect("comes to the same end from every snapshot, with fewer turns run", () =>
    Effect.gen(function* () {
      const whole = yield* audit(life, undefined)
      assert.deepInclude(whole, { from: 0, slots: last + 1, finding: undefined })
      const fuel = life.turns.map(({ outcome }) => outcome.fuelUsed)
      for (const slot of life.snapshots.keys())
        for (const how of ways) {
          const report = yield* audit(life, slot, how)
          assert.deepInclude(report, {
            from: slot + 1,
            slots: last - slot,
            fuelUsed: fuel.slice(slot + 1).reduce((sum, one) => sum + one, 0n),
            finding: undefined,
          })
          assert.deepStrictEqual(new Uint8Array(report.stateRoot), new Uint8Array(whole.stateRoot))
        }
    }),
  )

  it.effect("counts what it verified: attestation, receipt and spawn, and everything after", () =>
    Effect.gen(function* () {
      const after = [...life.attestations.keys()].filter((slot) => slot > 5)
      const { signatures } = yield* audit(life, 5)
      // Item and batch of each slot after the snapshot, their attestations; batch, attestation and spawn before.
      assert.strictEqual(signatures, last - 5 + 2 * after.length + 3)
      assert.strictEqual((yield* audit(life, 5, "replay")).signatures, 0)
    }),
  )

  it.effect("takes the newest snapshot that is kept, and slot 0 where none is", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* audit(life, "newest")).from, last + 1)
      const source = sourceOf(life)
      const keeps = (kept: ReadonlyArray<number>): LogSource<string> => ({
        ...source,
        snapshots: (process) =>
          Effect.map(source.snapshots(process), (all) =>
            all.map((one) => ({ ...one, kept: kept.includes(one.slot) })),
          ),
      })
      for (const [kept, from] of [
        [[2, 5], 6],
        [[], 0],
      ] as const) {
        const report = yield* audit(life, "newest", "verify", undefined, keeps(kept))
        assert.deepInclude(report, { from, slots: last + 1 - from, finding: undefined })
      }
    }),
  )

  it.effect("tells how far it is, from the beginning of the log on", () =>
    Effect.gen(function* () {
      const heard: Array<number> = []
      yield* audit(life, 5, "verify", (slots) => heard.push(slots))
      assert.deepStrictEqual(heard, [6, 7, 10, 13])
    }),
  )

  const faults: Readonly<Record<string, readonly [Recording.Recording, string, RegExp]>> = {
    "a page": [
      memory(({ pages, ...rest }) => ({
        ...rest,
        pages: at(pages, 3, ([index, page]) => [index, flip(page, 1_234)] as const),
      })),
      "snapshot 5",
      /leads to state root [0-9a-f]{64}, and [0-9a-f]{64} is attested/,
    ],
    "a page less": [
      memory(({ pages, ...rest }) => ({ ...rest, pages: pages.slice(1) })),
      "snapshot 5",
      /leads to state root/,
    ],
    "a global": [
      memory(({ globals, ...rest }) => ({ ...rest, globals: flip(globals, 2) })),
      "snapshot 5",
      /leads to state root/,
    ],
    "more memory": [
      memory(({ wasmPages, ...rest }) => ({ ...rest, wasmPages: wasmPages + 1 })),
      "snapshot 5",
      /leads to state root/,
    ],
    "no memory": [memory(() => undefined), "snapshot 5", /state root|has no memory/],
    "a view": [metadata(() => ({ views: new Map([["n", "3"]]) })), "snapshot 5", /leads to state root/],
    "a timer": [
      metadata(({ timers }) => ({ timers: new Map([...timers].map(([key, due]) => [key, due + 1])) })),
      "snapshot 5",
      /leads to state root/,
    ],
    "a pair number": [
      metadata(() => ({ received: new Map([[id("other"), 1]]) })),
      "snapshot 5",
      /leads to state root/,
    ],
    "a count of cron": [
      metadata(() => ({ cron: new Map([["1-hour", 1]]) })),
      "snapshot 5",
      /leads to state root/,
    ],
    "whom it believes": [
      metadata(({ authority }) => ({ authority: { ...authority, units: [id("other")] } })),
      "snapshot 5",
      /leads to state root/,
    ],
    "the spawn": [metadata(() => ({ spawn: hash("other") })), "snapshot 5", /leads to state root/],
    "the term": [metadata(() => ({ term: 1 })), "snapshot 5", /leads to state root/],
    "the module": [metadata(() => ({ module: id("other") })), "snapshot 5", /what it runs is not there/],
    "the module, as another that is there": [
      metadata(() => ({ module: Module.id(Lives.nextProgram) })),
      "snapshot 5",
      /state root|less memory/,
    ],
    "the engine": [
      rewritten(5, (of) => ({ ...of, engine: SandboxInline.make().engine })),
      "snapshot 5",
      /is of engine/,
    ],
    "the slot": [rewritten(5, (of) => ({ ...of, slot: 2 })), "snapshot 5", /it is of slot 2/],
    "the process": [
      rewritten(5, (of) => ({ ...of, process: id("other") })),
      "snapshot 5",
      /it is of process/,
    ],
    "another slot's": [snapshot(5, () => life.snapshots.get(2)!.bytes), "snapshot 5", /it is of slot 2/],
    nothing: [snapshot(5, () => Bytes.empty), "snapshot 5", /decompressed/],
    "its end gone": [snapshot(5, (bytes) => bytes.slice(0, -9)), "snapshot 5", /decompressed|ends early/],
    none: [
      { ...life, snapshots: new Map([...life.snapshots].filter(([slot]) => slot !== 5)) },
      "snapshot 5",
      /not to be had/,
    ],
    "a byte of an item before it": [entry(3, flip), "chain 3", /is not the one that was assigned/],
    "an entry before it that is gone": [
      { ...life, entries: life.entries.toSpliced(2, 1) },
      "chain 3",
      /slot 2 is missing/,
    ],
    "the spawn's item": [entry(0, (item) => flip(item)), "chain 0", /./],
    "a byte of an item after it": [entry(8, flip), "chain 8", /./],
    "an outcome after it": [
      {
        ...life,
        turns: at(life.turns, 8, ({ outcome, trace }) => ({
          trace,
          outcome: { ...outcome, fuelUsed: outcome.fuelUsed + 1n },
        })),
      },
      "outcome 8",
      /^fuel: recorded \d+, computed \d+$/,
    ],
    "a bit of the engine": [
      { ...life, engines: new Map([...life.engines].map(([key, bytes]) => [key, flip(bytes, 5_000)])) },
      "engine 5",
      /the bytes are those of engine/,
    ],
    "no engine": [{ ...life, engines: new Map() }, "engine 5", /not to be had/],
    "the attestation's signature": [attested(5, (bytes) => flip(bytes, 99)), "signature 5", /not good/],
  }

  for (const [name, [of, what, detail]] of Object.entries(faults))
    it.effect(`names what was changed: ${name}`, () =>
      Effect.gen(function* () {
        // A replay takes signatures as good.
        for (const how of what.startsWith("signature") ? (["verify"] as const) : ways) {
          const report = yield* audit(of, 5, how)
          assert.strictEqual(found(report), what)
          assert.match(report.finding!.detail, detail)
        }
      }),
    )

  const claims: Readonly<Record<string, readonly [Recording.Recording, string]>> = {
    "another process": [said(() => ({ process: id("other") })), "attestation 5"],
    "another term": [said(() => ({ term: 1 })), "attestation 5"],
    "another head": [said(({ to }) => ({ to: { ...to, head: hash("other") } })), "attestation 5"],
    "another state root": [said(({ to }) => ({ to: { ...to, stateRoot: hash("other") } })), "snapshot 5"],
    "another engine": [said(() => ({ engine: hash("other") })), "snapshot 5"],
    "the head of another log": [anew(life.entries[1]!.item), "attestation 5"],
    "the head of a log with what is no message": [anew(Bytes.fromText("nothing")), "chain 3"],
  }

  for (const [name, [of, what]] of Object.entries(claims))
    it.effect(`holds the log and the snapshot against what is attested: ${name}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(found(yield* audit(of, 5, "replay")), what)
      }),
    )

  it.effect("goes on from the time of its slot: a time before that is a broken chain", () =>
    Effect.gen(function* () {
      const entries = at(life.entries, 6, (of) => ({
        ...of,
        assignment: Assignment.make({ ...of.assignment, timestamp: life.entries[4]!.assignment.timestamp }),
      }))
      const { finding } = yield* audit({ ...life, entries }, 5)
      assert.deepInclude(finding, { slot: 6, what: "chain" })
      assert.match(finding!.detail, /timestamp/)
    }),
  )

  it.effect("finds every bit that was changed in its compressed bytes, unless they say the same", () =>
    Effect.gen(function* () {
      const { bytes } = life.snapshots.get(5)!
      const good = Bytes.toHex(Snapshot.encode(Result.getOrThrow(Snapshot.decode(bytes))))
      let refused = 0
      for (let place = 0; place < bytes.length; place += 2_500) {
        const of = snapshot(5, () => flip(bytes, place))
        const decoded = Snapshot.decode(of.snapshots.get(5)!.bytes)
        const same = Result.isSuccess(decoded) && Bytes.toHex(Snapshot.encode(decoded.success)) === good
        assert.strictEqual(found(yield* audit(of, 5, "replay")), same ? "nothing" : "snapshot 5")
        if (!same) refused++
      }
      assert.isAbove(refused, 20)
    }),
  )

  it.effect("starts only where an attestation ends", () =>
    Effect.gen(function* () {
      const of: Recording.Recording = yield* Recording.withSnapshots(life, [4])
      assert.deepInclude((yield* audit(of, 4)).finding, {
        slot: 4,
        what: "snapshot",
        detail: "no attestation ends at its slot",
      })
    }),
  )

  it.effect("leaves nothing that it refused open in the sandbox", () =>
    Effect.gen(function* () {
      const sandbox = SandboxInline.make()
      const of = memory(() => undefined)
      yield* Audit.run(sourceOf(of), sandbox, life.process, { verifier }, undefined, 5)
      const gone = yield* Effect.flip(sandbox.run(life.process, []))
      assert.strictEqual(gone._tag, "SandboxLost")
    }),
  )
})

describe("a log that goes over to another program", () => {
  const runs = [undefined, 5] as const

  it.effect("is fit only where that program is to be had, and what comes before it is run first", () =>
    Effect.gen(function* () {
      const modules = (code: Uint8Array | undefined): Recording.Recording => {
        const others = [...life.modules].filter(([module]) => module !== Module.id(Lives.nextProgram))
        return {
          ...life,
          modules: new Map(code === undefined ? others : [...others, [Module.id(Lives.nextProgram), code]]),
        }
      }
      for (const of of [modules(undefined), modules(flip(Lives.nextProgram))])
        for (const start of runs)
          for (const how of ways) assert.strictEqual(found(yield* audit(of, start, how)), "module 6")
    }),
  )

  it.effect("names an outcome before it that differs, though the program is not to be had either", () =>
    Effect.gen(function* () {
      const of: Recording.Recording = {
        ...life,
        modules: Recording.modulesOf(Lives.program),
        turns: at(life.turns, 3, ({ outcome, trace }) => ({ trace, outcome: { ...outcome, views: [] } })),
      }
      const report = yield* audit(of, undefined, "replay")
      assert.deepStrictEqual(report.finding, {
        slot: 3,
        what: "outcome",
        detail: 'view "n": recorded nothing, computed 2',
      })
    }),
  )

  it.effect("says so where the source has another engine under the id, or none", () =>
    Effect.gen(function* () {
      const flipped = new Map([...life.engines].map(([key, bytes]) => [key, flip(bytes)]))
      for (const engines of [new Map(), flipped])
        assert.strictEqual(found(yield* audit({ ...life, engines }, undefined)), "engine 0")
    }),
  )
})

/** A process whose log is written by hand. */
const written = Effect.fnUntraced(function* (tags: Record<string, string>) {
  const book = LogBook.make()
  const seams = SmallNode.seams()
  yield* Effect.orDie(seams.store.commit([Module.put(Lives.program)]))
  const unit = yield* SmallNode.compute(book.service, seams)
  const spawn = yield* Effect.promise(() =>
    Lives.ada.spawn(Module.id(Lives.program), book.service.address, tags),
  )
  const process = spawn.id
  book.write({ process, item: spawn.bytes })
  const recorded = Effect.flatMap(
    Effect.suspend(() => Recording.record(book, unit, process, Recording.modulesOf(Lives.program))),
    (of) => Recording.withSnapshots(of),
  )
  const line = (item: Uint8Array): LogBook.Line => ({ process, item })
  return { book, unit, process, recorded, line }
})

const reasons = (of: Recording.Recording) => of.turns.map(({ outcome }) => outcome.error?.message)

describe("a repeat of what was said before the snapshot", () => {
  /** In batches that end at 0, 3, 5 and 9: before the snapshot of 5 two signatures are bad and one message is a repeat. */
  const repeating = Effect.gen(function* () {
    const { book, process, recorded, line } = yield* written({})
    const said = (by: string) => Effect.promise(() => Lives.ada.message(process, "Add", { By: by }))
    const [a, b, c] = [yield* said("1"), yield* said("10"), yield* said("100")].map(({ bytes }) => bytes)
    const forged = (item: Uint8Array | undefined) => line(flip(item!, 50))
    book.write(forged(a), forged(b), line(a!))
    book.write(line(c!), line(c!))
    book.write(line(a!), line(b!), line(c!), line(b!))
    return yield* recorded
  })

  it.effect(
    "is one, and what was refused there is none: the verdicts are those of a verification from slot 0",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const of = yield* repeating
          assert.deepStrictEqual(reasons(of), [
            undefined,
            "bad signature",
            "bad signature",
            undefined,
            undefined,
            "repeat",
            "repeat",
            undefined,
            "repeat",
            "repeat",
          ])
          for (const how of ways)
            assert.deepInclude(yield* audit(of, 5, how), {
              from: 6,
              slots: 4,
              inadmissible: 3,
              finding: undefined,
            })
        }),
      ),
  )

  it.effect("is one where it was assigned before, or is assigned now", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { book, process, recorded, line } = yield* written({})
        const say = (action: string, tags: Record<string, string>, data?: Uint8Array) =>
          Effect.promise(() => Lives.ada.message(process, action, tags, data))
        const [a, b] = [yield* say("Add", { By: "1" }), yield* say("Add", { By: "10" })]
        const assign = (of: typeof a) =>
          Effect.map(say("Bring", { Assign: of.id }, of.bytes), (item) => line(item.bytes))
        book.write(line(a.bytes), yield* assign(b))
        book.write(yield* assign(a), line(b.bytes), yield* assign(b))
        const of = yield* recorded
        assert.deepStrictEqual(reasons(of), [undefined, undefined, undefined, "repeat", "repeat", "repeat"])
        for (const how of ways)
          for (const start of [2, undefined])
            assert.deepInclude(yield* audit(of, start, how), { inadmissible: 3, finding: undefined })
      }),
    ),
  )

  it.effect("believes of a slot before the snapshot that it was refused only what is attested", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const of = yield* repeating
        const error = { reason: "inadmissible", message: "bad signature" } as const
        const turns = at(of.turns, 3, ({ outcome, trace }) => ({ trace, outcome: { ...outcome, error } }))
        assert.strictEqual(found(yield* audit({ ...of, turns }, 5)), "outcome 3")

        const signed = of.attestations.get(3)!
        const unsigned = { ...signed, signature: flip(signed.signature, 99) }
        const attestations = new Map([...of.attestations, [3, unsigned]])
        assert.strictEqual(found(yield* audit({ ...of, attestations }, 5)), "signature 3")
        const gone = new Map([...of.attestations].filter(([slot]) => slot > 5))
        assert.strictEqual(found(yield* audit({ ...of, attestations: gone }, 9)), "nothing")
      }),
    ),
  )
})

describe("a message that was given up", () => {
  it.effect("is a repeat of the void before the snapshot that took its number", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { book, unit, process, recorded, line } = yield* written({})
        const emitter = yield* Effect.promise(() =>
          Lives.ada.spawn(Module.id(Lives.program), book.service.address),
        )
        const say = (action: string, tags: Record<string, string>, data?: Uint8Array) =>
          Effect.map(
            Effect.promise(() => Lives.ada.message(emitter.id, action, tags, data)),
            ({ bytes }) => ({ process: emitter.id, item: bytes }),
          )
        const next = Effect.fnUntraced(function* (kind: string) {
          const all = Stream.flatMap(unit.releases(0), ({ emitted }) => Stream.fromIterable(emitted))
          const first = yield* Stream.runHead(Stream.filter(all, ({ entry }) => entry.kind === kind))
          return Option.getOrThrow(first)
        })
        book.write({ process: emitter.id, item: emitter.bytes })
        book.write(yield* say("Tell", { To: process }))
        const { entry, proof } = yield* next("message")
        const { id: dropped } = Result.getOrThrow(Item.decode(entry.item))
        book.write(yield* say("Drop", { Entry: dropped }, Drop.data(entry.item, proof)))
        const stands = yield* next("void")
        book.write({ ...line(stands.entry.item), proof: stands.proof })
        book.write(
          { ...line(entry.item), proof },
          line((yield* Effect.promise(() => Lives.ada.message(process, "Add", { By: "1" }))).bytes),
        )
        const of = yield* recorded
        assert.deepStrictEqual(reasons(of), [undefined, "dropped by the owner", "repeat", undefined])
        for (const how of ways)
          for (const start of [1, undefined])
            assert.deepInclude(yield* audit(of, start, how), { inadmissible: 1, finding: undefined })
      }),
    ),
  )
})

describe("what admission counts", () => {
  it.effect("goes on from the snapshot: pair numbers of other processes", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { book, unit, process, recorded, line } = yield* written({})
        const emitter = yield* Effect.promise(() =>
          Lives.ada.spawn(Module.id(Lives.program), book.service.address),
        )
        const names = yield* Effect.forEach([1, 2, 3], () =>
          Effect.promise(() => Lives.ada.message(emitter.id, "Tell", { To: process })),
        )
        book.write({ process: emitter.id, item: emitter.bytes })
        book.write(...names.map(({ bytes }) => ({ process: emitter.id, item: bytes })))
        const released = yield* Stream.runHead(
          Stream.filter(unit.releases(0), ({ emitted }) => emitted.length === 3),
        )
        const emitted = released._tag === "Some" ? released.value.emitted : []
        const [one, two, three] = emitted.map(({ entry, proof }) => ({ ...line(entry.item), proof }))
        book.write(one!)
        book.write(three!, two!)
        const of = yield* recorded
        assert.deepStrictEqual(reasons(of), [undefined, undefined, "pair out of order", undefined])
        for (const how of ways) assert.strictEqual(found(yield* audit(of, 1, how)), "nothing")
      }),
    ),
  )

  it.effect("goes on from the snapshot: how often a cron went off", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { book, process, recorded } = yield* written({ "Cron-Interval": "1-second" })
        const cron = (n: number): LogBook.Line => ({
          process,
          item: OutboxItem.cron(process, "1-second", n).bytes,
          timestamp: LogBook.timestamp0 + 10_000,
        })
        book.write(cron(2))
        book.write(cron(1), cron(3))
        const of = yield* recorded
        assert.deepStrictEqual(reasons(of), [undefined, undefined, "cron out of order", undefined])
        for (const how of ways) assert.strictEqual(found(yield* audit(of, 1, how)), "nothing")
      }),
    ),
  )
})
