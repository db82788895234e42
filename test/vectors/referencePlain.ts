/**
 * Second implementation of what a plain module is told and of what becomes of what it says (spec 04 §10). The module is
 * run as it is, without the pass; so fuel, the other limits and failing are not here. From the spec's text, on noble
 * alone, like `reference.ts`.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import { sha3_256, sha3_384, sha3_512, shake128, shake256 } from "@noble/hashes/sha3.js"
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js"
import * as Reference from "./reference.ts"
import * as Log from "./referenceLog.ts"

const { base64, hex, join, utf8 } = Reference
type Bytes = Reference.Bytes

export type Tags = ReadonlyArray<readonly [name: string, value: string]>

/** What a turn is told; ids are texts. */
export interface Input {
  readonly slot: number
  readonly timestamp: number
  readonly head: string
  readonly seed: Bytes
  readonly process: {
    readonly id: string
    readonly owner: string
    readonly module: string
    readonly scheduler: string
    readonly tags: Tags
  }
  readonly message: {
    readonly id: string
    readonly from: string
    readonly fromProcess: boolean
    readonly target: string
    readonly action: string
    readonly tags: Tags
    readonly data: Bytes
  }
}

export const utf8Of = (bytes: Bytes): string | null => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

/** 04 §2, Run. */
const wordsOf = ({ slot, timestamp, head, seed, process, message }: Input): string => {
  const { id, owner, module, scheduler, tags } = process
  const { data } = message
  return JSON.stringify({
    slot,
    timestamp,
    head,
    seed: hex(seed),
    process: { id, owner, module, scheduler, tags },
    message: {
      id: message.id,
      from: message.from,
      fromProcess: message.fromProcess,
      target: message.target,
      action: message.action,
      tags: message.tags,
      data: utf8Of(data),
      length: data.length,
    },
  })
}

// ---- a module as it is

const pageBytes = 65_536

/** The module with this greatest number of pages, where its own is not smaller. */
const held = (wasm: Bytes, pages: number): Bytes => {
  let at = 8
  const number = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = wasm[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  const written = (value: number): ReadonlyArray<number> =>
    value < 128 ? [value] : [(value % 128) + 128, ...written(Math.floor(value / 128))]
  for (;;) {
    const from = at
    const section = wasm[at++]!
    const length = number()
    const end = at + length
    if (section !== 5) {
      at = end
      continue
    }
    number() // one memory
    const bounded = number() === 1
    const first = number()
    const last = bounded ? Math.min(number(), pages) : pages
    const body = [1, 1, ...written(first), ...written(last)]
    return join(wasm.slice(0, from), Uint8Array.of(5, ...written(body.length), ...body), wasm.slice(end))
  }
}

const shake =
  (of: typeof shake128) =>
  (bytes: Bytes, size: number): Bytes =>
    of(bytes, { dkLen: size })

const algorithms: Readonly<Record<number, (bytes: Bytes, size: number) => Bytes>> = {
  1: sha256,
  2: sha384,
  3: sha512,
  4: sha3_256,
  5: sha3_384,
  6: sha3_512,
  7: shake(shake128),
  8: shake(shake256),
}

/** Whether a signature of type 2 or 1044 is good. */
const good = (type: number, key: Bytes, message: Bytes, signature: Bytes, context: Bytes): boolean => {
  if (type === 2) return context.length === 0 && ed25519.verify(signature, message, key)
  if (type !== 1044) throw new Error(`type ${type} is not in this implementation`)
  return ml_dsa44.verify(signature, message, key, { context })
}

const levels = ["debug", "log", "info", "warn", "error"]

export interface Spoken {
  /** Empty where it says nothing. */
  readonly said: string
  readonly console: ReadonlyArray<readonly [level: string, text: string]>
}

type Functions = Readonly<Record<string, (...values: ReadonlyArray<number>) => number | bigint>>

/** A process of a module that none of its turns fails in. */
export class Process {
  readonly #exports: Functions
  readonly #memory: WebAssembly.Memory
  #data: Bytes = new Uint8Array(0)
  #console: Array<readonly [level: string, text: string]> = []

  constructor(wasm: Bytes, pagesMax: number) {
    let memory: WebAssembly.Memory | undefined
    const at = (from: number, length: number): Bytes => new Uint8Array(memory!.buffer, from, length)
    const heddle = {
      sha256: (from: number, length: number, to: number) => at(to, 32).set(sha256(at(from, length))),
      read: (from: number, to: number, length: number) =>
        at(to, length).set(this.#data.subarray(from, from + length)),
      log: (level: number, from: number, length: number) => {
        // A start function runs before its memory can be reached from here: what it writes is left out.
        if (memory !== undefined) this.#console.push([levels[level]!, utf8Of(at(from, length))!])
      },
      hash: (algorithm: number, from: number, length: number, size: number, to: number) =>
        at(to, size).set(algorithms[algorithm]!(at(from, length), size)),
      verify: (type: number, ...places: ReadonlyArray<number>) => {
        const [key, message, signature, context] = [0, 2, 4, 6].map((n) => at(places[n]!, places[n + 1]!))
        at(places[8]!, 1)[0] = good(type, key!, message!, signature!, context!) ? 1 : 0
      },
    }
    const module = new WebAssembly.Module(held(wasm, pagesMax))
    const { exports } = new WebAssembly.Instance(module, { heddle })
    this.#exports = exports as Functions // those of spec 04 §10
    memory = this.#memory = exports["memory"] as WebAssembly.Memory // as above
  }

  get pages(): number {
    return this.#memory.buffer.byteLength / pageBytes
  }

  /** 04 §4. */
  get memoryRoot(): Bytes {
    const pages = Array.from({ length: this.pages * 16 }, (_, n) =>
      sha256(new Uint8Array(this.#memory.buffer, n * 4_096, 4_096)),
    )
    return Reference.merkle(pages, 0).root
  }

  turn(input: Input): Spoken {
    return this.#tell("handle", wordsOf(input), input.message.data)
  }

  /** What it leaves to the next program, as JSON. */
  export(): string | undefined {
    const { said } = this.#spoken(() => this.#exports["export"]?.() ?? 0n)
    return said === "" ? undefined : said
  }

  /** The second half of an upgrade (04 §9), where the first has left `state`. */
  import(input: Input, state: string | undefined): Spoken {
    if (this.#exports["import"] === undefined) return { said: "", console: [] }
    const bare = { ...input, message: { ...input.message, data: new Uint8Array(0) } }
    const more = `,"exported":${state !== undefined},"state":${state?.trim() ?? "null"}}`
    return this.#tell("import", wordsOf(bare).slice(0, -1) + more, new Uint8Array(0))
  }

  #tell(name: string, words: string, data: Bytes): Spoken {
    this.#data = data
    return this.#spoken(() => {
      const bytes = utf8(words)
      const at = this.#exports["alloc"]!(bytes.length) as number // i32
      new Uint8Array(this.#memory.buffer).set(bytes, at >>> 0)
      return this.#exports[name]!(at, bytes.length)
    })
  }

  #spoken(speak: () => number | bigint): Spoken {
    this.#console = []
    const place = BigInt.asUintN(64, BigInt(speak()))
    const [at, length] = [Number(place >> 32n), Number(place & 0xffff_ffffn)]
    const said = length === 0 ? "" : utf8Of(new Uint8Array(this.#memory.buffer, at, length))!
    return { said, console: this.#console }
  }
}

// ---- what it says

/** A value as it is written, and of an array or object what it holds: names and values in turn. */
interface Written {
  readonly text: string
  readonly parts: ReadonlyArray<Written>
}

const writtenOf = (json: string): Written => {
  const tokens = [...json.matchAll(/[{}[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}[\],:"]+/g)]
  let n = 0
  const next = (): Written => {
    const first = tokens[n++]!
    const parts: Array<Written> = []
    if (first[0] === "{" || first[0] === "[") {
      while (tokens[n]![0] !== "}" && tokens[n]![0] !== "]") {
        parts.push(next())
        if (tokens[n]![0] === "," || tokens[n]![0] === ":") n++
      }
      n++
    }
    const last = tokens[n - 1]!
    return { text: json.slice(first.index, last.index + last[0].length), parts }
  }
  return next()
}

/** A text; a lone surrogate in it is U+FFFD. */
const textOf = ({ text }: Written): string => (JSON.parse(text) as string).toWellFormed()

const fieldsOf = ({ parts }: Written): Readonly<Record<string, Written | undefined>> =>
  Object.fromEntries(parts.flatMap((part, n) => (n % 2 === 0 ? [[textOf(part), parts[n + 1]!]] : [])))

const optional = (of: Written | undefined): string | undefined => of && textOf(of)

export type Reply =
  | { readonly to: string; readonly value: string }
  | { readonly to: string; readonly error: string }

export interface Entry {
  readonly kind: "message" | "spawn" | "timer"
  readonly due: number
  readonly target: string | null
  readonly tags: Tags
  readonly data: Bytes
  /** Id of the item that the host makes of it. */
  readonly id: string
}

export interface Output {
  readonly replies: ReadonlyArray<Reply>
  readonly views: ReadonlyArray<{ readonly name: string; readonly value: string | null }>
  readonly outbox: ReadonlyArray<Entry>
}

/** The tags of 01 §7, those of them that have a value. */
const tagsOf = (
  type: "Message" | "Process",
  ...set: ReadonlyArray<readonly [string, string | undefined]>
): Tags =>
  [
    ["Data-Protocol", "ao"] as const,
    ["Type", type] as const,
    ["Variant", "heddle.1"] as const,
    ...set,
  ].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))

type Content = Omit<Entry, "id">

const contentOf = (said: Written, { process }: Input, made: ReadonlyArray<Entry>): Content => {
  const fields = fieldsOf(said)
  const kind = textOf(fields["kind"]!) as Entry["kind"] // of the three there are
  const own = (fields["tags"]?.parts ?? []).map(
    ({ parts }) => [textOf(parts[0]!), textOf(parts[1]!)] as const,
  )
  const action = optional(fields["action"])
  const reference = optional(fields["reference"])
  const bytes = optional(fields["base64url"])
  const data =
    bytes === undefined ? utf8(optional(fields["data"]) ?? fields["json"]?.text ?? "") : Log.id(bytes)
  if (kind === "timer") {
    const tags = tagsOf("Message", ["Action", "Timer"], ["X-Reference", reference])
    return { kind, due: Number(fields["due"]!.text), target: process.id, tags, data }
  }
  if (kind === "spawn") {
    const scheduler = own.some(([name]) => name === "Scheduler") ? undefined : process.scheduler
    const set = [
      ["Action", action],
      ["Module", optional(fields["module"])],
      ["Scheduler", scheduler],
    ] as const
    return { kind, due: 0, target: null, tags: [...tagsOf("Process", ...set), ...own], data }
  }
  const child = fields["child"]
  const target = child === undefined ? textOf(fields["target"]!) : made[Number(child.text)]!.id
  const tags = [...tagsOf("Message", ["Action", action], ["Reference", reference]), ...own]
  return { kind, due: 0, target, tags, data }
}

/** An entry with the item that it is, by its place in the outbox. */
const entryOf = (content: Content, { process, head }: Input, index: number): Entry => {
  const { target, tags, data } = content
  const fields = { ...(target === null ? {} : { target: Log.id(target) }), tags, data }
  const item = Log.outboxItem(Log.id(process.id), Log.id(head), index, fields)
  return { ...content, id: base64(Log.itemId(item)) }
}

/** The message that a process waits for, where one waits for the answer to this turn's message (05 §6). */
const answerOf = (reply: Reply, { message }: Input): ReadonlyArray<Content> => {
  const [, reference] = message.tags.find(([name]) => name === "Reference") ?? []
  if (!message.fromProcess || reply.to !== message.id || reference === undefined || reference.length > 64)
    return []
  const error = "error" in reply ? reply.error.slice(0, 1_000).toWellFormed() || "failed" : undefined
  const tags = tagsOf("Message", ["Action", "Reply"], ["X-Reference", reference], ["Error", error])
  const data = utf8("value" in reply ? reply.value : "")
  return [{ kind: "message", due: 0, target: message.from, tags, data }]
}

/** What the host makes of what a module says. An upgrade is answered with `null` where the module does not answer it. */
export const output = (said: string, input: Input, upgrade = false): Output => {
  const fields = said === "" ? {} : fieldsOf(writtenOf(said))
  const own = input.message.id
  const replies = (fields["replies"]?.parts ?? []).map((part): Reply => {
    const { to, value, error } = fieldsOf(part)
    const about = { to: optional(to) ?? own }
    return error === undefined
      ? { ...about, value: value?.text ?? "null" }
      : { ...about, error: textOf(error) }
  })
  const silent = upgrade && !replies.some(({ to }) => to === own)
  const answered = silent ? [...replies, { to: own, value: "null" }] : replies
  const views = (fields["views"]?.parts ?? []).map((part) => {
    const { name, value } = fieldsOf(part)
    return { name: textOf(name!), value: value === undefined || value.text === "null" ? null : value.text }
  })
  const outbox: Array<Entry> = []
  const put = (content: Content): void => void outbox.push(entryOf(content, input, outbox.length))
  for (const part of fields["outbox"]?.parts ?? []) put(contentOf(part, input, outbox))
  for (const reply of answered) for (const content of answerOf(reply, input)) put(content)
  return { replies: answered, views, outbox }
}

/** What the host answers after a turn that failed. */
export const failed = (error: string, input: Input): Output => {
  const reply = { to: input.message.id, error: `TurnFailed: ${error}` }
  const outbox = answerOf(reply, input).map((content, index) => entryOf(content, input, index))
  return { replies: [reply], views: [], outbox }
}
