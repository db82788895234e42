import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { describe, expect, it } from "vitest"
import * as Engine from "../../compute-unit/Engine.ts"
import * as EngineFile from "../../compute-unit/EngineFile.ts"
import * as Imports from "../../compute-unit/Imports.ts"
import * as Intrinsic from "../../compute-unit/Intrinsic.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import { limits, Stage } from "./Stage.ts"

describe("the engine's file", () => {
  it("is refused when one bit of it is another, by file, expected and actual hash", () => {
    const folder = mkdtempSync(join(tmpdir(), "heddle-engine-"))
    try {
      const file = join(folder, "engine.wasm")
      const bytes = EngineFile.wasm()
      bytes[100_000]! ^= 1
      writeFileSync(file, bytes)
      const refused = () => EngineFile.wasm(file)
      expect(refused).toThrow(EngineFile.EngineMismatch)
      expect(refused).toThrow(
        new RegExp(
          `^${file} has SHA-256 [0-9a-f]{64}, expected 105c3bed22d457e43e3d1c3c1c6959fda62a8fe06f0fc8a985303c3a2be72232: `,
        ),
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("has the functions that are called, under the letters of this build", () => {
    const { exports } = new WebAssembly.Instance(Engine.load().module, {
      a: Imports.bind({
        memory: new WebAssembly.Memory({ initial: 90, maximum: 4_096 }),
        now: () => 0,
        grow: () => 0,
        intrinsic: () => 0,
      }),
    })
    const missing = Object.entries(Engine.exportNames).filter(
      ([, letter]) => typeof exports[letter] !== "function",
    )
    expect(missing).toEqual([])
  })
})

describe("the engine id", () => {
  it("is one hash, the same each time it is asked for", () => {
    expect(Engine.id()).toHaveLength(32)
    expect(Engine.id()).toBe(Engine.load().id)
  })

  it("is the hash of its bytes, which hold WASM, globals, prelude, imports, intrinsics, prices and caps", () => {
    const parts = Engine.build()
    const id = Bytes.toHex(Hash.sha256(Engine.artifactOf(parts)))
    expect(id).toBe(Bytes.toHex(Engine.id()))
    for (const [i, part] of parts.entries()) {
      expect(part.length).toBeGreaterThan(0)
      const bent = parts.with(i, part.with(0, part[0]! ^ 1))
      expect(Bytes.toHex(Hash.sha256(Engine.artifactOf(bent)))).not.toBe(id)
    }
    const text = parts.slice(1).map(Bytes.toText).join("\n")
    for (const said of [
      Imports.behaviour,
      Intrinsic.description,
      '"jobsPerTurnMax":100000',
      '"tagsBytes":4096',
    ])
      expect(text).toContain(said)
  })
})

describe("the engine that is made of the installed package", () => {
  it("is the one that this version pins, and refused where one bit of it is another", () => {
    const artifact = Engine.artifactOf(Engine.build())
    expect(Bytes.toBase64Url(Engine.pinnedOf(artifact).id)).toBe(Engine.pinned)
    for (const at of [100, 400_000, artifact.length - 1]) {
      const bent = artifact.with(at, artifact[at]! ^ 1)
      expect(() => Engine.pinnedOf(bent)).toThrow(
        new RegExp(
          `^the engine made of the installed packages is [\\w-]{43}, and that of this version ${Engine.pinned}: `,
        ),
      )
    }
  })
})

describe("an engine from its bytes", () => {
  const { artifact, id } = Engine.load()
  const other = (prelude: string) =>
    Engine.artifactOf(Engine.build().with(2, Bytes.fromText(`${EngineFile.prelude()}${prelude}`)))

  it("runs what it ran, and another prelude makes another engine that this thread can run as well", () => {
    expect(Engine.read(artifact, id).id).toEqual(id)
    const changed = other("\n")
    const wanted = Hash.sha256(changed)
    expect(Engine.find(wanted)).toBeUndefined()
    const engine = Engine.read(changed, wanted)
    Engine.add(engine)
    expect(Engine.find(wanted)).toBe(engine)
    expect(Engine.find(id)).toBe(Engine.load())
    const script = `heddle.on("X", () => Math.random())`
    const booted = Turn.boot(engine, Bytes.fromText(script), limits)
    if (booted._tag === "ModuleInvalid") throw new Error(booted.message)
    const here = new Stage(new Turn.Memory(booted.image))
    expect(here.value("X")).toBe(new Stage(script).value("X"))
    expect(booted.image.program.engine).toBe(engine)
  })

  it("is refused when one bit of it is another, and when they end early or are none", () => {
    const bent = Uint8Array.from(artifact)
    bent[300_000]! ^= 1
    expect(() => Engine.read(bent, id)).toThrow(
      new RegExp(`^the bytes are those of engine [\\w-]{43}, not ${Bytes.toBase64Url(id)}$`),
    )
    const cut = artifact.subarray(0, -1)
    expect(() => Engine.read(cut, Hash.sha256(cut))).toThrow("the bytes of the engine end early")
    const none = Bytes.fromText("\u0003abc")
    expect(() => Engine.read(none, Hash.sha256(none))).toThrow("the bytes are no engine")
  })

  it("is refused when what surrounds it is not what this version does", () => {
    for (const place of [3, 4, 5, 6]) {
      const parts = Engine.build()
      const bytes = Engine.artifactOf(parts.with(place, Bytes.concat([parts[place]!, Bytes.u8(32)])))
      expect(() => Engine.read(bytes, Hash.sha256(bytes))).toThrow(
        "it was made for another version of heddle",
      )
    }
  })
})

describe("a thread", () => {
  it("computes with an engine that another one made what that one computes", async () => {
    const worker = new Worker(new URL("./EngineThread.ts", import.meta.url), { workerData: Engine.load() })
    const [said] = (await once(worker, "message")) as [unknown]
    const stage = new Stage(`heddle.on("X", () => Math.random())`)
    const value = stage.value("X")
    expect(said).toEqual({ adopted: true, value, root: stage.root })
  })
})

describe("what a guest sees of the host", () => {
  const see = (expression: string) => new Stage(`heddle.on("X", () => { return ${expression} })`).value("X")

  it("is a clock that stands at the message's time, in UTC", () => {
    const stage = new Stage(`heddle.on("X", () => {
      const start = Date.now()
      for (let i = 0; i < 10000; i++) {}
      const d = new Date()
      return [start, Date.now(), heddle.now(), d.getHours(), d.getTimezoneOffset(), d.toString(), d.toLocaleString(), new Date(0).getDay()]
    })`)
    stage.spawn()
    const now = stage.timestamp + 1
    const text = "Wed Jan 02 2030 03:04:05 GMT+0000"
    expect(stage.value("X")).toEqual([now, now, now, 3, 0, text, "01/02/2030, 03:04:05 AM", 4])
  })

  it("reads local dates of any year as UTC", () => {
    const years = [-1, 0, 4, 99, 1899, 1970, 2024, 2100, 9999]
    const found = see(
      `${JSON.stringify(years)}.map((y) => { const d = new Date(0); d.setFullYear(y, 1, 29); return d.toISOString() })`,
    )
    const wanted = years.map((year) => {
      const date = new Date(0)
      date.setUTCFullYear(year, 1, 29)
      return date.toISOString()
    })
    expect(found).toEqual(wanted)
  })

  it("is no process, no network, no files, no timers, no second clock and no way to load code", () => {
    const names = [
      "process",
      "require",
      "fetch",
      "performance",
      "setTimeout",
      "setInterval",
      "queueMicrotask",
      "std",
      "os",
      "bjson",
      "print",
      "scriptArgs",
      "navigator",
      "Intl",
      "WebAssembly",
      "crypto",
      "window",
      "self",
      "global",
      "Worker",
    ]
    expect(see(`${JSON.stringify(names)}.filter((name) => name in globalThis)`)).toEqual([])
    expect(new Stage(`heddle.on("X", () => import("os"))`).failed("X").message).toContain(
      "could not load module",
    )
  })

  it("adds two names to what the engine has, and a frozen heddle", () => {
    expect(
      see(`Object.isFrozen(heddle) && Object.isFrozen(heddle.console) && Object.isFrozen(heddle.process)`),
    ).toBe(true)
    expect(see(`(globalThis.heddle = 1, delete globalThis.heddle, typeof heddle.send)`)).toBe("function")
    expect(see(`Object.getOwnPropertyNames(globalThis).slice(-3)`)).toEqual([
      "FinalizationRegistry",
      "heddle",
      "console",
    ])
  })
})

describe("the imports of the engine", () => {
  const memory = new WebAssembly.Memory({ initial: 90, maximum: 4_096 })
  const data = new DataView(memory.buffer)
  const bound = Imports.bind({
    memory,
    now: () => 7,
    grow: (bytes) => (bytes === 1 ? 1 : 0),
    intrinsic: () => 0,
  })
  const call = (letter: string, ...args: ReadonlyArray<number | bigint>) =>
    (bound[letter] as (...args: ReadonlyArray<number | bigint>) => unknown)(...args) // all but the memory are functions

  it("are refused where no turn needs them", () => {
    for (const letter of ["b", "d", "g", "h", "j", "l", "o", "q", "r", "t"])
      expect(() => call(letter)).toThrow(Imports.Refused)
  })

  it("give no environment, swallow what is printed and tell the time of UTC", () => {
    data.setUint32(64, 99, true)
    call("f", 64, 68)
    expect([data.getUint32(64, true), data.getUint32(68, true), call("e", 0, 0)]).toEqual([0, 0, 0])
    data.setUint32(84, 5, true)
    data.setUint32(92, 6, true)
    expect([call("c", 1, 80, 2, 64), data.getUint32(64, true)]).toEqual([0, 11])
    call("n", 100, 104, 108, 112)
    expect([data.getInt32(100, true), Buffer.from(memory.buffer, 108, 8).toString()]).toEqual([
      0,
      "UTC\0UTC\0",
    ])
    expect([call("p"), call("i"), call("k", 1), call("k", 2)]).toEqual([7, 0, 1, 0])
  })

  it.each([
    [Date.UTC(2024, 11, 31, 23, 59, 58), [58, 59, 23, 31, 11, 124, 2, 365, 0, 0]],
    [Date.UTC(1969, 0, 1, 0, 0, 0), [0, 0, 0, 1, 0, 69, 3, 0, 0, 0]],
    [-62_198_755_200_000, [0, 0, 0, 1, 0, -1901, 5, 0, 0, 0]],
    [9e15, new Array<number>(10).fill(0)],
  ])("read %d ms as a calendar", (ms, fields) => {
    call("m", BigInt(ms / 1_000), 128)
    expect(fields.map((_, i) => data.getInt32(128 + 4 * i, true))).toEqual(fields)
  })
})
