import { assert, describe, it } from "@effect/vitest"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import * as Effect from "effect/Effect"
import { afterAll } from "vitest"
import * as Engine from "../../compute-unit/Engine.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import { bundler } from "../../node/Bundler.ts"
import { limits } from "../compute-unit/Stage.ts"

const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "heddle-bundler-"))
afterAll(() => fs.rmSync(folder, { recursive: true }))

const write = (name: string, text: string): string => {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
  fs.writeFileSync(path.join(folder, name), text)
  return path.join(folder, name)
}

describe("the bundler of a client", () => {
  it.effect(
    "finds the author's place of what the engine says of the module, seen from the working folder",
    () =>
      Effect.gen(function* () {
        const text = 'const name: string = "😀"; if (name) throw Error(name)'
        const part = write("lib/part.ts", text)
        const { source, locate } = yield* bundler(write("main.ts", 'import "./lib/part.ts"'))
        const booted = Turn.boot(Engine.load(), source, limits)
        assert.strictEqual(booted._tag, "ModuleInvalid")
        if (booted._tag === "ModuleInvalid")
          assert.deepStrictEqual(locate(booted.line, booted.column, booted.file), {
            file: path.relative(process.cwd(), part),
            line: 1,
            column: text.indexOf("Error") + 1,
          })
      }),
  )

  it.effect("takes a place that a node found in the author's files for one there", () =>
    Effect.gen(function* () {
      const file = write("other.ts", 'throw Error("first line")')
      const { locate } = yield* bundler(file)
      const found = { file: path.relative(process.cwd(), file), line: 1, column: 7 }
      assert.deepStrictEqual(locate(1, 7, "other.ts"), found)
    }),
  )

  it.effect("knows no place of what it added, and the file where there is no place", () =>
    Effect.gen(function* () {
      const file = write("third.ts", "globalThis.a = 1")
      const { locate } = yield* bundler(file)
      assert.strictEqual(locate(1, 1, "module.js"), undefined)
      assert.deepStrictEqual(locate(0, 0, "module.js"), { file, line: 0, column: 0 })
    }),
  )
})
