/** The bundles of a folder go to Arweave: all of them, each paid for once, whatever comes between. */
import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Archive from "../../runtime/Archive.ts"
import * as ArchiveArweave from "../../runtime/ArchiveArweave.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as Push from "../../node/Push.ts"
import * as PushJournal from "../../node/PushJournal.ts"
import { piece } from "../compliance/archive.ts"
import * as ArweaveGateway from "../support/ArweaveGateway.ts"
import { wallet } from "../support/ArweaveWallet.ts"
import * as Folder from "../support/Folder.ts"

const much = 10n ** 12n

/** A folder with so many bundles, and a weave with a gateway to it. */
const ready = Effect.fnUntraced(function* (count: number, bytes = 1_000) {
  const folder = path.join(yield* Folder.make, "archive")
  const from = yield* ArchiveFolder.make(folder)
  const bundles: Array<Archive.Bundle> = []
  for (let n = 0; n < count; n++) {
    const bundle = Archive.bundle([piece(`piece ${n}`, [["Number", String(n)]], bytes)])
    bundles.push(bundle)
    yield* from.upload(yield* from.prepare(bundle), bundle.bytes)
  }
  const weave = new ArweaveGateway.Weave()
  const gateway = yield* ArweaveGateway.make(weave)
  const archive = ArchiveArweave.make({ gateways: [gateway.url], wallet, costMax: much })
  const push = (spendingLimit = much, through = archive) =>
    Push.run({ folder, archive: through, spendingLimit })
  const journal = () => fs.readdirSync(`${folder}.push`).toSorted()
  return { folder, bundles, weave, gateway, archive, push, journal }
})

const states = ({ bundles }: Push.Report) => bundles.map(({ state }) => state)

/** An archive that stops the push for good when `when` says so. */
const dying = (
  archive: Archive.Archive["Service"],
  when: "before the first byte" | "in the middle" | "after the last byte",
): Archive.Archive["Service"] => ({
  ...archive,
  upload: (transfer, bytes, onProgress = () => {}, sent) => {
    if (when === "before the first byte") return Effect.die("killed")
    if (when === "after the last byte")
      return Effect.andThen(archive.upload(transfer, bytes, onProgress, sent), Effect.die("killed"))
    return archive.upload(transfer, bytes, () => {
      throw new Error("killed")
    })
  },
})

describe("a push", () => {
  it.live("sends each bundle once, in the order in which they were made, and shows what is confirmed", () =>
    Effect.gen(function* () {
      const { push, bundles, weave, archive, folder } = yield* ready(3)
      const first = yield* push()
      assert.deepStrictEqual(states(first), ["sent", "sent", "sent"])
      assert.deepStrictEqual(
        first.bundles.map(({ bundle }) => bundle),
        bundles.map(({ id }) => id),
      )
      assert.strictEqual(
        first.spent,
        first.bundles.reduce((sum, { cost }) => sum + cost!, 0n),
      )
      assert.deepInclude(first, { folder, spendingLimit: much })
      weave.mine(1)
      const second = yield* push()
      assert.deepStrictEqual(states(second), ["in a block", "in a block", "in a block"])
      weave.mine(8)
      assert.strictEqual(states(yield* push())[0], "in a block", "nine confirmations are not ten")
      weave.mine(1)
      const third = yield* push()
      assert.deepStrictEqual(states(third), ["confirmed", "confirmed", "confirmed"])
      assert.strictEqual(third.bundles[0]!.height, weave.heightOf(third.bundles[0]!.transaction!))
      assert.strictEqual(weave.paid.size, 3)
      assert.strictEqual(third.spent, first.spent)
      for (const [index, { transaction, bytes }] of third.bundles.entries()) {
        assert.strictEqual(bytes, bundles[index]!.bytes.length)
        assert.isDefined(weave.data(transaction!))
      }
      assert.strictEqual(yield* archive.height, weave.height)
    }),
  )

  for (const when of ["before the first byte", "in the middle", "after the last byte"] as const)
    it.live(`that is killed ${when} goes on by the same transaction`, () =>
      Effect.gen(function* () {
        const { push, weave, archive, journal } = yield* ready(2, 700_000)
        yield* Effect.exit(push(much, dying(archive, when)))
        assert.strictEqual(journal().length, 1, "it was durable, and is not marked as sent")
        assert.strictEqual(weave.paid.size, when === "before the first byte" ? 0 : 1)
        if (when === "in the middle") weave.mine(12)
        const { bundles } = yield* push()
        assert.strictEqual(weave.paid.size, 2)
        for (const { transaction } of bundles) {
          const known = weave.transaction(transaction!)
          assert.strictEqual(weave.chunkBytes(known!.data_root), Number(known!.data_size), "all is there")
        }
        assert.deepStrictEqual(
          journal().map((name) => name.split(".").slice(1).join(".")),
          ["0.json", "0.sent", "0.json", "0.sent"],
        )
      }),
    )

  it.live("sends again what a gateway has forgotten, and pays anew only for what can never arrive", () =>
    Effect.gen(function* () {
      const { push, weave } = yield* ready(1)
      const first = yield* push()
      weave.forget()
      const second = yield* push()
      assert.strictEqual(second.bundles[0]!.transaction, first.bundles[0]!.transaction)
      weave.forget()
      weave.mine(62)
      const third = yield* push(first.spent)
      assert.notStrictEqual(third.bundles[0]!.transaction, first.bundles[0]!.transaction)
      assert.deepStrictEqual(states(third), ["sent"])
      assert.strictEqual(third.spent, first.spent, "what nobody took is not spent")
      weave.mine(10)
      assert.deepStrictEqual(states(yield* push()), ["confirmed"])
    }),
  )

  it.live("pays anew where it turns out only on the way that the transaction can never arrive", () =>
    Effect.gen(function* () {
      const { push, archive, weave, journal } = yield* ready(1)
      let failures = 1
      const voiding: typeof archive = {
        ...archive,
        upload: (transfer, ...more) =>
          failures-- > 0
            ? Effect.fail(new Archive.TransferVoid({ transfer: transfer.id }))
            : archive.upload(transfer, ...more),
      }
      assert.deepStrictEqual(states(yield* push(much, voiding)), ["sent"])
      assert.strictEqual(weave.paid.size, 1)
      assert.strictEqual(journal().length, 3, "two transfers, one of them sent")
    }),
  )

  it.live("stops at the spending limit, and goes on where it is raised", () =>
    Effect.gen(function* () {
      const { push, weave, journal } = yield* ready(3)
      const price = (yield* push(0n)).spent
      assert.strictEqual(price, 0n)
      assert.strictEqual(weave.paid.size, 0)
      assert.deepStrictEqual(journal(), [])
      const one = yield* push(much).pipe(Effect.map(({ bundles }) => bundles[0]!.cost!))
      const other = yield* ready(3)
      const limited = yield* other.push(2n * one)
      assert.deepStrictEqual(states(limited), ["sent", "sent", "waiting"])
      assert.strictEqual(limited.spent, 2n * one)
      assert.deepStrictEqual(states(yield* other.push(2n * one)), ["sent", "sent", "waiting"])
      assert.strictEqual(other.weave.paid.size, 2)
      assert.deepStrictEqual(states(yield* other.push(3n * one - 1n)), ["sent", "sent", "waiting"])
      assert.deepStrictEqual(states(yield* other.push(3n * one)), ["sent", "sent", "sent"])
    }),
  )

  it.live("sends nothing over a limit that was lowered after it was begun", () =>
    Effect.gen(function* () {
      const { push, archive, weave } = yield* ready(1)
      yield* Effect.exit(push(much, dying(archive, "before the first byte")))
      assert.deepStrictEqual(states(yield* push(1n)), ["waiting"])
      assert.strictEqual(weave.paid.size, 0)
    }),
  )

  it.live("takes the transaction of another push that began the same bundle at the same time", () =>
    Effect.gen(function* () {
      const { push, weave } = yield* ready(4)
      const [one, other] = yield* Effect.all([push(), push()], { concurrency: 2 })
      assert.deepStrictEqual(
        one.bundles.map(({ transaction }) => transaction),
        other.bundles.map(({ transaction }) => transaction),
      )
      assert.strictEqual(weave.paid.size, 4)
    }),
  )

  it.live("names a file that is not its bundle, and sends the others", () =>
    Effect.gen(function* () {
      const { push, folder, bundles, weave } = yield* ready(2)
      const file = path.join(folder, `${bundles[0]!.id}.bundle`)
      const { mtime } = fs.statSync(file)
      fs.writeFileSync(file, "nothing")
      fs.utimesSync(file, mtime, mtime)
      fs.writeFileSync(path.join(folder, "readme"), "")
      assert.deepStrictEqual(states(yield* push()), ["damaged", "sent"])
      assert.strictEqual(weave.paid.size, 1)
    }),
  )

  it.live("sends nothing where its journal is damaged, or the folder is not there", () =>
    Effect.gen(function* () {
      const { push, folder, journal, weave, archive } = yield* ready(2)
      yield* push()
      const file = path.join(
        `${folder}.push`,
        journal().find((name) => name.endsWith(".json"))!,
      )
      for (const text of ["", "[]", '{"id": 1}', fs.readFileSync(file, "utf8").replace(/"cost":"/, "$&x")]) {
        fs.writeFileSync(file, text)
        const error = yield* Effect.flip(push())
        assert.deepInclude(error, { _tag: "JournalUnusable", file })
      }
      assert.strictEqual(weave.paid.size, 2)
      const nowhere = Push.run({ folder: path.join(folder, "no"), archive, spendingLimit: much })
      assert.strictEqual((yield* Effect.flip(nowhere))._tag, "FolderUnreadable")
    }),
  )

  it.live("whose journal can't be written sends nothing", () =>
    Effect.gen(function* () {
      const { push, folder, weave } = yield* ready(1)
      fs.writeFileSync(`${folder}.push`, "")
      assert.strictEqual((yield* Effect.flip(push()))._tag, "JournalUnusable")
      assert.strictEqual(weave.paid.size, 0)
    }),
  )
})

describe("the journal of a push", () => {
  it.live("gives back what was written, and the last of each bundle", () =>
    Effect.gen(function* () {
      const { folder, archive, bundles } = yield* ready(1)
      const journal = yield* PushJournal.open(folder)
      const transfer = yield* archive.prepare(bundles[0]!)
      const entry = { bundle: transfer.bundle, attempt: 0, transfer, sent: false }
      assert.isTrue(yield* journal.add(entry))
      assert.isFalse(yield* journal.add(entry))
      assert.deepStrictEqual((yield* journal.entries).get(entry.bundle), entry)
      yield* journal.markSent(entry)
      yield* journal.markSent(entry)
      const next = { ...entry, attempt: 10 }
      assert.isTrue((yield* journal.entries).get(entry.bundle)!.sent)
      yield* journal.add(next)
      yield* journal.add({ ...entry, attempt: 9 })
      assert.deepStrictEqual((yield* journal.entries).get(entry.bundle), next)
      yield* journal.remove(next)
      assert.strictEqual((yield* journal.entries).get(entry.bundle)!.attempt, 9)
      assert.deepStrictEqual(
        fs.readdirSync(`${folder}.push`).filter((name) => name.startsWith(".")),
        [],
      )
    }),
  )
})
