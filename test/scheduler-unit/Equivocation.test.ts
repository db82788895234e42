import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Identity from "../../identity/Identity.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import type * as SigningContext from "../../identity/SigningContext.ts"
import { Overloaded } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Equivocation from "../../scheduler-unit/Equivocation.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import { hash, id } from "../support/Unsigned.ts"
import * as Unsigned from "../support/Unsigned.ts"

const scheduler = Identity.fromSeed(hash("scheduler"))
const other = Identity.fromSeed(hash("other scheduler"))
const verifier = VerifierLocal.make()

const assignment = (change: Partial<Omit<Assignment.Assignment, "head">> = {}) =>
  Assignment.make({
    process: id("process"),
    term: 0,
    slot: 3,
    timestamp: 1_000,
    entryHash: hash("entry"),
    previous: hash("previous"),
    ...change,
  })

/** The receipt of an assignment that is alone in its batch, signed as asked. */
const receipt = (
  number: number,
  one: Assignment.Assignment,
  by = scheduler,
  context: SigningContext.SigningContext = "heddle/batch/1",
): Batch.Receipt => {
  const tree = Batch.tree([one])
  const link = { number, previousRoot: hash("root before"), root: tree.root }
  const signature = Effect.runSync(Effect.orDie(SignerLocal.make(by).sign(context, Batch.signingBytes(link))))
  const signed = { ...link, signatureType: by.type.number, owner: by.owner, signature }
  return Batch.receipt(signed, tree, one, 0)
}

const first = receipt(7, assignment())
const [slot, batch] = [
  receipt(8, assignment({ entryHash: hash("another entry") })),
  receipt(7, assignment({ process: id("other") })),
]

const check = (one: Batch.Receipt, two: Batch.Receipt) =>
  Equivocation.check({ first: one, second: two }, verifier)
const why = (one: Batch.Receipt, two: Batch.Receipt) =>
  Effect.map(Effect.result(check(one, two)), (found) =>
    Result.isFailure(found) ? found.failure.message : `it is: ${found.success.kind}`,
  )

describe("a proof of equivocation", () => {
  it.effect("shows which scheduler gave one slot twice, or one batch number", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* check(first, slot), { kind: "slot", scheduler: scheduler.address })
      assert.deepStrictEqual(yield* check(slot, first), { kind: "slot", scheduler: scheduler.address })
      const after = receipt(8, assignment({ slot: 4, previous: hash("another head") }))
      assert.deepStrictEqual(yield* check(first, after), { kind: "slot", scheduler: scheduler.address })
      assert.deepStrictEqual(yield* check(first, batch), { kind: "batch", scheduler: scheduler.address })
    }),
  )

  it.effect("is made of what two schedulers on one key gave out, after a backup was put back", () =>
    Effect.gen(function* () {
      const copies = [StoreMemory.make(), StoreMemory.make()]
      const spawn = Unsigned.spawn({
        tags: [
          ["Module", LocalScheduler.module],
          ["Scheduler", LocalScheduler.identity.address],
        ],
      })
      const given = yield* Effect.forEach(copies, (store, n) =>
        Effect.gen(function* () {
          const unit = yield* LocalScheduler.start({ store, verifier: LocalScheduler.credulous })
          yield* unit.submit(spawn.item.bytes, Bytes.empty)
          yield* unit.submit(Unsigned.message(spawn.process, { data: `${n}` }).item.bytes, Bytes.empty)
          return [yield* unit.receipt(spawn.process, 0), yield* unit.receipt(spawn.process, 1)] as const
        }),
      )
      const [[spawnOne, one], [spawnTwo, two]] = [given[0]!, given[1]!]
      assert.deepInclude(yield* check(one, two), { scheduler: LocalScheduler.identity.address })
      assert.include(yield* why(spawnOne, spawnTwo), "do not contradict", "signed twice, the same")
      assert.include(yield* why(spawnOne, two), "do not contradict")
    }),
  )

  it.effect("is refused where it is none, and says why", () =>
    Effect.gen(function* () {
      const flipped = (of: Batch.Receipt): Batch.Receipt => ({
        ...of,
        link: { ...of.link, signature: of.link.signature.with(100, of.link.signature[100]! ^ 1) },
      })
      const bad: ReadonlyArray<readonly [Batch.Receipt, Batch.Receipt, string]> = [
        [first, first, "do not contradict"],
        [first, receipt(8, assignment({ slot: 4, previous: first.assignment.head })), "do not contradict"],
        [first, receipt(8, assignment({ slot: 5 })), "do not contradict"],
        [first, receipt(8, assignment()), "do not contradict"],
        [first, receipt(7, assignment({ process: id("other") }), other), "two owners"],
        [{ ...first, path: first.path.with(3, hash("x")) }, slot, "first receipt does not open"],
        [first, { ...slot, assignment: first.assignment }, "second receipt does not open"],
        [flipped(first), slot, "signature of the first receipt"],
        [first, flipped(slot), "signature of the second receipt"],
        [first, { ...slot, link: { ...slot.link, number: 9 } }, "signature of the second receipt"],
        [
          first,
          { ...slot, link: { ...slot.link, signature: first.link.signature } },
          "signature of the second",
        ],
        [first, { ...slot, link: { ...slot.link, signatureType: 2065 } }, "signature of the second receipt"],
        [first, { ...slot, link: { ...slot.link, signatureType: 4 } }, "signature of the second receipt"],
        [first, receipt(8, slot.assignment, scheduler, "heddle/item/1"), "signature of the second receipt"],
      ]
      for (const [one, two, words] of bad) assert.include(yield* why(one, two), words)
    }),
  )

  it.effect("has no verdict while the verifier has no room", () =>
    Effect.gen(function* () {
      const full = new Overloaded({ reason: "queue full", waitingMax: 1 })
      const busy = { verify: () => Effect.fail(full), verifyItem: () => Effect.fail(full) }
      const found = yield* Effect.flip(Equivocation.check({ first, second: slot }, busy))
      assert.strictEqual(found._tag, "Overloaded")
    }),
  )
})

describe("the file of a proof", () => {
  const text = Equivocation.encode({ first, second: slot })

  it.effect("comes back as it was, and is checked with nothing else at hand", () =>
    Effect.gen(function* () {
      const read = Result.getOrThrow(Equivocation.decode(text))
      assert.deepStrictEqual(Object.keys(read), ["first", "second"])
      assert.strictEqual(Equivocation.encode(read), text)
      assert.strictEqual((yield* Equivocation.check(read, verifier)).kind, "slot")
    }),
  )

  it("spells a receipt as everywhere: ids and bytes in base64url, numbers as numbers", () => {
    const json = JSON.parse(text) as {
      readonly format: string
      readonly first: Record<string, Record<string, unknown>>
    }
    assert.strictEqual(json.format, "heddle/equivocation/1")
    assert.deepStrictEqual(Object.keys(json.first), ["link", "assignment", "index", "path"])
    assert.deepInclude(json.first["assignment"], { process: id("process"), slot: 3, timestamp: 1_000 })
    assert.strictEqual(json.first["link"]!["owner"], Bytes.toBase64Url(scheduler.owner))
  })

  /** The file with what stands at `path` in it replaced. */
  const set =
    (...path: ReadonlyArray<string>) =>
    (value: unknown): string => {
      const file = JSON.parse(text) as Record<string, unknown> // written above
      let at = file
      for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown> // a path to a field that is there
      at[path.at(-1)!] = value
      return JSON.stringify(file)
    }
  const siblings = first.path.map(Bytes.toBase64Url)

  const bad: Readonly<Record<string, string>> = {
    "no JSON": text.slice(1),
    "cut short": text.slice(0, -10),
    "another format": set("format")("heddle/equivocation/2"),
    "one receipt alone": set("second")(null),
    "a field more": set("first", "note")("hello"),
    "a head of 31 bytes": set("first", "assignment", "head")(Bytes.toBase64Url(new Uint8Array(31))),
    "a process that is no id": set("first", "assignment", "process")("somebody"),
    "base64 that is not the one spelling": set(
      "first",
      "link",
      "root",
    )(`${Bytes.toBase64Url(first.link.root).slice(0, -1)}B`),
    "a negative slot": set("first", "assignment", "slot")(-1),
    "half a slot": set("first", "assignment", "slot")(0.5),
    "a slot as text": set("first", "assignment", "slot")("3"),
    "a slot over 2^53": set("first", "assignment", "slot")(2 ** 53),
    "a place outside the tree": set("first", "index")(65_536),
    "a path of 15": set("first", "path")(siblings.slice(1)),
    "a path of 17": set("first", "path")([...siblings, siblings[0]]),
  }
  for (const [what, some] of Object.entries(bad))
    it(`is not read with ${what}`, () => {
      assert.notStrictEqual(some, text)
      const found = Equivocation.decode(some)
      assert.isTrue(Result.isFailure(found))
      if (Result.isFailure(found)) assert.include(found.failure.message, "no equivocation")
    })
})
