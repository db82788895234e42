import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Inadmissible from "../../compute-unit/Inadmissible.ts"
import * as Identity from "../../identity/Identity.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import { Overloaded } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import type * as Assignment from "../../runtime/Assignment.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as LogBook from "../support/LogBook.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { hash, id } from "../support/Unsigned.ts"
import type { inadmissible } from "../vectors/makeInadmissible.ts"
import { own } from "../vectors/shared.ts"

const verifier = VerifierLocal.make()
const scheduler = Identity.fromSeed(hash("scheduler"))

/** A log in which slot 2 says again what slot 1 said. */
const written = Effect.fnUntraced(function* () {
  const book = LogBook.make(SignerLocal.make(scheduler))
  const process = yield* UnitOver.spawn(book)
  const [line] = yield* UnitOver.say(process, "Add")
  book.write(line!)
  book.write(line!)
  book.write(...(yield* UnitOver.say(process, "Add")))
  return { book, process }
})

const why = (proof: Inadmissible.Proof) =>
  Effect.map(Effect.result(Inadmissible.check(proof, verifier)), (found) => {
    if (Result.isSuccess(found)) return `it is: ${found.success.reason}`
    const { failure } = found
    return failure._tag === "NotInadmissible" ? failure.reason : failure._tag
  })

describe("a proof of an inadmissible slot", () => {
  it.effect("is gathered from who has the log, and shows who gave which slot to what, and why not", () =>
    Effect.gen(function* () {
      const { book, process } = yield* written()
      const proof = yield* Inadmissible.gather(book.service, process, 2)
      assert.strictEqual(proof.entries.length, 3)
      const shown = yield* Inadmissible.check(proof, verifier)
      assert.deepInclude(shown, { scheduler: scheduler.address, process, slot: 2, reason: "repeat" })
      const text = Result.getOrThrow(Inadmissible.encode(proof))
      const read = Result.getOrThrow(Inadmissible.decode(text))
      assert.deepStrictEqual(yield* Inadmissible.check(read, verifier), shown)
      assert.strictEqual(Result.getOrThrow(Inadmissible.encode(read)), text)
    }),
  )

  it.effect("is none of a slot that is as it should be, before or after one that is not", () =>
    Effect.gen(function* () {
      const { book, process } = yield* written()
      for (const slot of [0, 1, 3])
        assert.strictEqual(yield* why(yield* Inadmissible.gather(book.service, process, slot)), "admissible")
    }),
  )

  it.effect("finds what stood under the same key pages of the log before", () =>
    Effect.gen(function* () {
      const book = LogBook.make(SignerLocal.make(scheduler))
      const process = yield* UnitOver.spawn(book)
      const lines = yield* UnitOver.sayMany(process, "Add", Limit.logPageMax + 5)
      book.write(...lines.slice(0, 1_000))
      book.write(...lines.slice(1_000), lines[2]!)
      const proof = yield* Inadmissible.gather(book.service, process, lines.length + 1)
      assert.strictEqual(yield* why(proof), "it is: repeat")
    }),
  )

  it.effect("does not hold with any part of it another", () =>
    Effect.gen(function* () {
      const { book, process } = yield* written()
      const proof = yield* Inadmissible.gather(book.service, process, 2)
      const { receipt, entries } = proof
      const flip = (bytes: Uint8Array, at: number) => bytes.with(at, bytes[at]! ^ 1)
      const entry = (slot: number, change: Partial<Inadmissible.Given>) => ({
        receipt,
        entries: entries.with(slot, { ...entries[slot]!, ...change }),
      })
      const leaf = (change: Partial<Assignment.Assignment>) => ({
        receipt: { ...receipt, assignment: { ...receipt.assignment, ...change } },
        entries,
      })
      const link = (change: Partial<typeof receipt.link>) => ({
        receipt: { ...receipt, link: { ...receipt.link, ...change } },
        entries,
      })
      const bad: ReadonlyArray<readonly [Inadmissible.Proof, string]> = [
        ...[0, 1, 2].map((slot) => [entry(slot, { timestamp: 7 }), "chain"] as const),
        ...[0, 1, 2].map((slot) => [entry(slot, { item: flip(entries[slot]!.item, 70) }), "chain"] as const),
        ...[0, 1, 2].map((slot) => [entry(slot, { proof: Uint8Array.of(1) }), "chain"] as const),
        [{ receipt, entries: entries.slice(0, 2) }, "chain"],
        [{ receipt, entries: [...entries, entries[2]!] }, "chain"],
        [{ receipt, entries: [entries[0]!, entries[2]!, entries[1]!] }, "chain"],
        [{ receipt: yield* book.service.receipt(process, 3), entries }, "chain"],
        [leaf({ process: id("other") }), "receipt"],
        [leaf({ slot: 3 }), "receipt"],
        [leaf({ term: 1 }), "receipt"],
        [leaf({ head: hash("head") }), "receipt"],
        [{ receipt: { ...receipt, index: 1 }, entries }, "receipt"],
        [link({ root: hash("root") }), "receipt"],
        [link({ number: 9 }), "signature"],
        [link({ previousRoot: hash("root") }), "signature"],
        [link({ signature: flip(receipt.link.signature, 9) }), "signature"],
        [link({ owner: flip(receipt.link.owner, 9) }), "signature"],
        [link({ signatureType: 4 }), "signature"],
      ]
      for (const [one, reason] of bad) assert.strictEqual(yield* why(one), reason)
    }),
  )

  it.effect("has no verdict while the verifier has no room", () =>
    Effect.gen(function* () {
      const { book, process } = yield* written()
      const proof = yield* Inadmissible.gather(book.service, process, 2)
      const full = new Overloaded({ reason: "queue full", waitingMax: 1 })
      const busy = { verify: () => Effect.fail(full), verifyItem: () => Effect.fail(full) }
      assert.strictEqual((yield* Effect.flip(Inadmissible.check(proof, busy)))._tag, "Overloaded")
      const halfway = { ...verifier, verifyItem: () => Effect.fail(full) }
      const found = yield* Effect.flip(Inadmissible.check(proof, halfway))
      assert.deepInclude(found, { _tag: "Refused", reason: "overloaded" })
    }),
  )
})

describe("the file of a proof", () => {
  it(`has ${Limit.proofFileCharsMax} characters at most`, () => {
    const { proofs } = own<ReturnType<typeof inadmissible>>("inadmissible.json")
    const text = JSON.stringify(proofs[0]!.file).padEnd(Limit.proofFileCharsMax)
    assert.isTrue(Result.isSuccess(Inadmissible.decode(text)))
    const over = Result.getOrThrow(Result.flip(Inadmissible.decode(`${text} `)))
    assert.strictEqual(over.reason, "too large")
  })

  it.effect("is not made of a log that is larger, nor is more of it read", () =>
    Effect.gen(function* () {
      const { book, process } = yield* written()
      const { receipt, entries } = yield* Inadmissible.gather(book.service, process, 2)
      const huge = { ...entries[2]!, item: new Uint8Array((3 * Limit.proofFileCharsMax) / 4 + 1) }
      const made = Inadmissible.encode({ receipt, entries: entries.with(2, huge) })
      assert.strictEqual(Result.isFailure(made) && made.failure.reason, "too large")
      let pages = 0
      const endless = {
        receipt: book.service.receipt,
        log: () => Effect.sync(() => (pages++, [{ ...book.entries(process)[2]!, item: huge.item }])),
      }
      const found = yield* Effect.flip(Inadmissible.gather(endless, process, 2))
      assert.deepStrictEqual([found._tag, pages], ["NotInadmissible", 1])
    }),
  )
})

describe("spec/vectors/inadmissible.json", () => {
  const { proofs } = own<ReturnType<typeof inadmissible>>("inadmissible.json")

  it("has as many that are none as that are", () => {
    const valid = proofs.filter((one) => one.valid).length
    assert.isAtLeast(proofs.length - valid, valid)
  })

  for (const { name, file, ...expected } of proofs)
    it.effect(`${expected.valid ? "shows" : "is refused"}: ${name}`, () =>
      Effect.gen(function* () {
        const text = JSON.stringify(file)
        const proof = Inadmissible.decode(text)
        const found = Result.isFailure(proof)
          ? Result.fail(proof.failure)
          : yield* Effect.result(Inadmissible.check(proof.success, verifier))
        if ("shows" in expected) {
          const { scheduler, process, slot, reason } = Result.getOrThrow(found)
          assert.deepStrictEqual({ scheduler, process, slot, reason }, expected.shows)
          assert.strictEqual(Result.getOrThrow(Inadmissible.encode(Result.getOrThrow(proof))), text)
        } else assert.strictEqual(String(Result.isFailure(found) && found.failure.reason), expected.fails)
      }),
    )
})
