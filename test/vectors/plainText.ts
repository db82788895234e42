/** The parts that the cases of `spec/vectors/plain-module.json` are put together from: modules as text, and messages. */
import * as Reference from "./reference.ts"

/** What a module is made of: text, with words in its place where it is too long to show; a file of the examples; bytes. */
export type Source =
  | { readonly wat: string; readonly what?: string }
  | { readonly example: string }
  | { readonly bytes: Uint8Array; readonly what: string }

/** A message; the rest of what a turn is told follows from the slot. */
export interface Sent {
  readonly action?: string
  /** A name that an id stands for. */
  readonly from?: string
  readonly fromProcess?: boolean
  /** Those after `Action`. */
  readonly tags?: ReadonlyArray<readonly [name: string, value: string]>
  readonly data?: string | Uint8Array
  /** The module that the process goes on as, by its name in the file. */
  readonly upgrade?: string
  /** How the turn fails; `<limit>` is its fuel. Without it, it does not. */
  readonly fails?: readonly [reason: string, message: string]
}

export interface Limits {
  /** In words: what the only turn takes, or one less. */
  readonly fuel?: bigint | "just enough" | "one too little"
  readonly memoryPages?: number
}

export interface Valid {
  readonly name: string
  readonly source: Source
  readonly limits?: Limits
  /** Those of the spawn. */
  readonly tags?: ReadonlyArray<readonly [name: string, value: string]>
  /** The first is the spawn. */
  readonly turns: readonly [Sent, ...ReadonlyArray<Sent>]
  /** Where WebAssembly alone leaves open what it does: the text of a module that does the same by WebAssembly alone. */
  readonly alike?: string
}

export interface Invalid {
  readonly name: string
  readonly source: Source
  readonly limits?: Omit<Limits, "fuel"> & { readonly fuel?: bigint }
  /** In which words it is refused. */
  readonly refusal: string
}

/** The id that a name stands for, as text. */
export const id = (name: string): string => Reference.base64(Reference.filler(name, 32))

/** A tag by which a process waits, and a message from one that does. */
export const reference = ["Reference", "7"] as const
export const asker = { from: "asker", fromProcess: true } as const
export const asked = { ...asker, tags: [reference] } as const

export const trapped = ["trapped", "the program trapped"] as const

// ---- text

/** The lines of a text without the indentation that they share, indented by `depth`. */
const indented = (text: string, depth: number): ReadonlyArray<string> => {
  const lines = text.split("\n").filter((line) => line.trim() !== "")
  const shared = Math.min(...lines.map((line) => line.length - line.trimStart().length))
  return lines.map((line) => " ".repeat(depth) + line.slice(shared))
}

/** Pieces of text, each indented by itself. */
type Text = string | ReadonlyArray<string>

const block = (text: Text): string =>
  [text]
    .flat()
    .flatMap((piece) => indented(piece, 2))
    .join("\n")

const intrinsics = { sha256: 3, read: 3, log: 3, hash: 5, verify: 10 } as const

export interface Parts {
  readonly imports?: ReadonlyArray<keyof typeof intrinsics>
  readonly memory?: string
  readonly more?: Text
  /** What `alloc` does with (local $length); it gives an i32. */
  readonly alloc?: Text
  /** What `handle` does with (local $at) and (local $length); it gives an i64. */
  readonly handle?: Text
}

/** A module of these fields alone. */
export const only = (...fields: ReadonlyArray<string>): string => `(module\n${block(fields)})`

export const memory = (pages = "1"): string => `(memory (export "memory") ${pages})`

export const alloc = (body: Text = "(i32.const 1024)"): string =>
  `(func (export "alloc") (param $length i32) (result i32)\n${block(body)})`

export const handle = (body: Text = "(i64.const 0)"): string =>
  `(func (export "handle") (param $at i32) (param $length i32) (result i64)\n${block(body)})`

/** A module that a process can be of, around what is its own. It takes every message at 1,024. */
export const module = (parts: Parts): string =>
  only(
    ...(parts.imports ?? []).map(
      (name) => `(import "heddle" "${name}" (func $${name} (param${" i32".repeat(intrinsics[name])})))`,
    ),
    memory(parts.memory),
    ...[parts.more ?? []].flat(),
    alloc(parts.alloc),
    handle(parts.handle),
  )

const escaped = (text: string): string =>
  [...Reference.utf8(text)]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c
        ? `\\${Reference.hex(Uint8Array.of(byte))}`
        : String.fromCharCode(byte),
    )
    .join("")

/** Data that stands at an address. */
export const data = (at: number, text: string): string => `(data (i32.const ${at}) "${escaped(text)}")`

/** Address << 32 | length. */
export const placed = (at: number, length: number): string => {
  const half = (value: number) => value.toString(16).padStart(8, "0")
  return `(i64.const 0x${half(at)}_${half(length)})`
}

/** In `handle`: says a text that stands at 32,768. */
export const said = (text: string): string => placed(0x8000, Reference.utf8(text).length)

/** A `handle` that always says this. */
export const saying = (text: string): Parts => ({ more: data(0x8000, text), handle: said(text) })

/** For the beginning of `handle`: nothing is done when the process is spawned. */
export const unlessSpawned = `
  (if (i32.eq (i32.load8_u offset=8 (local.get $at)) (i32.const 48)) ;; "slot":0
    (then (return (i64.const 0))))`

/** The length of the message's data, which the input ends with: "length":<digits>}} */
export const dataLength = `
  (func $dataLength (param $end i32) (result i32)
    (local $digit i32) (local $scale i32) (local $length i32)
    (local.set $end (i32.sub (local.get $end) (i32.const 3)))
    (local.set $scale (i32.const 1))
    (block $done
      (loop $next
        (local.set $digit (i32.sub (i32.load8_u (local.get $end)) (i32.const 48)))
        (br_if $done (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $length (i32.add (local.get $length) (i32.mul (local.get $digit) (local.get $scale))))
        (local.set $scale (i32.mul (local.get $scale) (i32.const 10)))
        (local.set $end (i32.sub (local.get $end) (i32.const 1)))
        (br $next)))
    (local.get $length))`

/** In `handle`: the data of the message to `at`, and its length to (local $size). */
export const readTo = (at: number): string => `
  (local.set $size (call $dataLength (i32.add (local.get $at) (local.get $length))))
  (call $read (i32.const 0) (i32.const ${at}) (local.get $size))`

/** Writes bytes as hexadecimal digits, and gives the place behind them. The digits stand at 0. */
export const hexadecimal = [
  data(0, "0123456789abcdef"),
  `
  (func $hexadecimal (param $from i32) (param $length i32) (param $to i32) (result i32)
    (local $byte i32)
    (loop $next
      (local.set $byte (i32.load8_u (local.get $from)))
      (i32.store8 (local.get $to) (i32.load8_u (i32.shr_u (local.get $byte) (i32.const 4))))
      (i32.store8 offset=1 (local.get $to) (i32.load8_u (i32.and (local.get $byte) (i32.const 15))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $to (i32.add (local.get $to) (i32.const 2)))
      (br_if $next (local.tee $length (i32.sub (local.get $length) (i32.const 1)))))
    (local.get $to))`,
]

/** A module that says what the data of its message is. */
export const parrot: string = module({
  imports: ["read"],
  memory: "2",
  more: dataLength,
  handle: [
    "(local $size i32)",
    readTo(0x10000),
    "(i64.or (i64.const 0x00010000_00000000) (i64.extend_i32_u (local.get $size)))",
  ],
})
