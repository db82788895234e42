/**
 * What every `Network` must do. What only holds where nothing is lost is asked of those that lose nothing; of a lossy
 * one it is asked of the requests that were answered.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import type { Envelope, Network, NetworkFailed } from "../../runtime/Network.ts"
import { id } from "../support/Unsigned.ts"

type Net = Network["Service"]

export interface Promises {
  /** Every request to a node that is there is answered. */
  readonly lossless: boolean
  /** No request is handled twice. */
  readonly once: boolean
  /** Lets time go on for as long as the network delays; nothing where it does not. */
  readonly settle?: Effect.Effect<void>
}

const [ada, bob, eve] = [id("ada"), id("bob"), id("eve")]

/** `join` gives each address a place on one and the same network. */
export const networkSuite = (
  name: string,
  make: Effect.Effect<(address: Id.Address) => Net, never, Scope.Scope>,
  { lossless, once, settle = Effect.void }: Promises,
): void => {
  const run = <A>(body: (a: Net, b: Net) => Effect.Effect<A, unknown, Scope.Scope>) =>
    Effect.scoped(Effect.flatMap(make, (join) => body(join(ada), join(bob))))

  /** Waits for an answer, however long the network takes; where nothing comes it asks again. */
  const answered = <A>(request: Effect.Effect<A, NetworkFailed>): Effect.Effect<A, NetworkFailed> =>
    Effect.gen(function* () {
      const again = lossless ? 0 : 200
      const asked = Effect.retry(request, { times: again, while: ({ reason }) => reason === "timeout" })
      const fiber = yield* Effect.forkChild(asked)
      while (fiber.pollUnsafe() === undefined) yield* Effect.andThen(Effect.yieldNow, settle)
      return yield* Fiber.join(fiber)
    })

  const echo = ({ body }: Envelope) => Effect.succeed(Bytes.concat([Bytes.fromText("re: "), body]))
  const text = (bytes: Uint8Array) => Bytes.toText(bytes)

  describe(`Network: ${name}`, () => {
    it.effect("answers a request by the handler of its protocol, which knows who asks", () =>
      run((a, b) =>
        Effect.gen(function* () {
          assert.deepStrictEqual([a.address, b.address], [ada, bob])
          const seen: Array<Envelope> = []
          yield* b.serve("/one", (envelope) =>
            Effect.andThen(
              Effect.sync(() => void seen.push(envelope)),
              echo(envelope),
            ),
          )
          yield* b.serve("/two", () => Effect.succeed(Bytes.fromText("two")))
          assert.strictEqual(
            text(yield* answered(a.request(bob, "/one", Bytes.fromText("hello")))),
            "re: hello",
          )
          assert.strictEqual(text(yield* answered(a.request(bob, "/two", Bytes.empty))), "two")
          assert.deepInclude(seen[0]!, { from: ada, protocol: "/one" })
          assert.strictEqual(text(seen[0]!.body), "hello")
        }),
      ),
    )

    it.effect("lets a node ask itself", () =>
      run((a) =>
        Effect.gen(function* () {
          yield* a.serve("/one", echo)
          assert.strictEqual(text(yield* answered(a.request(ada, "/one", Bytes.fromText("me")))), "re: me")
        }),
      ),
    )

    it.effect("fails, by name, where nobody is, and where the protocol is not spoken", () =>
      run((a, b) =>
        Effect.gen(function* () {
          yield* b.serve("/one", echo)
          const why = (to: Id.Address, protocol: string) =>
            Effect.flip(answered(a.request(to, protocol, Bytes.empty)))
          const nobody = yield* why(eve, "/one")
          assert.deepInclude(nobody, { _tag: "NetworkFailed", address: eve, reason: "unreachable" })
          assert.include(nobody.message, eve)
          const silent = yield* why(bob, "/other")
          assert.deepInclude(silent, { address: bob, reason: "refused" })
          assert.include(silent.message, "/other")
        }),
      ),
    )

    it.effect("serves for as long as the scope lives", () =>
      run((a, b) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          yield* b.serve("/stays", echo)
          yield* b.serve("/goes", echo).pipe(Scope.provide(scope))
          yield* answered(a.request(bob, "/goes", Bytes.empty))
          yield* Scope.close(scope, Exit.void)
          assert.strictEqual(
            (yield* Effect.flip(answered(a.request(bob, "/goes", Bytes.empty)))).reason,
            "refused",
          )
          yield* answered(a.request(bob, "/stays", Bytes.empty))
        }),
      ),
    )

    it.effect("carries a frame of the largest size whole, and refuses one byte more before it is sent", () =>
      run((a, b) =>
        Effect.gen(function* () {
          let handled = 0
          yield* b.serve("/one", ({ body }) =>
            Effect.sync(() => {
              handled += 1
              assert.strictEqual(body.length, Limit.frameBytesMax)
              return Uint8Array.of(body[0]!, body.at(-1)!)
            }),
          )
          const frame = new Uint8Array(Limit.frameBytesMax).fill(7)
          assert.deepStrictEqual([...(yield* answered(a.request(bob, "/one", frame)))], [7, 7])
          const before = handled
          const refused = yield* Effect.flip(
            answered(a.request(bob, "/one", new Uint8Array(Limit.frameBytesMax + 1))),
          )
          assert.strictEqual(refused.reason, "too large")
          assert.strictEqual(handled, before)
        }),
      ),
    )

    it.effect("carries bytes as they were: what either side does to its own reaches nobody", () =>
      run((a, b) =>
        Effect.gen(function* () {
          const [sent, answer] = [Bytes.fromText("sent"), Bytes.fromText("answer")]
          let got = Bytes.empty
          yield* b.serve("/one", ({ body }) =>
            Effect.sync(() => {
              got = Bytes.copy(body)
              body.fill(0)
              return answer
            }),
          )
          const received = yield* answered(a.request(bob, "/one", sent))
          assert.deepStrictEqual([text(sent), text(got), text(received)], ["sent", "sent", "answer"])
          received.fill(0)
          assert.strictEqual(text(answer), "answer")
        }),
      ),
    )

    it.effect("gives each of many requests its own answer, in whatever order they end", () =>
      run((a, b) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const handled = new Map<number, number>()
          yield* b.serve("/one", ({ body }) =>
            Effect.gen(function* () {
              const n = new Bytes.Reader(body).u32()
              handled.set(n, (handled.get(n) ?? 0) + 1)
              if (n % 2 === 0) yield* Deferred.await(gate)
              return body
            }),
          )
          const all = Array.from({ length: 100 }, (_, n) => n)
          const asked = yield* Effect.forEach(all, (n) =>
            Effect.forkChild(Effect.result(a.request(bob, "/one", Bytes.u32(n)))),
          )
          yield* Effect.andThen(Effect.yieldNow, settle)
          yield* Deferred.succeed(gate, undefined)
          const answers: Array<Result.Result<Uint8Array, { readonly reason: string }>> = []
          for (const fiber of asked) {
            while (fiber.pollUnsafe() === undefined) yield* Effect.andThen(Effect.yieldNow, settle)
            answers.push(yield* Fiber.join(fiber))
          }
          let good = 0
          for (const [n, answer] of answers.entries()) {
            if (Result.isFailure(answer)) {
              assert.isFalse(lossless)
              assert.strictEqual(answer.failure.reason, "timeout")
              continue
            }
            good += 1
            assert.strictEqual(new Bytes.Reader(answer.success).u32(), n)
            assert.isAtLeast(handled.get(n) ?? 0, 1, "what is answered was handled")
          }
          if (once) assert.isTrue([...handled.values()].every((times) => times === 1))
          assert.isAtLeast(good, lossless ? 100 : 10)
        }),
      ),
    )

    it.effect("takes an interruption for an answer that nobody waits for", () =>
      run((a, b) =>
        Effect.gen(function* () {
          yield* b.serve("/never", () => Effect.never)
          yield* b.serve("/one", echo)
          const waiting = yield* Effect.forkChild(a.request(bob, "/never", Bytes.empty))
          yield* Effect.andThen(Effect.yieldNow, settle)
          yield* Fiber.interrupt(waiting)
          assert.strictEqual(text(yield* answered(a.request(bob, "/one", Bytes.empty))), "re: ")
        }),
      ),
    )
  })
}
