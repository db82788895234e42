/**
 * PlainStage: processes of plain modules under test. A module is written as text (WAT); a stage of it is like that of a
 * script, without log, signatures or network.
 */
import fs from "node:fs"
import wabt from "wabt"
import * as Engine from "../../compute-unit/Engine.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import { limits, Stage } from "./Stage.ts"

const tools = await wabt()

/** Everything that the text format knows: whether heddle runs it is what is tested. */
const features = {
  exceptions: true,
  simd: true,
  threads: true,
  tail_call: true,
  memory64: true,
  extended_const: true,
  relaxed_simd: true,
  multi_value: true,
}

/** The bytes of a module written as text. They need not be those of a valid one. */
export const wasm = (text: string): Uint8Array => {
  const module = tools.parseWat("module.wat", text, features)
  try {
    return new Uint8Array(module.toBinary({}).buffer)
  } finally {
    module.destroy()
  }
}

/** A file of the examples. */
export const example = (path: string): Uint8Array =>
  new Uint8Array(fs.readFileSync(new URL(`../../examples/${path}`, import.meta.url)))

/** The hand-written example: it knows Increment and Get. */
export const counter = (): Uint8Array => example("wat-counter/counter.wasm")

/** A module around what is tested: memory, an `alloc` that always gives the same place and grows to it, and a `handle`. */
export interface Parts {
  /** Pages of 64 KiB: the first and, where there is one, the greatest number. */
  readonly memory?: string
  /** Imports, which stand before everything else. */
  readonly imports?: string
  readonly more?: string
  /** In place of the usual one. */
  readonly alloc?: string
  /** What `handle` does with (local $at) and (local $length); it gives an i64. */
  readonly handle?: string
}

const growing = `(func (export "alloc") (param $length i32) (result i32) (local $pages i32)
  (local.set $pages (i32.sub (i32.shr_u (i32.add (local.get $length) (i32.const 66559)) (i32.const 16)) (memory.size)))
  (if (i32.gt_s (local.get $pages) (i32.const 0)) (then (drop (memory.grow (local.get $pages)))))
  (i32.const 1024))`

export const text = ({
  memory = "1",
  imports = "",
  more = "",
  alloc = growing,
  handle = "(i64.const 0)",
}: Parts): string =>
  `(module ${imports} (memory (export "memory") ${memory}) ${alloc} ${more}
    (func (export "handle") (param $at i32) (param $length i32) (result i64) ${handle}))`

export const module = (parts: Parts): Uint8Array => wasm(text(parts))

const escaped = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("")

/** Address << 32 | length. */
export const placed = (at: number, length: number): string =>
  `(i64.const 0x${((BigInt(at) << 32n) | BigInt(length)).toString(16)})`

/** A `handle` that always says the same, and the data that it says. */
export const saying = (said: string): Parts => ({
  handle: placed(65_536, Buffer.byteLength(said)),
  more: `(data (i32.const 65536) "${escaped(said)}")`,
  memory: String(2 + Math.ceil(Buffer.byteLength(said) / 65_536)),
})

/**
 * A module that says what the data of its message is, and nothing when it is spawned. The input ends with
 * `"length":<digits>}}`; the data stands at the third page.
 */
export const parrot: Uint8Array = module({
  imports: `(import "heddle" "read" (func $read (param i32 i32 i32)))`,
  memory: "3",
  handle: `(local $end i32) (local $size i32) (local $scale i32) (local $digit i32)
    (if (i32.eq (i32.load8_u offset=8 (local.get $at)) (i32.const 48)) (then (return (i64.const 0)))) ;; "slot":0
    (local.set $end (i32.sub (i32.add (local.get $at) (local.get $length)) (i32.const 3)))
    (local.set $scale (i32.const 1))
    (block $done (loop $next
      (local.set $digit (i32.sub (i32.load8_u (local.get $end)) (i32.const 48)))
      (br_if $done (i32.gt_u (local.get $digit) (i32.const 9)))
      (local.set $size (i32.add (local.get $size) (i32.mul (local.get $digit) (local.get $scale))))
      (local.set $scale (i32.mul (local.get $scale) (i32.const 10)))
      (local.set $end (i32.sub (local.get $end) (i32.const 1)))
      (br $next)))
    (drop (memory.grow (i32.shr_u (i32.add (local.get $size) (i32.const 65535)) (i32.const 16))))
    (call $read (i32.const 0) (i32.const 0x20000) (local.get $size))
    (i64.or (i64.const 0x2000000000000) (i64.extend_i32_u (local.get $size)))`,
})

export const tried = (bytes: Uint8Array, within: Turn.Limits = limits): Turn.BootResult =>
  Turn.boot(Engine.plain, bytes, within)

export const boot = (bytes: Uint8Array, within: Turn.Limits = limits): Turn.BootImage => {
  const result = tried(bytes, within)
  if (result._tag === "ModuleInvalid") throw new Error(result.message)
  return result.image
}

/** In which words a module is refused. */
export const refused = (bytes: Uint8Array, within: Turn.Limits = limits): string => {
  const result = tried(bytes, within)
  if (result._tag === "Booted") throw new Error("it loads")
  return result.message
}

type Options = ConstructorParameters<typeof Stage>[1]

/** A process of a module, given as bytes or as what its `handle` does. */
export const stage = (of: Uint8Array | Parts, options: Options = {}): Stage =>
  new Stage(new Turn.Memory(boot(of instanceof Uint8Array ? of : module(of), options.limits)), options)
