/** The client: what it makes of what its caller says, and that saying it again is never saying it twice. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { ModuleInvalid } from "../../compute-unit/ComputeUnit.ts"
import * as Client from "../../messenger-unit/Client.ts"
import * as Draft from "../../messenger-unit/Draft.ts"
import {
  MessengerUnit,
  type ProcessInfo,
  Unreachable,
  type Undelivered,
} from "../../messenger-unit/MessengerUnit.ts"
import * as PromiseClient from "../../messenger-unit/PromiseClient.ts"
import { Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as DataReference from "../../runtime/DataReference.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import * as Tag from "../../runtime/Tag.ts"
import type { Accepted } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"

const ada = Caller.caller("ada").identity
const pid = Id.fromBytes(new Uint8Array(32).fill(3))
const accepted: Accepted = {
  id: pid,
  process: pid,
  slot: 1,
  timestamp: 5,
  head: new Uint8Array(32),
  repeat: false,
}

const noBundler: Client.Bundler = (file) =>
  Effect.fail(new Client.SourceInvalid({ file, line: 1, column: 1, detail: "there is no bundler" }))

/** A messenger of which only `parts` are there. */
const partial = (parts: Partial<MessengerUnit["Service"]>): MessengerUnit["Service"] => {
  const absent = Effect.die(new Error("this test does not come here"))
  const whole = new Proxy(parts, { get: (of, name) => Reflect.get(of, name) ?? (() => absent) })
  return whole as MessengerUnit["Service"] // what is not there says so
}

const read = (bytes: Uint8Array) => Result.getOrThrow(Item.decode(bytes))

describe("Draft", () => {
  const tagsOf = (draft: Draft.Draft) => Draft.content(draft).tags.map(({ name, value }) => [name, value])
  const textOf = (draft: Draft.Draft) => Bytes.toText(Draft.content(draft).data)

  it("takes tags as an object, or as a list in which a name can stand twice", () => {
    assert.deepStrictEqual(tagsOf({ tags: { By: "3", Of: "x" } }), [
      ["By", "3"],
      ["Of", "x"],
    ])
    const list = [
      ["Authority", "one"],
      ["Authority", "two"],
    ] as const
    assert.deepEqual(
      tagsOf({ tags: list }),
      list.map((pair) => [...pair]),
    )
  })

  it.each([
    [{ a: [1, null, "x"] }, '{"a":[1,null,"x"]}'],
    [5, "5"],
    [false, "false"],
    [null, "null"],
  ] as const)("writes %j as JSON and says that it is", (data, text) => {
    assert.strictEqual(textOf({ data }), text)
    assert.deepStrictEqual(tagsOf({ data }), [["Content-Type", "application/json"]])
  })

  it("leaves text and bytes as they are, and nothing as nothing", () => {
    assert.strictEqual(textOf({ data: '"quoted"' }), '"quoted"')
    assert.deepStrictEqual(Draft.content({ data: Uint8Array.of(0, 255) }).data, Uint8Array.of(0, 255))
    assert.strictEqual(textOf({}), "")
    for (const data of ["text", Uint8Array.of(1), undefined])
      assert.deepStrictEqual(tagsOf({ data, tags: { By: "3" } }), [["By", "3"]])
  })

  it("puts the protocol's tags first, where a tag of the caller's can't take their place", () => {
    const { tags, target } = Draft.message(pid, "Add", { tags: { Type: "Process", Action: "Other" } })
    assert.deepStrictEqual(Id.fromBytes(target!), pid)
    assert.strictEqual(Tag.value(tags, "Type"), "Message")
    assert.strictEqual(Tag.value(tags, "Action"), "Add")
    const node = { scheduler: pid, compute: ada.address }
    const spawn = Draft.spawn(pid, node, { name: "counter", tags: { Scheduler: "mine", Supply: "7" } })
    assert.isUndefined(spawn.target)
    for (const [name, value] of [
      ["Data-Protocol", "ao"],
      ["Type", "Process"],
      ["Module", pid],
      ["Scheduler", pid],
      ["Compute", ada.address],
      ["Name", "counter"],
      ["Supply", "7"],
    ] as const)
      assert.strictEqual(Tag.value(spawn.tags, name), value)
  })

  it("writes the limits of a spawn in the words of the protocol, ahead of the caller's tags", () => {
    const node = { scheduler: pid, compute: ada.address }
    const limits = { memoryMiB: 16, fuelPerTurnMax: 50_000_000n, engine: pid }
    const { tags } = Draft.spawn(pid, node, { ...limits, tags: { "Memory-Limit": "4096", Engine: "x" } })
    assert.strictEqual(Tag.value(tags, "Memory-Limit"), "256")
    assert.strictEqual(Tag.value(tags, "Compute-Limit"), "50000000")
    assert.strictEqual(Tag.value(tags, "Engine"), pid)
    const none = Draft.spawn(pid, node, {}).tags.map(({ name }) => name)
    for (const name of ["Memory-Limit", "Compute-Limit", "Engine", "Name"]) assert.notInclude(none, name)
  })

  it("says which module an upgrade is to, ahead of the caller's tags", () => {
    const tags = { Action: "Get", Module: "x", Engine: "y", Note: "z" }
    const { target, tags: written } = Draft.upgrade(pid, ada.address, undefined, { tags })
    assert.strictEqual(Id.fromBytes(target!), pid)
    assert.strictEqual(Tag.value(written, "Action"), "Upgrade")
    assert.strictEqual(Tag.value(written, "Module"), ada.address)
    assert.strictEqual(Tag.value(written, "Note"), "z")
    assert.strictEqual(Tag.value(Draft.upgrade(pid, pid, pid, { tags }).tags, "Engine"), pid)
  })
})

describe("Client", () => {
  it.effect("signs a message with an anchor of its own, so that the same words twice are two messages", () =>
    Effect.gen(function* () {
      const sent: Array<Item.Item> = []
      const messenger = partial({
        send: (item) => Effect.sync(() => (sent.push(read(item)), accepted)),
      })
      const say = Client.send(pid, "Add", { as: ada, data: { by: 3 } })
      yield* Effect.andThen(say, say).pipe(Effect.provideService(MessengerUnit, messenger))
      const [first, second] = sent
      assert.notDeepEqual(first!.anchor, second!.anchor)
      assert.strictEqual(first!.anchor.length, 32)
      const message = Result.getOrThrow(Message.parse(first!))
      assert.deepInclude(message, { from: ada.address, process: pid, action: "Add", kind: "Message" })
      assert.strictEqual(Bytes.toText(first!.data), '{"by":3}')
    }),
  )

  const unreachable = new Unreachable({ url: "http://node", detail: "it is gone" })

  it.effect("sends the very same item again while there is no answer, each time after a longer wait", () =>
    Effect.gen(function* () {
      const sent: Array<string> = []
      const messenger = partial({
        send: (item) =>
          Effect.suspend(() => {
            sent.push(Bytes.toHex(item))
            return sent.length < 4 ? Effect.fail(unreachable) : Effect.succeed(accepted)
          }),
      })
      const sending = yield* Effect.forkChild(
        Client.send(pid, "Add", { as: ada }).pipe(Effect.provideService(MessengerUnit, messenger)),
        { startImmediately: true },
      )
      const first = Limit.deliveryRetryMsMin
      const seen = [sent.length]
      for (const wait of [first, 2 * first, 4 * first]) {
        yield* TestClock.adjust(wait - 1)
        seen.push(sent.length)
        yield* TestClock.adjust(1)
        seen.push(sent.length)
      }
      assert.deepStrictEqual(seen, [1, 1, 2, 2, 3, 3, 4])
      assert.deepStrictEqual(yield* Fiber.join(sending), accepted)
      assert.strictEqual(new Set(sent).size, 1)
    }),
  )

  it.effect.each([undefined, 0, 2])("gives up after so many tries: %s", (retries) =>
    Effect.gen(function* () {
      let tries = 0
      const messenger = partial({ ask: () => Effect.suspend(() => (tries++, Effect.fail(unreachable))) })
      const asking = yield* Effect.forkChild(
        Effect.flip(
          Client.ask(pid, "Add", { as: ada, retries }).pipe(Effect.provideService(MessengerUnit, messenger)),
        ),
      )
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* Fiber.join(asking), unreachable)
      assert.strictEqual(tries, 1 + (retries ?? Limit.sendRetriesMax))
    }),
  )

  it.effect("does not send again what was refused", () =>
    Effect.gen(function* () {
      let tries = 0
      const refused = new Refused({ reason: "bad signature", detail: "sign again" })
      const messenger = partial({ send: () => Effect.suspend(() => (tries++, Effect.fail(refused))) })
      const sending = Client.send(pid, "Add", { as: ada }).pipe(
        Effect.provideService(MessengerUnit, messenger),
      )
      assert.strictEqual(yield* Effect.flip(sending), refused)
      assert.strictEqual(tries, 1)
    }),
  )

  it.effect("sends again what a busy node refused, the same item, and not before the node said", () =>
    Effect.gen(function* () {
      const refusals = [
        new Refused({ reason: "overloaded", detail: "later" }),
        new Refused({ reason: "over rate", detail: "later", retryMs: 5_000 }),
        new Refused({ reason: "over rate", detail: "later", retryMs: 1 }),
      ]
      const accepted = { id: pid, process: pid, slot: 1, timestamp: 1, head: Bytes.empty, repeat: false }
      const sent: Array<readonly [at: number, item: string]> = []
      const messenger = partial({
        send: (item) =>
          Effect.flatMap(Clock.currentTimeMillis, (at) => {
            sent.push([at, Bytes.toHex(item)])
            const refused = refusals.shift()
            return refused === undefined ? Effect.succeed(accepted) : Effect.fail(refused)
          }),
      })
      const sending = yield* Effect.forkChild(
        Client.send(pid, "Add", { as: ada }).pipe(Effect.provideService(MessengerUnit, messenger)),
      )
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(sending)).slot, 1)
      assert.deepStrictEqual(
        sent.map(([at]) => at),
        [0, 100, 5_100, 5_500],
      )
      assert.strictEqual(new Set(sent.map(([, item]) => item)).size, 1)
    }),
  )

  it.effect("points at the author's line where a bundled file does not load", () =>
    Effect.gen(function* () {
      const invalid = new ModuleInvalid({
        detail: "x is not defined",
        file: "module.js",
        line: 1,
        column: 900,
      })
      const messenger = partial({ addModule: () => Effect.fail(invalid) })
      const upload = (bundle: Pick<Client.Bundle, "locate">) =>
        Client.addModule({ file: "counter.ts" }, () =>
          Effect.succeed({ source: Bytes.empty, ...bundle }),
        ).pipe(Effect.provideService(MessengerUnit, messenger), Effect.flip)
      const found = yield* upload({
        locate: (line, column) => ({ file: "counter.ts", line: line + 4, column: column - 890 }),
      })
      assert.strictEqual(found.message, "counter.ts:5:10: x is not defined")
      const lost = yield* upload({ locate: () => undefined })
      assert.strictEqual(lost.message, "module.js:1:900: x is not defined")
    }),
  )
})

describe("data that goes beside the message", () => {
  /** A messenger that says what it lacks, and what it was asked. */
  const lacking = (driveOut = 0) => {
    const there = new Set<string>()
    const calls: Array<string> = []
    const items: Array<Item.Item> = []
    const say = (bytes: Uint8Array) =>
      Effect.suspend(() => {
        const item = read(bytes)
        items.push(item)
        const hash = Tag.value(item.tags, "Data-Hash")
        const missing = hash !== undefined && !there.has(hash)
        calls.push(missing ? "refused" : "sent")
        return missing
          ? Effect.fail(new Refused({ reason: "data unavailable", detail: "upload it" }))
          : Effect.succeed(accepted)
      })
    let drivenOut = 0
    const messenger: Partial<MessengerUnit["Service"]> = {
      send: say,
      ask: (bytes) =>
        Effect.map(say(bytes), (accepted) => ({ accepted, fuelUsed: 1n, result: { value: "1" } })),
      addData: (bytes) =>
        Effect.sync(() => {
          calls.push(`uploaded ${bytes.length}`)
          if (drivenOut++ >= driveOut) there.add(DataReference.hashOf(bytes))
          return DataReference.hashOf(bytes)
        }),
      data: () => Effect.succeed(Bytes.fromText("other")),
    }
    return { calls, items, client: Effect.provideService(MessengerUnit, partial(messenger)) }
  }

  it.effect(
    "is what no item takes, and whatever the caller says; it goes where it is not there already",
    () =>
      Effect.gen(function* () {
        const { calls, items, client } = lacking()
        const send = (data: Draft.Draft["data"], byReference?: boolean) =>
          Client.send(pid, "Say", { as: ada, data, byReference }).pipe(client)
        const large = new Uint8Array(Limit.inlineDataBytesMax + 1)
        yield* send(large.subarray(1))
        yield* send("short")
        yield* send("", true)
        assert.deepStrictEqual(calls.splice(0), ["sent", "sent", "sent"])
        yield* send(large)
        yield* send(large)
        yield* send({ short: true }, true)
        assert.deepStrictEqual(calls.splice(0), [
          "refused",
          `uploaded ${large.length}`,
          "sent",
          "sent",
          "refused",
          "uploaded 14",
          "sent",
        ])
        const [refused, again] = items.slice(3, 5)
        assert.strictEqual(refused!.id, again!.id, "the same item is sent again")
        assert.strictEqual(again!.data.length, 0)
        assert.deepStrictEqual(
          again!.tags.slice(4).map(({ name, value }) => [name, value]),
          [
            ["Data-Hash", DataReference.hashOf(large)],
            ["Data-Length", String(large.length)],
          ],
        )
        assert.strictEqual(Tag.value(items.at(-1)!.tags, "Content-Type"), "application/json")
        const asked = yield* Client.ask(pid, "Say", { as: ada, data: "asked", byReference: true }).pipe(
          client,
        )
        assert.strictEqual(asked.value, "1")
      }),
  )

  it.effect("is uploaded again where it was driven out, but not for ever", () =>
    Effect.gen(function* () {
      const send = (client: ReturnType<typeof lacking>["client"]) =>
        Client.send(pid, "Say", { as: ada, data: "data", byReference: true }).pipe(client)
      const some = lacking(Limit.uploadsPerMessageMax - 1)
      yield* send(some.client)
      assert.strictEqual(
        some.calls.filter((call) => call === "uploaded 4").length,
        Limit.uploadsPerMessageMax,
      )
      const always = lacking(100)
      assert.deepInclude(yield* Effect.flip(send(always.client)), { reason: "data unavailable" })
      assert.strictEqual(
        always.calls.filter((call) => call === "uploaded 4").length,
        Limit.uploadsPerMessageMax,
      )
    }),
  )

  it.effect("is no more than a message can refer to, before anything is sent", () =>
    Effect.gen(function* () {
      const { calls, client } = lacking()
      const data = new Uint8Array(Limit.referencedBytesMax + 1)
      const refused = yield* Effect.flip(Client.send(pid, "Say", { as: ada, data }).pipe(client))
      assert.deepInclude(refused, { _tag: "Refused", reason: "too large" })
      assert.deepStrictEqual(calls, [])
    }),
  )

  it.effect("is not believed where it has another hash", () =>
    Effect.gen(function* () {
      const { client } = lacking()
      assert.isUndefined(yield* client(Client.data(pid)))
      assert.isDefined(yield* client(Client.data(DataReference.hashOf(Bytes.fromText("other")))))
    }),
  )
})

describe("an upgrade", () => {
  const info = { version: "1", scheduler: pid, compute: pid, engine: Id.toBytes(pid) }
  const owned = { owner: ada.address } as ProcessInfo // all that the client looks at
  const node: Partial<MessengerUnit["Service"]> = {
    info: Effect.succeed(info),
    process: () => Effect.succeed(owned),
    module: () => Effect.succeed(Bytes.empty),
    engineBytes: () => Effect.undefined,
    send: () => Effect.succeed(accepted),
    turn: () => Effect.never,
    answer: () => Effect.never,
  }
  const upgrade = (parts: typeof node, options: Partial<Client.Upgrade> = {}) =>
    Client.upgrade(pid, ada.address, { as: ada, ...options }).pipe(
      Effect.provideService(MessengerUnit, partial({ ...node, ...parts })),
      Effect.flip,
    )
  const unsent = { send: () => Effect.die(new Error("it was sent")) }

  it.effect(
    "is not sent where it could not be heeded: by another owner, to code or an engine not there",
    () =>
      Effect.gen(function* () {
        const other = yield* upgrade({ ...unsent, process: () => Effect.succeed({ ...owned, owner: pid }) })
        assert.deepInclude(other, { _tag: "NotOwner", process: pid, owner: pid, speaker: ada.address })
        const unknown = yield* upgrade({ ...unsent, module: () => Effect.undefined })
        assert.deepInclude(unknown, { _tag: "Refused", reason: "unknown module" })
        const engine = yield* upgrade(unsent, { engine: ada.address })
        assert.deepInclude(engine, { _tag: "EngineMissing", engine: ada.address, served: pid })
      }),
  )

  it.effect("does not wait for a turn of a process that is parked", () =>
    Effect.gen(function* () {
      const result = { error: "its chain is broken", reason: "parked" as const }
      const parked = yield* upgrade({ answer: () => Effect.succeed({ fuelUsed: 0n, result }) })
      assert.deepInclude(parked, { _tag: "AskFailed", reason: "parked", detail: "its chain is broken" })
    }),
  )
})

describe("PromiseClient", () => {
  const source = `
    heddle.on("Spawn", (message) => heddle.publish("started", message.data))
    heddle.on("Echo", (message) => message.data)
    heddle.on("Fail", () => { throw new Error("never") })
  `
  const withClient = (
    body: (client: PromiseClient.PromiseClient) => Promise<void>,
    options: PromiseClient.Options = { as: ada },
  ) =>
    Effect.flatMap(SmallNode.make(), ({ messenger }) =>
      Effect.promise(() => body(PromiseClient.make(messenger, options, noBundler, () => Promise.resolve()))),
    )

  const failure = (promise: Promise<unknown>): Promise<Readonly<Record<string, unknown>>> =>
    promise.then(
      (value) => ({ _tag: "Fulfilled", value }),
      (error: Readonly<Record<string, unknown>>) => error,
    )

  it.live("gives up a message that a process of the speaker's asked nobody with", () =>
    withClient(async (client) => {
      const process = await client.spawn(
        `heddle.on("Ask", (message) => heddle.ask(message.tags.To, { action: "Hello" }))`,
      )
      const asked = failure(client.ask(process, "Ask", { tags: { To: ada.address } }))
      let waiting: Undelivered | undefined
      while (waiting === undefined) {
        await Effect.runPromise(Effect.yieldNow) // lets the node go on, which runs in this thread
        ;[waiting] = await client.outbox()
      }
      const place = { source: process, slot: 1, index: 0 }
      assert.deepInclude(waiting, place)
      const { accepted, pair, target, result } = await client.drop(waiting, { reason: "nobody is there" })
      assert.deepStrictEqual([accepted.slot, pair, target], [2, 1, ada.address])
      // What went on in the process then failed, as nobody caught it.
      assert.deepStrictEqual(result, { error: "undelivered: nobody is there", reason: "threw" })
      assert.deepInclude(await asked, {
        _tag: "AskFailed",
        detail: "TurnFailed: undelivered: nobody is there",
      })
      assert.deepInclude(await failure(client.drop(place)), { _tag: "EntryUnknown", slot: 1 })
      assert.deepInclude(await failure(client.drop(place, { as: Caller.caller("bob").identity })), {
        _tag: "NotOwner",
      })
    }),
  )

  it.live("spawns source, bytes and modules; sends, asks, queries and reads", () =>
    withClient(async (client) => {
      const module = await client.addModule(source)
      const processes = [
        await client.spawn(source, { name: "echo", data: { hello: 1 } }),
        await client.spawn(Bytes.fromText(source)),
        await client.spawn({ module }),
      ]
      assert.strictEqual(new Set(processes).size, 3)
      const [process = ""] = processes
      assert.strictEqual((await client.send(process, "Echo", { data: "a" })).slot, 1)
      assert.strictEqual(await client.ask(process, "Echo", { data: "b" }), "b")
      assert.strictEqual((await client.query(process, "Echo", { data: "c" })).value, "c")
      assert.deepStrictEqual(await client.view(process, "started"), { value: '{"hello":1}', slot: 0 })
      assert.isUndefined(await client.view(process, "nothing"))
      const log = await client.log(process, { from: 1 })
      assert.deepStrictEqual(
        log.map(({ slot, action, data }) => [slot, action, Bytes.toText(data)]),
        [
          [1, "Echo", "a"],
          [2, "Echo", "b"],
        ],
      )
      assert.strictEqual(log[0]?.from, ada.address)
      assert.deepInclude(await client.process(process), { name: "echo", slots: 3 })
      assert.strictEqual((await client.processes()).length, 3)
      assert.strictEqual((await client.turns(process)).length, 3)
      assert.strictEqual((await client.turn(process, 2)).outcome.slot, 2)
      assert.strictEqual((await client.receipt(process, 1)).assignment.slot, 1)
      assert.isDefined(await client.attestation(process, 2))
      assert.deepStrictEqual(await client.outbox(), [])
      assert.deepStrictEqual(Bytes.toText((await client.module(module))!), source)
      const slots: Array<number> = []
      for await (const { outcome } of client.follow(process, { from: 1 })) {
        slots.push(outcome.slot)
        if (outcome.slot === 2) break
      }
      assert.deepStrictEqual(slots, [1, 2])
    }),
  )

  it.live("rejects with errors that name themselves and say what to do", () =>
    withClient(async (client) => {
      const process = await client.spawn(source)
      const asked = await failure(client.ask(process, "Fail"))
      assert.deepInclude(asked, { _tag: "AskFailed", process, slot: 1, reason: "threw" })
      assert.include(String(asked["message"]), "never")
      assert.deepInclude(await failure(client.query(process, "Fail")), {
        _tag: "QueryFailed",
        slot: 1,
        reason: "threw",
      })
      assert.deepInclude(await failure(client.send(pid, "Echo")), {
        _tag: "Refused",
        reason: "unknown process",
      })
      assert.deepInclude(await failure(client.log("abc")), { _tag: "Refused", reason: "unknown process" })
      assert.deepInclude(await failure(client.module("abc")), { _tag: "Refused", reason: "unknown module" })
      assert.deepInclude(await failure(client.spawn({ module: "abc" })), {
        _tag: "Refused",
        reason: "unknown module",
      })
      assert.deepInclude(await failure(client.spawn({ module: pid })), {
        _tag: "Refused",
        reason: "unknown module",
      })
      assert.deepInclude(await failure(client.spawn("x = (")), { _tag: "ModuleInvalid" })
      assert.deepInclude(await failure(client.spawn({ file: "a.ts" })), {
        _tag: "SourceInvalid",
        file: "a.ts",
      })
      const many = Object.fromEntries(Array.from({ length: Limit.tagsMax + 1 }, (_, i) => [`T${i}`, "x"]))
      assert.deepInclude(await failure(client.send(process, "Echo", { tags: many })), {
        _tag: "ItemInvalid",
        reason: "tags",
      })
    }),
  )

  it.live("lets a process go on as another program, or says why it does not", () =>
    withClient(async (client) => {
      const counting = (step: number) => `
        let count = 0
        heddle.on("Add", () => (count += ${step}))
        heddle.onExport(() => count)
        heddle.onImport((old) => { if (old > 5) throw new RangeError("too many"); count = old })`
      const process = await client.spawn(counting(1))
      assert.strictEqual(await client.ask(process, "Add"), 1)
      const upgraded = await client.upgrade(process, counting(10))
      assert.deepInclude(upgraded, { process, slot: 2, module: await client.addModule(counting(10)) })
      assert.isTrue(upgraded.fuelUsed > 0n)
      assert.strictEqual(await client.ask(process, "Add"), 11)
      const failed = await failure(client.upgrade(process, counting(100)))
      assert.deepInclude(failed, { _tag: "AskFailed", process, slot: 4, reason: "threw" })
      assert.include(String(failed["message"]), "too many")
      assert.strictEqual(await client.ask(process, "Add"), 21)
      const other = Caller.caller("grace").identity
      const stranger = await failure(client.upgrade(process, counting(1), { as: other }))
      assert.deepInclude(stranger, { _tag: "NotOwner", owner: ada.address, speaker: other.address })
      assert.deepInclude(await failure(client.upgrade(process, { module: pid })), {
        reason: "unknown module",
      })
      for (const call of [
        client.spawn(source, { engine: pid }),
        client.upgrade(process, source, { engine: pid }),
      ])
        assert.deepInclude(await failure(call), { _tag: "EngineMissing", engine: pid })
      assert.deepInclude(await failure(client.spawn(source, { engine: "abc" })), { reason: "bad spawn" })
      assert.strictEqual((await client.process(process)).slots, 6, "nothing of that came into the log")
    }),
  )

  it.live("says whom a process believes, and changes it for its owner alone", () =>
    withClient(async (client) => {
      const process = await client.spawn(source)
      const { compute } = await client.info()
      assert.deepStrictEqual(await client.authority(process), { units: [compute], quorum: 1, since: 0 })
      const changed = await client.changeAuthority(process, { units: [compute, pid], quorum: 2 })
      const policy = { units: [compute, pid], quorum: 2, since: 2 }
      assert.deepInclude(changed, { process, slot: 1, repeat: false, ...policy })
      assert.deepStrictEqual(await client.authority(process), policy)
      const refused = await failure(client.changeAuthority(process, { units: [compute, pid], quorum: 1 }))
      assert.deepInclude(refused, { _tag: "Refused", reason: "bad authority" })
      const as = Caller.caller("grace").identity
      const stranger = await failure(client.changeAuthority(process, { units: [compute] }, { as }))
      assert.deepInclude(stranger, { _tag: "NotOwner", owner: ada.address, speaker: as.address })
      assert.strictEqual((await client.process(process)).slots, 2, "nothing of that came into the log")
    }),
  )

  it.live("spawns within the limits that it is given", () =>
    withClient(async (client) => {
      const limits = { memoryMiB: 8, fuelPerTurnMax: 20_000_000 }
      const process = await client.spawn('heddle.on("Loop", () => { for (;;); })', limits)
      const failed = await failure(client.ask(process, "Loop"))
      assert.deepInclude(failed, { reason: "out of fuel", detail: "more than 20000000 fuel" })
      const [first] = await client.log(process)
      assert.deepInclude(first!.tags, ["Memory-Limit", "128"])
      assert.deepInclude(await failure(client.spawn(source, { memoryMiB: 1 })), { reason: "bad spawn" })
    }),
  )

  it.live("checks a view itself where it is told to", () =>
    Effect.gen(function* () {
      const { messenger } = yield* SmallNode.make()
      const clientOf = (of: MessengerUnit["Service"]) =>
        PromiseClient.make(of, { as: ada }, noBundler, () => Promise.resolve())
      const liar = clientOf({
        ...messenger,
        view: () => Effect.succeed({ value: '"a lie"', slot: 0 }),
        viewProof: (process, name) =>
          Effect.map(messenger.viewProof(process, name), (proof) => ({ ...proof, value: '"a lie"' })),
      })
      yield* Effect.promise(async () => {
        const client = clientOf(messenger)
        const process = await client.spawn(source, { data: "now" })
        await client.turn(process, 0)
        const shown = await client.view(process, "started", { proof: true, maxAgeMs: 60_000 })
        const { compute, engine } = await client.info()
        assert.deepInclude(shown, { value: "now", slot: 0, unit: compute, engine })
        assert.deepStrictEqual(shown.stateRoot, (await client.process(process)).stateRoot)
        assert.isAtMost(Date.now() - shown.timestamp, 60_000)
        assert.deepInclude(await client.view(process, "nothing", { proof: true }), {
          value: undefined,
          slot: 0,
        })
        assert.deepInclude(await liar.view(process, "started"), { value: "a lie" })
        for (const name of ["started", "nothing"])
          assert.deepInclude(await failure(liar.view(process, name, { proof: true })), {
            _tag: "ProofInvalid",
            what: "value",
          })
        const old = await failure(client.view(process, "started", { proof: true, maxAgeMs: -1 }))
        assert.deepInclude(old, { _tag: "ProofInvalid", what: "age" })
      })
    }),
  )

  it.live("reads snapshots and engines", () =>
    withClient(async (client) => {
      const process = await client.spawn(source)
      await client.turn(process, 0)
      assert.deepStrictEqual(await client.snapshots(process), [])
      assert.isUndefined(await client.snapshot(process, 0))
      const { engine } = await client.info()
      const id = Id.fromBytes(engine)
      assert.deepStrictEqual(Hash.sha256((await client.engine(id))!), engine)
      for (const none of [pid, "abc"]) assert.isUndefined(await client.engine(none))
    }),
  )

  it.live("needs to be told who speaks", () =>
    withClient(async (client) => {
      for (const call of [client.spawn(source), client.send(pid, "Echo"), client.ask(pid, "Echo")])
        assert.deepInclude(await failure(call), { _tag: "NobodySpeaks" })
      assert.lengthOf(await client.spawn(source, { as: ada }), 43)
    }, {}),
  )

  it.live("stops waiting when it is told to", () =>
    withClient(async (client) => {
      const process = await client.spawn("heddle.on('Never', () => new Promise(() => {}))")
      const asking = new AbortController()
      const answer = failure(client.ask(process, "Never", { signal: asking.signal }))
      while ((await client.process(process)).slots < 2) await new Promise(setImmediate)
      asking.abort()
      assert.notStrictEqual((await answer)["_tag"], "Fulfilled")
      const following = new AbortController()
      for await (const { outcome } of client.follow(process, { signal: following.signal }))
        if (outcome.slot === 1) following.abort()
    }),
  )
})
