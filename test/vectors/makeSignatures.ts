/** The content of `spec/vectors/signature.json`. */
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { keccak_256 } from "@noble/hashes/sha3.js"
import * as Reference from "./reference.ts"

const { base64, filler, flip, hex, join, number, unhex, utf8 } = Reference
type Bytes = Reference.Bytes

interface Case {
  readonly name: string
  readonly item: Bytes
  readonly refusal?: string
}

const tags = [["Action", "Transfer"]] as const
const content = (type: number, owner: Bytes, data = utf8("what is signed")): Reference.Fields => ({
  type,
  owner,
  target: filler("target", 32),
  anchor: filler("anchor", 32),
  tags,
  data,
})

const bad = (name: string, item: Bytes): Case => ({ name, item, refusal: "bad signature" })

const mlDsa = (type: Reference.MlDsaType): ReadonlyArray<Case> => {
  const key = Reference.mlDsaKey(type, filler(`seed ${type}`, 32))
  const fields = content(type, key.owner)
  const signed = (context: string) => Reference.item(fields, key.sign(context, Reference.signingHash(fields)))
  const item = signed("heddle/item/1")
  const valid = [{ name: `${type}`, item }]
  if (type !== 1044) return [...valid, bad(`${type}, context heddle/batch/1`, signed("heddle/batch/1"))]
  const other = Reference.mlDsaKey(type, filler("another seed", 32))
  return [
    ...valid,
    bad("1044, no context", signed("")),
    bad("1044, first bit of the signature another", flip(item, 2)),
    bad("1044, last byte of the signature (a hint) another", flip(item, 2 + 2420 - 1)),
    bad("1044, last byte of the data another", flip(item, -1)),
    bad("1044, target another", flip(item, 2 + 2420 + 1312 + 1)),
    bad("1044, another owner", Reference.item({ ...fields, owner: other.owner }, item.slice(2, 2 + 2420))),
  ]
}

const batch = (): ReadonlyArray<Case> => {
  const cases: Array<Case> = []
  for (const [type, base] of [
    [2044, 1044],
    [2065, 1065],
    [2087, 1087],
  ] as const) {
    const key = Reference.mlDsaKey(base, filler(`seed ${base}`, 32))
    const contents = ["first", "second", "third"].map((data) => content(type, key.owner, utf8(data)))
    const hashes = contents.map(Reference.signingHash)
    const field = (signature: Bytes, index: number, path: ReadonlyArray<Bytes>) =>
      join(signature, number(index, 2), ...path)
    const signed = (number16: number, context: string) =>
      key.sign(
        context,
        Reference.layout("heddle/items/1", number(number16, 2), key.owner, Reference.merkle(hashes, 0).root),
      )
    const { path } = Reference.merkle(hashes, 2)
    const good = signed(type, "heddle/items/1")
    const item = Reference.item(contents[2]!, field(good, 2, path))
    cases.push({ name: `${type}, third of three`, item })
    if (type !== 2044) {
      cases.push(
        bad(
          `${type}, path of the first leaf`,
          Reference.item(contents[2]!, field(good, 2, Reference.merkle(hashes, 0).path)),
        ),
      )
      continue
    }
    const at = 2 + 2420
    cases.push(
      bad("2044, another index", flip(item, at)),
      bad("2044, index high byte set: no other spelling", flip(item, at + 1)),
      bad("2044, lowest sibling another", flip(item, at + 2)),
      bad("2044, highest sibling another", flip(item, at + 2 + 511)),
      bad("2044, data another", flip(item, -1)),
      bad(
        "2044, root signed for a single item",
        Reference.item(contents[2]!, field(signed(type, "heddle/item/1"), 2, path)),
      ),
      bad(
        "2044, root signed under the plain type's number",
        Reference.item(contents[2]!, field(signed(1044, "heddle/items/1"), 2, path)),
      ),
    )
  }
  return cases
}

const rsa = (): { key: ReturnType<typeof Reference.rsaKey>; cases: ReadonlyArray<Case> } => {
  const key = Reference.rsaKey("heddle test vectors")
  const fields = content(1, key.owner)
  const hash = Reference.signingHash(fields)
  const make = (signature: Bytes, owner = key.owner) => Reference.item({ ...fields, owner }, signature)
  const signature = key.sign(hash, filler("salt", 32))
  let again: Bytes | undefined
  for (let i = 0; again === undefined && i < 64; i++)
    again = Reference.unreduced(key.sign(hash, filler(`salt ${i}`, 32)), key.n)
  /** A good signature by a key that the rule does not take. */
  const refused = (options: NonNullable<Parameters<typeof Reference.rsaKey>[1]>) => {
    const other = Reference.rsaKey("heddle test vectors", options)
    const theirs = { ...fields, owner: other.owner }
    return Reference.item(theirs, other.sign(Reference.signingHash(theirs), filler("salt", 32)))
  }
  return {
    key,
    cases: [
      { name: "1, salt of 32 bytes", item: make(signature) },
      { name: "1, no salt", item: make(key.sign(hash, new Uint8Array(0))) },
      { name: "1, longest salt, as arweave-js signs", item: make(key.sign(hash, filler("salt", 478))) },
      bad("1, bit of the signature another", flip(make(signature), 300)),
      bad("1, data another", flip(make(signature), -1)),
      bad("1, s + n", make(again!)),
      bad("1, s = n", make(key.owner)),
      bad("1, modulus of 4,095 bits", refused({ qBits: 2047 })),
      bad("1, modulus even", refused({ qBits: 2047, factor: 2n })),
    ],
  }
}

const ed = (): ReadonlyArray<Case> => {
  const secret = filler("seed 2", 32)
  const owner = ed25519.getPublicKey(secret)
  const fields = content(2, owner)
  const hash = Reference.signingHash(fields)
  const signature = ed25519.sign(hash, secret)
  const item = Reference.item(fields, signature)
  const L = ed25519.Point.Fn.ORDER
  const little = (bytes: Bytes) => BigInt(`0x${hex(bytes.toReversed())}`)
  const second = filler("seed 2, again", 32)
  const other = content(2, ed25519.getPublicKey(second))
  const zero = new Uint8Array(32)
  const identity = number(1, 32)
  const order8 = unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
  const p = 2n ** 255n - 19n
  return [
    { name: "2", item },
    {
      name: "2, another key",
      item: Reference.item(other, ed25519.sign(Reference.signingHash(other), second)),
    },
    bad("2, bit of the signature another", flip(item, 2)),
    bad("2, data another", flip(item, -1)),
    bad(
      "2, S + L",
      Reference.item(fields, join(signature.slice(0, 32), number(little(signature.slice(32)) + L, 32))),
    ),
    bad(
      "2, owner is the identity: R = identity and S = 0 fit any message",
      Reference.item(content(2, identity), join(identity, zero)),
    ),
    bad(
      "2, owner is the identity with y = 1 + p",
      Reference.item(content(2, number(1n + p, 32)), join(identity, zero)),
    ),
    bad("2, owner has order 8", Reference.item(content(2, order8), join(identity, zero))),
  ]
}

const ethereum = (): ReadonlyArray<Case> => {
  const secret = filler("seed 3", 32)
  const owner = secp256k1.getPublicKey(secret, false)
  const fields = content(3, owner)
  const sign = (message: Bytes) => {
    const [bit, ...rs] = secp256k1.sign(message, secret, { prehash: false, format: "recovered" })
    return { rs: Uint8Array.from(rs), bit: bit! }
  }
  const personal = (message: Bytes) =>
    keccak_256(join(utf8(`\x19Ethereum Signed Message:\n${message.length}`), message))
  const { rs, bit } = sign(personal(Reference.signingHash(fields)))
  const make = (some: Bytes, v: number, by: Bytes = owner) =>
    Reference.item({ ...fields, owner: by }, join(some, number(v, 1)))
  const { r, s } = secp256k1.Signature.fromBytes(rs)
  const high = new secp256k1.Signature(r, secp256k1.Point.Fn.neg(s)).toBytes()
  const bare = sign(keccak_256(Reference.signingHash(fields)))
  const other = { ...fields, data: utf8("another message") }
  const second = sign(personal(Reference.signingHash(other)))
  return [
    { name: "3", item: make(rs, 27 + bit) },
    { name: "3, another message", item: Reference.item(other, join(second.rs, number(27 + second.bit, 1))) },
    bad("3, the other v", make(rs, 28 - bit)),
    bad("3, v is the bare recovery bit", make(rs, bit)),
    bad("3, v after EIP-155", make(rs, 37 + bit)),
    bad("3, n - s with its v", make(high, 28 - bit)),
    bad("3, n - s with the v of s", make(high, 27 + bit)),
    bad("3, not a personal message", make(bare.rs, 27 + bare.bit)),
    bad("3, data another", flip(make(rs, 27 + bit), -1)),
    bad("3, owner in hybrid form", make(rs, 27 + bit, join(number(6 + (owner[64]! & 1), 1), owner.slice(1)))),
  ]
}

/** Outbox items: good by themselves for nothing, whether their field fits or not. */
const outbox = () => {
  const [source, head] = [filler("source", 32), filler("head", 32)]
  const fields: Reference.Fields = {
    type: 3001,
    owner: source,
    target: filler("target", 32),
    tags,
    data: utf8("sent"),
  }
  const field = (of: Reference.Fields, index: number, from = source, domain = "heddle/outbox/1") =>
    join(utf8(domain), from, head, number(index, 4), Reference.contentHash(of))
  const { target: _, ...spawn } = fields
  const item = Reference.item(fields, field(fields, 7))
  const anchored = { ...fields, anchor: filler("anchor", 32) }
  return [
    { name: "entry 7", item, index: 7, valid: true },
    { name: "a spawn, entry 0", item: Reference.item(spawn, field(spawn, 0)), index: 0, valid: true },
    { name: "with an anchor", item: Reference.item(anchored, field(anchored, 7)), valid: false },
    { name: "data another", item: flip(item, -1), valid: false },
    {
      name: "owner is not the source",
      item: Reference.item(fields, field(fields, 7, filler("another", 32))),
      valid: false,
    },
    {
      name: "another domain",
      item: Reference.item(fields, field(fields, 7, source, "heddle/outbox/2")),
      valid: false,
    },
  ].map((each) => ({ ...each, item: base64(each.item), source: hex(source), head: hex(head) }))
}

/** Uses of a key other than items. */
const claims = () => {
  const key = Reference.mlDsaKey(1065, filler("seed 1065", 32))
  const bytes = utf8("bytes of a batch's link")
  const signature = key.sign("heddle/batch/1", bytes)
  const claim = (name: string, context: string, of: Bytes, by: Bytes, valid: boolean) => ({
    name,
    type: 1065,
    owner: base64(key.owner),
    context,
    bytes: hex(of),
    signature: base64(by),
    valid,
  })
  const attested = key.sign("heddle/attestation/1", bytes)
  return [
    claim("batch", "heddle/batch/1", bytes, signature, true),
    claim("attestation over the same bytes", "heddle/attestation/1", bytes, attested, true),
    claim("a batch's signature shown as an attestation", "heddle/attestation/1", bytes, signature, false),
    claim("another byte", "heddle/batch/1", flip(bytes, 0), signature, false),
  ]
}

export const signature = () => {
  const { key, cases } = rsa()
  const all = [...cases, ...ed(), ...ethereum(), ...mlDsa(1044), ...mlDsa(1065), ...mlDsa(1087), ...batch()]
  return {
    comment:
      "Signatures. `items`: whole items in base64url, each good by itself or refused for the reason named. `outbox`: " +
      "items of type 3001, refused `outbox item without proof`; valid says whether the field fits owner and content. " +
      "`claims`: other uses of a key. Seeds are hex. Signatures are deterministic; implementations may sign hedged.",
    secrets: {
      "1": { p: key.p.toString(16), q: key.q.toString(16), e: "010001" },
      "2": hex(filler("seed 2", 32)),
      "3": hex(filler("seed 3", 32)),
      "1044": hex(filler("seed 1044", 32)),
      "1065": hex(filler("seed 1065", 32)),
      "1087": hex(filler("seed 1087", 32)),
    },
    owners: Object.fromEntries(
      ([1044, 1065, 1087] as const).map((type) => {
        const { owner } = Reference.mlDsaKey(type, filler(`seed ${type}`, 32))
        return [type, { owner: base64(owner), address: base64(sha256(owner)) }]
      }),
    ),
    items: all.map(({ name, item, refusal }) => ({
      name,
      item: base64(item),
      valid: refusal === undefined,
      ...(refusal === undefined ? {} : { refusal }),
    })),
    outbox: outbox(),
    claims: claims(),
  }
}
