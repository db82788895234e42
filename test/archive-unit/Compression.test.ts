import crypto from "node:crypto"
import zlib from "node:zlib"
import { assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Compression from "../../archive-unit/Compression.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"

const why = (frame: Uint8Array, bytesMax = 1_000_000) =>
  Effect.match(Compression.decompress(frame, bytesMax), {
    onFailure: ({ reason }) => reason,
    onSuccess: ({ length }) => `${length} bytes`,
  })

/** One byte, 128 KiB times, as a block of four bytes. */
const repeated = (last: boolean) => Bytes.concat([Bytes.u16((last ? 1 : 0) | 2), Bytes.u8(0x10), Bytes.u8(7)])
/** A frame of so many such blocks, with a window of one, that says it holds `size` bytes. */
const bomb = (size: number, blocks: number) =>
  Bytes.concat([
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x38),
    Bytes.u32(size),
    ...Array.from({ length: blocks }, (_, i) => repeated(i === blocks - 1)),
  ])

describe("Compression", () => {
  it("gives back what was compressed", () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (content) => {
        const frame = await Effect.runPromise(Compression.compress(content))
        const back = await Effect.runPromise(Compression.decompress(frame, content.length))
        assert.isTrue(Bytes.equal(back, content))
      }),
    ))

  it.effect("takes a content at its limit and not one byte more, however small the frame", () =>
    Effect.gen(function* () {
      const content = new Uint8Array(Limit.archiveContentBytesMax)
      const frame = yield* Compression.compress(content)
      assert.isBelow(frame.length, 10_000)
      const back = yield* Compression.decompress(frame, content.length)
      assert.strictEqual(back.length, content.length)
      assert.strictEqual(yield* why(frame, content.length - 1), "size")
    }),
  )

  it.effect("makes a content in one piece of memory, of its size", () =>
    Effect.gen(function* () {
      for (const size of [0, 63, 64, 100_000, 8 * 1024 * 1024]) {
        const frame = yield* Compression.compress(crypto.randomBytes(size))
        const made = vi.spyOn(Buffer, "allocUnsafe")
        yield* Compression.decompress(frame, size)
        const bytes = made.mock.calls.flat()
        made.mockRestore()
        assert.deepStrictEqual(bytes, [Math.max(64, size + 1)])
      }
    }),
  )

  it.effect("refuses a bomb by what it says, and by what it does where it says less", () =>
    Effect.gen(function* () {
      const honest = bomb(128 * 1024 * 4, 4)
      assert.strictEqual((yield* Compression.decompress(honest, 1_000_000)).length, 524_288)
      assert.strictEqual(yield* why(bomb(4_000_000_000, 30_000)), "size")
      assert.strictEqual(yield* why(bomb(1_000, 30_000)), "damaged")
      assert.strictEqual(yield* why(bomb(1_000_000, 30_000)), "damaged")
    }),
  )

  it.effect("refuses a frame that ends early, wherever it does", () =>
    Effect.gen(function* () {
      const frame = yield* Compression.compress(Bytes.concat([crypto.randomBytes(500), new Uint8Array(500)]))
      let ran = 0
      for (let length = 0; length < frame.length; length++, ran++)
        assert.strictEqual(yield* why(frame.subarray(0, length)), "truncated", `${length} bytes`)
      assert.strictEqual(ran, frame.length)
      assert.isAbove(ran, 500)
      assert.strictEqual(yield* why(Bytes.concat([frame, Bytes.u8(0)])), "trailing bytes")
    }),
  )

  it.effect("says of any bytes what they give or why they are refused", () =>
    Effect.gen(function* () {
      const frame = yield* Compression.compress(Bytes.fromText("warp and weft ".repeat(20)))
      let ran = 0
      for (let bit = 0; bit < frame.length * 8; bit++, ran++) {
        const bent = frame.slice()
        bent[bit >> 3]! ^= 1 << (bit & 7)
        const result = yield* Effect.result(Compression.decompress(bent, 1_000))
        assert.include(["Success", "Failure"], result._tag)
      }
      assert.strictEqual(ran, frame.length * 8)
    }),
  )

  it.effect("finds a repeat however far back it stands, which takes long-distance matching", () =>
    Effect.gen(function* () {
      const owner = crypto.randomBytes(1_952)
      const apart = crypto.randomBytes(24 * 1024 * 1024)
      const content = Bytes.concat([owner, apart, owner])
      const once = owner.length + apart.length
      const far = yield* Compression.compress(content)
      assert.isBelow(far.length, once + 1_000)
      assert.isTrue(Bytes.equal(yield* Compression.decompress(far, content.length), content))
      assert.isAbove((yield* Compression.compress(content, false)).length, once + 1_900)
    }),
  )

  it.effect("has a window of at most 128 MiB, over which it refuses", () =>
    Effect.gen(function* () {
      const content = new Uint8Array(2 ** Limit.archiveWindowLogMax + 1)
      const frame = yield* Compression.compress(content)
      const back = yield* Compression.decompress(frame, content.length)
      assert.strictEqual(back.length, content.length)
      const wide = zlib.zstdCompressSync(content, {
        params: { [zlib.constants.ZSTD_c_windowLog]: Limit.archiveWindowLogMax + 1 },
        pledgedSrcSize: content.length,
      })
      assert.strictEqual(yield* why(wide, content.length), "window")
    }),
  )
})
