import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Audit from "../../compute-unit/Audit.ts"
import * as Engine from "../../compute-unit/Engine.ts"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Timeline from "../../compute-unit/Timeline.ts"
import * as Trial from "../../compute-unit/Trial.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import * as OtherEngine from "../support/OtherEngine.ts"
import { hash } from "../support/Unsigned.ts"
import * as Lives from "./Lives.ts"
import { counter } from "./PlainStage.ts"
import * as Recording from "./Recording.ts"
import { sourceOf } from "./Recording.ts"

const verifier = VerifierLocal.make()

const ways = ["verify", "replay"] as const

const audit = (of: Recording.Recording, start?: Audit.Start, how: (typeof ways)[number] = "verify") =>
  Audit.run(
    sourceOf(of),
    SandboxInline.make(),
    of.process,
    how === "verify" ? { verifier } : undefined,
    undefined,
    start,
  )

const found = ({ finding }: Audit.Report) =>
  finding === undefined ? "nothing" : `${finding.what} ${finding.slot}`

const enginesOf = (of: Recording.Recording) =>
  [...of.attestations.values()].map(({ attestation }) => Bytes.toHex(attestation.engine))

const names = (...engines: ReadonlyArray<Uint8Array>) => engines.map(Bytes.toHex)

/** Has this engine for all upgrades to a script that name none, as the version of heddle would that made it. */
const upgradingTo = (engine: Engine.ScriptEngine): Sandbox["Service"] => {
  Engine.add(engine)
  const inner = SandboxInline.make()
  return {
    ...inner,
    run: (process, entries) =>
      inner.run(
        process,
        entries.map((entry) =>
          entry.upgrade !== undefined && Module.format(entry.upgrade.source) === "javascript"
            ? { ...entry, upgrade: { ...entry.upgrade, engine: entry.upgrade.engine ?? engine.id } }
            : entry,
        ),
      ),
  }
}

const plain = counter()
const go = (to: Uint8Array, tags: Record<string, string> = {}): Lives.Said => ({
  action: "Upgrade",
  tags: { Module: Module.id(to), ...tags },
})

describe("the engine of a log", () => {
  it.effect("is that of its first attestation where the spawn names none, and is had from the source", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const engine = OtherEngine.make(3)
        const sandbox = OtherEngine.sandbox(engine)
        const of = yield* Lives.live(Lives.program, {}, [[{ action: "Add" }], [{ action: "Add" }]], {
          sandbox,
        })
        assert.deepStrictEqual(enginesOf(of), names(engine.id, engine.id, engine.id))
        for (const start of [undefined, 1]) assert.strictEqual(found(yield* audit(of, start)), "nothing")
        assert.strictEqual(found(yield* audit({ ...of, engines: new Map() })), "engine 0")
        const state = yield* (yield* Timeline.open(sourceOf(of), SandboxInline.make(), of.process)).state(2)
        assert.deepStrictEqual(Bytes.toHex(state.engine), Bytes.toHex(engine.id))
      }),
    ),
  )

  it.effect("is not another than its spawn names, whatever is attested", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const of = yield* Lives.live(Lives.program, { Engine: Id.fromBytes(Lives.otherEngine.id) }, [])
        const signed = of.attestations.get(0)!
        const attestation = { ...signed.attestation, engine: Engine.id() }
        const lying = { ...of, attestations: new Map([[0, { ...signed, attestation }]]) }
        const { finding } = yield* audit(lying)
        assert.deepInclude(finding, { slot: 0, what: "engine" })
        assert.include(finding!.detail, Bytes.toBase64Url(Lives.otherEngine.id))
      }),
    ),
  )

  it.effect("changes where an upgrade names another, and is looked for under its id at that slot", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const tags = { Engine: Id.fromBytes(Lives.otherEngine.id) }
        const of = yield* Lives.live(Lives.program, {}, [
          [{ action: "Add" }],
          [{ action: "Add" }, go(Lives.nextProgram, tags), { action: "Add" }],
          [{ action: "Add" }],
        ])
        const [ours, other] = [Engine.id(), Lives.otherEngine.id]
        assert.deepStrictEqual(enginesOf(of), names(ours, ours, other, other))
        for (const start of [undefined, 0, 1, 4])
          assert.strictEqual(found(yield* audit(of, start)), "nothing")
        const without = { ...of, engines: new Map() }
        assert.strictEqual(found(yield* audit(without)), "engine 3")
        assert.strictEqual(found(yield* audit(without, undefined, "replay")), "engine 3")
        assert.strictEqual(found(yield* audit(without, 1)), "engine 3")
        const swapped = {
          ...of,
          engines: new Map([[Bytes.toHex(other), Engine.load().artifact]]),
        }
        assert.strictEqual(found(yield* audit(swapped)), "engine 3")
      }),
    ),
  )

  it.effect("is that of the attestation where an upgrade that names none needs one of another kind", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const engine = OtherEngine.make(4)
        const of = yield* Lives.live(
          plain,
          {},
          [
            [{ action: "Increment" }],
            [{ action: "Increment" }, go(Lives.nextProgram), { action: "Add" }],
            [go(plain), { action: "Increment" }],
            [go(Lives.nextProgram)],
          ],
          { sandbox: upgradingTo(engine) },
        )
        const [script, wasm] = [engine.id, Engine.plain.id]
        assert.deepStrictEqual(enginesOf(of), names(wasm, wasm, script, wasm, script))
        for (const start of [undefined, 1, 4])
          for (const how of ways) assert.strictEqual(found(yield* audit(of, start, how)), "nothing")
        assert.strictEqual(found(yield* audit({ ...of, engines: new Map() })), "engine 3")
      }),
    ),
  )

  it.effect("may change and come back between two attestations", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const engine = OtherEngine.make(4)
        const of = yield* Lives.live(
          Lives.nextProgram,
          { Engine: Id.fromBytes(engine.id) },
          [
            [{ action: "Add" }],
            [go(plain), { action: "Increment" }, go(Lives.nextProgram)],
            [{ action: "Add" }],
          ],
          { sandbox: upgradingTo(engine), modules: [plain] },
        )
        assert.deepStrictEqual(new Set(enginesOf(of)), new Set(names(engine.id)))
        assert.isUndefined(of.turns.find(({ outcome }) => outcome.error !== undefined))
        for (const start of [undefined, 1, 4]) assert.strictEqual(found(yield* audit(of, start)), "nothing")
      }),
    ),
  )

  it.effect("can't be one that nobody has", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const of = yield* Lives.live(Lives.program, {}, [[{ action: "Add" }]])
        const attestations = new Map(
          [...of.attestations].map(([slot, signed]) => [
            slot,
            { ...signed, attestation: { ...signed.attestation, engine: hash("engine") } },
          ]),
        )
        const { finding } = yield* audit({ ...of, attestations })
        assert.deepInclude(finding, { slot: 0, what: "engine" })
        assert.match(finding!.detail, /not to be had/)
      }),
    ),
  )
})

describe("a process of a plain module", () => {
  const counting = Lives.live(plain, {}, [
    [{ action: "Increment" }, { action: "Increment" }],
    [{ action: "Increment" }],
  ])

  it.effect("is audited, walked through and tried like any other", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const of = yield* counting
        for (const start of [undefined, 2]) assert.strictEqual(found(yield* audit(of, start)), "nothing")
        const timeline = yield* Timeline.open(sourceOf(of), SandboxInline.make(), of.process)
        assert.strictEqual((yield* timeline.state(3)).views.get("count"), "3")
        assert.strictEqual((yield* timeline.state(1)).views.get("count"), "1")
        const { pages } = yield* timeline.touched(2)
        assert.isAbove(pages.length, 0)
        assert.deepStrictEqual([...new Set(pages.map(({ kind }) => kind))], ["memory"])
        assert.match((yield* timeline.inspect(2, "n", "after")).text, /plain module/)
        const same = yield* Trial.run(sourceOf(of), SandboxInline.make(), of.process, {
          from: 0,
          to: undefined,
          program: plain,
        })
        assert.deepInclude(same, { equal: 4, different: 0 })
      }),
    ),
  )

  it.effect("can be tried as a script, in the engine of this version", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const of = yield* counting
        const program = Bytes.fromText(`
          let n = 0
          heddle.on("Increment", () => { heddle.publish("count", ++n); return n })`)
        const { equal, first } = yield* Trial.run(sourceOf(of), SandboxInline.make(), of.process, {
          from: 1,
          to: undefined,
          program,
        })
        assert.deepStrictEqual([equal, first], [3, undefined])
      }),
    ),
  )
})
