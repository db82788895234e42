/** The public entry, as a program uses it. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import * as KeyFolder from "../../identity/KeyFolder.ts"
import {
  connect,
  connectionLayer,
  createIdentity,
  Effects,
  MessengerUnit,
  openIdentity,
  Refused,
  SourceInvalid,
  start,
  StoreUnavailable,
  Unreachable,
} from "../../node/index.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-entry-"))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const counter = { file: path.join(import.meta.dirname, "..", "..", "examples", "counter", "counter.ts") }

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe("heddle", () => {
  it("starts a node in this process and connects to it over HTTP", async () => {
    const ada = await createIdentity()
    await using node = await start({ dataFolder: path.join(folder, "data"), port: 0, as: ada })
    const process = await node.spawn(counter, { name: "counter" })
    assert.strictEqual(await node.ask(process, "Increment", { tags: { By: "3" } }), 3)
    await using client = await connect(node.url, { as: ada })
    assert.strictEqual(await client.ask(process, "Increment"), 4)
    assert.deepInclude(await node.process(process), { slots: 3, computed: 3, owner: ada.address })
    assert.deepInclude(await client.replay(process), { slots: 3, finding: undefined })
    assert.deepInclude(await client.verify(process), { slots: 3, finding: undefined })
    const unknown = await failure(client.replay("abc"))
    assert.instanceOf(unknown, Refused)
  })

  it.each([
    ["ratePeer", "peer 127.0.0.1"],
    ["rateIdentity", "identity "],
    ["rateProcess", "process "],
  ])("refuses who sends more than %s allows, and who waits is told when", async (setting, who) => {
    const ada = await createIdentity()
    await using node = await start({ dataFolder: path.join(folder, setting), port: 0, [setting]: 1 })
    await using client = await connect(node.url, { as: ada, retries: 0 })
    const process = await client.spawn(counter)
    const sent = await Promise.all(
      Array.from({ length: 40 }, () => failure(client.send(process, "Increment"))),
    )
    const refused = sent.filter((error) => error !== undefined)
    assert.isAbove(refused.length, 0)
    for (const error of refused) {
      if (!(error instanceof Refused)) throw error
      assert.strictEqual(error.reason, "over rate")
      assert.include(error.message, who)
      assert.isAbove(error.retryMs ?? 0, 0)
    }
    await using patient = await connect(node.url, { as: ada })
    assert.isAtLeast((await patient.send(process, "Increment")).slot, 1)
  })

  it("does the same for programs that use Effect", async () => {
    await using node = await start({ dataFolder: path.join(folder, "effects"), port: 0 })
    const ada = await createIdentity()
    const program = Effect.gen(function* () {
      const messenger = yield* MessengerUnit
      const module = yield* messenger.addModule(new TextEncoder().encode("heddle.on('Get', () => [1])"))
      const { process } = yield* Effects.spawn(module, { as: ada })
      return yield* Effects.ask(process, "Get", { as: ada })
    })
    const { value } = await Effect.runPromise(Effect.provide(program, connectionLayer(node.url!)))
    assert.strictEqual(value, "[1]")
  })

  it("keeps everything on disk, and one folder for one node", async () => {
    const dataFolder = path.join(folder, "kept")
    const ada = await createIdentity()
    const first = await start({ dataFolder, as: ada })
    const process = await first.spawn(counter)
    const { scheduler } = await first.info()
    const second = await failure(start({ dataFolder }))
    assert.instanceOf(second, StoreUnavailable)
    assert.strictEqual(second.reason, "in use")
    await first.close()
    await using again = await start({ dataFolder, as: ada })
    assert.strictEqual((await again.info()).scheduler, scheduler)
    assert.strictEqual(await again.ask(process, "Increment"), 1)
  })

  it("points at the author's line", async () => {
    await using node = await start({ dataFolder: path.join(folder, "lines"), as: await createIdentity() })
    const file = path.join(folder, "broken.ts")
    fs.writeFileSync(file, "type A = number\n\nthrow new Error('not today')\n")
    const error = await failure(node.spawn({ file }))
    assert.instanceOf(error, SourceInvalid)
    assert.strictEqual(error.line, 3)
    assert.strictEqual(path.resolve(error.file), file)
    const missing = await failure(node.spawn({ file: path.join(folder, "nothing.ts") }))
    assert.instanceOf(missing, SourceInvalid)
  })

  it("takes a WebAssembly file as it is, and says how to make one of its text", async () => {
    await using node = await start({ dataFolder: path.join(folder, "wasm"), as: await createIdentity() })
    const examples = path.join(import.meta.dirname, "..", "..", "examples", "wat-counter")
    const process = await node.spawn({ file: path.join(examples, "counter.wasm") })
    assert.strictEqual(await node.ask(process, "Increment", { tags: { By: "3" } }), 3)
    const source = fs.readFileSync(path.join(examples, "counter.wasm"))
    assert.deepStrictEqual(Buffer.from((await node.module((await node.process(process)).module))!), source)

    const text = path.join(examples, "counter.wat")
    const wat = await failure(node.spawn({ file: text }))
    assert.instanceOf(wat, SourceInvalid)
    assert.include(wat.message, `npx -p wabt wat2wasm ${text} -o counter.wasm`)
    const wrong = path.join(folder, "wrong.wasm")
    fs.writeFileSync(wrong, "(module)")
    const bare = path.join(folder, "bare.wasm")
    fs.writeFileSync(bare, Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))
    for (const [file, says] of [
      [wrong, "it is no WebAssembly module"],
      [bare, 'it exports no memory named "memory"'],
      [path.join(folder, "nothing.wasm"), "ENOENT"],
    ] as const) {
      const error = await failure(node.spawn({ file }))
      assert.instanceOf(error, SourceInvalid)
      assert.deepStrictEqual([error.file, error.line], [file, 0])
      assert.include(error.message, `${file}: `)
      assert.include(error.message, says)
    }
  })

  it("recomputes: differences of states, trials of other programs, and what is not there by name", async () => {
    await using node = await start({ dataFolder: path.join(folder, "past"), as: await createIdentity() })
    const process = await node.spawn(counter)
    for (const By of ["3", "4"]) await node.ask(process, "Increment", { tags: { By } })
    const { views, before, after } = await node.difference(process, 1, 2)
    assert.deepStrictEqual(views, [{ key: "count", before: "3", after: "7" }])
    const { attestation } = (await node.attestation(process, 2))!
    assert.deepStrictEqual([before.slot, after.stateRoot], [1, attestation.to.stateRoot])

    assert.deepInclude(await node.trial(process, counter, { from: 1 }), {
      from: 1,
      to: 2,
      equal: 2,
      different: 0,
    })
    const { first, different } = await node.trial(process, 'heddle.on("Increment", () => 3)')
    assert.deepStrictEqual([first?.slot, different], [1, 2])
    const broken = path.join(folder, "breaks.ts")
    fs.writeFileSync(broken, "\nthrow new Error('not today')\n")
    const error = await failure(node.trial(process, { file: broken }))
    assert.instanceOf(error, SourceInvalid)
    assert.strictEqual(error.line, 2)

    const nobody = "A".repeat(43)
    for (const [asked, expected] of [
      [() => node.difference(process, 1, 99), { _tag: "SlotUnknown", process }],
      [() => node.difference(nobody, 0, 1), { _tag: "LogUnknown", process: nobody }],
      [() => node.difference("abc", 0, 1), { _tag: "Refused", reason: "unknown process" }],
      [() => node.trial(process, { module: nobody }), { _tag: "Refused", reason: "unknown module" }],
      [() => node.view(nobody, "count", { proof: true }), { _tag: "ComputeUnknown", process: nobody }],
    ] as const)
      assert.deepInclude(await failure(asked()), expected)
    assert.isUndefined(await node.view(process, ""))
    assert.isUndefined((await node.view(process, "", { proof: true })).value)
    assert.deepInclude(await node.replay(process, undefined, "newest"), {
      from: 0,
      slots: 3,
      finding: undefined,
    })
    const lacking = await node.verify(process, undefined, 1)
    assert.deepInclude(lacking.finding, { what: "snapshot" })
  })

  it("says at once that nobody listens", async () => {
    const error = await failure(connect("http://127.0.0.1:1"))
    assert.instanceOf(error, Unreachable)
    assert.strictEqual(error.url, "http://127.0.0.1:1")
    assert.include(error.message, "ECONNREFUSED")
  })

  it("says so where something else listens", async () => {
    const { createServer } = await import("node:http")
    for (const [status, body] of [
      [200, "<html>hello</html>"],
      [200, '{"version": 1}'],
      [404, "not found"],
      [503, ""],
    ] as const) {
      const server = createServer((_, response) => response.writeHead(status).end(body)).listen(
        0,
        "127.0.0.1",
      )
      await new Promise((resolve) => server.once("listening", resolve))
      const { port } = server.address() as { readonly port: number }
      const error = await failure(connect(`http://127.0.0.1:${port}`))
      assert.instanceOf(error, Unreachable, body)
      server.close()
    }
  })

  it("opens an identity that is kept", async () => {
    const keys = path.join(folder, "keys")
    const made = await Effect.runPromise(KeyFolder.at(keys, 2 ** 10).create("ada", { passphrase: "secret" }))
    process.env["HEDDLE_KEYS"] = keys
    try {
      assert.strictEqual((await openIdentity("ada", "secret")).address, made.address)
      assert.deepInclude(await failure(openIdentity("ada", "guess")), { _tag: "WrongPassphrase" })
      assert.deepInclude(await failure(openIdentity("eve", "secret")), { _tag: "KeyUnknown" })
    } finally {
      delete process.env["HEDDLE_KEYS"]
    }
  })
})
