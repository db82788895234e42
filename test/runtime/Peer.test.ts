import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Gate from "../../runtime/Gate.ts"
import * as Peer from "../../runtime/Peer.ts"

describe("the name of a peer", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::FFFF:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::9", "2001:db8:1:2::/64"],
    ["2001:db8::9", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["", ""],
  ])("is of %s: %s", (address, name) => {
    assert.strictEqual(Peer.ofAddress(address), name)
  })

  it("is one for a network of IPv6, and another for the next", () => {
    const of = (address: string) => Peer.ofAddress(address)
    assert.strictEqual(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"))
    assert.notStrictEqual(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"))
  })
})

describe("what is done within a gate", () => {
  it.effect("has a place while it is done, however it ends, and is refused at once where there is none", () =>
    Effect.gen(function* () {
      const gate = Gate.make(4)
      const within = Peer.within(gate, "questions")
      const from = (name: string) => Effect.provideService(Peer.Peer, { name })
      const held = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(within(Effect.never).pipe(from("a")), { startImmediately: true }),
      )
      const refused = yield* Effect.flip(within(Effect.void).pipe(from("a")))
      assert.deepInclude(refused, { _tag: "Refused", reason: "overloaded" })
      assert.include(refused.message, "2 questions are in hand")
      yield* within(Effect.void).pipe(from("b"))
      yield* within(Effect.void)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(within(Effect.die("broken")).pipe(from("b")))))
      assert.strictEqual(gate.inside(), 2)
      yield* Fiber.interrupt(held[0]!)
      yield* within(Effect.void).pipe(from("a"))
      assert.strictEqual(gate.inside(), 1)
    }),
  )
})
