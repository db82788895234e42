/** Letters as a node keeps them, and what is refused once any part of one was changed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as InboxReader from "../../messenger-unit/InboxReader.ts"
import { type Letter, MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as ProvenLetter from "../../messenger-unit/ProvenLetter.ts"
import * as ProvenSpawn from "../../messenger-unit/ProvenSpawn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"

const ada = Caller.caller("ada")
const { address } = ada.identity

const teller = `
heddle.on("Tell", (message) => {
  heddle.send(message.tags.Whom, { action: "Notice", tags: { Number: "7" }, data: "hello" })
  heddle.send(heddle.process.id, { action: "Other" })
})
`

const written = Effect.gen(function* () {
  const node = yield* SmallNode.make()
  const process = yield* SmallNode.spawn(node, ada, teller)
  const other = yield* SmallNode.spawn(node, ada, teller, { Name: "other" })
  for (const one of [process, other]) yield* SmallNode.send(node, ada, one, "Tell", { Whom: address })
  const arrived = Effect.map(node.messenger.inbox(address, 0, 10), ({ length }) => length === 2)
  yield* SmallNode.until("both are there", Effect.orDie(arrived))
  const letters = yield* node.messenger.inbox(address, 0, 10)
  const [[spawn], [otherSpawn]] = [
    yield* node.messenger.log(process, 0, 1),
    yield* node.messenger.log(other, 0, 1),
  ]
  const letter = letters.find(({ source }) => source === process)!
  return { node, process, other, letter, spawn: spawn!.item, otherSpawn: otherSpawn!.item }
})

/** The same with one bit of another kind at `at`, counted from the end where it is negative. */
const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = Bytes.copy(bytes)
  const place = at < 0 ? copy.length + at : at
  copy[place] = copy[place]! ^ 1
  return copy
}

describe("a proven letter", () => {
  it.live("shows who wrote it, in which turn, what, and whose word that is", () =>
    Effect.gen(function* () {
      const { node, process, letter, spawn } = yield* written
      const shown = Result.getOrThrow(
        ProvenLetter.check(address, ProvenSpawn.check(letter.source, spawn), letter),
      )
      assert.deepInclude(shown, { from: process, slot: 1, pair: 1, action: "Notice" })
      assert.deepStrictEqual(shown.units, [node.compute.address])
      assert.strictEqual(Bytes.toText(shown.data), "hello")
      assert.deepInclude(shown.tags, ["Number", "7"])
    }),
  )

  it.live("is what the client gives; of one that is not proven it gives nothing but why", () =>
    Effect.gen(function* () {
      const { node, letter, process } = yield* written
      const lying = (letters: ReadonlyArray<Letter>) =>
        Effect.provideService(
          InboxReader.inbox(address),
          MessengerUnit,
          MessengerUnit.of({ ...node.messenger, inbox: () => Effect.succeed(letters) }),
        )
      const forged = { ...letter, number: 1, item: flipped(letter.item, -1) }
      const stranger = { ...letter, number: 2, source: Id.fromBytes(new Uint8Array(32).fill(9)) }
      const [good, ...bad] = yield* lying([letter, forged, stranger])
      assert.strictEqual(good?.letter?.from, process)
      assert.isUndefined(good?.problem)
      for (const [i, what] of ["proof", "place"].entries()) {
        assert.isUndefined(bad[i]?.letter)
        assert.include(bad[i]?.problem, `letter ${i + 1} is not proven, ${what}`)
      }
    }),
  )

  it.live("is refused by name where any part of it was changed", () =>
    Effect.gen(function* () {
      const { letter, process, other, spawn, otherSpawn } = yield* written
      const proof = Result.getOrThrow(OutboxProof.decode(letter.proof))
      const [witness] = proof.witnesses
      const withProof = (changed: Partial<OutboxProof.OutboxProof>): Letter => ({
        ...letter,
        proof: OutboxProof.encode({ ...proof, ...changed }),
      })
      const cases: ReadonlyArray<
        readonly [
          what: ProvenLetter.LetterInvalid["what"],
          letter: Letter,
          spawn?: Uint8Array,
          at?: Id.Address,
        ]
      > = [
        ["item", { ...letter, item: letter.item.subarray(1) }],
        ["item", { ...letter, item: new Uint8Array(0) }],
        ["target", letter, spawn, Id.fromBytes(new Uint8Array(32).fill(9))],
        ["proof", { ...letter, item: flipped(letter.item, -1) }],
        ["proof", { ...letter, proof: letter.proof.subarray(1) }],
        ["proof", withProof({ pair: 2 })],
        ["proof", withProof({ slot: 0 })],
        ["proof", withProof({ bodyHash: flipped(proof.bodyHash, 0) })],
        ["place", { ...letter, source: other }],
        ["place", { ...letter, slot: 2 }],
        ["place", { ...letter, index: 1 }],
        ["spawn", letter, otherSpawn],
        ["spawn", letter, new Uint8Array(0)],
        ["spawn", letter, flipped(spawn, -1)],
        ["unit", withProof({ witnesses: [] })],
        ["unit", withProof({ witnesses: [{ ...witness!, signature: flipped(witness!.signature, 5) }] })],
        ["unit", withProof({ witnesses: [{ ...witness!, owner: ada.identity.owner }] })],
        ["unit", withProof({ witnesses: [{ ...witness!, signatureType: 4 }] })],
        [
          "unit",
          withProof({ attestation: { ...proof.attestation, engine: flipped(proof.attestation.engine, 0) } }),
        ],
      ]
      for (const [what, changed, from = spawn, at = address] of cases) {
        const refused = ProvenLetter.check(at, ProvenSpawn.check(changed.source, from), changed)
        assert.isTrue(Result.isFailure(refused), what)
        if (Result.isFailure(refused))
          assert.deepInclude(refused.failure, { _tag: "LetterInvalid", what, number: letter.number })
      }
      assert.strictEqual(letter.source, process)
    }),
  )
})
