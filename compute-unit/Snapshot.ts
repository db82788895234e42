/**
 * Snapshot: a process after a slot, as bytes from which it goes on in any thread and on any machine (spec 04 §8).
 *
 *     "heddle/snapshot/3" | process | u64 slot | engine | metadata | memory       under zstd
 *
 * Memory is the pages that differ from the boot image of its module. Nothing in a snapshot is believed: whoever takes
 * it up computes its state root and compares that with the one attested.
 */
import zlib from "node:zlib"
import * as Result from "effect/Result"
import type * as Authority from "../runtime/Authority.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { pageBytes, pagesPerWasmPage } from "./BootImage.ts"
import type { Difference } from "./Memory.ts"
import type * as Metadata from "./Metadata.ts"

export interface Snapshot {
  readonly process: Id.ProcessId
  readonly slot: number
  readonly engine: Uint8Array
  readonly metadata: Metadata.Metadata
  /** Unset where the module does not load. */
  readonly memory: Difference | undefined
}

const domain = Bytes.block(Bytes.fromText("heddle/snapshot/3"))

/** All that a snapshot can hold: full memory and every view and counter, with room. */
const bytesMax = 1.25 * Limit.memoryPagesMax * 65_536

/** Most snapshots are unpacked in one piece. */
const chunkSize = 262_144

class Malformed extends Error {}

const compression = { [zlib.constants.ZSTD_c_compressionLevel]: 1 }

const writeMap = <V>(map: ReadonlyMap<string, V>, value: (of: V) => Uint8Array): Array<Uint8Array> => [
  Bytes.u32(map.size),
  ...[...map].flatMap(([key, of]) => [Bytes.block(Bytes.fromText(key)), value(of)]),
]

const writeAuthority = ({ since, quorum, units }: Authority.InForce): Array<Uint8Array> => [
  Bytes.u64(since),
  Bytes.u64(quorum),
  Bytes.u32(units.length),
  ...units.map(Id.toBytes),
]

const writeMemory = ({ wasmPages, globals, pages }: Difference): Array<Uint8Array> => [
  Bytes.u32(wasmPages),
  Bytes.block(globals),
  Bytes.u32(pages.length),
  ...pages.flatMap(([index, page]) => [Bytes.u32(index), page]),
]

/** Writes a snapshot. */
export const encode = ({ process, slot, engine, metadata, memory }: Snapshot): Uint8Array => {
  const { spawn, module, term, scheduler, sent, received, cron, timers, authority, views } = metadata
  const parts = [
    domain,
    Id.toBytes(process),
    Bytes.u64(slot),
    engine,
    spawn,
    Id.toBytes(module),
    Bytes.u64(term),
    Id.toBytes(scheduler),
    ...[sent, received, cron, timers].flatMap((map) => writeMap(map, Bytes.u64)),
    ...writeAuthority(authority),
    ...writeMap(views, (json) => Bytes.block(Bytes.fromText(json))),
    ...(memory === undefined ? [Bytes.u8(0)] : [Bytes.u8(1), ...writeMemory(memory)]),
  ]
  return new Uint8Array(zlib.zstdCompressSync(Bytes.concat(parts), { params: compression }))
}

const readMap = <V>(reader: Bytes.Reader, value: () => V): Map<string, V> => {
  const map = new Map<string, V>()
  for (let n = reader.u32(); n > 0; n--) map.set(readText(reader), value())
  return map
}

const readText = (reader: Bytes.Reader): string => {
  const text = Bytes.toText(reader.block())
  if (text === undefined) throw new Malformed("a text is not UTF-8")
  return text
}

const readAuthority = (reader: Bytes.Reader): Authority.InForce => {
  const [since, quorum, count] = [reader.count(), reader.count(), reader.u32()]
  if (count > Limit.tagsMax) throw new Malformed(`${count} units of a policy are too many`)
  const units = Array.from({ length: count }, () => Id.fromBytes(Bytes.copy(reader.take(32))))
  return { since, quorum, units }
}

/** Its pages lie in the bytes that are read: a memory made of them has copies of its own. */
const readMemory = (reader: Bytes.Reader): Difference => {
  const wasmPages = reader.u32()
  if (wasmPages > Limit.memoryPagesMax) throw new Malformed(`${wasmPages} pages of 64 KiB are too many`)
  const globals = Bytes.copy(reader.block())
  const pages: Array<readonly [number, Uint8Array]> = []
  for (let n = reader.u32(), last = -1; n > 0; n--) {
    const index = reader.u32()
    if (index <= last || index >= wasmPages * pagesPerWasmPage)
      throw new Malformed(`page ${index} is out of place`)
    pages.push([index, reader.take(pageBytes)])
    last = index
  }
  return { wasmPages, globals, pages }
}

const read = (reader: Bytes.Reader): Snapshot => {
  if (!Bytes.equal(reader.take(domain.length), domain)) throw new Malformed("the bytes are no snapshot")
  const hash = () => Bytes.copy(reader.take(32))
  const process = Id.fromBytes(hash())
  const slot = reader.count()
  const engine = hash()
  const head = {
    spawn: hash(),
    module: Id.fromBytes(hash()),
    term: reader.count(),
    scheduler: Id.fromBytes(hash()),
  }
  const counts = () => readMap(reader, () => reader.count()) as Map<Id.Id, number> // keys that are no ids lead to another root
  const maps = { sent: counts(), received: counts(), cron: counts(), timers: counts() }
  const authority = readAuthority(reader)
  const views = readMap(reader, () => readText(reader))
  const memory = reader.u8() === 0 ? undefined : readMemory(reader)
  if (reader.remaining > 0) throw new Malformed("there are bytes behind its end")
  return { process, slot, engine, metadata: { ...head, ...maps, authority, views }, memory }
}

const decompress = (bytes: Uint8Array): Uint8Array => {
  try {
    const { buffer, byteOffset, length } = zlib.zstdDecompressSync(bytes, {
      maxOutputLength: bytesMax,
      chunkSize,
    })
    return new Uint8Array(buffer, byteOffset, length)
  } catch {
    throw new Malformed("it can't be decompressed")
  }
}

/** Reads a snapshot; what is wrong with it in words where it is none. */
export const decode = (bytes: Uint8Array): Result.Result<Snapshot, string> => {
  try {
    return Result.succeed(read(new Bytes.Reader(decompress(bytes))))
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes) return Result.fail("it ends early")
    if (error instanceof Malformed || error instanceof RangeError) return Result.fail(error.message)
    throw error
  }
}
