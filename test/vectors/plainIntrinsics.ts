/** Plain modules that call every intrinsic there is for them. */
import { ed25519 } from "@noble/curves/ed25519.js"
import * as Reference from "./reference.ts"
import {
  data,
  dataLength,
  hexadecimal,
  module,
  placed,
  readTo,
  trapped,
  unlessSpawned,
  type Sent,
  type Valid,
} from "./plainText.ts"

const { filler, flip, join, number, utf8 } = Reference
type Bytes = Reference.Bytes

/** Says the hexadecimal digits of `length` bytes at 24,576. Its words begin at 4,074, their digits at 4,096. */
const saysHexadecimal = (length: string): string => `
  (i32.store (call $hexadecimal (i32.const 0x6000) ${length} (i32.const 4096)) (i32.const 0x7d5d7d22)) ;; "}]}
  (i64.or (i64.const 0x00000fea_00000000)
    (i64.extend_i32_u (i32.add (i32.const 26) (i32.shl ${length} (i32.const 1)))))`
const hexadecimalWords = data(4074, '{"replies":[{"value":"')

const seeds = { 2: filler("key of type 2", 32), 1044: filler("key of type 1044", 32) } as const

/** Keys of the signatures. */
export const secrets: Readonly<Record<string, Bytes>> = seeds

interface Signed {
  readonly type: number
  readonly key: Bytes
  readonly signature: Bytes
  readonly context?: Bytes
  readonly message: Bytes
}

const signedBy = (type: keyof typeof seeds, context = ""): Signed => {
  const message = utf8("what is signed")
  if (type === 2)
    return { type, key: ed25519.getPublicKey(seeds[2]), signature: ed25519.sign(message, seeds[2]), message }
  const { owner, sign } = Reference.mlDsaKey(1044, seeds[1044])
  return { type, key: owner, signature: sign(context, message), context: utf8(context), message }
}

/** Type and three lengths, each of two bytes; key, signature, context, message. */
const asData = ({ type, key, signature, context = new Uint8Array(0), message }: Signed): Sent => ({
  data: join(
    ...[type, key.length, signature.length, context.length].map((value) => number(value, 2)),
    key,
    signature,
    context,
    message,
  ),
})

const [ed, ml] = [signedBy(2), signedBy(1044, "heddle")]

export const intrinsics: ReadonlyArray<Valid> = [
  {
    name: "sha256: reads the data from its second byte on, writes its digest to the console and says it",
    source: {
      wat: module({
        imports: ["read", "sha256", "log"],
        more: [dataLength, ...hexadecimal, hexadecimalWords],
        handle: [
          "(local $size i32)",
          unlessSpawned,
          "(local.set $size (i32.sub (call $dataLength (i32.add (local.get $at) (local.get $length))) (i32.const 1)))",
          "(call $read (i32.const 1) (i32.const 0x8000) (local.get $size))",
          "(call $sha256 (i32.const 0x8000) (local.get $size) (i32.const 0x6000))",
          saysHexadecimal("(i32.const 32)"),
          "(call $log (i32.const 3) (i32.const 4096) (i32.const 64))",
          "(call $log (i32.const 0) (i32.const 0x8000) (i32.const 0))",
        ],
      }),
    },
    turns: [
      {},
      { data: Uint8Array.of(9, 0xff, 0, 7) },
      { data: "x" },
      { data: "", fails: trapped },
      { data: "é".repeat(400) },
    ],
  },
  {
    name: "hash: the data is algorithm, size and what is hashed",
    source: {
      wat: module({
        imports: ["read", "hash"],
        more: [dataLength, ...hexadecimal, hexadecimalWords],
        handle: [
          "(local $size i32) (local $digest i32)",
          unlessSpawned,
          readTo(0x8000),
          `
          (local.set $digest (i32.load8_u (i32.const 0x8001)))
          (call $hash (i32.load8_u (i32.const 0x8000)) (i32.const 0x8002) (i32.sub (local.get $size) (i32.const 2))
            (local.get $digest) (i32.const 0x6000))`,
          saysHexadecimal("(local.get $digest)"),
        ],
      }),
    },
    turns: [
      {},
      ...[
        [1, 32],
        [2, 48],
        [3, 64],
        [4, 32],
        [5, 48],
        [6, 64],
        [7, 1],
        [7, 200],
        [8, 64],
      ].map(([algorithm, size]): Sent => ({ data: join(Uint8Array.of(algorithm!, size!), utf8("abc")) })),
      ...[
        [0, 32],
        [9, 32],
        [1, 31],
        [7, 0],
      ].map(([algorithm, size]): Sent => ({ data: Uint8Array.of(algorithm!, size!), fails: trapped })),
    ],
  },
  {
    name: "verify: the data is type, lengths of key, signature and context, and these and the message",
    source: {
      wat: module({
        imports: ["read", "verify"],
        more: [
          dataLength,
          data(64, '{"replies":[{"value":false}]}'),
          data(96, '{"replies":[{"value":true}]}'),
        ],
        handle: [
          "(local $size i32) (local $signature i32) (local $context i32) (local $message i32)",
          unlessSpawned,
          readTo(0x8000),
          `
          (local.set $signature (i32.add (i32.const 0x8008) (i32.load16_u (i32.const 0x8002))))
          (local.set $context (i32.add (local.get $signature) (i32.load16_u (i32.const 0x8004))))
          (local.set $message (i32.add (local.get $context) (i32.load16_u (i32.const 0x8006))))
          (call $verify (i32.load16_u (i32.const 0x8000))
            (i32.const 0x8008) (i32.load16_u (i32.const 0x8002))
            (local.get $message) (i32.sub (i32.add (i32.const 0x8000) (local.get $size)) (local.get $message))
            (local.get $signature) (i32.load16_u (i32.const 0x8004))
            (local.get $context) (i32.load16_u (i32.const 0x8006))
            (i32.const 16))`,
          `(select ${placed(96, 28)} ${placed(64, 29)} (i32.load8_u (i32.const 16)))`,
        ],
      }),
    },
    turns: [
      {},
      asData(ed),
      asData({ ...ed, message: utf8("what is signeD") }),
      asData({ ...ed, context: utf8("heddle") }),
      asData({ ...ed, signature: flip(ed.signature, 40) }),
      asData(ml),
      { ...asData({ ...ed, type: 4 }), fails: trapped },
    ],
  },
]
