/** Threads that die under a node: what was durable stands, what was not is done again, and nobody else pays for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Audit from "../../compute-unit/Audit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as Threads from "../support/Threads.ts"

const ada = Caller.caller("ada")

const guest = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Get", () => n)
  heddle.on("Work", (m) => {
    for (let i = 0; i < 200_000; i++);
    heddle.send(m.tags.To, { action: "Add" })
    return ++n
  })
  heddle.on("Later", async () => { await heddle.sleep(1); return ++n })`

/** Sandbox threads that a test hears of before each run. */
const sandboxOf = Effect.fnUntraced(function* (
  size: number,
  running: (process: Id.ProcessId, inner: Sandbox["Service"]) => Effect.Effect<unknown>,
) {
  const inner = yield* SandboxWorkers.make(size)
  const sandbox: Sandbox["Service"] = {
    ...inner,
    run: (process, entries) => {
      const run = inner.run(process, entries)
      return Effect.andThen(running(process, inner), run)
    },
  }
  return sandbox
})

const audited = (node: SmallNode.SmallNode, process: Id.ProcessId) =>
  Effect.gen(function* () {
    const sandbox = yield* SandboxWorkers.make(1)
    return yield* Audit.run(node.messenger, sandbox, process, { verifier: VerifierLocal.make() })
  })

describe("a sandbox thread that is killed", () => {
  it.live(
    "in the middle of a run costs no effect and doubles none: the process is rebuilt from its log",
    () =>
      Effect.gen(function* () {
        const workers = yield* Threads.started
        /** The process whose next run its thread dies over. */
        let doomed: Id.ProcessId | undefined
        let killed = 0
        const sandbox = yield* sandboxOf(1, (process) =>
          Effect.sync(() => {
            if (process !== doomed) return
            doomed = undefined
            killed++
            setImmediate(() => void workers.at(-1)!.terminate())
          }),
        )
        const node = yield* SmallNode.make({ sandbox })
        const [other, process] = [
          yield* SmallNode.spawn(node, ada, guest),
          yield* SmallNode.spawn(node, ada, guest),
        ]
        const rounds = 6
        for (let round = 1; round <= rounds; round++) {
          doomed = process
          assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Work", { To: other }), 2 * round - 1)
          doomed = round % 2 ? other : process
          assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Later"), 2 * round)
        }
        yield* node.compute.turn(other, rounds)
        assert.isAtLeast(killed, rounds)
        assert.strictEqual(yield* SmallNode.ask(node, ada, other, "Get"), rounds)
        assert.strictEqual((yield* node.messenger.process(other)).slots, rounds + 2)
        assert.deepStrictEqual(yield* node.messenger.view(other, "n"), {
          value: String(rounds),
          slot: rounds,
        })
        for (const one of [process, other]) assert.isUndefined((yield* audited(node, one)).finding)
        assert.deepStrictEqual(yield* node.messenger.outbox, [])
      }),
  )

  it.live("under many processes at once leaves each with its own turns, every one of them once", () =>
    Effect.gen(function* () {
      const workers = yield* Threads.started
      let runs = 0
      const sandbox = yield* sandboxOf(2, () =>
        Effect.sync(() => {
          if (++runs % 30 === 0) setImmediate(() => void workers.at(-1)!.terminate())
        }),
      )
      const node = yield* SmallNode.make({ sandbox })
      const processes = yield* Effect.forEach(Array.from({ length: 5 }), () =>
        SmallNode.spawn(node, ada, guest),
      )
      const [count, last] = [12, processes.at(-1)!]
      const answers = yield* Effect.forEach(
        processes,
        (process) =>
          Effect.forEach(Array.from({ length: count }), () =>
            SmallNode.ask(node, ada, process, "Work", { To: last }),
          ),
        { concurrency: "unbounded" },
      )
      const expected = Array.from({ length: count }, (_, i) => i + 1)
      for (const got of answers.slice(0, -1)) assert.deepStrictEqual(got, expected)
      // The last one is told by all of them, itself too, once for each turn of theirs.
      yield* SmallNode.until(
        "all that was sent has arrived",
        Effect.gen(function* () {
          const { slots, computed } = yield* node.messenger.process(last)
          yield* Effect.sleep(1)
          return computed === slots && slots === 1 + count + 5 * count
        }),
      )
      assert.strictEqual(yield* SmallNode.ask(node, ada, last, "Get"), count + 5 * count)
      assert.isAtLeast(workers.length, 3, "a thread was killed in the middle of it, and replaced")
    }),
  )

  it.live("answers a query all the same", () =>
    Effect.gen(function* () {
      const workers = yield* Threads.started
      const node = yield* SmallNode.make({ sandbox: yield* SandboxWorkers.make(1) })
      const process = yield* SmallNode.spawn(node, ada, guest)
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Add"), 1)
      const query = { action: "Add", tags: [], data: Bytes.empty, from: "" }
      for (let i = 0; i < 2; i++) {
        yield* Threads.kill(workers)
        assert.deepStrictEqual((yield* node.messenger.query(process, query)).result, { value: "2" })
      }
    }),
  )
})

describe("a process that kills its thread whenever it runs", () => {
  it.live("is parked by name, and its neighbours on that thread are served and never parked", () =>
    Effect.gen(function* () {
      const workers = yield* Threads.started
      let poison: Id.ProcessId | undefined
      const gate = Latch.makeUnsafe(true)
      const nothing = Bytes.fromText("1")
      let deaths = 0
      const sandbox = yield* sandboxOf(1, (process, inner) =>
        Effect.gen(function* () {
          if (process !== poison) return yield* gate.await
          // The thread is at the poison, and whatever neighbours want stands behind it, when it dies.
          gate.closeUnsafe()
          yield* Effect.orDie(inner.check(nothing))
          deaths++
          setImmediate(() => {
            gate.openUnsafe()
            setImmediate(() => void workers.at(-1)!.terminate())
          })
        }),
      )
      const node = yield* SmallNode.make({ sandbox })
      const neighbours = yield* Effect.forEach(Array.from({ length: 4 }), () =>
        SmallNode.spawn(node, ada, guest),
      )
      const process = yield* SmallNode.spawn(node, ada, guest)
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Work", { To: neighbours[0]! }), 1)
      poison = process
      const rounds = 6
      const [parked, ...served] = yield* Effect.all(
        [
          SmallNode.ask(node, ada, process, "Work", { To: neighbours[0]! }),
          ...neighbours.map((neighbour) =>
            Effect.forEach(Array.from({ length: rounds }), () => SmallNode.ask(node, ada, neighbour, "Add")),
          ),
        ],
        { concurrency: "unbounded" },
      )
      assert.match(String(parked), /^parked: sandbox of .* lost: its thread ended with code 1$/)
      assert.strictEqual(deaths, Limit.hostFaultsMax)
      for (const got of served) assert.strictEqual((got as ReadonlyArray<number>).length, rounds)
      for (const neighbour of neighbours) {
        const { parked, slots, computed } = yield* node.messenger.process(neighbour)
        assert.deepStrictEqual([parked, computed], [undefined, slots])
      }
      assert.match((yield* node.messenger.process(process)).parked!, /its thread ended/)
      assert.strictEqual(yield* SmallNode.ask(node, ada, neighbours[0]!, "Get"), rounds + 1)
    }),
  )
})
