import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Bytes from "../../runtime/Bytes.ts"
import { Network } from "../../runtime/Network.ts"
import * as NetworkMemory from "../../runtime/NetworkMemory.ts"
import { networkSuite } from "../compliance/network.ts"
import { id } from "../support/Unsigned.ts"

networkSuite(
  "in memory",
  Effect.sync(() => {
    const board = NetworkMemory.switchboard()
    return (address) => NetworkMemory.make(address, board)
  }),
  { lossless: true, once: true },
)

describe("NetworkMemory", () => {
  it.effect("keeps nothing of a node that serves nothing any more", () =>
    Effect.gen(function* () {
      const board = NetworkMemory.switchboard()
      const node = NetworkMemory.make(id("ada"), board)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* node.serve("/one", () => Effect.succeed(Bytes.empty))
          yield* node.serve("/two", () => Effect.succeed(Bytes.empty))
          assert.strictEqual(board.get(id("ada"))?.size, 2)
        }),
      )
      assert.strictEqual(board.size, 0)
    }),
  )

  it.effect("is a layer", () =>
    Effect.gen(function* () {
      const network = yield* Network
      assert.strictEqual(network.address, id("ada"))
    }).pipe(Effect.provide(NetworkMemory.layer(id("ada"), NetworkMemory.switchboard()))),
  )
})
