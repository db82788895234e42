/** Our own vectors of chapter 07, read in place. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as BatchesContent from "../../archive-unit/BatchesContent.ts"
import * as Compression from "../../archive-unit/Compression.ts"
import * as Content from "../../archive-unit/Content.ts"
import * as ContentChecks from "../../archive-unit/ContentChecks.ts"
import * as Piece from "../../archive-unit/Piece.ts"
import * as PieceTags from "../../archive-unit/PieceTags.ts"
import * as TurnsContent from "../../archive-unit/TurnsContent.ts"
import * as ItemSignature from "../../identity/ItemSignature.ts"
import * as MlDsa from "../../identity/MlDsa.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import type { archive } from "../vectors/makeArchive.ts"
import { own } from "../vectors/shared.ts"

const base64 = (text: string): Uint8Array => Bytes.fromBase64Url(text)!
const vectors = own<ReturnType<typeof archive>>("archive.json")
const [scheduler, compute] = [Id.parse(vectors.scheduler)!, Id.parse(vectors.compute)!]

const verifier = VerifierLocal.make()
/** The reason of the refusal, or the value. */
const tried = <A, E extends { readonly reason: string }>(effect: Effect.Effect<A, E, Verifier>) =>
  Effect.result(effect).pipe(
    Effect.map((result) =>
      Result.isFailure(result) ? { fails: result.failure.reason } : { value: result.success },
    ),
    Effect.provideService(Verifier, verifier),
  )

it("has as many invalid as valid cases of each kind, by the keys that the seeds give", () => {
  for (const cases of [vectors.batches, vectors.turns, vectors.frames, vectors.pieces]) {
    const valid = cases.filter((each) => each.valid).length
    assert.isAtLeast(valid, 4)
    assert.isAtLeast(cases.length - valid, valid)
  }
  for (const [name, address] of [
    ["scheduler", scheduler],
    ["compute", compute],
  ] as const) {
    const { owner } = MlDsa.fromSeed(SignatureType.mlDsa44, Bytes.fromHex(vectors.secrets[name]!)!)
    assert.strictEqual(Id.fromBytes(Hash.sha256(owner)), address)
  }
})

describe("batches", () => {
  for (const each of vectors.batches)
    it.effect(`${each.valid ? "reads" : `refuses as ${each.fails}`}: ${each.name}`, () =>
      Effect.gen(function* () {
        const content = base64(each.content!)
        const found = yield* tried(ContentChecks.batches(scheduler, content))
        assert.strictEqual("fails" in found ? found.fails : undefined, each.fails)
        if ("value" in found)
          assert.strictEqual(
            Bytes.toBase64Url(Result.getOrThrow(BatchesContent.encode(found.value))),
            each.content,
          )
      }),
    )
})

describe("turns", () => {
  for (const each of vectors.turns)
    it.effect(`${each.valid ? "reads" : `refuses as ${each.fails}`}: ${each.name}`, () =>
      Effect.gen(function* () {
        const found = yield* tried(ContentChecks.turns(compute, base64(each.content!)))
        assert.strictEqual("fails" in found ? found.fails : undefined, each.fails)
        if ("value" in found)
          assert.strictEqual(
            Bytes.toBase64Url(Result.getOrThrow(TurnsContent.encode(found.value))),
            each.content,
          )
      }),
    )
})

describe("frames", () => {
  for (const each of vectors.frames)
    it.effect(`${each.valid ? "reads" : `refuses as ${each.fails}`}: ${each.name}`, () =>
      Effect.gen(function* () {
        const found = yield* tried(Compression.decompress(base64(each.frame), Content.bytesMax.Batches))
        assert.strictEqual("fails" in found ? found.fails : undefined, each.fails)
        if ("value" in found) assert.strictEqual(Bytes.toBase64Url(found.value), each.content)
      }),
    )
})

describe("pieces", () => {
  for (const each of vectors.pieces)
    it.effect(`${each.valid ? "reads" : `refuses as ${each.fails}`}: ${each.name}`, () =>
      Effect.gen(function* () {
        const item = Result.getOrThrow(Item.decode(base64(each.item)))
        assert.isTrue(ItemSignature.check(item))
        const read = Effect.gen(function* () {
          const piece = yield* Effect.fromResult(Piece.read(item))
          return { piece, content: piece.kind === "part" ? yield* Piece.content([piece]) : undefined }
        })
        const found = yield* tried(read)
        assert.strictEqual("fails" in found ? found.fails : undefined, each.fails)
        if (!("value" in found)) return
        const { piece, content } = found.value
        assert.strictEqual(content && Bytes.toBase64Url(content), each.content)
        const tags = PieceTags.encode(piece).map(({ name, value }) => `${name}: ${value}`)
        assert.deepStrictEqual(tags, each.tags)
      }),
    )
})
