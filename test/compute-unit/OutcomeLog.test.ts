import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Turn } from "../../compute-unit/ComputeUnit.ts"
import * as OutcomeLog from "../../compute-unit/OutcomeLog.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import type * as Outcome from "../../runtime/Outcome.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Caller from "../support/Caller.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import { hash, id } from "../support/Unsigned.ts"

const { signer } = Caller.caller("compute unit")
const [loom, shuttle] = [id("loom"), id("shuttle")]
const headOf = (process: Id.ProcessId, slot: number) => hash(`head ${process} ${slot}`)

const open = (store: Store["Service"]) => OutcomeLog.make.pipe(Effect.provideService(Store, store))

interface Told {
  readonly replies?: ReadonlyArray<Outcome.Reply>
  readonly views?: Outcome.Outcome["views"]
  /** Data of what it sends to the shuttle. */
  readonly sends?: ReadonlyArray<string>
}

const turn = (process: Id.ProcessId, slot: number, { replies = [], views = [], sends = [] }: Told): Turn => ({
  outcome: {
    slot,
    message: id(`message ${process} ${slot}`),
    error: undefined,
    fuelUsed: 5_000_000_000n,
    replies,
    views,
    outbox: sends.map((data, index): Outcome.OutboxEntry => {
      const origin = { source: process, head: headOf(process, slot), index }
      const fields = {
        target: Id.toBytes(shuttle),
        tags: Message.protocolTags("Message"),
        data: Bytes.fromText(data),
      }
      return {
        kind: "message",
        item: Result.getOrThrow(OutboxItem.make(origin, fields)).bytes,
        pair: index + 1,
        due: 0,
      }
    }),
  },
  trace: { console: [["log", `slot ${slot}`]], stack: undefined },
})

/** Turns of a process that follow `from`, in one attested group. */
const group = (
  process: Id.ProcessId,
  from: Attestation.Point,
  ...told: ReadonlyArray<Told>
): OutcomeLog.Group => {
  const turns = told.map((one, i) => turn(process, from.slot + 1 + i, one))
  const slot = from.slot + turns.length
  const to = { slot, head: headOf(process, slot), stateRoot: hash(`state ${process} ${slot}`) }
  const outcomeRoot = OutcomeLog.outcomeRoot(turns)
  return {
    attestation: { engine: hash("engine"), process, term: 0, from, to, outcomeRoot },
    engines: from.slot < 0 ? [{ slot: 0, engine: hash("engine") }] : [],
    turns,
    seen: turns.map(({ outcome }) =>
      outcome.slot % 3 === 2
        ? undefined
        : { key: hash(`key ${outcome.slot}`), contentHash: hash(`content ${outcome.slot}`) },
    ),
  }
}

const append = Effect.fnUntraced(function* (
  log: OutcomeLog.OutcomeLog,
  ...groups: ReadonlyArray<OutcomeLog.Group>
) {
  const { root } = Attestation.tree(groups.map(({ attestation }) => attestation))
  const signature = yield* Effect.orDie(signer.sign("heddle/attestation/1", Attestation.signingBytes(root)))
  yield* log.append({ signatureType: signer.type.number, owner: signer.owner, signature }, groups)
})

const isSigned = (signed: Attestation.SignedAttestation) =>
  VerifierLocal.make().verify(
    signer.type,
    signed.owner,
    "heddle/attestation/1",
    Attestation.signingBytes(Attestation.rootOf(signed)),
    signed.signature,
  )

/** Two processes, three commits. */
const written = Effect.fnUntraced(function* (store: Store["Service"]) {
  const log = yield* open(store)
  const a = group(loom, Attestation.origin, { sends: ["a", "b"] }, { views: [{ name: "n", value: "1" }] }, {})
  const b = group(shuttle, Attestation.origin, { replies: [{ to: id("asked"), value: "7" }] })
  yield* append(log, a, b)
  const c = group(loom, a.attestation.to, { replies: [{ to: id("asked"), error: "no" }] })
  yield* append(log, c)
  const d = group(
    loom,
    c.attestation.to,
    { sends: ["c"] },
    {
      views: [
        { name: "n", value: null },
        { name: "m", value: "2" },
      ],
    },
  )
  const e = group(shuttle, b.attestation.to, {}, { sends: ["d"] })
  yield* append(log, d, e)
  return { log, a, b, c, d, e }
})

/** A store that counts what is read from it. */
const counting = () => {
  const inner = StoreMemory.make()
  const counted = { reads: 0 }
  const store: Store["Service"] = {
    ...inner,
    get: (key) => (counted.reads++, inner.get(key)),
    range: (range) => (counted.reads++, inner.range(range)),
  }
  return { store, counted }
}

describe("OutcomeLog", () => {
  it.effect("gives a commit that was just made out of memory, as it stands in the store", () =>
    Effect.gen(function* () {
      const { store, counted } = counting()
      const { log } = yield* written(store)
      const before = counted.reads
      const commits = [0, 1, 2].map((number) => log.committed(number))
      assert.strictEqual(counted.reads, before)
      const again = yield* open(store)
      assert.deepStrictEqual(
        [0, 1, 2].map((number) => again.committed(number)),
        commits,
      )
      assert.isAbove(counted.reads, before)
    }),
  )

  it.effect("keeps no commit in memory that is larger than it may be", () =>
    Effect.gen(function* () {
      const { store, counted } = counting()
      const log = yield* open(store)
      const sized = (bytes: number, from: Attestation.Point) =>
        group(loom, from, { views: [{ name: "n", value: "x".repeat(bytes) }] })
      let from = Attestation.origin
      const readsOf = Effect.fnUntraced(function* (bytes: number) {
        const one = sized(bytes, from)
        from = one.attestation.to
        yield* append(log, one)
        const before = counted.reads
        assert.strictEqual(log.committed(log.nextRelease() - 1)?.groups.length, 1)
        return counted.reads - before
      })
      // A view is written with its turn and by itself.
      assert.strictEqual(yield* readsOf(Limit.recentCommitBytesMax / 2 - 8_192), 0)
      assert.isAbove(yield* readsOf(Limit.recentCommitBytesMax / 2), 0)
      for (let n = 0; n < Limit.recentCommitsMax; n++) yield* readsOf(1)
      const before = counted.reads
      assert.strictEqual(log.committed(0)?.groups.length, 1)
      assert.isAbove(counted.reads, before, "older ones make room")
    }),
  )

  it.effect("keeps what turns did, readable by slot, message and name", () =>
    Effect.gen(function* () {
      const { log, a, c, d } = yield* written(StoreMemory.make())
      assert.deepStrictEqual(
        log
          .turns(loom, 0, 100)
          .map(({ outcome, trace }) => [outcome.slot, outcome.fuelUsed, trace.console[0]?.[1]]),
        [0, 1, 2, 3, 4, 5].map((slot) => [slot, 5_000_000_000n, `slot ${slot}`]),
      )
      assert.strictEqual(log.turns(loom, 2, 2).length, 2)
      assert.deepStrictEqual(log.turn(loom, 3)?.outcome.replies, c.turns[0]!.outcome.replies)
      assert.strictEqual(log.turn(loom, 6), undefined)
      assert.deepStrictEqual(log.reply(shuttle, id("asked")), { to: id("asked"), value: "7" })
      assert.deepStrictEqual(log.reply(loom, id("asked")), { to: id("asked"), error: "no" })
      assert.strictEqual(log.reply(loom, id("somebody")), undefined)
      assert.strictEqual(log.view(loom, "n"), undefined)
      assert.deepStrictEqual(log.view(loom, "m"), { value: "2", slot: 5 })
      assert.deepStrictEqual(log.seen(loom, hash("key 1"))?.slot, 1)
      assert.strictEqual(log.seen(loom, hash("key 2")), undefined)
      assert.strictEqual(log.seen(shuttle, hash("key 3")), undefined)
      assert.deepStrictEqual(log.point(loom).slot, d.attestation.to.slot)
      assert.deepStrictEqual(log.point(id("nobody")), Attestation.origin)
      assert.isTrue(
        Bytes.equal(a.turns[0]!.outcome.outbox[1]!.item, log.turn(loom, 0)!.outcome.outbox[1]!.item),
      )
    }),
  )

  it.effect("writes all of an append in one commit, and nothing of one that fails", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const { log, d } = yield* written(probe.store)
      assert.strictEqual(probe.commits.length, 3)
      probe.before = () => StoreProbe.full
      const more = group(loom, d.attestation.to, {
        sends: ["x"],
        views: [{ name: "m", value: "3" }],
        replies: [{ to: id("late"), value: "1" }],
      })
      const failed = yield* Effect.flip(append(log, more))
      assert.strictEqual(failed._tag, "StoreFailed")
      assert.deepStrictEqual(
        [
          log.turn(loom, 6),
          log.reply(loom, id("late")),
          log.release(3),
          log.attestation(loom, 6),
          log.seen(loom, hash("key 6")),
        ],
        [undefined, undefined, undefined, undefined, undefined],
      )
      assert.deepStrictEqual(
        [log.view(loom, "m")?.value, log.point(loom).slot, log.nextRelease()],
        ["2", 5, 3],
      )
      probe.before = () => Effect.void
      yield* append(log, more)
      assert.deepStrictEqual(
        [log.view(loom, "m")?.value, log.nextRelease(), log.release(3)?.number],
        ["3", 4, 3],
      )
    }),
  )

  it.effect("gives the attestation that covers a slot, with a path to what was signed", () =>
    Effect.gen(function* () {
      const { log, a, c, e } = yield* written(StoreMemory.make())
      const covering = [0, 1, 2, 3].map((slot) => log.attestation(loom, slot)!)
      for (const [slot, signed] of covering.entries()) {
        assert.deepStrictEqual(
          signed.attestation.to.slot,
          slot < 3 ? a.attestation.to.slot : c.attestation.to.slot,
        )
        assert.isTrue(yield* isSigned(signed))
      }
      const last = log.attestation(shuttle, 2)!
      assert.isTrue(
        Bytes.equal(Attestation.leafValue(last.attestation), Attestation.leafValue(e.attestation)),
      )
      assert.isTrue(yield* isSigned(last))
      assert.isFalse(yield* isSigned({ ...last, index: 0 }))
      assert.strictEqual(log.attestation(loom, 6), undefined)
    }),
  )

  it.effect(
    "lets out each commit under a number, with a proof beside each entry that opens to who signed",
    () =>
      Effect.gen(function* () {
        const { log } = yield* written(StoreMemory.make())
        const releases = [0, 1, 2, 3].map((number) => log.release(number))
        assert.deepStrictEqual(
          releases.map((release) => release && [release.number, release.emitted.length]),
          [[0, 2], [1, 0], [2, 2], undefined],
        )
        let opened = 0
        for (const { source, slot, index, entry, proof } of releases.flatMap(
          (release) => release?.emitted ?? [],
        )) {
          const item = Result.getOrThrow(Item.decode(entry.item))
          const shown = Result.getOrThrow(
            OutboxProof.open(item, Result.getOrThrow(OutboxProof.decode(proof))),
          )
          assert.deepInclude(shown, { source, slot, kind: "message", pair: index + 1, due: 0 })
          const [claim] = shown.claims
          assert.isTrue(Bytes.equal(claim!.owner, signer.owner))
          const bytes = Attestation.signingBytes(claim!.root)
          const { owner, signature } = claim!
          assert.isTrue(
            yield* VerifierLocal.make().verify(signer.type, owner, "heddle/attestation/1", bytes, signature),
          )
          opened++
        }
        assert.strictEqual(opened, 4)
      }),
  )

  it.effect("goes on under the next number when it is opened again", () =>
    Effect.gen(function* () {
      const store = StoreMemory.make()
      const { d } = yield* written(store)
      const log = yield* open(store)
      assert.strictEqual(log.nextRelease(), 3)
      assert.strictEqual(log.release(2)?.emitted.length, 2)
      yield* append(log, group(loom, d.attestation.to, {}))
      assert.deepStrictEqual([log.nextRelease(), log.release(3)?.number, log.point(loom).slot], [4, 3, 6])
    }),
  )
})
