/** What every `Sandbox` must do, wherever its threads are. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Engine from "../../compute-unit/Engine.ts"
import { type Entry, type Evaluated, Sandbox } from "../../compute-unit/Sandbox.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import * as Life from "../support/Life.ts"

const counter = `
  let n = 0
  heddle.on("Add", () => { heddle.publish("n", ++n); return n })
  heddle.on("Get", () => n)
  heddle.on("Fail", () => { n = 1_000; throw new Error("no") })
  heddle.on("Loop", () => { for (;;); })
  heddle.on("Size", (m) => { const b = m.bytes(); return [b.length, b[0], b[1], b[b.length - 1]] })
  heddle.on("Wait", async () => { await heddle.sleep("1s"); return "slept" })`

const few: ReadonlyArray<readonly [string, string]> = [["Compute-Limit", "5000000"]]

const lines = (evaluated: ReadonlyArray<Evaluated>): ReadonlyArray<string> =>
  evaluated.map(({ outcome, stateRoot }) => `${Bytes.toHex(Outcome.hash(outcome))} ${Life.shown(stateRoot)}`)

const answer = ({ outcome: { error, replies } }: Evaluated): unknown => {
  const [reply] = replies
  if (error !== undefined) return error.reason
  return reply === undefined
    ? undefined
    : "value" in reply
      ? (JSON.parse(reply.value) as unknown)
      : reply.error
}

const asked = { tags: [], data: new Uint8Array(0), from: "" }

/** All share the one sandbox that `make` gives, as processes do. */
export const sandboxSuite = (
  name: string,
  make: Effect.Effect<Sandbox["Service"], never, Scope.Scope>,
): void => {
  const run = <A>(body: (sandbox: Sandbox["Service"]) => Effect.Effect<A, unknown, Scope.Scope>) =>
    Effect.flatMap(Sandbox, body)

  /** Runs a life from its beginning, in runs of these lengths. */
  const live = Effect.fnUntraced(function* (
    sandbox: Sandbox["Service"],
    life: Life.Life,
    entries: ReadonlyArray<Entry>,
    runs: ReadonlyArray<number> = [entries.length],
  ) {
    yield* sandbox.open(life.opening)
    const evaluated: Array<Evaluated> = []
    for (const length of runs) {
      const part = entries.slice(evaluated.length, evaluated.length + length)
      evaluated.push(...(yield* sandbox.run(life.process, part)))
    }
    return evaluated
  })

  layer(Layer.effect(Sandbox, make))(`Sandbox: ${name}`, (it) => {
    it.effect("says which engine it is", () =>
      run((sandbox) => Effect.sync(() => assert.deepStrictEqual(sandbox.engine, Engine.id()))),
    )

    it.effect("loads good code without a word, and names the place in code that does not load", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          yield* sandbox.check(Bytes.fromText(counter))
          const parse = yield* Effect.flip(sandbox.check(Bytes.fromText("let a = 1\n  let b = ;\n")))
          assert.strictEqual(parse._tag, "ModuleInvalid")
          assert.deepInclude(parse, { file: "module.js", line: 2, column: 11 })
          const thrown = yield* Effect.flip(
            sandbox.check(Bytes.fromText("\nthrow new RangeError('at load')")),
          )
          assert.include(thrown.detail, "at load")
          assert.strictEqual(thrown.line, 2)
        }),
      ),
    )

    it.effect("runs turns in order, each on what the one before left", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const life = Life.make(counter)
          const evaluated = yield* live(sandbox, life, life.all("Add", "Add", "Fail", "Add"))
          assert.deepStrictEqual(evaluated.map(answer), [undefined, 1, 2, "threw", 3])
          assert.deepStrictEqual(
            evaluated.map(({ outcome }) => outcome.slot),
            [0, 1, 2, 3, 4],
          )
          assert.deepStrictEqual(evaluated[1]!.outcome.views, [{ name: "n", value: "1" }])
          assert.strictEqual(new Set(evaluated.map(({ stateRoot }) => Life.shown(stateRoot))).size, 5)
        }),
      ),
    )

    it.effect("comes to the same outcomes and roots however a log is split into runs", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const life = Life.make(counter, few)
          const entries = life.all("Add", "Wait", "Fail", "Add", "Loop", "Get", "Nobody")
          const whole = lines(yield* live(sandbox, life, entries))
          for (const runs of [
            [1, 1, 1, 1, 1, 1, 1, 1],
            [3, 5],
            [7, 1],
          ])
            assert.deepStrictEqual(lines(yield* live(sandbox, life, entries, runs)), whole)
        }),
      ),
    )

    it.effect("gives a root where one is wanted, and that root does not depend on where others were", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const life = Life.make(counter)
          const entries = life.all("Add", "Add", "Add")
          const all = yield* live(sandbox, life, entries)
          const one = yield* live(
            sandbox,
            life,
            entries.map((entry) => ({ ...entry, root: entry.slot === 2 })),
          )
          assert.deepStrictEqual(
            one.map(({ stateRoot }) => stateRoot !== undefined),
            [false, false, true, false],
          )
          assert.deepStrictEqual(one[2]!.stateRoot, all[2]!.stateRoot)
        }),
      ),
    )

    it.effect("begins anew where a process is opened again", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const life = Life.make(counter)
          const entries = life.all("Add", "Add")
          const first = lines(yield* live(sandbox, life, entries))
          assert.deepStrictEqual(lines(yield* live(sandbox, life, entries)), first)
        }),
      ),
    )

    it.effect("runs no turn for a slot that is inadmissible, and its root is the one before", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const life = Life.make(counter)
          const entries = life.all("Add", { action: "Add", inadmissible: "bad signature" }, "Get")
          const [, before, inadmissible, after] = yield* live(sandbox, life, entries)
          assert.deepStrictEqual(inadmissible!.outcome.error, {
            reason: "inadmissible",
            message: "bad signature",
          })
          assert.strictEqual(inadmissible!.outcome.fuelUsed, 0n)
          assert.deepStrictEqual(inadmissible!.stateRoot, before!.stateRoot)
          assert.strictEqual(answer(after!), 1)
        }),
      ),
    )

    it.effect("holds no process before it is opened nor after it is closed, and says whose is lost", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const life = Life.make(counter)
          const entries = life.all("Add")
          const query = { action: "Get", ...asked }
          const lost = [
            yield* Effect.flip(sandbox.run(life.process, entries)),
            yield* Effect.flip(sandbox.query(life.process, query, entries[0]!)),
          ]
          yield* sandbox.close(life.process)
          yield* live(sandbox, life, entries)
          yield* sandbox.close(life.process)
          yield* sandbox.close(life.process)
          lost.push(yield* Effect.flip(sandbox.run(life.process, entries)))
          for (const one of lost) assert.deepInclude(one, { _tag: "SandboxLost", process: life.process })
          assert.strictEqual(lost.length, 3)
        }),
      ),
    )

    it.effect("answers a query from the newest state and leaves nothing of it", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const life = Life.make(counter)
          const entries = life.all("Add", "Add")
          yield* live(sandbox, life, entries)
          const add = { action: "Add", ...asked }
          const answers = [
            yield* sandbox.query(life.process, add, entries[2]!),
            yield* sandbox.query(life.process, add, entries[2]!),
          ]
          for (const { result, slot } of answers) assert.deepStrictEqual([result, slot], [{ value: "3" }, 2])
          const failed = yield* sandbox.query(life.process, { action: "Fail", ...asked }, entries[2]!)
          assert.deepInclude(failed.result, { error: { reason: "threw", message: "no" } })
          const [next] = yield* sandbox.run(life.process, [life.next("Add")])
          assert.strictEqual(answer(next!), 3)

          const quiet = Life.make(counter, [], "quiet")
          const [a, b] = [quiet.all("Add"), quiet.next("Add")]
          const undisturbed = lines(yield* live(sandbox, quiet, [...a, b]))
          yield* live(sandbox, quiet, a)
          yield* sandbox.query(quiet.process, add, a[1]!)
          assert.deepStrictEqual(lines(yield* sandbox.run(quiet.process, [b])), undisturbed.slice(2))
        }),
      ),
    )

    it.effect("keeps processes apart, many at once and turn about", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const alone = yield* Effect.forEach(
            Array.from({ length: 8 }, (_, i) => i),
            (i) => {
              const life = Life.make(counter, [], `apart ${i}`)
              const entries = life.all(
                ...Array.from({ length: i }, () => "Add"),
                i % 2 ? "Fail" : "Get",
                "Get",
              )
              return Effect.map(live(sandbox, life, entries), (evaluated) => ({
                life,
                entries,
                lines: lines(evaluated),
              }))
            },
          )
          const together = yield* Effect.forEach(
            alone,
            ({ life, entries }) =>
              live(
                sandbox,
                life,
                entries,
                entries.map(() => 1),
              ),
            { concurrency: "unbounded" },
          )
          assert.deepStrictEqual(
            together.map(lines),
            alone.map(({ lines }) => lines),
          )
        }),
      ),
    )

    it.effect("ends a turn that would never end, and serves the others", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const [endless, other] = [Life.make(counter, few), Life.make(counter)]
          const results = yield* Effect.all(
            [
              live(sandbox, endless, endless.all("Add", "Loop", "Add")),
              live(sandbox, other, other.all("Add", "Add")),
            ],
            { concurrency: 2 },
          )
          assert.deepStrictEqual(results[0].map(answer).slice(1), [1, "out of fuel", 2])
          assert.strictEqual(results[0][2]!.outcome.fuelUsed, 5_000_000n)
          assert.deepStrictEqual(results[1].map(answer).slice(1), [1, 2])
        }),
      ),
    )

    it.effect("carries data of any bytes and of 10 MiB whole, and leaves the caller its own", () =>
      run((sandbox) =>
        Effect.gen(function* () {
          const life = Life.make(counter)
          const spawn = life.next()
          const large = new Uint8Array(10 * 1024 * 1024 - 5_120).fill(7)
          large.set([0, 255], 0)
          const entries = [
            life.next({ action: "Size", data: large }),
            life.next({ action: "Size", data: Uint8Array.of(0, 0) }),
          ]
          const before = entries.map(({ item }) => Hash.sha256(item))
          const [, big, small] = yield* live(sandbox, life, [spawn, ...entries])
          assert.deepStrictEqual(answer(big!), [large.length, 0, 255, 7])
          assert.deepStrictEqual(answer(small!), [2, 0, 0, 0])
          assert.deepStrictEqual(
            entries.map(({ item }) => Hash.sha256(item)),
            before,
          )
        }),
      ),
    )
  })
}
