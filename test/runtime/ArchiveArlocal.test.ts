/** The archive against a gateway that others wrote, and that unpacks our bundles with arbundles. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Archive from "../../runtime/Archive.ts"
import * as ArchiveArweave from "../../runtime/ArchiveArweave.ts"
import { archiveSuite, piece, store, type Subject } from "../compliance/archive.ts"
import * as arlocal from "../oracle/arlocal.ts"
import { wallet } from "../support/ArweaveWallet.ts"

const there = arlocal.install()

const costMax = 10n ** 15n

const started = Effect.gen(function* () {
  const gateway = yield* arlocal.make
  yield* gateway.mint(wallet.address, 10n ** 15n)
  yield* gateway.mine(1)
  const open = () => ArchiveArweave.make({ gateways: [gateway.url], wallet, costMax })
  const subject: Subject = {
    archive: open(),
    reopened: Effect.sync(open),
    mine: (blocks) => Effect.asVoid(gateway.mine(blocks)),
  }
  return { gateway, subject }
})

describe.skipIf(!there)("arlocal", () => {
  archiveSuite(
    "Arweave through arlocal",
    Effect.map(started, ({ subject }) => subject),
  )

  it.effect(
    "knows the carriers by the tags of their pieces, and mines only what arbundles has verified",
    () =>
      Effect.gen(function* () {
        const { gateway, subject } = yield* started
        const bundle = Archive.bundle([piece("one", [["Type", "Turns"]]), piece("two", [["Type", "Data"]])])
        const transfer = yield* store(subject, bundle)
        assert.strictEqual((yield* subject.archive.status(transfer))._tag, "confirmed")
        const query =
          '{transactions(tags:[{name:"Type",values:["Turns"]}]){edges{node{id tags{name value}}}}}'
        const answer: unknown = yield* Effect.promise(async () => {
          const headers = { "content-type": "application/json" }
          const body = JSON.stringify({ query })
          return (await fetch(`${gateway.url}/graphql`, { method: "POST", headers, body })).json()
        })
        const { data } = answer as {
          data: { transactions: { edges: ReadonlyArray<{ node: { id: string; tags: unknown } }> } }
        }
        const carriers = data.transactions.edges.filter(({ node }) => node.id !== transfer.id)
        assert.deepStrictEqual(
          carriers.map(({ node }) => node.tags),
          [bundle.pieces[0]!.tags],
        )
      }).pipe(Effect.scoped),
  )
})
