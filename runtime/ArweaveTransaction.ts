/**
 * Transaction of Arweave, format 2: who pays how much to keep which data. Its signature commits to the root of a tree
 * over the data's chunks (`ArweaveData.ts`); its id is the hash of the signature.
 *
 * Here it is without its data, as `POST /tx` takes it and `GET /tx/<id>` gives it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ArweaveWallet from "./ArweaveWallet.ts"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import * as Item from "./Item.ts"
import * as Limit from "./Limit.ts"
import type * as Tag from "./Tag.ts"

/** What is signed. */
export interface Content {
  readonly owner: Uint8Array
  /** A recent block, 48 bytes (`last_tx`): so many blocks after it the transaction can be mined no more. */
  readonly anchor: Uint8Array
  readonly tags: ReadonlyArray<Tag.Tag>
  readonly dataBytes: number
  readonly dataRoot: Uint8Array
  /** In winston. */
  readonly reward: bigint
}

export interface Transaction extends Content {
  readonly signature: Uint8Array
  readonly id: Id.Id
}

/** Bytes of tags as Arweave counts them. */
export const tagBytes = (tags: ReadonlyArray<Tag.Tag>): number =>
  tags.reduce((sum, { name, value }) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0)

/** The 48 bytes that are signed: no target, no quantity, since none of ours pays anybody. */
export const signingHash = (content: Content): Uint8Array =>
  Item.deepHash([
    Bytes.fromText("2"),
    content.owner,
    Bytes.empty,
    Bytes.fromText("0"),
    Bytes.fromText(String(content.reward)),
    content.anchor,
    content.tags.map(({ name, value }) => [Bytes.fromText(name), Bytes.fromText(value)]),
    Bytes.fromText(String(content.dataBytes)),
    content.dataRoot,
  ])

const signed = (content: Content, signature: Uint8Array): Transaction => ({
  ...content,
  signature,
  id: Id.fromBytes(Hash.sha256(signature)),
})

export const sign = (
  wallet: ArweaveWallet.Wallet,
  content: Omit<Content, "owner">,
): Effect.Effect<Transaction> => {
  const whole = { ...content, owner: wallet.owner }
  return Effect.map(ArweaveWallet.sign(wallet, signingHash(whole)), (signature) => signed(whole, signature))
}

/** Whether the owner signed it. */
export const verify = (transaction: Transaction): boolean =>
  ArweaveWallet.verify(transaction.owner, signingHash(transaction), transaction.signature)

const text64 = (text: string): string => Bytes.toBase64Url(Bytes.fromText(text))

/** As gateways take it. */
export const toJson = (transaction: Transaction): string =>
  JSON.stringify({
    format: 2,
    id: transaction.id,
    last_tx: Bytes.toBase64Url(transaction.anchor),
    owner: Bytes.toBase64Url(transaction.owner),
    tags: transaction.tags.map(({ name, value }) => ({ name: text64(name), value: text64(value) })),
    target: "",
    quantity: "0",
    data: "",
    data_size: String(transaction.dataBytes),
    data_root: Bytes.toBase64Url(transaction.dataRoot),
    reward: String(transaction.reward),
    signature: Bytes.toBase64Url(transaction.signature),
  })

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const bytesOf = (value: unknown): Uint8Array => {
  const bytes = typeof value === "string" ? Bytes.fromBase64Url(value) : undefined
  if (bytes === undefined) throw new RangeError("a field is no base64url")
  return bytes
}

const textOf = (value: unknown): string => {
  const text = Bytes.toText(bytesOf(value))
  if (text === undefined) throw new RangeError("a tag is not UTF-8")
  return text
}

const countOf = (value: unknown): bigint => {
  if (typeof value !== "string" || !/^(0|[1-9]\d{0,30})$/.test(value))
    throw new RangeError("a number is not written in digits")
  return BigInt(value)
}

/** Reads what a gateway gave. Total: a transaction whose id is its signature's hash, or why it is none of ours. */
export const fromJson = (json: string): Result.Result<Transaction, string> => {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return Result.fail("the transaction is no JSON")
  }
  if (!isObject(value)) return Result.fail("the transaction is no JSON object")
  if (value["format"] !== 2) return Result.fail("the transaction's format is not 2")
  if ((value["target"] ?? "") !== "" || (value["quantity"] ?? "0") !== "0")
    return Result.fail("the transaction pays somebody")
  try {
    const tags = Array.isArray(value["tags"]) ? (value["tags"] as ReadonlyArray<unknown>) : []
    if (json.length > Limit.gatewayHeadBytesMax) return Result.fail("the transaction's head is too long")
    const dataBytes = countOf(value["data_size"])
    if (dataBytes > BigInt(Limit.archiveTransactionBytesMax))
      return Result.fail(
        `its data has ${dataBytes} bytes; at most ${Limit.archiveTransactionBytesMax} are allowed`,
      )
    const transaction = signed(
      {
        owner: bytesOf(value["owner"]),
        anchor: bytesOf(value["last_tx"]),
        tags: tags.map((tag) => {
          if (!isObject(tag)) throw new RangeError("a tag has no name and value")
          return { name: textOf(tag["name"]), value: textOf(tag["value"]) }
        }),
        dataBytes: Number(dataBytes),
        dataRoot: bytesOf(value["data_root"]),
        reward: countOf(value["reward"]),
      },
      bytesOf(value["signature"]),
    )
    return value["id"] === transaction.id
      ? Result.succeed(transaction)
      : Result.fail("the transaction's id is not its signature's hash")
  } catch (error) {
    if (error instanceof RangeError) return Result.fail(error.message)
    throw error
  }
}
