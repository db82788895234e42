/** Bad guests and bad callers, through a whole node: each a named answer, with everybody else served meanwhile. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import type { Reason } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import type * as Tag from "../../runtime/Tag.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import { hash, id } from "../support/Unsigned.ts"

const ada = Caller.caller("ada")
const counter = `let n = 0; heddle.on("Add", () => ++n)`

/** One node for all guests of this file, as guests share one in life. */
class SharedNode extends Context.Service<SharedNode, SmallNode.SmallNode>()("test/SharedNode") {
  static readonly layer = Layer.effect(
    SharedNode,
    Effect.gen(function* () {
      return yield* SmallNode.make({ sandbox: yield* SandboxWorkers.make(2) })
    }),
  )
}

const guestOf = (code: string) => `
  let n = 1
  const kept = []
  heddle.on("Get", () => n)
  heddle.on("Wrong", (m) => { n = 1_000; heddle.publish("wrong", true); ${code} })
  heddle.on("WrongLater", async (m) => { await heddle.sleep(1); n = 1_000; heddle.publish("wrong", true); ${code} })`

const most = { "Compute-Limit": String(Limit.fuelPerTurnMax) }
const fuel = { "Compute-Limit": "30000000" }
const memory = { "Memory-Limit": "120", "Compute-Limit": "2000000000" }
const ends = (code: string) => `for (;;) { ${code} }`

/** What a guest does, what its spawn asks for, and how its turn ends. */
const wrongs: Readonly<Record<string, readonly [code: string, tags: Record<string, string>, ends: RegExp]>> =
  {
    throws: [`throw new TypeError("mine")`, {}, /^threw: TypeError: mine$/],
    "throws what is no error": [`throw { toString() { throw 1 } }`, {}, /^threw: /],
    "loops for ever": [ends(""), fuel, /^out of fuel: more than 30000000 fuel$/],
    "loops in its cleanup": [ends("try { continue } finally { continue }"), fuel, /^out of fuel: /],
    "backtracks for ever": [`/(a+)+$/.test("a".repeat(40) + "b")`, fuel, /^out of fuel: /],
    "allocates without end": [ends("kept.push(new Uint8Array(1e6).fill(1))"), memory, /^out of memory: /],
    "allocates small things without end": [ends("kept.push({})"), fuel, /^out of fuel: /],
    "calls itself for ever": [`const f = (i) => f(i + 1) + 1; return f(0)`, {}, /^stack overflow: /],
    "starts jobs for ever": [`const f = () => Promise.resolve().then(f); f()`, most, /^too many jobs: /],
    "answers with a circle": [
      `const a = {}; a.a = a; return a`,
      {},
      /^threw: .*can't be written as JSON: circular/,
    ],
    "answers with a BigInt": [`return { n: 1n }`, {}, /^threw: .*can't be written as JSON: .*BigInt/],
    "answers with 10 MiB": [`return "x".repeat(${Limit.outputBytesPerTurnMax})`, most, /^output too large: /],
    "spawns one too many": [
      `for (let i = 0; i < 1025; i++) heddle.spawn(heddle.process.module)`,
      {},
      /^threw: .*1024/,
    ],
    "sends without end": [ends("heddle.send(heddle.process.id)"), {}, /^threw: .*1024/],
    "sends more than 10 MiB": [
      ends(`heddle.send(heddle.process.id, { data: "x".repeat(3e6) })`),
      {},
      /^threw: /,
    ],
    "sets timers without end": [ends("heddle.sleep(1)"), {}, /^threw: .*1024/],
    "publishes views without end": [
      `for (let i = 0; ; i++) heddle.publish("v" + i, i)`,
      {},
      /^threw: .*1000 views/,
    ],
    "publishes a view that is too large": [
      `heddle.publish("v", "x".repeat(${Limit.viewBytesMax}))`,
      {},
      /^threw: .*bytes/,
    ],
    "logs without end": [ends(`console.log("x".repeat(1000))`), fuel, /^out of fuel: /],
  }

layer(SharedNode.layer, { excludeTestServices: true })("a guest that", (it) => {
  for (const [name, [code, tags, end]] of Object.entries(wrongs))
    it.effect(`${name} ends its turn by name, keeps what it was, and others are served meanwhile`, () =>
      Effect.gen(function* () {
        const node = yield* SharedNode
        const others = [
          yield* SmallNode.spawn(node, ada, counter),
          yield* SmallNode.spawn(node, ada, counter),
        ]
        const process = yield* SmallNode.spawn(node, ada, guestOf(code), tags)
        const [wrong, ...served] = yield* Effect.all(
          [
            SmallNode.ask(node, ada, process, "Wrong"),
            ...others.map((other) => SmallNode.ask(node, ada, other, "Add")),
          ],
          { concurrency: "unbounded" },
        )
        assert.match(String(wrong), end)
        assert.deepStrictEqual(served, [1, 1])
        assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Get"), 1)
        const { outcome } = yield* node.messenger.turn(process, 1)
        assert.deepStrictEqual([outcome.outbox, outcome.views], [[], []])
        assert.isUndefined(yield* node.messenger.view(process, "wrong"))

        const later = yield* SmallNode.ask(node, ada, process, "WrongLater")
        assert.match(String(later), /^replied: TurnFailed: /)
        assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Get"), 1)
        assert.deepStrictEqual(
          yield* Effect.forEach(others, (other) => SmallNode.ask(node, ada, other, "Add")),
          [2, 2],
        )
        assert.isUndefined((yield* node.messenger.process(process)).parked)
      }),
    )

  it.effect("never resolves leaves its asker without an answer and the process as good as ever", () =>
    Effect.gen(function* () {
      const node = yield* SharedNode
      const process = yield* SmallNode.spawn(node, ada, guestOf(`return new Promise(() => {})`))
      const { slot } = yield* SmallNode.send(node, ada, process, "Wrong")
      const { outcome } = yield* node.messenger.turn(process, slot)
      assert.deepStrictEqual([outcome.error, outcome.replies], [undefined, []])
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Get"), 1_000)
    }),
  )

  it.effect(
    "spawns as many as one turn may has them all, each told what was sent to it in the same turn",
    () =>
      Effect.gen(function* () {
        const node = yield* SharedNode
        const half = Limit.outboxEntriesPerTurnMax / 2
        const process = yield* SmallNode.spawn(
          node,
          ada,
          `heddle.on("Told", (m) => m.data)
         heddle.on("Many", () => {
           for (let i = 0; i < ${half}; i++) heddle.send(heddle.spawn(heddle.process.module), { action: "Told", data: "n" + i })
           return "spawned"
         })`,
        )
        assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Many"), "spawned")
        const { outbox } = (yield* node.messenger.turn(process, 1)).outcome
        assert.strictEqual(outbox.length, Limit.outboxEntriesPerTurnMax)
        const children = outbox
          .filter(({ kind }) => kind === "spawn")
          .map(({ item }) => Result.getOrThrow(Item.decode(item)).id)
        const told = yield* Effect.forEach(children, (child) => node.compute.turn(child, 1), {
          concurrency: "unbounded",
        })
        assert.deepStrictEqual(
          told.map(({ outcome: { error, replies } }) => [
            error,
            replies.map((one) => "value" in one && one.value),
          ]),
          children.map((_, i) => [undefined, [`"n${i}"`]]),
        )
      }),
  )

  it.effect("answers with as much as it may is heard", () =>
    Effect.gen(function* () {
      const node = yield* SharedNode
      const process = yield* SmallNode.spawn(
        node,
        ada,
        guestOf(`return "x".repeat(${Limit.outputBytesPerTurnMax - 1_024})`),
        most,
      )
      const answer = yield* SmallNode.ask(node, ada, process, "Wrong")
      assert.strictEqual(String(answer).length, Limit.outputBytesPerTurnMax - 1_024)
    }),
  )
})

describe("a caller who", () => {
  const sign = (process: Id.ProcessId, fields: Partial<SignedItem.Fields> = {}) =>
    Effect.orDie(
      SignedItem.sign(ada.signer, {
        target: Id.toBytes(process),
        tags: [...Message.protocolTags("Message"), { name: "Action", value: "Add" }],
        data: Bytes.fromText("data"),
        ...fields,
      }),
    )
  const flipped = (bytes: Uint8Array, at: number) => {
    const copy = Bytes.copy(bytes)
    copy[at]! ^= 1
    return copy
  }
  /** Tags to the most there may be: 128 of them, the three of the protocol included. */
  const tags = (count: number): ReadonlyArray<Tag.Tag> => [
    ...Message.protocolTags("Message"),
    { name: "Action", value: "Add" },
    ...Array.from({ length: count - 4 }, (_, i) => ({ name: `N${i}`, value: "v" })),
  ]

  it.effect("sends what can't be let in is told why by name, and nothing is written", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const node = yield* SmallNode.make({ store: probe.store })
      const process = yield* SmallNode.spawn(node, ada, counter)
      yield* node.compute.turn(process, 0)
      const good = yield* sign(process)
      const anchor = hash("anchor")
      yield* node.messenger.ask((yield* sign(process, { anchor })).bytes)
      const foreign = yield* Effect.promise(() => ada.spawn(id("module"), id("scheduler")))
      const noModule = yield* Effect.promise(() => ada.spawn(id("module"), node.scheduler.address))
      const badSpawn = yield* Effect.promise(() =>
        ada.spawn(id("module"), node.scheduler.address, { "Compute-Limit": "1" }),
      )
      const unknownType = Bytes.copy(good.bytes)
      unknownType.set([0xff, 0xff], 0)
      const bad: ReadonlyArray<readonly [bytes: Uint8Array, reason: Reason]> = [
        [Bytes.empty, "malformed item"],
        [good.bytes.subarray(0, 1), "malformed item"],
        [good.bytes.subarray(0, 5_000), "malformed item"],
        [unknownType, "unknown signature type"],
        [new Uint8Array(Limit.itemBytesMax + 1), "too large"],
        [flipped(good.bytes, 99), "bad signature"],
        [flipped(good.bytes, good.bytes.length - 1), "bad signature"],
        [Bytes.concat([good.bytes, Uint8Array.of(0)]), "bad signature"],
        [(yield* sign(process, { tags: [{ name: "Type", value: "Message" }] })).bytes, "not a message"],
        [(yield* sign(process, { target: Bytes.empty })).bytes, "not a message"],
        [(yield* sign(id("nobody"))).bytes, "unknown process"],
        [(yield* sign(process, { anchor, data: Bytes.fromText("other") })).bytes, "anchor reused"],
        [foreign.bytes, "other scheduler"],
        [noModule.bytes, "unknown module"],
        [badSpawn.bytes, "bad spawn"],
      ]
      const before = [probe.commits.length, (yield* node.messenger.process(process)).slots]
      for (const [bytes, reason] of bad) {
        const refused = yield* Effect.flip(node.messenger.send(bytes))
        assert.strictEqual("reason" in refused && refused.reason, reason)
        assert.isAbove(refused.message.length, reason.length + 10)
      }
      assert.deepStrictEqual([probe.commits.length, (yield* node.messenger.process(process)).slots], before)
      assert.deepStrictEqual((yield* node.messenger.ask(good.bytes)).result, { value: "2" })
    }),
  )

  it.effect("asks for what is not there is told so by name, and the process goes on", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const { messenger } = node
      const process = yield* SmallNode.spawn(node, ada, counter)
      yield* node.compute.turn(process, 0)
      const nobody = id("nobody")
      const tags = (yield* Effect.flip(messenger.viewProof(nobody, "count")))._tag
      assert.strictEqual(tags, "ComputeUnknown")
      for (const slot of [1, Number.MAX_SAFE_INTEGER])
        for (const call of [messenger.turn, messenger.answer, messenger.receipt])
          assert.deepInclude(yield* Effect.flip(call(process, slot) as Effect.Effect<unknown, unknown>), {
            _tag: "LogUnknown",
            process,
            slot,
          })
      for (const [of, slot] of [
        [process, 0],
        [process, Number.MAX_SAFE_INTEGER],
        [nobody, 0],
      ] as const)
        assert.isUndefined(yield* messenger.snapshot(of, slot))
      assert.isUndefined(yield* messenger.engineBytes(Bytes.empty))
      assert.isUndefined(yield* messenger.engineBytes(hash("engine")))
      const long = "x".repeat(100_000)
      for (const name of ["", "none", long, "\u0000", "\ud800"]) {
        assert.isUndefined(yield* messenger.view(process, name))
        assert.isNull((yield* messenger.viewProof(process, name)).value)
      }
      assert.deepStrictEqual(yield* SmallNode.ask(node, ada, process, "Add"), 1)
      assert.isUndefined((yield* messenger.process(process)).parked)
    }),
  )

  it.effect("tells a process to go on as what it can't is told why, and the process is as it was", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, counter)
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Add"), 1)
      const [fine, broken, tired] = [
        yield* SmallNode.upload(node, counter),
        yield* SmallNode.upload(node, 'heddle.onImport(() => { throw new Error("not this") })'),
        yield* SmallNode.upload(node, "heddle.onImport(() => { for (;;) {} })"),
      ]
      const grace = Caller.caller("grace")
      for (const [who, Module, says] of [
        [grace, fine, /this process handles: Add/],
        [ada, "x", /this process handles: Add/],
        [ada, broken, /^threw: not this$/],
        [ada, tired, /^out of fuel: /],
      ] as const)
        assert.match(String(yield* SmallNode.ask(node, who, process, "Upgrade", { Module })), says)
      assert.strictEqual(yield* SmallNode.ask(node, ada, process, "Add"), 2)
      assert.isUndefined((yield* node.messenger.process(process)).parked)
    }),
  )

  it.effect("goes to the limits of an item and not over them is let in", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, counter)
      const most = yield* sign(process, { tags: tags(Limit.tagsMax) })
      const room = Limit.itemBytesMax - (yield* sign(process, { data: Bytes.empty })).bytes.length
      const largest = yield* sign(process, { data: new Uint8Array(room).fill(255) })
      assert.strictEqual(largest.bytes.length, Limit.itemBytesMax)
      for (const [i, { bytes }] of [most, largest].entries())
        assert.deepStrictEqual((yield* node.messenger.ask(bytes)).result, { value: String(i + 1) })
      const refused = yield* Effect.flip(
        SignedItem.sign(ada.signer, { tags: tags(Limit.tagsMax + 1), data: Bytes.empty }),
      )
      assert.strictEqual(refused._tag, "ItemInvalid")
    }),
  )
})
