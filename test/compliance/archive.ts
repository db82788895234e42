/** What every `Archive` must do, wherever it keeps things. */
import crypto from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Archive from "../../runtime/Archive.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import { mlDsa65 } from "../../runtime/SignatureType.ts"
import type * as Tag from "../../runtime/Tag.ts"
import { id } from "../support/Unsigned.ts"

export interface Subject {
  readonly archive: Archive.Archive["Service"]
  /** The same archive as another program sees it, or this one after a crash. */
  readonly reopened: Effect.Effect<Archive.Archive["Service"], unknown>
  /** Lets so many blocks pass, where there are blocks. */
  readonly mine: (blocks: number) => Effect.Effect<void>
  /** Payments that were made so far, where anything is paid. */
  readonly paid?: () => number
}

/** Bytes that do not compress, and follow from a name. */
export const noise = (name: string, length: number): Uint8Array =>
  length === 0 ? Bytes.empty : crypto.createHash("shake256", { outputLength: length }).update(name).digest()

/** A piece with filler where its signature would be: an archive asks for none. */
export const piece = (
  name: string,
  tags: ReadonlyArray<readonly [name: string, value: string]>,
  bytes = 100,
): Item.Item => {
  const all: ReadonlyArray<Tag.Tag> = [["Data-Protocol", "heddle"] as const, ...tags].map(
    ([name, value]) => ({
      name,
      value,
    }),
  )
  const owner = noise("operator", mlDsa65.ownerBytes)
  const content = Item.content({ type: mlDsa65, owner, tags: all, data: noise(name, bytes) })
  const signature = noise(`signature ${name}`, mlDsa65.signatureBytes)
  return Result.getOrThrow(Item.encode(Result.getOrThrow(content), signature))
}

export const tagged = (name: string, ...values: ReadonlyArray<string>) => ({ name, values })

export const collect = (archive: Archive.Archive["Service"], query: Archive.Query) =>
  Stream.runCollect(archive.find(query))

/** Prepares, sends and confirms one bundle. */
export const store = (subject: Subject, bundle: Archive.Bundle) =>
  Effect.gen(function* () {
    const transfer = yield* subject.archive.prepare(bundle)
    yield* subject.archive.upload(transfer, bundle.bytes)
    yield* subject.mine(1)
    return transfer
  })

export const archiveSuite = <E>(name: string, make: Effect.Effect<Subject, E, Scope.Scope>): void => {
  const run = <A>(body: (subject: Subject) => Effect.Effect<A, unknown>) =>
    Effect.scoped(Effect.flatMap(make, body))

  describe(`Archive: ${name}`, () => {
    it.effect("sends nothing when it prepares; what was uploaded is found and is the same bytes", () =>
      run((subject) =>
        Effect.gen(function* () {
          const { archive } = subject
          const pieces = [piece("one", [["Type", "Module"]]), piece("two", [["Type", "Data"]], 5_000)]
          const bundle = Archive.bundle(pieces)
          const transfer = yield* archive.prepare(bundle)
          assert.deepStrictEqual([transfer.bundle, transfer.bytes >= bundle.bytes.length], [bundle.id, true])
          assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "absent" })
          const query = { tags: [tagged("Data-Protocol", "heddle")] }
          assert.deepStrictEqual(yield* collect(archive, query), [])
          assert.strictEqual(subject.paid?.() ?? 0, 0)

          yield* archive.upload(transfer, bundle.bytes)
          yield* subject.mine(1)
          const status = yield* archive.status(transfer)
          assert.strictEqual(status._tag, "confirmed")
          const found = yield* collect(archive, query)
          assert.deepStrictEqual(
            found.map(({ tags, size }) => [tags, size]),
            pieces.map(({ tags, bytes }) => [tags, bytes.length]),
          )
          for (const [index, { bytes }] of pieces.entries())
            assert.isTrue(Bytes.equal(yield* archive.read(found[index]!), bytes))
        }),
      ),
    )

    it.effect("holds what was uploaded and nothing that was only prepared", () =>
      run((subject) =>
        Effect.gen(function* () {
          const { archive } = subject
          const bundle = Archive.bundle([piece("held", [], 5_000)])
          const transfer = yield* store(subject, bundle)
          assert.isTrue(yield* archive.holds(transfer))
          const other = yield* archive.prepare(Archive.bundle([piece("not held", [])]))
          assert.isFalse(yield* archive.holds(other))
        }),
      ),
    )

    it.effect("counts confirmations from the block of the transfer on", () =>
      run((subject) =>
        Effect.gen(function* () {
          const { archive } = subject
          const first = yield* store(subject, Archive.bundle([piece("first", [])]))
          const one = yield* archive.status(first)
          const height = yield* archive.height
          assert.deepStrictEqual(one, { _tag: "confirmed", height, confirmations: 1 })
          const second = yield* store(subject, Archive.bundle([piece("second", [])]))
          assert.deepStrictEqual(yield* archive.status(first), {
            _tag: "confirmed",
            height,
            confirmations: 2,
          })
          assert.deepStrictEqual(yield* archive.status(second), {
            _tag: "confirmed",
            height: height + 1,
            confirmations: 1,
          })
          assert.strictEqual(yield* archive.height, height + 1)
        }),
      ),
    )

    it.effect("finds by each of several tags, by one of several values, oldest first, over many pages", () =>
      run((subject) =>
        Effect.gen(function* () {
          const { archive } = subject
          const heights: Array<number> = []
          for (let n = 0; n < 5; n++) {
            const of = (type: string, process: string) =>
              piece(`${n} ${type} ${process}`, [
                ["Type", type],
                ["Order", `${n}`],
                ["Process", id(process)],
                ["Slots", `${n}-${n}`],
              ])
            yield* store(subject, Archive.bundle([of("Batches", "a"), of("Turns", "a"), of("Batches", "b")]))
            heights.push(yield* archive.height)
          }
          const orders = (query: Archive.Query) =>
            Effect.map(collect(archive, query), (found) =>
              found.map(({ tags }) => tags.find(({ name }) => name === "Order")!.value).join(""),
            )
          const [heddle, batches] = [tagged("Data-Protocol", "heddle"), tagged("Type", "Batches")]
          assert.strictEqual(yield* orders({ tags: [heddle] }), "000111222333444")
          assert.strictEqual(yield* orders({ tags: [heddle, batches] }), "0011223344")
          assert.strictEqual(yield* orders({ tags: [heddle, batches, tagged("Process", id("a"))] }), "01234")
          assert.strictEqual(
            yield* orders({ tags: [heddle, tagged("Type", "Turns", "Batches")] }).pipe(
              Effect.map((all) => all.length),
            ),
            15,
          )
          assert.strictEqual(yield* orders({ tags: [heddle, tagged("Process", id("c"))] }), "")
          assert.strictEqual(yield* orders({ tags: [heddle, tagged("Slots", "3-3", "1-1")] }), "111333")
          const late = { tags: [heddle, batches], heightMin: heights[3]! }
          assert.strictEqual(yield* orders(late), "3344")
          const found = yield* collect(archive, late)
          assert.deepStrictEqual(
            found.map(({ height }) => height),
            [heights[3], heights[3], heights[4], heights[4]],
          )
          assert.strictEqual(new Set(found.map(({ location }) => location)).size, 4)
        }),
      ),
    )

    it.effect("takes the same upload again and again, and pays for it once", () =>
      run((subject) =>
        Effect.gen(function* () {
          const { archive } = subject
          const bundle = Archive.bundle([piece("again", [["Type", "Data"]])])
          const transfer = yield* archive.prepare(bundle)
          yield* archive.upload(transfer, bundle.bytes)
          yield* archive.upload(transfer, bundle.bytes)
          yield* subject.mine(1)
          yield* archive.upload(transfer, bundle.bytes, undefined, 0)
          assert.strictEqual(subject.paid?.() ?? 1, 1)
          const found = yield* collect(archive, { tags: [tagged("Type", "Data")] })
          assert.strictEqual(found.length, 1)
        }),
      ),
    )

    it.effect("goes on after a crash with what the caller kept, and after another has lost nothing", () =>
      run((subject) =>
        Effect.gen(function* () {
          const kept = Archive.bundle([piece("kept", [["Type", "Data"]], 3_000)])
          const transfer = yield* subject.archive.prepare(kept)
          const second = yield* subject.reopened
          assert.deepStrictEqual(yield* second.status(transfer), { _tag: "absent" })
          yield* second.upload(transfer, kept.bytes)
          yield* subject.mine(1)
          const third = yield* subject.reopened
          assert.strictEqual((yield* third.status(transfer))._tag, "confirmed")
          const [found] = yield* collect(third, { tags: [tagged("Type", "Data")] })
          assert.isTrue(Bytes.equal(yield* third.read(found!), kept.pieces[0]!.bytes))
          assert.strictEqual(subject.paid?.() ?? 1, 1)
        }),
      ),
    )

    it.effect("takes a bundle of many chunks, and says how far it is", () =>
      run((subject) =>
        Effect.gen(function* () {
          const { archive } = subject
          const pieces = [
            piece(
              "small",
              [
                ["Type", "Snapshot"],
                ["Part", "0"],
              ],
              10,
            ),
            piece(
              "large",
              [
                ["Type", "Snapshot"],
                ["Part", "1"],
              ],
              1_400_000,
            ),
            piece(
              "medium",
              [
                ["Type", "Snapshot"],
                ["Part", "2"],
              ],
              150_000,
            ),
          ]
          const bundle = Archive.bundle(pieces)
          const transfer = yield* archive.prepare(bundle)
          const said: Array<number> = []
          yield* archive.upload(transfer, bundle.bytes, ({ sent, total }) => {
            assert.strictEqual(total, transfer.bytes)
            said.push(sent)
          })
          assert.deepStrictEqual(
            said,
            said.toSorted((a, b) => a - b),
          )
          assert.strictEqual(said.at(-1), transfer.bytes)
          yield* subject.mine(1)
          const found = yield* collect(archive, { tags: [tagged("Type", "Snapshot")] })
          assert.strictEqual(found.length, 3)
          for (const [index, { bytes }] of pieces.entries())
            assert.isTrue(Bytes.equal(yield* archive.read(found[index]!), bytes))
        }),
      ),
    )

    it.effect("takes the largest piece, and refuses one more byte, one more piece, and no piece", () =>
      run((subject) =>
        Effect.gen(function* () {
          const { archive } = subject
          const head = piece("head", [], 0).bytes.length
          const largest = piece("largest", [], Limit.archivePieceBytesMax - head)
          assert.strictEqual(largest.bytes.length, Limit.archivePieceBytesMax)
          yield* archive.prepare(Archive.bundle([largest]))
          const refused = (pieces: ReadonlyArray<Item.Item>) =>
            Effect.map(Effect.flip(archive.prepare(Archive.bundle(pieces))), (error) => {
              assert.strictEqual(error._tag, "ArchiveRefused")
              return error.reason
            })
          assert.strictEqual(
            yield* refused([piece("larger", [], Limit.archivePieceBytesMax - head + 1)]),
            "too large",
          )
          const small = piece("small", [])
          const many = Array.from({ length: Limit.archivePiecesMax + 1 }, () => small)
          assert.strictEqual(yield* refused(many), "too many pieces")
          assert.strictEqual(yield* refused([]), "empty")
          assert.strictEqual(yield* refused(Array.from({ length: 7 }, () => largest)), "too large")
        }),
      ),
    )

    it.effect("refuses a transfer with another's bytes or record, and sends nothing of it", () =>
      run((subject) =>
        Effect.gen(function* () {
          const { archive } = subject
          const [one, two] = [Archive.bundle([piece("one", [])]), Archive.bundle([piece("two", [])])]
          const [first, second] = [yield* archive.prepare(one), yield* archive.prepare(two)]
          const attempts: ReadonlyArray<readonly [Archive.Transfer, Uint8Array]> = [
            [first, two.bytes],
            [first, one.bytes.subarray(1)],
            [{ ...first, bundle: second.bundle, id: second.id, record: first.record }, one.bytes],
            [{ ...first, record: Bytes.concat([first.record, Bytes.u8(0)]) }, one.bytes],
            [{ ...first, record: Bytes.fromText("heddle") }, one.bytes],
          ]
          for (const [transfer, bytes] of attempts) {
            const error = yield* Effect.flip(archive.upload(transfer, bytes))
            assert.strictEqual(error._tag, "ArchiveRefused")
            if (error._tag === "ArchiveRefused") assert.strictEqual(error.reason, "transfer")
          }
          yield* subject.mine(1)
          assert.deepStrictEqual(yield* collect(archive, { tags: [] }), [])
          assert.strictEqual(subject.paid?.() ?? 0, 0)
        }),
      ),
    )

    it.effect("names a location where nothing is", () =>
      run((subject) =>
        Effect.gen(function* () {
          const { archive } = subject
          yield* store(subject, Archive.bundle([piece("here", [["Type", "Data"]])]))
          const [found] = yield* collect(archive, { tags: [tagged("Type", "Data")] })
          const [outer = "", inner = ""] = found!.location.split("/")
          const nowhere = [
            "",
            "here",
            id("no transaction"),
            `${id("none")}/${inner}`,
            `${outer}/${id("none")}`,
          ]
          for (const location of [...nowhere, `${found!.location}/${Id.parse(inner)}`]) {
            const error = yield* Effect.flip(archive.read({ location }))
            assert.strictEqual(error._tag, "PieceDamaged", location)
            assert.include(error.message, location)
          }
        }),
      ),
    )
  })
}
