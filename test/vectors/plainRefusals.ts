/** Plain modules that are refused, and in which words: the invalid cases of `spec/vectors/plain-module.json`. */
import { example } from "../compute-unit/PlainStage.ts"
import { alloc, data, handle, type Invalid, memory, module, only, type Source } from "./plainText.ts"

const wat = (name: string, refusal: string, text: string, more: Partial<Invalid> = {}): Invalid => ({
  name,
  source: { wat: text },
  refusal,
  ...more,
})

/** One that has this, too. */
const having = (name: string, refusal: string, more: string): Invalid => wat(name, refusal, module({ more }))

const there = "there are the functions heddle.sha256, heddle.read, heddle.log, heddle.hash, heddle.verify"
const importing = (text: string): string => only(text, memory(), alloc(), handle())

const imports: ReadonlyArray<Invalid> = [
  wat(
    "imports what AssemblyScript calls where it throws",
    `it imports the function "env.abort"; ${there}`,
    importing(`(import "env" "abort" (func (param i32 i32 i32 i32)))`),
  ),
  wat(
    "imports a file system",
    `it imports the function "wasi_snapshot_preview1.fd_write"; ${there}`,
    importing(`(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))`),
  ),
  wat(
    "imports an intrinsic of scripts alone",
    `it imports the function "heddle.write"; ${there}`,
    importing(`(import "heddle" "write" (func (param i32 i32)))`),
  ),
  wat(
    "imports the name of an intrinsic from another module",
    `it imports the function "Heddle.sha256"; ${there}`,
    importing(`(import "Heddle" "sha256" (func (param i32 i32 i32)))`),
  ),
  wat(
    "imports a global by the name of an intrinsic",
    `it imports the global "heddle.sha256"; ${there}`,
    importing(`(import "heddle" "sha256" (global i32))`),
  ),
  wat(
    "imports its memory",
    `it imports the memory "heddle.memory"; ${there}`,
    only(`(import "heddle" "memory" (memory 1))`, `(export "memory" (memory 0))`, alloc(), handle()),
  ),
  wat(
    "imports a table",
    `it imports the table "heddle.table"; ${there}`,
    importing(`(import "heddle" "table" (table 1 funcref))`),
  ),
  wat(
    "imports an intrinsic with a parameter too few",
    `it imports "heddle.sha256", which takes 3 i32 and gives nothing`,
    importing(`(import "heddle" "sha256" (func (param i32 i32)))`),
  ),
  wat(
    "imports an intrinsic with an i64",
    `it imports "heddle.hash", which takes 5 i32 and gives nothing`,
    importing(`(import "heddle" "hash" (func (param i32 i32 i32 i32 i64)))`),
  ),
  wat(
    "imports an intrinsic with a result",
    `it imports "heddle.verify", which takes 10 i32 and gives nothing`,
    importing(`(import "heddle" "verify" (func (param${" i32".repeat(10)}) (result i32)))`),
  ),
]

const lacks = (name: string, takes: string, gives: string): string =>
  `it exports no function "${name}" of (${takes}) -> (${gives})`
const noMemory = 'it exports no memory named "memory"'

const exports: ReadonlyArray<Invalid> = [
  wat("is empty", noMemory, "(module)"),
  wat("keeps its memory to itself", noMemory, only("(memory 1)", alloc(), handle())),
  wat(
    "exports a function as memory",
    noMemory,
    only("(memory 1)", `(func (export "memory"))`, alloc(), handle()),
  ),
  wat("exports no alloc", lacks("alloc", "i32", "i32"), only(memory(), handle())),
  wat(
    "its alloc takes an i64",
    lacks("alloc", "i32", "i32"),
    only(memory(), `(func (export "alloc") (param i64) (result i32) (i32.const 0))`, handle()),
  ),
  wat(
    "its alloc is a global",
    lacks("alloc", "i32", "i32"),
    only(memory(), `(global (export "alloc") i32 (i32.const 0))`, handle()),
  ),
  wat("exports no handle", lacks("handle", "i32 i32", "i64"), only(memory(), alloc())),
  wat(
    "its handle gives an i32",
    lacks("handle", "i32 i32", "i64"),
    only(memory(), alloc(), `(func (export "handle") (param i32 i32) (result i32) (i32.const 0))`),
  ),
  having(
    "its export takes an i32",
    lacks("export", "", "i64"),
    `(func (export "export") (param i32) (result i64) (i64.const 0))`,
  ),
  having(
    "its import gives nothing",
    lacks("import", "i32 i32", "i64"),
    `(func (export "import") (param i32 i32))`,
  ),
  having(
    "an export has the name of the fuel",
    'reserved name: the export "__allowance" has a name that metering uses',
    `(func (export "__allowance"))`,
  ),
  having(
    "an export has the name of a global of the pass",
    'reserved name: the export "__global_7" has a name that metering uses',
    `(global (export "__global_7") i32 (i32.const 0))`,
  ),
]

const changesTable = (index: number): string => `hidden state: function ${index} changes a table`
const changes = (index: number): string => `${changesTable(index)} or drops a segment`
const noTags = "exceptions: exception tags are not supported"
const oneFunction = "(table 1 funcref) (elem $e func $f) (func $f)"

const features: ReadonlyArray<Invalid> = [
  having("SIMD", "SIMD: opcode 0xfd in function 0", "(func (drop (i32x4.splat (i32.const 1))))"),
  having("a parameter of SIMD", "SIMD: the type v128 is not supported", "(func (param v128))"),
  having("a local of SIMD", "SIMD: the type v128 is not supported", "(func (local v128))"),
  wat("shared memory", "threads: shared memory is not supported", module({ memory: "1 1 shared" })),
  having("an atomic instruction", "threads: opcode 0xfe in function 0", "(func (atomic.fence))"),
  wat("64-bit memory", "64-bit memory: memory is addressed by 32 bits", module({ memory: "i64 1" })),
  {
    name: "two memories",
    source: {
      bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 5, 2, 0, 1, 0, 1),
      what: "a module of two memories of one page each, and nothing else",
    },
    refusal: "several memories: a module has one memory",
  },
  having("a tail call", "tail calls: opcode 0x12 in function 0", "(func $f (return_call $f))"),
  having("an exception tag", noTags, "(tag)"),
  having("a handler of exceptions", "exceptions: opcode 0x6 in function 0", "(func (try (do) (catch_all)))"),
  having("table.set", changesTable(0), "(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))"),
  having(
    "table.grow",
    changes(0),
    "(table 1 funcref) (func (drop (table.grow (ref.null func) (i32.const 1))))",
  ),
  having(
    "table.init",
    changes(1),
    `${oneFunction} (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)))`,
  ),
  having("elem.drop", changes(1), `${oneFunction} (func (elem.drop $e))`),
  having("data.drop", changes(0), `(data $d "a") (func (data.drop $d))`),
  having(
    "a global that is a reference and changes",
    "hidden state: global 0 is a mutable reference",
    "(global (mut externref) (ref.null extern))",
  ),
]

const repeated = (count: number, text: string): string => Array.from({ length: count }, () => text).join(" ")

/** With a text too long to show. */
const long = (name: string, refusal: string, what: string, more: string): Invalid => ({
  name,
  source: { wat: module({ more }), what: `as a module that says nothing, with ${what}` },
  refusal,
})

const sizes: ReadonlyArray<Invalid> = [
  long(
    "a frame of a word too many",
    "frame too large: function 0 takes 16385 stack words a call; at most 16384 are allowed",
    "(func (local i64 i64 ...)), and 16,365 of the latter",
    `(func (local${" i64".repeat(16_365)}))`,
  ),
  long(
    "1,025 types",
    "it has 1025 types; at most 1024 are allowed",
    "(type (func)) 1,023 times before its own two",
    repeated(1_023, "(type (func))"),
  ),
  having(
    "an element too many in its tables",
    "it has 65537 elements in its tables; at most 65536 are allowed",
    "(table 32768 funcref) (table 32769 externref)",
  ),
  wat(
    "a page too many to begin with",
    "its memory begins with 4097 pages of 64 KiB; at most 4096 are allowed",
    module({ memory: "4097" }),
  ),
  wat(
    "more memory than its process may have",
    "the module takes 9 pages of 64 KiB to load; its limit is 8",
    module({ memory: "9" }),
    { limits: { memoryPages: 8 } },
  ),
  having("data that does not fit", "its data or elements do not fit", data(0xffff, "ab")),
  having(
    "elements that do not fit",
    "its data or elements do not fit",
    "(func $f) (table 1 funcref) (elem (i32.const 1) $f)",
  ),
]

const starting = (name: string, refusal: string, body: string, limits: Invalid["limits"] = {}): Invalid =>
  wat(name, refusal, module({ more: `(start $begin) (func $begin ${body})` }), { limits })

const starts: ReadonlyArray<Invalid> = [
  starting(
    "its start function traps",
    "trapped while the module loads: the program trapped",
    "(i32.store (i32.const 0) (i32.const 1)) (unreachable)",
  ),
  starting(
    "its start function does not end",
    "out of fuel while the module loads: more than 100000 fuel",
    "(loop $on (br $on))",
    { fuel: 100_000n },
  ),
  starting(
    "its start function adds more memory than its process may have",
    "the module takes 9 pages of 64 KiB to load; its limit is 8",
    "(drop (memory.grow (i32.const 8)))",
    { memoryPages: 8 },
  ),
  {
    name: "its start function reads a message",
    source: {
      wat: module({
        imports: ["read"],
        more: "(start $begin) (func $begin (call $read (i32.const 0) (i32.const 0) (i32.const 1)))",
      }),
    },
    refusal: "trapped while the module loads: the program trapped",
  },
]

const notWasm = "not WebAssembly: the bytes are not a valid WebAssembly module"
const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

const bytes = (name: string, refusal: string, what: string, of: ArrayLike<number>): Invalid => {
  const source: Source = { bytes: Uint8Array.from(of), what }
  return { name, source, refusal }
}

/** Sections of fewer than 128 bytes alone. */
const sections = (...all: ReadonlyArray<readonly [number: number, body: ReadonlyArray<number>]>) => [
  ...header,
  ...all.flatMap(([number, body]) => [number, body.length, ...body]),
]
const types = [1, [1, 0x60, 0, 0]] as const
const functions = [3, [1, 0]] as const

const malformed: ReadonlyArray<Invalid> = [
  bytes("nothing", notWasm, "no bytes", []),
  bytes("the first four bytes alone", notWasm, "00 61 73 6d", header.slice(0, 4)),
  bytes("version 2", notWasm, "a header of version 2", header.with(4, 2)),
  bytes("a section that ends early", notWasm, "types of five bytes, of which one is there", [
    ...header,
    1,
    5,
    1,
  ]),
  bytes("a section of 4 GiB", notWasm, "types of 2^32 - 1 bytes", [...header, 1, 0xff, 0xff, 0xff, 0xff, 15]),
  bytes("a length of six bytes", notWasm, "a length that goes on", [
    ...header,
    1,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0,
  ]),
  bytes("a section twice", notWasm, "no types, twice", sections([1, [0]], [1, [0]])),
  bytes("sections out of order", notWasm, "functions before types", sections([3, [0]], [1, [0]])),
  bytes("an unknown section", notWasm, "a section of number 99", sections([99, [0]])),
  bytes("a function without code", notWasm, "a type and a function", sections(types, functions)),
  bytes(
    "a module that is cut off",
    notWasm,
    "the file wat-counter/counter.wasm of the examples without its last byte",
    example("wat-counter/counter.wasm").slice(0, -1),
  ),
  bytes(
    "a body without an end",
    notWasm,
    "a type, a function, and its body that is nop",
    sections(types, functions, [10, [1, 2, 0, 1]]),
  ),
  bytes(
    "a body that takes an operand that is not there",
    notWasm,
    "a type, a function, and its body that is drop",
    sections(types, functions, [10, [1, 3, 0, 0x1a, 0x0b]]),
  ),
  bytes("a name that is not UTF-8", notWasm, "an export named ff", sections([7, [1, 1, 0xff, 0, 0]])),
  bytes(
    "a type that is a structure",
    "unknown type: a type is not a function",
    "a type 5f 00",
    sections([1, [1, 0x5f, 0]]),
  ),
]

export const invalid: ReadonlyArray<Invalid> = [
  ...imports,
  ...exports,
  ...features,
  ...sizes,
  ...starts,
  ...malformed,
]
