import crypto from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Content from "../../archive-unit/Content.ts"
import * as ContentChecks from "../../archive-unit/ContentChecks.ts"
import * as Piece from "../../archive-unit/Piece.ts"
import * as PieceTags from "../../archive-unit/PieceTags.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Module from "../../runtime/Module.ts"
import { hash, id } from "../support/Unsigned.ts"
import { compute } from "./Arbitraries.ts"

const batches = {
  type: "Batches",
  scheduler: id("scheduler"),
  firstBatch: 2 ** 53 - 2,
  lastBatch: 2 ** 53 - 1,
  previousRoot: hash("before"),
  root: hash("after"),
} as const

const data = { type: "Data", hash: hash("data") } as const

const ranges = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ process: id(`process ${i}`), first: i, last: 1_000_000 * i }))

/** What an archive gives back of pieces: signed items, read again. */
const archived = Effect.fnUntraced(function* (pieces: ReadonlyArray<Piece.Unsigned>) {
  const read: Array<Piece.Piece> = []
  for (const unsigned of pieces) {
    const item = yield* Effect.fromResult(Item.decode((yield* SignedItem.sign(compute, unsigned)).bytes))
    read.push(yield* Effect.fromResult(Piece.read(item)))
  }
  return read
})

const partsOf = (pieces: ReadonlyArray<Piece.Piece>) =>
  pieces.flatMap((piece) => (piece.kind === "part" ? [piece] : []))

const refusal = (parts: ReadonlyArray<Piece.Part>) =>
  Effect.match(Piece.content(parts), {
    onFailure: ({ reason, part }) => [reason, part],
    onSuccess: ({ length }) => ["content", length],
  })

const part = Limit.archivePartBytesMax

describe("Piece", () => {
  it.effect("brings a content of each type back, with what it is about", () =>
    Effect.gen(function* () {
      const heads: ReadonlyArray<PieceTags.Head> = [
        batches,
        { type: "Turns", compute: id("compute"), firstRelease: 0, lastRelease: 0 },
        {
          type: "Snapshot",
          compute: id("compute"),
          process: id("process"),
          slot: 7,
          stateRoot: hash("state"),
          engine: hash("engine"),
        },
        { type: "Module", module: id("module") },
        { type: "Engine", engine: hash("engine") },
        data,
      ]
      for (const head of heads) {
        const content = Bytes.fromText(`what a ${head.type} holds`)
        const slots = head.type === "Batches" || head.type === "Turns" ? ranges(3) : []
        const pieces = yield* archived(yield* Piece.make(head, slots, content))
        assert.deepInclude(pieces[0], { kind: "part", head, slots, part: 0, parts: 1 })
        assert.deepEqual(Uint8Array.from(yield* Piece.content(partsOf(pieces))), content)
      }
      assert.deepEqual(
        heads.map(({ type }) => type),
        [...Content.types],
      )
    }),
  )

  it.effect("names every process, in index pieces where tags have no more room", () =>
    Effect.gen(function* () {
      for (const count of [0, 1, 50, 60, 300]) {
        const slots = ranges(count)
        const made = yield* Piece.make(batches, slots, Bytes.fromText("content"))
        const pieces = yield* archived(made)
        assert.deepEqual(
          pieces.flatMap((piece) => piece.slots),
          slots,
        )
        const [first, ...index] = pieces
        assert.strictEqual(index.length > 0, count > 55)
        for (const piece of index)
          assert.deepInclude(piece, { kind: "index", head: batches, content: first!.content })
        for (const { tags } of made.slice(0, -1)) {
          const more = PieceTags.encode({
            kind: "index",
            head: batches,
            content: id("x"),
            slots: [slots.at(-1)!],
          })
          const over = Item.content({
            type: compute.type,
            owner: compute.owner,
            tags: [...tags, ...more.slice(-2)],
            data: Bytes.empty,
          })
          assert.isTrue(Result.isFailure(over), "one process more does not fit")
        }
      }
    }),
  )

  it.effect("cuts what is over a part into parts, which come together in any order and in no other way", () =>
    Effect.gen(function* () {
      const [one, two] = [crypto.randomBytes(2 * part + 5), crypto.randomBytes(2 * part + 5)]
      const parts = partsOf(yield* archived(Piece.cut(batches, ranges(2), one)))
      const others = partsOf(yield* archived(Piece.cut(batches, ranges(2), two)))
      assert.deepEqual(
        parts.map((of) => [of.part, of.parts, of.data.length]),
        [
          [0, 3, part],
          [1, 3, part],
          [2, 3, 5],
        ],
      )
      const [a, b, c] = parts as [Piece.Part, Piece.Part, Piece.Part]
      assert.isTrue(Bytes.equal(Result.getOrThrow(Piece.join([c, a, b])), one))
      assert.deepEqual(yield* refusal([]), ["part missing", 0])
      assert.deepEqual(yield* refusal([a, c]), ["part missing", 1])
      assert.deepEqual(yield* refusal([a, b]), ["part missing", 2])
      assert.deepEqual(yield* refusal([a, b, b, c]), ["part repeated", 1])
      assert.deepEqual(yield* refusal([a, others[1]!, c]), ["other content", 1])
      assert.deepEqual(yield* refusal([a, { ...b, slots: [] }, c]), ["other content", 1])
      assert.deepEqual(yield* refusal([a, { ...b, parts: 4 }, c]), ["other content", 1])
      assert.deepEqual(yield* refusal([a, { ...b, data: others[1]!.data }, c]), ["hash", undefined])
      assert.deepEqual(yield* refusal([a, { ...b, data: a.data }, c]), ["hash", undefined])
      assert.deepEqual(yield* refusal([a, b, c]), ["compression", undefined])
    }),
  )

  it("reads a part at its size and at no other", () => {
    const none = { target: Bytes.empty }
    const [first, last] = Piece.cut(data, [], new Uint8Array(2 * part))
    const why = (tags: Piece.Unsigned["tags"], bytes: number) => {
      const read = Piece.read({ ...none, tags, data: new Uint8Array(bytes) })
      return Result.isFailure(read) ? read.failure.reason : undefined
    }
    assert.isUndefined(why(first!.tags, part))
    assert.strictEqual(why(first!.tags, part - 1), "data")
    assert.strictEqual(why(first!.tags, part + 1), "data")
    assert.isUndefined(why(last!.tags, 1))
    assert.isUndefined(why(last!.tags, part))
    assert.strictEqual(why(last!.tags, 0), "data")
    assert.strictEqual(why(last!.tags, part + 1), "data")
  })

  it("has as many parts as the largest snapshot needs, and no more", () => {
    const tags = (parts: number) =>
      PieceTags.decode(
        PieceTags.encode({ kind: "part", head: data, content: id("content"), part: 0, parts, slots: [] }),
      )
    assert.isTrue(Result.isSuccess(tags(Limit.archivePartsMax)))
    assert.isTrue(Result.isFailure(tags(Limit.archivePartsMax + 1)))
    // What zstd adds to a content that it can't compress: three bytes a block of 128 KiB, and the frame's head.
    const worst = Limit.archiveSnapshotBytesMax + 3 * Math.ceil(Limit.archiveSnapshotBytesMax / 131_072) + 18
    assert.strictEqual(Math.ceil(worst / part), Limit.archivePartsMax)
  })

  it.effect("makes no pieces of a content that nobody would read", () =>
    Effect.gen(function* () {
      const made = (bytes: number) =>
        Effect.result(Piece.make({ type: "Module", module: id("module") }, [], new Uint8Array(bytes)))
      assert.isTrue(Result.isSuccess(yield* made(Limit.moduleBytesMax)))
      const over = yield* made(Limit.moduleBytesMax + 1)
      assert.deepInclude(Result.isFailure(over) ? over.failure : {}, {
        _tag: "ContentInvalid",
        reason: "too large",
      })
    }),
  )
})

describe("a content that is named by its hash", () => {
  const source = Bytes.fromText("export default {}")

  it("is taken for what it is named, and for nothing else", () => {
    const why = (result: Result.Result<unknown, ContentChecks.ContentRefused>) =>
      Result.isFailure(result) ? result.failure.reason : undefined
    assert.isUndefined(why(ContentChecks.module(Module.id(source), source)))
    assert.strictEqual(why(ContentChecks.module(id("other"), source)), "other name")
    assert.isUndefined(why(ContentChecks.hashed("Engine", Hash.sha256(source), source)))
    assert.isUndefined(why(ContentChecks.hashed("Data", Hash.sha256(source), source)))
    assert.strictEqual(why(ContentChecks.hashed("Data", hash("other"), source)), "other name")
  })
})
