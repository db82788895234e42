/**
 * Compression: a content as one zstd frame, and back (spec 07 §5).
 *
 * Long-distance matching with a window over the whole content stores an owner, or the signature of a batch of items,
 * once a content, however far apart its repeats stand. Two compressors need not agree on a byte; what a frame gives is
 * what counts. A frame says the size of its content and its window before anything is made for it, so that a reader
 * refuses a bomb by those.
 */
import zlib from "node:zlib"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import * as Limit from "../runtime/Limit.ts"

/** Bytes that are not the one frame that a content is compressed to. */
export class CompressionInvalid extends Data.TaggedError("CompressionInvalid")<{
  readonly reason: "truncated" | "not a frame" | "size" | "window" | "trailing bytes" | "damaged"
  readonly detail: string
}> {
  override get message(): string {
    return `compressed bytes refused, ${this.reason}: ${this.detail}`
  }
}

const magic = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)

const windowBytesMax = 2 ** Limit.archiveWindowLogMax

const { ZSTD_c_compressionLevel, ZSTD_c_enableLongDistanceMatching, ZSTD_c_windowLog, ZSTD_d_windowLogMax } =
  zlib.constants

const windowLog = (bytes: number): number =>
  Math.min(Limit.archiveWindowLogMax, Math.max(10, Math.ceil(Math.log2(Math.max(1, bytes)))))

/** Bytes that the compressor gives out at a time: few copies of a large content. */
const chunkBytes = 1024 * 1024

/** As one frame, off this thread. `longDistance` is off only to measure what it is worth. */
export const compress = (content: Uint8Array, longDistance = true): Effect.Effect<Uint8Array> =>
  Effect.callback((resume) => {
    const params = {
      [ZSTD_c_compressionLevel]: 3,
      ...(longDistance
        ? { [ZSTD_c_windowLog]: windowLog(content.length), [ZSTD_c_enableLongDistanceMatching]: 1 }
        : {}),
    }
    const options = { params, pledgedSrcSize: content.length, chunkSize: chunkBytes }
    zlib.zstdCompress(content, options, (error, compressed) =>
      resume(error === null ? Effect.succeed(compressed) : Effect.die(error)),
    )
  })

const fail = (reason: CompressionInvalid["reason"], detail: string) =>
  Result.fail(new CompressionInvalid({ reason, detail }))

/** What a frame's head says (RFC 8878 §3.1.1.1): bytes of its content and of its window, and whether a checksum ends it. */
const readHead = (reader: Bytes.Reader) => {
  const descriptor = reader.u8()
  if ((descriptor & 0x0b) !== 0) return undefined
  const whole = (descriptor & 0x20) !== 0
  const code = whole ? 0 : reader.u8()
  const base = 2 ** (10 + (code >> 3))
  const sizes = [
    () => (whole ? reader.u8() : undefined),
    () => reader.u16() + 256,
    () => reader.u32(),
    () => Number(reader.u64()),
  ]
  const size = sizes[descriptor >> 6]!()
  const window = whole ? (size ?? 0) : base + (base / 8) * (code & 7)
  return { size, window, checksum: (descriptor & 4) !== 0 }
}

/** Passes over a frame's blocks (§3.1.1.2); false where one is of the kind that is reserved. */
const passBlocks = (reader: Bytes.Reader): boolean => {
  for (let last = false; !last;) {
    const header = reader.u16() | (reader.u8() << 16)
    const [kind, size] = [(header >> 1) & 3, header >> 3]
    if (kind === 3) return false
    reader.take(kind === 1 ? 1 : size)
    last = (header & 1) === 1
  }
  return true
}

/** The bytes that the content of a frame has, by its own word, once the frame is one, whole and alone. */
export const contentBytes = (
  frame: Uint8Array,
  bytesMax: number,
): Result.Result<number, CompressionInvalid> => {
  const reader = new Bytes.Reader(frame)
  try {
    if (!Bytes.equal(reader.take(magic.length), magic))
      return fail("not a frame", "it does not begin like one")
    const head = readHead(reader)
    if (head === undefined) return fail("not a frame", "it needs a dictionary, or is of a later format")
    const { size, window, checksum } = head
    if (size === undefined) return fail("size", "it does not say the size of its content")
    if (size > bytesMax) return fail("size", `its content has ${size} bytes; at most ${bytesMax} are allowed`)
    if (window > windowBytesMax)
      return fail("window", `its window has ${window} bytes; at most ${windowBytesMax} are allowed`)
    if (!passBlocks(reader)) return fail("damaged", "a block is of the reserved kind")
    if (checksum) reader.take(4)
    return reader.remaining === 0
      ? Result.succeed(size)
      : fail("trailing bytes", `${reader.remaining} bytes follow the frame`)
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes) return fail("truncated", `it ends at byte ${error.offset}`)
    throw error
  }
}

/** What a frame gives, off this thread. Total: exactly one frame of exactly the size that it says, or a refusal. */
export const decompress = Effect.fnUntraced(function* (
  frame: Uint8Array,
  bytesMax: number,
): Effect.fn.Return<Uint8Array, CompressionInvalid> {
  const size = yield* Effect.fromResult(contentBytes(frame, bytesMax))
  const options = {
    params: { [ZSTD_d_windowLogMax]: Limit.archiveWindowLogMax },
    maxOutputLength: Math.max(1, size),
    // In one piece: what comes in several is held twice while they are put together. Of a piece that is full it is not
    // known whether it was the last, and another of the same size is made.
    chunkSize: Math.max(64, size + 1),
  }
  return yield* Effect.callback<Uint8Array, CompressionInvalid>((resume) => {
    zlib.zstdDecompress(frame, options, (error, content) => {
      const why =
        error?.message ??
        (content.length === size ? undefined : `its content has ${content.length} bytes, and it says ${size}`)
      resume(Effect.fromResult(why === undefined ? Result.succeed(content) : fail("damaged", why)))
    })
  })
})
