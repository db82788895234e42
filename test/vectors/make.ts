/** The content of `spec/vectors/{id,merkle,item}.json`; see `makeSignatures.ts` for the fourth. */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Reference from "./reference.ts"

const { base64, filler, flip, hex, join, number, unhex, utf8 } = Reference

export const id = () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  const valid = [
    ["all zero", new Uint8Array(32)],
    ["all one", new Uint8Array(32).fill(255)],
    ["counting", Uint8Array.from({ length: 32 }, (_, i) => i)],
    ["both letters that base64 spells otherwise", unhex(`fbf0${"00".repeat(28)}ffff`)],
    ["filler", filler("id", 32)],
    ["SHA-256 of nothing", sha256(new Uint8Array(0))],
    ["address of an owner of 1,952 bytes", sha256(filler("owner", 1952))],
    ["item id of a signature of 64 bytes", sha256(filler("signature", 64))],
  ] as const
  const spelled = base64(filler("id", 32))
  const again = (padding: number) =>
    spelled.slice(0, -1) + alphabet[alphabet.indexOf(spelled.at(-1)!) ^ padding]!
  const invalid = [
    ["padding bits 01", again(1)],
    ["padding bits 10", again(2)],
    ["padding bits 11", again(3)],
    ["padded with =", `${spelled}=`],
    ["42 characters", spelled.slice(1)],
    ["44 characters", `${spelled}A`],
    ["base64 with +", `+${spelled.slice(1)}`],
    ["space before", ` ${spelled.slice(1)}`],
    ["nothing", ""],
  ] as const
  return {
    comment: "Ids: 32 bytes, and the 43 characters of base64url that are their one spelling.",
    cases: [
      ...valid.map(([name, bytes]) => ({ name, text: base64(bytes), bytes: hex(bytes), valid: true })),
      ...invalid.map(([name, text]) => ({ name, text, valid: false })),
    ],
  }
}

export const merkle = () => {
  const values = (count: number) => Array.from({ length: count }, (_, i) => sha256(number(i, 4)))
  const opening = (name: string, count: number, index: number) => {
    const { root, path } = Reference.merkle(values(count), index)
    return { name, count, index, value: values(count)[index]!, root, path, valid: true }
  }
  type Opening = Omit<ReturnType<typeof opening>, "valid"> & { readonly valid: boolean }
  const bent = (name: string, from: Opening, change: Partial<Opening>): Opening =>
    Object.assign({}, from, { name, valid: false }, change)
  const [one, five, full] = [
    opening("the only leaf", 1, 0),
    opening("third of five", 5, 2),
    opening("last of 65,536", 65_536, 65_535),
  ]
  const [second, last] = [opening("second of two", 2, 1), opening("last of five, beside an absent one", 5, 4)]
  const shown = ({ value, root, path, ...rest }: Opening) => ({
    ...rest,
    value: hex(value),
    root: hex(root),
    path: path.map(hex),
  })
  const swapped = [five.path[1]!, five.path[0]!, ...five.path.slice(2)]
  return {
    comment:
      "Merkle trees of 16 levels. A tree of `count` leaves has SHA-256(u32 LE i) as value i. " +
      "valid: `value` at `index` under the 16 siblings `path`, leaf first, gives `root`.",
    roots: [0, 1, 2, 3, 5, 255, 256, 65_536].map((count) => ({
      count,
      root: hex(Reference.merkle(values(count), 0).root),
    })),
    cases: [
      ...[one, second, five, last, full].map(shown),
      ...[
        bent("another index", five, { index: 3 }),
        bent("another value", five, { value: sha256(five.value) }),
        bent("siblings swapped", five, { path: swapped }),
        bent("top sibling another", five, { path: five.path.with(15, flip(five.path[15]!, 0)) }),
        bent("path of another leaf", five, { path: last.path }),
        bent("root of the tree with one leaf more", five, { root: Reference.merkle(values(6), 2).root }),
      ].map(shown),
    ],
  }
}

export const item = () => {
  const [owner, signature] = [filler("owner", 32), filler("signature", 64)]
  const plain: Reference.Fields = { type: 2, owner, data: utf8("some data") }
  const [target, anchor] = [filler("target", 32), filler("anchor", 32)]
  const tags: Reference.Fields["tags"] = [
    ["Data-Protocol", "ao"],
    ["Type", "Message"],
    ["Größe", "🧵 5"],
  ]
  const whole: Reference.Fields = { ...plain, target, anchor, tags }
  const full = Array.from({ length: 128 }, (_, i) => [`name-${i}`, "value"] as const)
  const wide = [["n", "v".repeat(4_090)]] as const // with its count, lengths and end 4,096 bytes
  const valid: ReadonlyArray<readonly [string, Reference.Fields]> = [
    ["data alone", plain],
    ["no data", { ...plain, data: new Uint8Array(0) }],
    ["target", { ...plain, target }],
    ["anchor", { ...plain, anchor }],
    ["tags, not all ASCII", { ...plain, tags }],
    ["everything", whole],
    ["128 tags", { ...plain, tags: full }],
    ["4,096 bytes of tags", { ...plain, tags: wide }],
    ["value of 64 bytes: its length takes two bytes", { ...plain, tags: [["n", "v".repeat(64)]] }],
    [
      "empty target and anchor are not 32 zero bytes",
      { ...plain, target: new Uint8Array(32), anchor: new Uint8Array(32) },
    ],
  ]
  const bytes = Reference.item(whole, signature)
  const at = { target: 2 + 64 + 32, anchor: 2 + 64 + 32 + 33, count: 2 + 64 + 32 + 66 }
  const written = (
    some: Bytes,
    count: number | bigint,
    length: number | bigint,
    data = utf8("data"),
  ): Bytes =>
    join(number(2, 2), signature, owner, number(0, 2), number(count, 8), number(length, 8), some, data)
  type Bytes = Reference.Bytes
  const block = (...some: ReadonlyArray<number>) => Uint8Array.from(some)
  const invalid: ReadonlyArray<readonly [string, Bytes, string]> = [
    ["nothing", new Uint8Array(0), "truncated"],
    ["cut in the signature", bytes.slice(0, 60), "truncated"],
    ["cut in the tags", bytes.slice(0, at.count + 20), "truncated"],
    ["signature type 4", join(number(4, 2), bytes.slice(2)), "unknown signature type"],
    ["presence byte 2 of no target", flip(Reference.item(plain, signature), at.target, 2), "not canonical"],
    ["presence byte 2 of target", flip(bytes, at.target, 3), "not canonical"],
    ["presence byte 255 of anchor", flip(bytes, at.anchor, 254), "not canonical"],
    [
      "129 tags",
      written(
        join(block(0x82, 2), ...Array.from({ length: 129 }, () => block(2, 97, 2, 98)), block(0)),
        129,
        519,
      ),
      "tags",
    ],
    [
      "4,097 bytes of tags",
      written(join(block(2, 2, 110, 0xf6, 0x3f), new Uint8Array(4_091).fill(118), block(0)), 1, 4_097),
      "tags",
    ],
    ["more tags announced than there are", written(block(2, 2, 97, 2, 98, 0), 2, 6), "tags"],
    ["fewer tags announced than there are", written(block(4, 2, 97, 2, 98, 2, 97, 2, 98, 0), 1, 10), "tags"],
    ["no tags announced, bytes there", written(block(0), 0, 1), "tags"],
    ["tags announced, no bytes", written(block(), 1, 0), "tags"],
    ["two avro blocks", written(block(2, 2, 97, 2, 98, 2, 2, 97, 2, 98, 0), 2, 11), "tags"],
    ["negative avro count with a size", written(block(1, 8, 2, 97, 2, 98, 0), 1, 7), "tags"],
    ["padded avro length", written(block(2, 0x82, 0, 97, 2, 98, 0), 1, 7), "tags"],
    ["bytes after the tags' end", written(block(2, 2, 97, 2, 98, 0, 0), 1, 7), "tags"],
    ["no end of tags", written(block(2, 2, 97, 2, 98), 1, 5), "tags"],
    ["empty tag name", written(block(2, 0, 2, 98, 0), 1, 5), "tags"],
    ["tag value not UTF-8", written(block(2, 2, 97, 2, 255, 0), 1, 6), "tags"],
    ["tag count of 2^53", written(block(), 2n ** 53n, 0), "not canonical"],
  ]
  return {
    comment:
      "ANS-104 items of signature type 2; the signature is filler, since the codec does not verify it. All bytes in hex. " +
      "invalid: `refusal` is the reason that must be given.",
    cases: [
      ...valid.map(([name, fields]) => ({
        name,
        fields: {
          type: fields.type,
          owner: hex(fields.owner),
          target: hex(fields.target ?? new Uint8Array(0)),
          anchor: hex(fields.anchor ?? new Uint8Array(0)),
          tags: (fields.tags ?? []).map(([name, value]) => ({ name, value })),
          data: hex(fields.data),
        },
        signature: hex(signature),
        bytes: hex(Reference.item(fields, signature)),
        id: base64(sha256(signature)),
        signingHash: hex(Reference.signingHash(fields)),
        contentHash: hex(Reference.contentHash(fields)),
        valid: true,
      })),
      ...invalid.map(([name, some, refusal]) => ({ name, bytes: hex(some), refusal, valid: false })),
    ],
  }
}
