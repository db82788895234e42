/**
 * Signature frame: what a thread and its signature workers tell each other. A frame is one buffer that
 * changes threads without a copy, holding many requests or their answers in the same order:
 *
 *     request = 0 | block item
 *             | 1 | u16 type | u8 context | block owner | block bytes | block signature
 *             | 2 | u32 key | u8 context | block bytes
 *             | 3 | u32 key | u16 type | block seed
 *     answer  = block: verdict (u8) for 0 and 1, signature for 2, nothing for 3
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import type * as Claim from "./Claim.ts"
import type * as ItemSignature from "./ItemSignature.ts"
import * as SigningContext from "./SigningContext.ts"

/** What a worker is asked. */
export type Request =
  | { readonly kind: "item"; readonly bytes: Uint8Array }
  | { readonly kind: "claim"; readonly claim: Claim.Claim }
  | {
      readonly kind: "sign"
      readonly key: number
      readonly context: SigningContext.SigningContext
      readonly bytes: Uint8Array
    }
  | {
      readonly kind: "key"
      readonly key: number
      readonly type: SignatureType.SignatureType
      readonly seed: Uint8Array
    }

export type Verdict = true | ItemSignature.Refusal

/** By their place: the byte that stands for each. */
const verdicts: ReadonlyArray<Verdict> = [
  "bad signature",
  true,
  "unknown signature type",
  "outbox item without proof",
]

export const verdictBytes = (verdict: Verdict): Uint8Array => Bytes.u8(verdicts.indexOf(verdict))

/** Asserts a byte that a worker wrote. */
export const verdict = (answer: Uint8Array): Verdict => {
  const found = verdicts[answer[0]!]
  if (answer.length !== 1 || found === undefined) throw new RangeError("a worker's answer is not a verdict")
  return found
}

const contextByte = (context: SigningContext.SigningContext) => Bytes.u8(SigningContext.all.indexOf(context))

const parts = (request: Request): ReadonlyArray<Uint8Array> => {
  if (request.kind === "item") return [Bytes.u8(0), Bytes.u32(request.bytes.length), request.bytes]
  if (request.kind === "claim") {
    const { type, context, owner, bytes, signature } = request.claim
    const blocks = [owner, bytes, signature].flatMap((block) => [Bytes.u32(block.length), block])
    return [Bytes.u8(1), Bytes.u16(type.number), contextByte(context), ...blocks]
  }
  if (request.kind === "sign")
    return [Bytes.u8(2), Bytes.u32(request.key), contextByte(request.context), Bytes.block(request.bytes)]
  return [Bytes.u8(3), Bytes.u32(request.key), Bytes.u16(request.type.number), Bytes.block(request.seed)]
}

/** A new buffer of its own, so that it can change threads. */
export const encode = (requests: ReadonlyArray<Request>): Uint8Array<ArrayBuffer> =>
  Bytes.concat(requests.flatMap(parts))

const readType = (reader: Bytes.Reader): SignatureType.SignatureType => SignatureType.find(reader.u16())!
const readContext = (reader: Bytes.Reader): SigningContext.SigningContext => SigningContext.all[reader.u8()]!

const readRequest = (reader: Bytes.Reader): Request => {
  const kind = reader.u8()
  if (kind === 0) return { kind: "item", bytes: reader.block() }
  if (kind === 1) {
    const [type, context, owner] = [readType(reader), readContext(reader), reader.block()]
    return {
      kind: "claim",
      claim: { type, context, owner, bytes: reader.block(), signature: reader.block() },
    }
  }
  const key = reader.u32()
  if (kind === 2) return { kind: "sign", key, context: readContext(reader), bytes: reader.block() }
  return { kind: "key", key, type: readType(reader), seed: reader.block() }
}

const readAll = <A>(frame: Uint8Array, read: (reader: Bytes.Reader) => A): ReadonlyArray<A> => {
  const reader = new Bytes.Reader(frame)
  const all: Array<A> = []
  while (reader.remaining > 0) all.push(read(reader))
  return all
}

/** The requests of a frame, as windows on it. */
export const decode = (frame: Uint8Array): ReadonlyArray<Request> => readAll(frame, readRequest)

export const encodeAnswers = (answers: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> =>
  Bytes.concat(answers.flatMap((answer) => [Bytes.u32(answer.length), answer]))

export const decodeAnswers = (frame: Uint8Array): ReadonlyArray<Uint8Array> =>
  readAll(frame, (reader) => reader.block())
