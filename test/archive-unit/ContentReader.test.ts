/** A content in several parts, of which some copies are damaged. */
import crypto from "node:crypto"
import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Catalog from "../../archive-unit/Catalog.ts"
import * as ContentReader from "../../archive-unit/ContentReader.ts"
import * as Piece from "../../archive-unit/Piece.ts"
import type { Signer } from "../../identity/Signer.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Archive from "../../runtime/Archive.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Caller from "../support/Caller.ts"
import * as Folder from "../support/Folder.ts"

const bytes = new Uint8Array(crypto.randomBytes(2 * Limit.archivePartBytesMax + 100))
const hash = Hash.sha256(bytes)
const signers = ["ada", "bob"].map((name) => Caller.caller(name).signer)

const checking = Effect.provideService(Verifier, VerifierLocal.make())

const pieces = Effect.cached(Piece.make({ type: "Data", hash }, [], bytes)).pipe(Effect.runSync)

/** Two copies of three parts, each in a bundle of its own. */
const stored = Effect.gen(function* () {
  const folder = yield* Folder.make
  const archive = yield* ArchiveFolder.make(folder)
  const unsigned = yield* pieces
  assert.lengthOf(unsigned, 3)
  const bundles: Array<Array<Id.Id>> = []
  for (const signer of signers) {
    const made: Array<Id.Id> = []
    for (const piece of unsigned) {
      const bundle = Archive.bundle([yield* SignedItem.sign(signer, piece)])
      yield* archive.upload(yield* archive.prepare(bundle), bundle.bytes)
      made.push(bundle.id)
    }
    bundles.push(made)
  }
  const lose = (copy: number, part: number) => fs.rmSync(path.join(folder, `${bundles[copy]![part]!}.bundle`))
  const [listed] = yield* Catalog.list(archive, "Data", [{ name: "Data-Hash", values: [Id.fromBytes(hash)] }])
  const problems: Array<ContentReader.Problem> = []
  let came = 0
  const read = ContentReader.read(
    archive,
    listed!,
    (one) => problems.push(one),
    (count) => void (came += count),
  ).pipe(checking)
  return { listed: listed!, bundles, lose, read, problems, came: () => came }
})

describe("ContentReader", () => {
  it.live("puts a content together from parts of different copies", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { listed, bundles, lose, read, problems, came } = yield* stored
        assert.deepStrictEqual(
          listed.copies.map((copies) => copies.map(ContentReader.transactionOf)),
          [0, 1, 2].map((part) => [bundles[0]![part]!, bundles[1]![part]!]),
        )
        lose(0, 0)
        lose(1, 1)
        lose(0, 2)
        const content = yield* read
        assert.isTrue(typeof content !== "string" && Bytes.equal(content, bytes))
        assert.deepStrictEqual(
          problems.map(({ transaction, reason }) => [transaction, reason]),
          [
            [bundles[0]![0]!, "not here"],
            [bundles[0]![2]!, "not here"],
          ],
        )
        assert.isAtLeast(came(), bytes.length)
      }),
    ),
  )

  it.live("says of which part no copy is left", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { lose, read, problems } = yield* stored
        lose(0, 1)
        lose(1, 1)
        assert.strictEqual(yield* read, "lost")
        assert.deepStrictEqual(
          problems.map(({ reason, detail }) => [reason, reason === "missing" ? detail : ""]),
          [
            ["not here", ""],
            ["not here", ""],
            ["missing", "part 1: of 2 copies none is of use"],
          ],
        )
      }),
    ),
  )

  const [ada, bob] = signers as [Signer["Service"], Signer["Service"]]
  type Put = readonly [by: Signer["Service"], part: number, filling?: number]

  /** Puts parts into an archive one by one, some filled with something else, and reads what they make. */
  const among = Effect.fnUntraced(function* (
    puts: ReadonlyArray<Put>,
    believed?: ReadonlyArray<Id.Address>,
    damage: (item: Item.Item) => Item.Item = (item) => item,
  ) {
    const archive = yield* ArchiveFolder.make(yield* Folder.make)
    const unsigned = yield* pieces
    for (const [by, part, filling] of puts) {
      const { tags, data } = unsigned[part]!
      const other = filling === undefined ? data : new Uint8Array(data.length).fill(filling)
      const bundle = Archive.bundle([damage(yield* SignedItem.sign(by, { tags, data: other }))])
      yield* archive.upload(yield* archive.prepare(bundle), bundle.bytes)
    }
    const [listed] = yield* Catalog.list(archive, "Data", [])
    const problems: Array<ContentReader.Problem> = []
    const report = (one: ContentReader.Problem) => void problems.push(one)
    const content = yield* checking(ContentReader.read(archive, listed!, report, () => {}, believed))
    return { content, problems }
  })
  const isTrue = (content: Uint8Array | string) => typeof content !== "string" && Bytes.equal(content, bytes)

  it.live("finds a content that one has signed, whatever others put beside or before it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const crossed: ReadonlyArray<Put> = [
          [ada, 0],
          [bob, 1, 1],
          [bob, 0, 2],
          [ada, 1],
          [ada, 2],
        ]
        const before = Array.from({ length: 9 }, (_, i): Put => [bob, 2, i])
        for (const puts of [crossed, [...before, [ada, 0], [ada, 1], [ada, 2]] as const]) {
          const { content, problems } = yield* among(puts)
          assert.isTrue(isTrue(content))
          assert.deepStrictEqual(
            problems.map(({ reason }) => reason),
            ["damaged"],
          )
        }
      }),
    ),
  )

  it.live(
    "puts parts of different signers together where no one has all, and says where that is not decided",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const parts: ReadonlyArray<Put> = [
            [bob, 2, 1],
            [ada, 0],
            [ada, 1],
            [bob, 2],
          ]
          assert.isTrue(isTrue((yield* among(parts)).content))
          const made = Array.from({ length: 17 }, (_, i): Put => [bob, 2, i])
          const undecided = [[ada, 0], [ada, 1], ...made, [bob, 2]] as const
          assert.strictEqual((yield* among(undecided)).content, "lost")
          assert.strictEqual(
            (yield* among([
              [ada, 0],
              [ada, 1],
              [bob, 2, 1],
            ])).content,
            "false",
          )
        }),
      ),
  )

  it.live("takes for lost only what is signed by those who are believed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const some: ReadonlyArray<Put> = [[ada, 1]]
        assert.strictEqual((yield* among(some, [ada.address])).content, "lost")
        const ofOther = yield* among(some, [bob.address])
        assert.strictEqual(ofOther.content, "false")
        assert.deepStrictEqual(
          ofOther.problems.map(({ reason, detail }) => [reason, detail]),
          [["missing", "part 0: there is no copy"]],
        )
        // The other parts are there as somebody else has made them up.
        const beside = [
          [ada, 1],
          [bob, 0, 1],
          [bob, 2, 2],
        ] as const
        assert.strictEqual((yield* among(beside, [ada.address])).content, "lost")
        assert.strictEqual((yield* among(beside, [bob.address])).content, "lost")
        const whole = [
          [ada, 0, 1],
          [ada, 1],
          [ada, 2],
        ] as const
        assert.strictEqual((yield* among(whole, [ada.address])).content, "false")
        // In her name, and not signed by her.
        const forge = (item: Item.Item) => {
          const changed = Bytes.copy(item.bytes)
          changed[100]! ^= 1
          return Result.getOrThrow(Item.decode(changed))
        }
        const forged = yield* among(some, [ada.address], forge)
        assert.strictEqual(forged.content, "false")
        assert.deepStrictEqual(
          forged.problems.map(({ reason }) => reason),
          ["missing", "bad signature"],
        )
      }),
    ),
  )
})
