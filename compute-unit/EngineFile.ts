/**
 * EngineFile: the engine as it lies on disk, a WebAssembly file of another package and the prelude's scripts.
 *
 * The prelude is the guest's side of heddle, evaluated before the author's script. That script shares the globals
 * with it and may overwrite any of them, so the prelude keeps its own copies of built-ins, calls methods through
 * `apply`, keeps records in objects without a prototype, writes its JSON itself out of primitive strings, and once
 * the author's script has run, neither iterates nor destructures an array nor uses a template literal, which the
 * engine makes a call of `String.prototype.concat`. What it hands to authors is frozen; what it holds for the host
 * is in closures.
 */
import fs from "node:fs"
import { createRequire } from "node:module"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"

/** SHA-256 of the WASM file of `@jitl/quickjs-wasmfile-release-sync` 0.32.0. */
const pinned = "105c3bed22d457e43e3d1c3c1c6959fda62a8fe06f0fc8a985303c3a2be72232"
const packageFile = "@jitl/quickjs-wasmfile-release-sync/wasm"

/** The engine's file is not the one whose behaviour this version knows. */
export class EngineMismatch extends Error {
  readonly file: string
  readonly expected: string
  readonly actual: string
  constructor(file: string, expected: string, actual: string) {
    super(
      `${file} has SHA-256 ${actual}, expected ${expected}: install the exact version again (npm install)`,
    )
    this.file = file
    this.expected = expected
    this.actual = actual
  }
}

/** Bytes of the engine as published, checked against the pinned hash. */
export const wasm = (file: string = createRequire(import.meta.url).resolve(packageFile)): Uint8Array => {
  const bytes = new Uint8Array(fs.readFileSync(file))
  const actual = Bytes.toHex(Hash.sha256(bytes))
  if (actual !== pinned) throw new EngineMismatch(file, pinned, actual)
  return bytes
}

/** Parts of the prelude: functions that take what the parts before them made. */
const parts = [
  "text",
  "random",
  "outbox",
  "answers",
  "cryptography",
  "upgrade",
  "inspect",
  "heddle",
  "driver",
] as const

/** The intrinsics in the order of their numbers. */
const intrinsics = "sha256, utf8, read, write, digest, log, fromId, toId, hash, digestOf, unwrite, verify"

/**
 * The prelude as one script. It gives a function of the shared buffer, the limits as JSON and the intrinsics in the
 * order of their numbers, which gives the functions that the host calls. The engine loads no modules, so `export`
 * is taken off the parts; tests import them as they stand.
 */
export const prelude = (): string => {
  const sources = parts.map((name) =>
    fs.readFileSync(new URL(`./guest/prelude/${name}.js`, import.meta.url), "utf8"),
  )
  return `(function (buffer, limits, ${intrinsics}) {
"use strict"
${sources.map((source) => source.replace(/^export /m, "")).join("\n")}
let kit = { buffer, limits: JSON.parse(limits), ${intrinsics}, parseInt }
for (const part of [${parts.join(", ")}]) kit = { ...kit, ...part(kit) }
return kit
})`
}
