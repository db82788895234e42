/** A content in several parts, of which some copies are damaged. */
import crypto from "node:crypto"
import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Catalog from "../../archive-unit/Catalog.ts"
import * as ContentReader from "../../archive-unit/ContentReader.ts"
import * as Piece from "../../archive-unit/Piece.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as Archive from "../../runtime/Archive.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Caller from "../support/Caller.ts"
import * as Folder from "../support/Folder.ts"

const bytes = new Uint8Array(crypto.randomBytes(2 * Limit.archivePartBytesMax + 100))
const hash = Hash.sha256(bytes)
const signers = ["ada", "bob"].map((name) => Caller.caller(name).signer)

/** Two copies of three parts, each in a bundle of its own. */
const stored = Effect.gen(function* () {
  const folder = yield* Folder.make
  const archive = yield* ArchiveFolder.make(folder)
  const unsigned = yield* Piece.make({ type: "Data", hash }, [], bytes)
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
  )
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
})
