/**
 * Arweave on one machine: a chain of blocks, and gateways to it over HTTP that check what they are given (signature,
 * anchor, reward, tags, chunk proofs) by arweave-js and node:crypto. Blocks come when the test says so.
 *
 * A gateway can be made to fail: the test is asked about each request, before and after it was carried out.
 */
import crypto from "node:crypto"
import http from "node:http"
import { createRequire } from "node:module"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ArweaveRsa from "../../identity/ArweaveRsa.ts"
import * as Bundle from "../../runtime/Bundle.ts"
import * as Item from "../../runtime/Item.ts"

interface Json {
  readonly id: string
  readonly last_tx: string
  readonly owner: string
  readonly tags: ReadonlyArray<{ readonly name: string; readonly value: string }>
  readonly data_size: string
  readonly data_root: string
  readonly reward: string
  readonly signature: string
}

const require = createRequire(import.meta.url)
const { default: Transaction } = require("arweave/node/lib/transaction.js") as {
  readonly default: new (json: Json) => { readonly getSignatureData: () => Promise<Uint8Array> }
}
const { validatePath } = require("arweave/node/lib/merkle.js") as typeof import("arweave/node/lib/merkle.js")

const from64 = (text: string): Buffer => Buffer.from(text, "base64url")
const sha256 = (bytes: Uint8Array): Buffer => crypto.hash("sha256", bytes, "buffer")
const plain = ({ tags }: Json) =>
  tags.map(({ name, value }) => ({ name: from64(name).toString(), value: from64(value).toString() }))

interface Chunk {
  readonly from: number
  readonly to: number
  readonly bytes: Buffer
  readonly path: string
}

interface Block {
  readonly id: string
  readonly transactions: ReadonlyArray<string>
}

const anchorBlocks = 50

export class Weave {
  readonly #known = new Map<string, Json>()
  readonly #waiting = new Set<string>()
  readonly #chunks = new Map<string, Map<number, Chunk>>()
  readonly blocks: Array<Block> = []
  /** Ids of all transactions that were ever taken: each is a payment. */
  readonly paid = new Set<string>()
  #made = 0

  constructor() {
    this.mine(60)
  }

  get height(): number {
    return this.blocks.length - 1
  }

  #block(transactions: ReadonlyArray<string>): void {
    this.blocks.push({
      id: crypto.hash("sha384", `block ${this.#made++}`, "buffer").toString("base64url"),
      transactions,
    })
  }

  /** So many blocks; what waits is in the first. */
  mine(count = 1): void {
    for (let n = 0; n < count; n++) {
      this.#block([...this.#waiting])
      this.#waiting.clear()
    }
  }

  /** Another chain takes the place of the last blocks; what was in them waits again, or is lost. */
  fork(depth: number, then: "waits" | "is lost"): void {
    for (const { transactions } of this.blocks.splice(-depth))
      for (const id of transactions) {
        if (then === "waits") this.#waiting.add(id)
        else this.#known.delete(id)
      }
    for (let n = 0; n < depth; n++) this.#block([])
  }

  /** Forgets what waits, as gateways do after a while. */
  forget(): void {
    for (const id of this.#waiting) this.#known.delete(id)
    this.#waiting.clear()
  }

  price(bytes: number): bigint {
    return 1_000n + 10n * BigInt(bytes)
  }

  transaction(id: string): Json | undefined {
    return this.#known.get(id)
  }

  heightOf(id: string): number | undefined {
    const at = this.blocks.findIndex(({ transactions }) => transactions.includes(id))
    return at < 0 ? undefined : at
  }

  /** Why a transaction is not taken. */
  async take(json: Json): Promise<string | undefined> {
    if (this.#known.has(json.id)) return "already"
    if (sha256(from64(json.signature)).toString("base64url") !== json.id) return "id"
    const key = crypto.createPublicKey({ key: { kty: "RSA", n: json.owner, e: "AQAB" }, format: "jwk" })
    const signed = await new Transaction(json).getSignatureData()
    const pss = { key, padding: crypto.constants.RSA_PKCS1_PSS_PADDING }
    if (!crypto.verify("sha256", signed, pss, from64(json.signature))) return "signature"
    if (!this.blocks.slice(-anchorBlocks).some(({ id }) => id === json.last_tx)) return "anchor"
    if (BigInt(json.reward) < this.price(Number(json.data_size))) return "reward"
    const tagBytes = plain(json).reduce((sum, { name, value }) => sum + name.length + value.length, 0)
    if (tagBytes > 2_048 || json.tags.length > 128) return "tags"
    this.#known.set(json.id, json)
    this.#waiting.add(json.id)
    this.paid.add(json.id)
    return undefined
  }

  async takeChunk(json: Readonly<Record<string, string>>): Promise<string | undefined> {
    const { data_root = "", data_size, data_path = "", offset, chunk = "" } = json
    const known = [...this.#known.values()].some(
      (one) => one.data_root === data_root && one.data_size === data_size,
    )
    if (!known) return "data_root_not_found"
    const [bytes, path] = [from64(chunk), from64(data_path)]
    const proof = await validatePath(from64(data_root), Number(offset), 0, Number(data_size), path)
    if (proof === false || proof.chunkSize !== bytes.length) return "invalid_proof"
    if (!path.subarray(-64, -32).equals(sha256(bytes))) return "invalid_proof"
    const all = this.#chunks.get(data_root) ?? new Map<number, Chunk>()
    this.#chunks.set(data_root, all)
    all.set(proof.leftBound, { from: proof.leftBound, to: proof.rightBound, bytes, path: data_path })
    return undefined
  }

  /** Loses the chunks of everything. */
  loseChunks(): void {
    this.#chunks.clear()
  }

  chunkBytes(root: string): number {
    return [...(this.#chunks.get(root)?.values() ?? [])].reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  /** Where the data of each confirmed transaction begins; the first byte of all has number 1. */
  #starts(): ReadonlyArray<readonly [json: Json, start: number]> {
    let at = 1
    return this.blocks.flatMap(({ transactions }) =>
      transactions.map((id) => {
        const json = this.#known.get(id)!
        const start = at
        at += Number(json.data_size)
        return [json, start] as const
      }),
    )
  }

  start(id: string): number | undefined {
    return this.#starts().find(([json]) => json.id === id)?.[1]
  }

  chunkAt(offset: number): Chunk | undefined {
    const found = this.#starts().find(
      ([json, start]) => start <= offset && offset < start + Number(json.data_size),
    )
    if (found === undefined) return undefined
    const [json, start] = found
    return [...(this.#chunks.get(json.data_root)?.values() ?? [])].find(
      ({ from, to }) => from <= offset - start && offset - start < to,
    )
  }

  data(id: string): Buffer | undefined {
    const json = this.#known.get(id)
    if (json === undefined || this.chunkBytes(json.data_root) !== Number(json.data_size)) return undefined
    const chunks = [...this.#chunks.get(json.data_root)!.values()].toSorted((a, b) => a.from - b.from)
    return Buffer.concat(chunks.map(({ bytes }) => bytes))
  }

  /** What an index knows: transactions and, of the bundles whose items are all well signed, their items. */
  nodes(unpacks: boolean): ReadonlyArray<Node> {
    return this.blocks.flatMap(({ transactions }, height) =>
      transactions.flatMap((id): ReadonlyArray<Node> => {
        const json = this.#known.get(id)!
        const own = { id, tags: plain(json), size: json.data_size, height, bundledIn: undefined }
        const data = unpacks ? this.data(id) : undefined
        const items = data === undefined ? undefined : Bundle.decode(data)
        if (items === undefined || Result.isFailure(items)) return [own]
        const good = items.success.every((item) =>
          ArweaveRsa.verify(item.owner, Item.signingHash(item), item.signature),
        )
        if (!good) return [own]
        return [
          own,
          ...items.success.map((item) => ({
            id: item.id,
            tags: item.tags,
            size: String(item.data.length),
            height,
            bundledIn: id,
          })),
        ]
      }),
    )
  }
}

interface Node {
  readonly id: string
  readonly tags: ReadonlyArray<{ readonly name: string; readonly value: string }>
  readonly size: string
  readonly height: number
  readonly bundledIn: string | undefined
}

export interface Answer {
  readonly status: number
  readonly body: Buffer
  readonly headers?: Readonly<Record<string, string>>
  /** Cuts the connection after so many bytes of the body. */
  readonly cutAt?: number
}

export interface Request {
  readonly method: string
  readonly path: string
  readonly body: string
}

export interface Options {
  /** Knows the items of bundles. */
  readonly unpacks?: boolean
  /** Results in one page, where fewer than asked for. */
  readonly pageMax?: number
}

export interface Gateway {
  readonly url: string
  readonly requests: Array<Request>
  /** Asked before a request is carried out; an answer stands for it, `undefined` lets it through, null cuts it off. */
  before: (request: Request) => Answer | null | undefined | Promise<Answer | null | undefined>
  /** Asked for what goes out in place of the answer; null cuts the connection. */
  after: (request: Request, answer: Answer) => Answer | null | Promise<Answer | null>
}

export const text = (status: number, body: string): Answer => ({ status, body: Buffer.from(body) })
const json = (body: unknown): Answer => text(200, JSON.stringify(body))
const nothing = text(404, "Not Found.")

interface Variables {
  readonly tags?: ReadonlyArray<{ readonly name: string; readonly values: ReadonlyArray<string> }>
  readonly ids?: ReadonlyArray<string>
  readonly first?: number
  readonly after?: string
  readonly block?: { readonly min?: number }
}

const search = (weave: Weave, { unpacks = true, pageMax = 100 }: Options, body: string): Answer => {
  const { variables } = JSON.parse(body) as { readonly variables: Variables }
  const { tags = [], ids, first = 1, after = "0", block } = variables
  const found = weave
    .nodes(unpacks)
    .filter(
      (node) =>
        node.height >= (block?.min ?? 0) &&
        (ids === undefined || ids.includes(node.bundledIn ?? "")) &&
        tags.every(({ name, values }) =>
          node.tags.some((tag) => tag.name === name && values.includes(tag.value)),
        ),
    )
  const [from, count] = [Number(after), Math.min(first, pageMax)]
  return json({
    data: {
      transactions: {
        pageInfo: { hasNextPage: from + count < found.length },
        edges: found.slice(from, from + count).map(({ id, tags, size, height, bundledIn }, index) => ({
          cursor: String(from + index + 1),
          node: {
            id,
            tags,
            data: { size },
            block: { height },
            bundledIn: bundledIn === undefined ? null : { id: bundledIn },
          },
        })),
      },
    },
  })
}

const about = (weave: Weave, id: string, what: string | undefined): Answer => {
  const known = weave.transaction(id)
  if (known === undefined) return nothing
  const height = weave.heightOf(id)
  if (height === undefined) return text(202, "Pending")
  if (what === undefined) return json(known)
  if (what === "status")
    return json({
      block_height: height,
      block_indep_hash: weave.blocks[height]!.id,
      number_of_confirmations: weave.height - height + 1,
    })
  const size = Number(known.data_size)
  return json({ size: known.data_size, offset: String(weave.start(id)! + size - 1) })
}

const carryOut = async (weave: Weave, options: Options, { method, path, body }: Request): Promise<Answer> => {
  const [first = "", second = "", third] = path.slice(1).split("/")
  if (method === "POST") {
    if (first === "graphql") return search(weave, options, body)
    if (first === "tx") {
      const refused = await weave.take(JSON.parse(body) as Json)
      if (refused === "already") return text(208, "Transaction already processed.")
      return refused === undefined
        ? text(200, "OK")
        : text(400, `Transaction verification failed: ${refused}`)
    }
    if (first === "chunk") {
      const refused = await weave.takeChunk(JSON.parse(body) as Record<string, string>)
      return refused === undefined ? json({}) : text(400, JSON.stringify({ error: refused }))
    }
    return nothing
  }
  if (first === "info") return json({ network: "arweave.N.1", height: weave.height })
  if (first === "tx_anchor") return text(200, weave.blocks.at(-5)!.id)
  if (first === "price") return text(200, String(weave.price(Number(second))))
  if (first === "tx") return about(weave, second, third)
  if (first === "chunk") {
    const chunk = weave.chunkAt(Number(second))
    if (chunk === undefined) return nothing
    const { bytes, path: data_path } = chunk
    return json({ chunk: bytes.toString("base64url"), data_path, tx_path: "", packing: "unpacked" })
  }
  const data = weave.data(first)
  return data === undefined || weave.heightOf(first) === undefined ? nothing : { status: 200, body: data }
}

const bodyOf = async (request: http.IncomingMessage): Promise<string> => {
  const parts: Array<Buffer> = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

/** A gateway to `weave` for as long as the scope lives. */
export const make = (weave: Weave, options: Options = {}) =>
  Effect.gen(function* () {
    const requests: Array<Request> = []
    const gateway: { -readonly [key in keyof Gateway]: Gateway[key] } = {
      url: "",
      requests,
      before: () => undefined,
      after: (_, answer) => answer,
    }
    const serve = async (incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
      const { method = "GET", url: path = "/" } = incoming
      const request = { method, path, body: await bodyOf(incoming) }
      requests.push(request)
      const instead = await gateway.before(request)
      const answer =
        instead === undefined
          ? await gateway.after(request, await carryOut(weave, options, request))
          : instead
      if (answer === null) {
        response.destroy()
        return
      }
      const { status, body, headers = {}, cutAt } = answer
      const framing =
        "transfer-encoding" in headers ? headers : { "content-length": String(body.length), ...headers }
      response.writeHead(status, framing)
      if (cutAt === undefined) response.end(body)
      else response.write(body.subarray(0, cutAt), () => response.destroy())
    }
    const server = yield* Effect.acquireRelease(
      Effect.callback<http.Server>((resume) => {
        const made = http.createServer((request, response) => void serve(request, response))
        made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
      }),
      (server) =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        }),
    )
    const address = server.address()
    gateway.url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`
    return gateway
  })
