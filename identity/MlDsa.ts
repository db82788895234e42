/**
 * ML-DSA-44, -65, -87 (FIPS 204, pure variant with context) by node:crypto.
 *
 * Rule: FIPS 204 Algorithm 3 (ML-DSA.Verify), which leaves no freedom: lengths, hint encoding and norms are
 * all checked there. A secret key is its 32-byte seed (xi); a public key is its raw bytes. Exported DER is
 * never hashed or stored: it differs between versions of Node.
 */
import crypto from "node:crypto"
import * as Bytes from "../runtime/Bytes.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import * as PublicKeys from "./PublicKeys.ts"
import * as SigningContext from "./SigningContext.ts"

/** Bytes of a seed. */
export const seedBytes = 32

const parameterSets = new Map([
  [SignatureType.mlDsa44.number, "ml-dsa-44"],
  [SignatureType.mlDsa65.number, "ml-dsa-65"],
  [SignatureType.mlDsa87.number, "ml-dsa-87"],
] as const)

/** Whether keys of this type are ML-DSA keys; batch types are not keys. */
export const is = (type: SignatureType.SignatureType): boolean => parameterSets.has(type.number)

const parameterSet = (type: SignatureType.SignatureType) => {
  const name = parameterSets.get(type.number)
  if (name === undefined) throw new RangeError(`${type.name} is not a type of ML-DSA key`)
  return name
}

/** A secret key, ready to sign: reading the seed costs a fifth of a signature, so it is done once. */
export interface SecretKey {
  readonly type: SignatureType.SignatureType
  /** The raw public key. */
  readonly owner: Uint8Array
  /** Hedged (FIPS 204 §3.4): the same bytes give another signature each time. */
  readonly sign: (context: SigningContext.SigningContext, bytes: Uint8Array) => Uint8Array
}

/** Asserts an ML-DSA type and a seed of 32 bytes. */
export const fromSeed = (type: SignatureType.SignatureType, seed: Uint8Array): SecretKey => {
  const asymmetricKeyType = parameterSet(type)
  if (seed.length !== seedBytes) throw new RangeError(`a seed has ${seedBytes} bytes, not ${seed.length}`)
  const key = crypto.createPrivateKey({ key: Bytes.view(seed), format: "raw-seed", asymmetricKeyType })
  return {
    type,
    owner: new Uint8Array(crypto.createPublicKey(key).export({ format: "raw-public" })),
    sign: (context, bytes) =>
      new Uint8Array(crypto.sign(null, bytes, { key, context: SigningContext.toBytes(context) })),
  }
}

/** One reader a parameter set: a key is only ever found under the type it was read as. */
const readers = new Map(
  [...parameterSets].map(([number, asymmetricKeyType]) => [
    number,
    PublicKeys.remembered((owner) =>
      crypto.createPublicKey({ key: Bytes.view(owner), format: "raw-public", asymmetricKeyType }),
    ),
  ]),
)

/** Whether `signature` by `owner` over `bytes` is good under `context`. Total. */
export const verify = (
  type: SignatureType.SignatureType,
  owner: Uint8Array,
  context: SigningContext.SigningContext,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean => verifyUnder(type, owner, SigningContext.toBytes(context), bytes, signature)

/** As `verify`, under any context of FIPS 204: what vectors made by others need. */
export const verifyUnder = (
  type: SignatureType.SignatureType,
  owner: Uint8Array,
  context: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean => {
  const read = readers.get(type.number)
  if (read === undefined || owner.length !== type.ownerBytes || signature.length !== type.signatureBytes)
    return false
  if (context.length > 255) return false
  const key = read(owner)
  return key !== undefined && crypto.verify(null, bytes, { key, context }, signature)
}
