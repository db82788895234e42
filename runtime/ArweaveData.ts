/**
 * Data of a transaction as chunks of at most 256 KiB under one Merkle root, which the transaction's signature covers.
 * A chunk comes with its path to the root, so that each one is checked alone, whoever gave it.
 *
 * The tree is arweave-js's (`merkle.ts`), whose paths commit to a chunk's hash and to where it ends. Its
 * `validatePath` follows a path; that the chunk is the one which the path names is checked here.
 */
import { generateTransactionChunks, validatePath } from "arweave/node/lib/merkle.js"
import * as Effect from "effect/Effect"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"

export interface Chunk {
  readonly from: number
  readonly to: number
  readonly path: Uint8Array
}

export interface Tree {
  readonly root: Uint8Array
  readonly chunks: ReadonlyArray<Chunk>
}

/** The tree over `data`, which is not empty. */
export const tree = (data: Uint8Array): Effect.Effect<Tree> =>
  Effect.promise(async () => {
    // It takes slice after slice off what is left: of a Buffer they are windows, of a Uint8Array copies.
    const { data_root: root, chunks, proofs } = await generateTransactionChunks(Bytes.view(data))
    return {
      root: new Uint8Array(root),
      chunks: chunks.map(({ minByteRange: from, maxByteRange: to }, index) => ({
        from,
        to,
        path: proofs[index]!.proof, // one for each chunk
      })),
    }
  })

/** As `POST /chunk` takes one. */
export const chunkJson = (data: Uint8Array, { root }: Tree, { from, to, path }: Chunk): string =>
  JSON.stringify({
    data_root: Bytes.toBase64Url(root),
    data_size: String(data.length),
    data_path: Bytes.toBase64Url(path),
    offset: String(to - 1),
    chunk: Bytes.toBase64Url(data.subarray(from, to)),
  })

/** A path's last 64 bytes are its leaf: the chunk's hash, and where it ends. */
const leafBytes = 64

/** Levels of the deepest tree over the largest data, with room. */
const pathBytesMax = 96 * 32 + leafBytes

/**
 * Where `bytes` lie in the data of `length` bytes under `root`, or undefined where `path` does not prove that they are
 * the chunk in which byte `at`, one of the data, stands.
 */
export const place = (
  root: Uint8Array,
  length: number,
  at: number,
  bytes: Uint8Array,
  path: Uint8Array,
): Effect.Effect<{ readonly from: number; readonly to: number } | undefined> =>
  Effect.promise(async () => {
    const leaf = path.length - leafBytes
    if (root.length !== Hash.length || path.length > pathBytesMax || leaf < 0 || leaf % 96 !== 0)
      return undefined
    if (!Bytes.equal(Hash.sha256(bytes), path.subarray(leaf, leaf + Hash.length))) return undefined
    const found = await validatePath(root, at, 0, length, path)
    if (found === false || found.chunkSize !== bytes.length) return undefined
    return { from: found.leftBound, to: found.rightBound }
  })
