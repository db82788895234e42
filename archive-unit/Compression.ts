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

/** The size that a frame says its content has (RFC 8878 §3.1.1.1), once size and window are what they may be. */
export const contentBytes = (
  frame: Uint8Array,
  bytesMax: number,
): Result.Result<number, CompressionInvalid> => {
  const reader = new Bytes.Reader(frame)
  try {
    if (!Bytes.equal(reader.take(magic.length), magic))
      return fail("not a frame", "it does not begin like one")
    const descriptor = reader.u8()
    if ((descriptor & 0x0b) !== 0)
      return fail("not a frame", "it needs a dictionary, or is of a later format")
    const whole = (descriptor & 0x20) !== 0
    const code = whole ? 0 : reader.u8()
    const base = 2 ** (10 + (code >> 3))
    const sizeBytes = [whole ? 1 : 0, 2, 4, 8][descriptor >> 6]
    const size =
      sizeBytes === 8
        ? Number(reader.u64())
        : sizeBytes === 4
          ? reader.u32()
          : sizeBytes === 2
            ? reader.u16() + 256
            : sizeBytes === 1
              ? reader.u8()
              : undefined
    if (size === undefined) return fail("size", "it does not say the size of its content")
    if (size > bytesMax) return fail("size", `its content has ${size} bytes; at most ${bytesMax} are allowed`)
    const window = whole ? size : base + (base / 8) * (code & 7)
    return window > windowBytesMax
      ? fail("window", `its window has ${window} bytes; at most ${windowBytesMax} are allowed`)
      : Result.succeed(size)
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
    chunkSize: Math.max(64, Math.min(size, chunkBytes)),
    info: true,
  }
  return yield* Effect.callback<Uint8Array, CompressionInvalid>((resume) => {
    const refuse = (reason: CompressionInvalid["reason"], detail: string) =>
      resume(Effect.fail(new CompressionInvalid({ reason, detail })))
    zlib.zstdDecompress(frame, options, (error, result) => {
      if (error !== null) {
        const { code } = error as NodeJS.ErrnoException // zlib's errors have a code
        if (code === "Z_BUF_ERROR") return refuse("truncated", "it ends early")
        if (code === "ERR_BUFFER_TOO_LARGE")
          return refuse("size", `its content has more than the ${size} bytes that it says`)
        return refuse("damaged", error.message)
      }
      // With `info` the result is the bytes beside the engine, which counts what it has read.
      const { buffer, engine } = result as unknown as {
        readonly buffer: Uint8Array
        readonly engine: { readonly bytesWritten: number }
      }
      if (buffer.length !== size)
        return refuse("size", `its content has ${buffer.length} bytes, and it says ${size}`)
      if (engine.bytesWritten !== frame.length)
        return refuse("trailing bytes", `${frame.length - engine.bytesWritten} bytes follow the frame`)
      return resume(Effect.succeed(buffer))
    })
  })
})
