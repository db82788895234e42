/**
 * Intrinsics: the fixed, numbered table of functions that guest code can call outside its own memory.
 *
 * They are the one exception to "no host functions", and they touch nothing but the turn: some are pure functions of
 * guest memory, the others move the turn's own bytes in and out. A price is charged before the work, no intrinsic
 * calls back into the engine, and none allocates guest memory, so an image restored anywhere computes the same. Of a
 * script's functions only the prelude holds them; it never hands out the buffer. A plain module imports those that
 * need neither strings nor the turn's output.
 *
 * `m` is what places point into and `answer` where the answer goes (`Arguments.ts`): for a script both are `io`.
 *
 * | number | call | does | plain |
 * | --- | --- | --- | --- |
 * | 1 | `sha256(at, length)` | SHA-256 of m[at, at + length) to answer[0, 32) | yes |
 * | 2 | `utf8(text, from, at)` | UTF-8 of `text` from unit `from` on to io[at..], as much as fits whole; answer[0, 4) = bytes written, answer[4, 8) = first unit not written | |
 * | 3 | `read(from, at, length)` | copies input[from, from + length) of the turn to m[at..] | yes |
 * | 4 | `write(at, length)` | appends io[at, at + length) to the output of the turn | |
 * | 5 | `digest(from)` | SHA-256 of output[from..] to answer[0, 32) | |
 * | 6 | `log(level, at, length)` | a line of the console: level 0-4, text in m | yes |
 * | 7 | `fromId(text, at)` | answer[0] = 1 and the 32 bytes of an id to io[at..], or answer[0] = 0 where the text is none | |
 * | 8 | `toId(at)` | the 43 letters of the id io[at, at + 32) to answer[0, 43) | |
 * | 9 | `hash(algorithm, at, length, size)` | hash of m[at, at + length) to answer[0, size) | yes |
 * | 10 | `digestOf(algorithm, from, size)` | hash of output[from..] to answer[0, size) | |
 * | 11 | `unwrite(length)` | cuts the output of the turn to its first `length` bytes | |
 * | 12 | `verify(type, key at, length, message at, length, signature at, length, context at, length)` | answer[0] = 1 where the signature is good, else 0 | yes |
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { type Arguments, BadCall, ioBytes } from "./Arguments.ts"
import { levels } from "./Channel.ts"
import * as HashAlgorithm from "./HashAlgorithm.ts"
import * as SignatureScheme from "./SignatureScheme.ts"
import * as Utf8 from "./Utf8.ts"

export { type Arguments, BadCall, ioBytes, PlainArguments, ScriptArguments } from "./Arguments.ts"
export { Channel } from "./Channel.ts"

/** Letters of an id as text. */
const idLetters = 43

export interface Intrinsic {
  readonly name: string
  readonly arguments: number
  /** Whether a plain module may import it. */
  readonly plain: boolean
  /** Whether it answers: a plain module then gives one more argument. */
  readonly answers: boolean
  readonly price: (args: Arguments) => bigint
  readonly run: (args: Arguments) => void
}

/** Fuel per call, per byte moved and per letter converted. One fuel is one plain instruction. */
const callFuel = 2_000n
const byteFuel = { move: 1n, convert: 4n } as const

const priced = (perByte: bigint, length: number): bigint => perByte * BigInt(length)

/** Data of all outbox entries, target, tags and lengths of each; and once more the data, which `hash` lays down here. */
const outputBytesMax =
  2 * Limit.outputBytesPerTurnMax + Limit.outboxEntriesPerTurnMax * (Limit.tagsBytesMax + 128)

/** The algorithm of argument 0, where it gives as many bytes as argument `sizeAt` says. */
const algorithmOf = (args: Arguments, sizeAt: number): HashAlgorithm.HashAlgorithm => {
  const algorithm = HashAlgorithm.table[args.int(0)]
  if (algorithm === undefined) throw new BadCall("there is no such algorithm")
  if (!HashAlgorithm.gives(algorithm, args.int(sizeAt)))
    throw new BadCall("the algorithm gives no such digest")
  return algorithm
}

const schemeOf = (args: Arguments): SignatureScheme.SignatureScheme => {
  const scheme = SignatureScheme.table[args.int(0)]
  if (scheme === undefined) throw new BadCall("there is no such type of signature")
  return scheme
}

const sha256 = HashAlgorithm.table[1]!

/** The output from argument `n` on. */
const outputFrom = (args: Arguments, n: number): Uint8Array => args.channel.output.subarray(args.int(n))

/** The table. A number is never given to another function. */
export const table: Readonly<Record<number, Intrinsic>> = {
  1: {
    name: "sha256",
    arguments: 2,
    plain: true,
    answers: true,
    price: (args) => HashAlgorithm.price(sha256, args.int(1), Hash.length),
    run: (args) => args.answer(Hash.length).set(Hash.sha256(args.window(0))),
  },
  2: {
    name: "utf8",
    arguments: 3,
    plain: false,
    answers: true,
    price: (args) =>
      priced(byteFuel.convert, Math.min(ioBytes, Math.max(0, args.string(0).length - args.int(1)))),
    run: (args) => {
      const target = args.place(2, Math.max(0, ioBytes - args.int(2)))
      const { written, next } = Utf8.encodeUnits(args.string(0), args.int(1), target)
      const answer = args.answer(8)
      Bytes.setU32(answer, 0, written)
      Bytes.setU32(answer, 4, next)
    },
  },
  3: {
    name: "read",
    arguments: 3,
    plain: true,
    answers: false,
    price: (args) => priced(byteFuel.move, args.int(2)),
    run: (args) => {
      const from = args.int(0)
      if (from + args.int(2) > args.channel.input.length) throw new BadCall("the input is shorter")
      args.window(1).set(args.channel.input.subarray(from, from + args.int(2)))
    },
  },
  4: {
    name: "write",
    arguments: 2,
    plain: false,
    answers: false,
    price: (args) => priced(byteFuel.move, args.int(1)),
    run: (args) => {
      if (args.channel.output.length + args.int(1) > outputBytesMax)
        throw new BadCall("the output is too long")
      args.channel.append(args.window(0))
    },
  },
  5: {
    name: "digest",
    arguments: 1,
    plain: false,
    answers: true,
    price: (args) => HashAlgorithm.price(sha256, outputFrom(args, 0).length, Hash.length),
    run: (args) => args.answer(Hash.length).set(Hash.sha256(outputFrom(args, 0))),
  },
  6: {
    name: "log",
    arguments: 3,
    plain: true,
    answers: false,
    price: (args) => priced(byteFuel.move, args.int(2)),
    run: (args) => {
      const level = levels[args.int(0)]
      if (level === undefined) throw new BadCall("there is no such level")
      args.channel.log(level, args.window(1))
    },
  },
  7: {
    name: "fromId",
    arguments: 2,
    plain: false,
    answers: true,
    price: () => priced(byteFuel.convert, idLetters),
    run: (args) => {
      const units = args.string(0)
      const text = units.length === idLetters ? String.fromCharCode(...units) : ""
      const id = Id.parse(text)
      args.answer(1)[0] = id === undefined ? 0 : 1
      if (id !== undefined) args.place(1, Hash.length).set(Id.toBytes(id))
    },
  },
  8: {
    name: "toId",
    arguments: 1,
    plain: false,
    answers: true,
    price: () => priced(byteFuel.convert, idLetters),
    run: (args) => args.answer(idLetters).set(Bytes.fromText(Bytes.toBase64Url(args.place(0, Hash.length)))),
  },
  9: {
    name: "hash",
    arguments: 4,
    plain: true,
    answers: true,
    price: (args) => HashAlgorithm.price(algorithmOf(args, 3), args.int(2), args.int(3)),
    run: (args) => {
      const size = args.int(3)
      args.answer(size).set(HashAlgorithm.digest(algorithmOf(args, 3), args.window(1), size))
    },
  },
  10: {
    name: "digestOf",
    arguments: 3,
    plain: false,
    answers: true,
    price: (args) => HashAlgorithm.price(algorithmOf(args, 2), outputFrom(args, 1).length, args.int(2)),
    run: (args) => {
      const size = args.int(2)
      args.answer(size).set(HashAlgorithm.digest(algorithmOf(args, 2), outputFrom(args, 1), size))
    },
  },
  11: {
    name: "unwrite",
    arguments: 1,
    plain: false,
    answers: false,
    price: () => 0n,
    run: (args) => {
      if (args.int(0) > args.channel.output.length) throw new BadCall("the output is shorter")
      args.channel.cut(args.int(0))
    },
  },
  12: {
    name: "verify",
    arguments: 9,
    plain: true,
    answers: true,
    price: (args) => SignatureScheme.price(schemeOf(args), args.int(4)),
    run: (args) => {
      const [key, message, signature, context] = [1, 3, 5, 7].map((n) => args.window(n))
      const good = schemeOf(args).verify(key!, message!, signature!, context!)
      args.answer(1)[0] = good ? 1 : 0
    },
  },
}

/** Arguments that a plain module gives. */
const parametersOf = (intrinsic: Intrinsic): number => intrinsic.arguments + (intrinsic.answers ? 1 : 0)

/** Finds an intrinsic, checks that the call fits, charges its price, and runs it. */
export const call = (number: number, args: Arguments, charge: (fuel: bigint) => void): void => {
  const intrinsic = table[number]
  if (intrinsic === undefined || (args.kind === "plain" && !intrinsic.plain))
    throw new BadCall("no such intrinsic")
  if (args.count !== (args.kind === "plain" ? parametersOf(intrinsic) : intrinsic.arguments))
    throw new BadCall("another number of arguments is expected")
  charge(callFuel + intrinsic.price(args))
  intrinsic.run(args)
}

const entries = Object.entries(table).map(([number, intrinsic]) => ({ number: Number(number), ...intrinsic }))

/** What a plain module may import by name from `heddle`: functions of so many i32 and without a result. */
export const plain: ReadonlyArray<{
  readonly name: string
  readonly number: number
  readonly parameters: number
}> = entries
  .filter((entry) => entry.plain)
  .map((entry) => ({ name: entry.name, number: entry.number, parameters: parametersOf(entry) }))

/** What of the table an engine id commits to. */
export const description: string = JSON.stringify({
  table: entries.map((entry) => [
    entry.number,
    entry.name,
    entry.arguments,
    entry.plain ? parametersOf(entry) : 0,
  ]),
  prices: [callFuel, byteFuel.move, byteFuel.convert].map(String),
  hashes: Object.entries(HashAlgorithm.table).map(([number, { name, bytes, start, perByte }]) => [
    Number(number),
    name,
    bytes ?? 0,
    String(start),
    String(perByte),
  ]),
  signatures: Object.entries(SignatureScheme.table).map(([number, { start, perByte }]) => [
    Number(number),
    String(start),
    String(perByte),
  ]),
  outputBytesMax,
})
