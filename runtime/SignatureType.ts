/**
 * Signature types of ANS-104 items: the number that stands first in an item and fixes the size of what follows.
 *
 * 1, 2 and 3 are Arweave's; 10xx, 20xx and 3001 are heddle's private numbers (spec 01 §3). How each is verified
 * stands in `identity/`; the codec needs the sizes alone.
 */
import * as Hash from "./Hash.ts"
import * as Merkle from "./Merkle.ts"

export interface SignatureType {
  readonly number: number
  readonly name: string
  readonly signatureBytes: number
  readonly ownerBytes: number
}

/** Signature, leaf index (u16) and 16 siblings: what stands in the signature field of a batch-signed item. */
const batchField = (signatureBytes: number): number => signatureBytes + 2 + Merkle.pathBytes

/** `heddle/outbox/1` | source process | head | index u32 | content hash. */
export const outboxDomain = "heddle/outbox/1"

export const arweave = { number: 1, name: "Arweave RSA-PSS 4096", signatureBytes: 512, ownerBytes: 512 }
export const ed25519 = { number: 2, name: "Ed25519", signatureBytes: 64, ownerBytes: 32 }
export const ethereum = { number: 3, name: "Ethereum secp256k1", signatureBytes: 65, ownerBytes: 65 }
export const mlDsa44 = { number: 1044, name: "ML-DSA-44", signatureBytes: 2_420, ownerBytes: 1_312 }
export const mlDsa65 = { number: 1065, name: "ML-DSA-65", signatureBytes: 3_309, ownerBytes: 1_952 }
export const mlDsa87 = { number: 1087, name: "ML-DSA-87", signatureBytes: 4_627, ownerBytes: 2_592 }
export const batch44 = {
  number: 2044,
  name: "ML-DSA-44 batch",
  signatureBytes: batchField(2_420),
  ownerBytes: 1_312,
}
export const batch65 = {
  number: 2065,
  name: "ML-DSA-65 batch",
  signatureBytes: batchField(3_309),
  ownerBytes: 1_952,
}
export const batch87 = {
  number: 2087,
  name: "ML-DSA-87 batch",
  signatureBytes: batchField(4_627),
  ownerBytes: 2_592,
}
export const outbox = {
  number: 3001,
  name: "outbox",
  signatureBytes: outboxDomain.length + 3 * Hash.length + 4,
  ownerBytes: Hash.length,
}

const all: ReadonlyArray<SignatureType> = [
  arweave,
  ed25519,
  ethereum,
  mlDsa44,
  mlDsa65,
  mlDsa87,
  batch44,
  batch65,
  batch87,
  outbox,
]

const byNumber: ReadonlyMap<number, SignatureType> = new Map(all.map((type) => [type.number, type]))

export const find = (number: number): SignatureType | undefined => byNumber.get(number)

/** The plain ML-DSA type whose keys sign a batch type's root. */
export const batchBase: ReadonlyMap<number, SignatureType> = new Map([
  [2044, mlDsa44],
  [2065, mlDsa65],
  [2087, mlDsa87],
])
