import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Archive from "../../runtime/Archive.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { archiveSuite, collect, piece, store, type Subject, tagged } from "../compliance/archive.ts"
import * as Folder from "../support/Folder.ts"

const subjectIn = (folder: string) =>
  Effect.map(ArchiveFolder.make(folder), (archive): Subject => ({
    archive,
    reopened: ArchiveFolder.make(folder),
    mine: () => Effect.void,
  }))

archiveSuite("in a folder", Effect.flatMap(Folder.make, subjectIn))

const everything = { tags: [tagged("Data-Protocol", "heddle")] }

const fresh = Effect.gen(function* () {
  const folder = yield* Folder.make
  const subject = yield* subjectIn(folder)
  const bundle = Archive.bundle([piece("one", []), piece("two", [], 20_000)])
  const transfer = yield* store(subject, bundle)
  return { folder, subject, bundle, transfer, file: path.join(folder, `${bundle.id}.bundle`) }
})

describe("ArchiveFolder", () => {
  it.effect("keeps a bundle as one file of its bytes, and nothing else", () =>
    Effect.gen(function* () {
      const { folder, bundle, file } = yield* fresh
      assert.deepStrictEqual(fs.readdirSync(folder), [path.basename(file)])
      assert.isTrue(Bytes.equal(fs.readFileSync(file), bundle.bytes))
    }).pipe(Effect.scoped),
  )

  it.effect("gives out no byte of a file of which one byte is wrong, and writes it anew", () =>
    Effect.gen(function* () {
      const { subject, bundle, transfer, file } = yield* fresh
      const found = yield* collect(subject.archive, everything)
      let wrong = 0
      for (const at of [0, 40, 100, 5_500, bundle.bytes.length - 1]) {
        const bytes = new Uint8Array(bundle.bytes)
        bytes[at]! ^= 1
        fs.writeFileSync(file, bytes)
        for (const one of found) {
          const error = yield* Effect.flip(subject.archive.read(one))
          assert.strictEqual(error._tag, "PieceDamaged")
          if (error._tag === "PieceDamaged") assert.strictEqual(error.reason, "wrong bytes")
          wrong += 1
        }
      }
      assert.strictEqual(wrong, 10)
      yield* subject.archive.upload(transfer, bundle.bytes)
      assert.isTrue(Bytes.equal(yield* subject.archive.read(found[1]!), bundle.pieces[1]!.bytes))
    }).pipe(Effect.scoped),
  )

  it.effect("takes no file for a bundle that was cut off or is something else", () =>
    Effect.gen(function* () {
      const { folder, subject, bundle, transfer, file } = yield* fresh
      fs.writeFileSync(path.join(folder, `.${bundle.id}.1.part`), bundle.bytes.subarray(0, 50))
      fs.writeFileSync(path.join(folder, "notes.bundle"), "notes")
      fs.writeFileSync(path.join(folder, `${"A".repeat(43)}.bundle`), "no bundle")
      let cut = 0
      for (const length of [0, 31, 33, 159, 160, 9_000, bundle.bytes.length - 1]) {
        fs.writeFileSync(file, bundle.bytes.subarray(0, length))
        const again = yield* subject.reopened
        assert.deepStrictEqual(yield* collect(again, everything), [])
        assert.deepStrictEqual(yield* again.status(transfer), { _tag: "absent" })
        assert.deepStrictEqual(yield* subject.archive.status(transfer), { _tag: "absent" })
        cut += 1
      }
      assert.strictEqual(cut, 7)
      yield* subject.archive.upload(transfer, bundle.bytes)
      assert.strictEqual((yield* collect(yield* subject.reopened, everything)).length, 2)
      assert.isFalse(fs.readdirSync(folder).some((name) => name.endsWith(".part")))
    }).pipe(Effect.scoped),
  )

  it.effect("keeps the order of bundles that came within one tick of the disk's clock", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const subject = yield* subjectIn(folder)
      const names = Array.from({ length: 30 }, (_, n) => `${n}`)
      for (const name of names) yield* store(subject, Archive.bundle([piece(name, [["Order", name]])]))
      for (const archive of [subject.archive, yield* subject.reopened]) {
        const found = yield* collect(archive, everything)
        assert.deepStrictEqual(
          found.map(({ tags, height }) => [tags[1]!.value, height]),
          names.map((name, n) => [name, n + 1]),
        )
      }
    }).pipe(Effect.scoped),
  )

  it.effect("sees what another program has added and taken away", () =>
    Effect.gen(function* () {
      const { subject, file } = yield* fresh
      const other = { ...subject, archive: yield* subject.reopened }
      const transfer = yield* store(other, Archive.bundle([piece("three", [])]))
      assert.strictEqual((yield* collect(subject.archive, everything)).length, 3)
      fs.rmSync(file)
      assert.strictEqual((yield* collect(subject.archive, everything)).length, 1)
      assert.deepStrictEqual(yield* subject.archive.status(transfer), {
        _tag: "confirmed",
        height: 1,
        confirmations: 1,
      })
    }).pipe(Effect.scoped),
  )

  it.effect("says what the disk says", () =>
    Effect.gen(function* () {
      const folder = yield* Folder.make
      const file = path.join(folder, "file")
      fs.writeFileSync(file, "")
      const error = yield* Effect.flip(ArchiveFolder.make(path.join(file, "below")))
      assert.strictEqual(error._tag, "ArchiveUnavailable")
      assert.strictEqual(error.reason, "io")
      assert.include(error.message, "ENOTDIR")
    }).pipe(Effect.scoped),
  )
})
