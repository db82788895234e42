import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Codec from "../../runtime/Codec.ts"
import * as Exchange from "../../runtime/Exchange.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Limit from "../../runtime/Limit.ts"
import type { Network } from "../../runtime/Network.ts"
import * as NetworkMemory from "../../runtime/NetworkMemory.ts"
import { id } from "../support/Unsigned.ts"

const [ada, bob, eve] = [id("ada"), id("bob"), id("eve")]
const protocol = "/test/1"
const double = Exchange.call(0, Codec.count, Codec.count)
const bytes = Exchange.call(1, Codec.u32, Codec.block)
const next = Exchange.call(2, Codec.nothing, Codec.text)

const net = () => {
  const board = NetworkMemory.switchboard()
  const at = (address: typeof ada) => NetworkMemory.make(address, board)
  const peer: Exchange.Server = { network: at(ada), address: bob, protocol }
  return { at, peer }
}

const doubling = Exchange.answering(double, (n) => Effect.succeed(2 * n))
const quiet = Effect.provideService(References.MinimumLogLevel, "None")

/** What a server says to a frame, in words. */
const said = (network: Network["Service"], frame: Uint8Array) =>
  Effect.map(network.request(bob, protocol, frame), (answer) => {
    const read = Result.getOrThrow(Exchange.decodeReply(answer))
    return "refusal" in read ? `${read.refusal}: ${read.detail}` : "an answer"
  })

describe("a server of calls", () => {
  it.effect("refuses every frame that asks nothing it knows, by name", () =>
    Effect.gen(function* () {
      const { at } = net()
      yield* Exchange.serve(at(bob), protocol, [doubling])
      const good = Exchange.request(double, 21, 0)
      assert.strictEqual(yield* said(at(ada), good), "an answer")
      for (let end = 0; end < good.length; end++)
        assert.match(
          yield* said(at(ada), good.subarray(0, end)),
          /^not understood: the (frame|bytes) ends? early$/,
        )
      assert.match(yield* said(at(ada), Bytes.concat([good, Bytes.u8(0)])), /^not understood: 1 bytes follow/)
      assert.match(
        yield* said(at(ada), Exchange.request(next, undefined, 0)),
        /^not understood: call 2 is not part/,
      )
    }),
  )

  it.effect(
    "has so many requests of one peer under way, and refuses one more at once; another peer has its own",
    () =>
      Effect.gen(function* () {
        const { at } = net()
        const gate = yield* Deferred.make<string>()
        yield* Exchange.serve(at(bob), protocol, [
          doubling,
          Exchange.answering(next, () => Deferred.await(gate)),
        ])
        const waiting = yield* Effect.forEach(Array.from({ length: Limit.requestsPerPeerMax }), () =>
          Effect.forkChild(said(at(ada), Exchange.request(next, undefined, 0))),
        )
        yield* Effect.yieldNow
        assert.match(yield* said(at(ada), Exchange.request(double, 1, 0)), /^busy: 1024 /)
        assert.strictEqual(yield* said(at(eve), Exchange.request(double, 1, 0)), "an answer")
        yield* Deferred.succeed(gate, "go")
        const answers = yield* Effect.forEach(waiting, Fiber.join)
        assert.strictEqual(answers.filter((one) => one === "an answer").length, Limit.requestsPerPeerMax)
        assert.strictEqual(yield* said(at(ada), Exchange.request(double, 1, 0)), "an answer")
      }),
  )

  it.effect("says that it failed where answering one does, and goes on", () =>
    Effect.gen(function* () {
      const { at } = net()
      yield* Exchange.serve(at(bob), protocol, [
        doubling,
        Exchange.answering(next, () => Effect.die(new Error("no"))),
      ])
      assert.match(yield* said(at(ada), Exchange.request(next, undefined, 0)), /^failed: /)
      assert.strictEqual(yield* said(at(ada), Exchange.request(double, 1, 0)), "an answer")
    }).pipe(quiet),
  )
})

describe("a call", () => {
  it.effect("brings an answer of more than a frame whole, and as it was", () =>
    Effect.gen(function* () {
      const { at, peer } = net()
      const frames: Array<number> = []
      const network = at(bob)
      yield* Exchange.serve(
        {
          ...network,
          serve: (name, handler) =>
            network.serve(name, (envelope) =>
              Effect.tap(handler(envelope), ({ length }) => Effect.sync(() => void frames.push(length))),
            ),
        },
        protocol,
        [Exchange.answering(bytes, (length) => Effect.succeed(new Uint8Array(length).fill(7)))],
      )
      const length = 2 * Limit.frameBytesMax
      const got = yield* Exchange.ask(peer, bytes, length)
      assert.isTrue(Bytes.equal(got, new Uint8Array(length).fill(7)))
      assert.strictEqual(frames.length, 3)
      assert.isTrue(frames.every((one) => one <= Limit.frameBytesMax))
    }),
  )

  it.effect("waits as long as there is no answer, asking again when the server lets go of it", () =>
    Effect.gen(function* () {
      const { at, peer } = net()
      const gate = yield* Deferred.make<string>()
      let asked = 0
      yield* Exchange.serve(at(bob), protocol, [
        Exchange.answering(next, () =>
          Effect.suspend(() => {
            asked += 1
            return Deferred.await(gate)
          }),
        ),
      ])
      const waiting = yield* Effect.forkChild(Exchange.ask(peer, next, undefined))
      for (let held = 1; held <= 3; held++) {
        yield* TestClock.adjust(Limit.answerHeldMsMax)
        assert.strictEqual(asked, held + 1)
      }
      yield* Deferred.succeed(gate, "now")
      assert.strictEqual(yield* Fiber.join(waiting), "now")
    }),
  )

  it.effect("goes on when its server is gone and comes back, at growing intervals", () =>
    Effect.gen(function* () {
      const { at, peer } = net()
      let attempts = 0
      const counted: Exchange.Server = {
        ...peer,
        network: {
          ...peer.network,
          request: (...args) => Effect.suspend(() => (attempts++, peer.network.request(...args))),
        },
      }
      const waiting = yield* Effect.forkChild(Exchange.ask(counted, double, 4))
      yield* TestClock.adjust(60_000)
      assert.isTrue(attempts > 10 && attempts < 25, `${attempts} attempts in a minute`)
      assert.strictEqual(waiting.pollUnsafe(), undefined)
      yield* Exchange.serve(at(bob), protocol, [doubling])
      yield* TestClock.adjust(Limit.askRetryMsMax)
      assert.strictEqual(yield* Fiber.join(waiting), 8)
    }).pipe(quiet),
  )

  it.effect("gives up an attempt that gets nothing at all, and makes another", () =>
    Effect.gen(function* () {
      const { at, peer } = net()
      let swallowed = 0
      const scope = yield* Scope.make()
      yield* at(bob)
        .serve(protocol, () => Effect.suspend(() => (swallowed++, Effect.never)))
        .pipe(Scope.provide(scope))
      const waiting = yield* Effect.forkChild(Exchange.ask(peer, double, 4))
      yield* TestClock.adjust(Limit.answerMsMax - 1)
      assert.strictEqual(swallowed, 1)
      yield* Scope.close(scope, Exit.void)
      yield* Exchange.serve(at(bob), protocol, [doubling])
      yield* TestClock.adjust(1 + Limit.askRetryMsMin)
      assert.strictEqual(yield* Fiber.join(waiting), 8)
    }).pipe(quiet),
  )

  it.effect("takes nothing for an answer that is none, however it is wrong", () =>
    Effect.gen(function* () {
      const { at, peer } = net()
      const whole = Codec.encode(Codec.count, 8)
      const good = { whole: Hash.sha256(whole), length: 8, part: whole }
      const wrong = [
        Bytes.fromText("hello"),
        Exchange.encodeReply({ ...good, whole: Hash.sha256(Bytes.fromText("another")) }),
        Exchange.encodeReply({ ...good, length: 9 }),
        Exchange.encodeReply({ ...good, length: Limit.answerBytesMax + 1 }),
        Exchange.encodeReply({ whole: Hash.sha256(Bytes.empty), length: 0, part: Bytes.empty }),
        Exchange.encodeReply({ refusal: "busy", detail: "not now" }),
      ]
      let asked = 0
      yield* at(bob).serve(protocol, () =>
        Effect.sync(() => wrong[Math.floor(asked++ / 2)] ?? Exchange.encodeReply(good)),
      )
      const believed: Array<number> = []
      const waiting = yield* Effect.forkChild(
        Exchange.ask(peer, double, 4, (answer) => {
          believed.push(answer)
          return Effect.succeed(believed.length < 3 ? "not this time" : undefined)
        }),
      )
      yield* TestClock.adjust(200_000)
      assert.strictEqual(yield* Fiber.join(waiting), 8)
      assert.isAtLeast(asked, 2 * wrong.length + 3)
      assert.deepStrictEqual(believed, [8, 8, 8])
    }).pipe(quiet),
  )
})
