/**
 * A second implementation of what `spec/vectors` covers, from the spec's text on noble alone: nothing of
 * `runtime/` or `identity/` is used here, so that a mistake there can't be in the vectors as well.
 */
import crypto from "node:crypto"
import { sha256, sha384 } from "@noble/hashes/sha2.js"
import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js"

export type Bytes = Uint8Array

export const hex = (bytes: Bytes): string => Buffer.from(bytes).toString("hex")
export const unhex = (text: string): Bytes => new Uint8Array(Buffer.from(text, "hex"))
export const base64 = (bytes: Bytes): string => Buffer.from(bytes).toString("base64url")
export const utf8 = (text: string): Bytes => new Uint8Array(Buffer.from(text, "utf8"))
export const join = (...parts: ReadonlyArray<Bytes>): Bytes => new Uint8Array(Buffer.concat(parts))
export const number = (value: number | bigint, length: number): Bytes => {
  const out = new Uint8Array(length)
  let rest = BigInt(value)
  for (let i = 0; i < length; i++, rest >>= 8n) out[i] = Number(rest & 0xffn)
  return out
}
/** Bytes that look random and are the same each time. */
export const filler = (name: string, length: number): Bytes => {
  let out = new Uint8Array(0)
  for (let i = 0; out.length < length; i++) out = new Uint8Array(join(out, sha256(utf8(`${name}/${i}`))))
  return out.slice(0, length)
}
export const flip = (bytes: Bytes, at: number, bit = 1): Bytes => {
  const out = bytes.slice()
  out[at < 0 ? out.length + at : at]! ^= bit
  return out
}

export const layout = (domain: string, ...parts: ReadonlyArray<Bytes>): Bytes =>
  join(number(domain.length, 1), utf8(domain), ...parts.flatMap((part) => [number(part.length, 4), part]))

// Merkle tree of 16 levels.

export const leaf = (index: number, value: Bytes): Bytes =>
  sha256(join(number(0, 1), number(index, 2), value))
const node = (left: Bytes, right: Bytes): Bytes => sha256(join(number(1, 1), left, right))

/**
 * Root and path to `index`, over all 65,536 places written out where `whole`, else over the occupied part.
 */
export const merkle = (
  values: ReadonlyArray<Bytes>,
  index: number,
): { root: Bytes; path: ReadonlyArray<Bytes> } => {
  let level = values.map((value, i) => leaf(i, value))
  let absent: Bytes = sha256(number(2, 1))
  const path: Array<Bytes> = []
  for (let n = 0, at = index; n < 16; n++, at >>= 1) {
    path.push(level[at ^ 1] ?? absent)
    const above: Array<Bytes> = []
    for (let i = 0; i < level.length; i += 2) above.push(node(level[i]!, level[i + 1] ?? absent))
    absent = node(absent, absent)
    level = above
  }
  return { root: level[0] ?? absent, path }
}

// ANS-104 items.

export interface Fields {
  readonly type: number
  readonly owner: Bytes
  readonly target?: Bytes
  readonly anchor?: Bytes
  readonly tags?: ReadonlyArray<readonly [name: string, value: string]>
  readonly data: Bytes
}

const long = (value: number): Bytes => {
  const out: Array<number> = []
  let rest = value * 2
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128)
  return Uint8Array.from([...out, rest])
}
const string = (text: string): Bytes => join(long(utf8(text).length), utf8(text))

export const tagBytes = ({ tags = [] }: Fields): Bytes =>
  tags.length === 0
    ? new Uint8Array(0)
    : join(long(tags.length), ...tags.flatMap(([name, value]) => [string(name), string(value)]), number(0, 1))

const blob = (bytes: Bytes): Bytes => sha384(join(sha384(utf8(`blob${bytes.length}`)), sha384(bytes)))

export const signingHash = (fields: Fields): Bytes => {
  const none = new Uint8Array(0)
  const { type, owner, target = none, anchor = none, data } = fields
  const list = [
    utf8("dataitem"),
    utf8("1"),
    utf8(String(type)),
    owner,
    target,
    anchor,
    tagBytes(fields),
    data,
  ]
  return list.reduce((hash, each) => sha384(join(hash, blob(each))), sha384(utf8("list8")))
}

export const contentHash = (fields: Fields): Bytes => {
  const { target = new Uint8Array(0), anchor = new Uint8Array(0), data } = fields
  return sha256(layout("heddle/content/1", target, anchor, tagBytes(fields), data))
}

const optional = (field: Bytes | undefined): Bytes =>
  field === undefined ? number(0, 1) : join(number(1, 1), field)

export const item = (fields: Fields, signature: Bytes): Bytes =>
  join(
    number(fields.type, 2),
    signature,
    fields.owner,
    optional(fields.target),
    optional(fields.anchor),
    number(fields.tags?.length ?? 0, 8),
    number(tagBytes(fields).length, 8),
    tagBytes(fields),
    fields.data,
  )

// ML-DSA, deterministic.

const sets = { 1044: ml_dsa44, 1065: ml_dsa65, 1087: ml_dsa87 }
export type MlDsaType = keyof typeof sets

export const mlDsaKey = (type: MlDsaType, seed: Bytes) => {
  const { publicKey, secretKey } = sets[type].keygen(seed)
  return {
    type,
    seed,
    owner: publicKey,
    sign: (context: string, bytes: Bytes): Bytes =>
      sets[type].sign(bytes, secretKey, { context: utf8(context), extraEntropy: false }),
  }
}

// RSA-PSS with a salt that is given, over a key that follows from a name.

const big = (bytes: Bytes): bigint => BigInt(`0x${hex(bytes)}`)
const bigBytes = (value: bigint): Bytes => unhex(value.toString(16).padStart(1024, "0"))

const power = (base: bigint, exponent: bigint, modulus: bigint): bigint => {
  let [result, square] = [1n, base % modulus]
  for (let e = exponent; e > 0n; e >>= 1n, square = (square * square) % modulus)
    if (e & 1n) result = (result * square) % modulus
  return result
}

const inverse = (a: bigint, m: bigint): bigint => {
  let [r0, r1, t0, t1] = [m, a % m, 0n, 1n]
  while (r1 !== 0n) [r0, r1, t0, t1] = [r1, r0 % r1, t1, t0 - (r0 / r1) * t1]
  return ((t0 % m) + m) % m
}

const e = 65537n

const prime = (name: string, bits: number): bigint => {
  const wide = BigInt.asUintN(bits, big(filler(name, Math.ceil(bits / 8))))
  let candidate = wide | (3n << BigInt(bits - 2)) | 1n
  while (candidate % e === 1n || !crypto.checkPrimeSync(candidate)) candidate += 2n
  return candidate
}

/** n = factor·p·q; the factor 2 and the smaller q are for keys that the rule refuses. */
export const rsaKey = (name: string, { qBits = 2048, factor = 1n } = {}) => {
  const [p, q] = [prime(`${name}/p`, 2048), prime(`${name}/q`, qBits)]
  const n = factor * p * q
  const d = inverse(e, (p - 1n) * (q - 1n))
  /** RFC 8017 §9.1.1 with SHA-256 and MGF1-SHA-256; the encoded message has one bit less than n. */
  const sign = (message: Bytes, salt: Bytes): Bytes => {
    const digest = sha256(join(new Uint8Array(8), sha256(message), salt))
    const block = join(new Uint8Array(512 - 32 - 2 - salt.length), number(1, 1), salt)
    let mask = new Uint8Array(0)
    for (let i = 0; mask.length < block.length; i++)
      mask = new Uint8Array(join(mask, sha256(join(digest, number(i, 4).toReversed()))))
    const masked = block.map((byte, i) => byte ^ mask[i]!)
    masked[0]! &= n >> 4095n === 1n ? 0x7f : 0x3f
    return bigBytes(power(big(join(masked, digest, number(0xbc, 1))), d, n))
  }
  return { p, q, n, owner: bigBytes(n), sign }
}

/** s + n where it still has 512 bytes: the same number modulo n, spelled again. */
export const unreduced = (signature: Bytes, n: bigint): Bytes | undefined => {
  const sum = big(signature) + n
  return sum >> 4096n === 0n ? bigBytes(sum) : undefined
}
