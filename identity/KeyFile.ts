/**
 * Key file: one identity at rest, as JSON (spec 02 §6).
 *
 *     format, type, address, kdf      who it is and how the passphrase becomes a key: readable, authenticated
 *     check                           tells a wrong passphrase from a damaged file
 *     nonce, ciphertext, tag          AES-256-GCM over the 32-byte seed; all above is associated data
 *     checksum                        SHA-256 over all of it: finds damage, whatever the passphrase
 *
 * A key without a passphrase (`kdf: none`) has its seed in the clear under `seed`: for a node that must start
 * unattended and for tests. The file's mode is then all that protects it.
 */
import crypto from "node:crypto"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import { Entropy } from "./Entropy.ts"
import * as Identity from "./Identity.ts"
import * as MlDsa from "./MlDsa.ts"

export const format = "heddle/key/1"

export class WrongPassphrase extends Data.TaggedError("WrongPassphrase")<{ readonly file: string }> {
  override get message(): string {
    return `wrong passphrase for ${this.file}`
  }
}

/** The file is not what was written. The key is lost unless there is a copy; no passphrase will help. */
export class KeyFileDamaged extends Data.TaggedError("KeyFileDamaged")<{
  readonly file: string
  readonly detail: string
}> {
  override get message(): string {
    return `key file ${this.file} is damaged: ${this.detail}; put back a copy of it`
  }
}

/** How a key is kept: sealed with a passphrase, or in the clear because that was asked for by name. */
export type Protection = { readonly passphrase: string } | "unsealed"

/** What a key file says to anyone who may read it. */
export interface Description {
  readonly type: SignatureType.SignatureType
  readonly address: Id.Address
  readonly sealed: boolean
}

/** scrypt (RFC 7914): 128 MiB and a third of a second for each guess. `r` and `p` are part of the format. */
const cost = { default: 2 ** 17, min: 2 ** 10, max: 2 ** 20 }
const [r, p] = [8, 1]

/** Bytes of each binary field. */
const sizes = {
  salt: 32,
  check: 32,
  nonce: 12,
  ciphertext: MlDsa.seedBytes,
  tag: 16,
  seed: MlDsa.seedBytes,
  checksum: 32,
}

/** The file with its fields as bytes. */
interface Fields extends Description {
  readonly body:
    | { readonly seed: Uint8Array }
    | {
        readonly N: number
        readonly salt: Uint8Array
        readonly check: Uint8Array
        readonly nonce: Uint8Array
        readonly ciphertext: Uint8Array
        readonly tag: Uint8Array
      }
}

const header = (
  { type, address }: Pick<Fields, "type" | "address">,
  kdf: string,
  ...rest: ReadonlyArray<Uint8Array>
) => Hash.layout(format, Bytes.u16(type.number), Id.toBytes(address), Bytes.fromText(kdf), ...rest)

const checksum = (fields: Fields): Uint8Array => {
  const { body } = fields
  if ("seed" in body) return Hash.sha256(header(fields, "none", body.seed))
  const { N, salt, check, nonce, ciphertext, tag } = body
  return Hash.sha256(header(fields, "scrypt", Bytes.u32(N), salt, check, nonce, ciphertext, tag))
}

const derive = (passphrase: string, salt: Uint8Array, N: number) =>
  Effect.callback<{ readonly key: Uint8Array; readonly check: Uint8Array }>((resume) => {
    // NFKC: keyboards write one letter in several ways.
    const secret = passphrase.normalize("NFKC")
    crypto.scrypt(secret, salt, 64, { N, r, p, maxmem: 2 * 128 * N * r }, (error, derived) => {
      if (error !== null) return resume(Effect.die(error)) // cost is bounded: this machine has no memory
      const check = Hash.tagged("heddle/key-check/1", derived.subarray(32))
      resume(Effect.succeed({ key: derived.subarray(0, 32), check }))
    })
  })

/** The text of a key file. `N` is scrypt's cost; only tests make it cheaper. */
export const seal = Effect.fnUntraced(function* (
  { type, address, seed }: Identity.Identity,
  protection: Protection,
  N: number = cost.default,
): Effect.fn.Return<string> {
  if (protection === "unsealed") return write({ type, address, sealed: false, body: { seed } })
  const entropy = yield* Entropy
  const [salt, nonce] = [entropy.bytes(sizes.salt), entropy.bytes(sizes.nonce)]
  const { key, check } = yield* derive(protection.passphrase, salt, N)
  const cipher = crypto.createCipheriv("aes-256-gcm", key, nonce)
  cipher.setAAD(header({ type, address }, "scrypt", Bytes.u32(N), salt, check))
  const ciphertext = Bytes.concat([cipher.update(seed), cipher.final()])
  return write({
    type,
    address,
    sealed: true,
    body: { N, salt, check, nonce, ciphertext, tag: cipher.getAuthTag() },
  })
})

/** The identity in a key file; the passphrase of an unsealed one is not looked at. */
export const open = Effect.fnUntraced(function* (
  file: string,
  text: string,
  passphrase: string,
): Effect.fn.Return<Identity.Identity, WrongPassphrase | KeyFileDamaged> {
  const damaged = (detail: string) => new KeyFileDamaged({ file, detail })
  const fields = yield* parse(file, text)
  const { body, type, address } = fields
  let seed: Uint8Array
  if ("seed" in body) seed = body.seed
  else {
    const { N, salt, nonce, ciphertext, tag } = body
    const { key, check } = yield* derive(passphrase, salt, N)
    if (!crypto.timingSafeEqual(check, body.check)) return yield* new WrongPassphrase({ file })
    const cipher = crypto.createDecipheriv("aes-256-gcm", key, nonce)
    cipher.setAAD(header({ type, address }, "scrypt", Bytes.u32(N), salt, check)).setAuthTag(tag)
    seed = yield* Effect.try({
      try: () => Bytes.concat([cipher.update(ciphertext), cipher.final()]),
      catch: () => damaged("its fields do not belong together"),
    })
  }
  const identity = Identity.fromSeed(seed, type)
  if (identity.address !== address) return yield* damaged("its key has another address")
  return identity
})

/** What the file says without a passphrase. */
export const describe = (file: string, text: string): Effect.Effect<Description, KeyFileDamaged> =>
  Effect.map(parse(file, text), ({ type, address, sealed }) => ({ type, address, sealed }))

const text64 = Bytes.toBase64Url

const write = (fields: Fields): string => {
  const { type, address, body } = fields
  const lines =
    "seed" in body
      ? { kdf: { name: "none" }, seed: text64(body.seed) }
      : {
          kdf: { name: "scrypt", N: body.N, r, p, salt: text64(body.salt) },
          check: text64(body.check),
          nonce: text64(body.nonce),
          ciphertext: text64(body.ciphertext),
          tag: text64(body.tag),
        }
  const json = { format, type: type.number, address, ...lines, checksum: text64(checksum(fields)) }
  return `${JSON.stringify(json, null, 2)}\n`
}

type Json = { readonly [name: string]: unknown }

const object = (value: unknown, what: string): Json => {
  if (typeof value !== "object" || value === null) throw new RangeError(`${what} is missing`)
  return value as Json // an object: its fields are read as unknown
}

const binary = (json: Json, name: keyof typeof sizes): Uint8Array => {
  const value = json[name]
  const bytes = typeof value === "string" ? Bytes.fromBase64Url(value) : undefined
  if (bytes?.length !== sizes[name])
    throw new RangeError(`"${name}" is not ${sizes[name]} bytes of base64url`)
  return bytes
}

const readBody = (json: Json): Fields["body"] => {
  const kdf = object(json["kdf"], '"kdf"')
  if (kdf["name"] === "none") return { seed: binary(json, "seed") }
  if (kdf["name"] !== "scrypt" || kdf["r"] !== r || kdf["p"] !== p)
    throw new RangeError(`"kdf" is neither none nor scrypt with r ${r} and p ${p}`)
  const N = kdf["N"]
  if (typeof N !== "number" || !Number.isInteger(Math.log2(N)) || N < cost.min || N > cost.max)
    throw new RangeError(`"N" is not a power of two from ${cost.min} to ${cost.max}`)
  const [salt, check, nonce] = [binary(kdf, "salt"), binary(json, "check"), binary(json, "nonce")]
  return { N, salt, check, nonce, ciphertext: binary(json, "ciphertext"), tag: binary(json, "tag") }
}

const read = (text: string): Fields => {
  const json = object(JSON.parse(text), "the JSON object")
  if (json["format"] !== format) throw new RangeError(`"format" is not ${format}`)
  const type = typeof json["type"] === "number" ? SignatureType.find(json["type"]) : undefined
  if (type === undefined || !MlDsa.is(type)) throw new RangeError('"type" is not a type of ML-DSA key')
  const address = typeof json["address"] === "string" ? Id.parse(json["address"]) : undefined
  if (address === undefined) throw new RangeError('"address" is not an address')
  const body = readBody(json)
  const fields = { type, address, sealed: !("seed" in body), body }
  if (!Bytes.equal(checksum(fields), binary(json, "checksum")))
    throw new RangeError("its checksum does not fit")
  return fields
}

const parse = (file: string, text: string): Effect.Effect<Fields, KeyFileDamaged> =>
  Effect.try({
    try: () => read(text),
    catch: (error) =>
      new KeyFileDamaged({ file, detail: error instanceof RangeError ? error.message : "it is not JSON" }),
  })
