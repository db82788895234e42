/**
 * Transcript: the log of one process as a released version wrote it, with everything that a later version needs to run
 * it again: messages, receipts, turns, attestations, modules. Engines lie beside it, named by their ids.
 *
 * A file is JSON under zstd. What JSON lacks is written as an object of one field: `{"$bytes": base64url}`,
 * `{"$bigint": digits}`, `{"$undefined": true}`.
 */
import fs from "node:fs"
import path from "node:path"
import zlib from "node:zlib"
import * as Effect from "effect/Effect"
import type { Turn } from "../../compute-unit/ComputeUnit.ts"
import type { LogSource } from "../../compute-unit/LogSource.ts"
import type * as Attestation from "../../runtime/Attestation.ts"
import type * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import type { LogEntry } from "../../scheduler-unit/SchedulerUnit.ts"

export interface Transcript {
  readonly process: Id.ProcessId
  readonly entries: ReadonlyArray<LogEntry>
  readonly receipts: ReadonlyArray<Batch.Receipt>
  readonly turns: ReadonlyArray<Turn>
  readonly attestations: ReadonlyArray<Attestation.SignedAttestation>
  readonly modules: ReadonlyArray<readonly [id: Id.Id, source: Uint8Array]>
}

/** Folder of the transcripts of one version. */
export const folderOf = (version: string): string => path.join(import.meta.dirname, version)

const write = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return { $bytes: Bytes.toBase64Url(value) }
  if (typeof value === "bigint") return { $bigint: String(value) }
  if (value === undefined) return { $undefined: true }
  if (Array.isArray(value)) return value.map(write)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, write(field)]))
}

const read = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(read)
  if (typeof value !== "object" || value === null) return value
  const fields = value as Readonly<Record<string, unknown>> // an object out of JSON
  if (typeof fields["$bytes"] === "string") return new Uint8Array(Buffer.from(fields["$bytes"], "base64url"))
  if (typeof fields["$bigint"] === "string") return BigInt(fields["$bigint"])
  if (fields["$undefined"] === true) return undefined
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, read(field)]))
}

export const save = (file: string, transcript: Transcript): void =>
  fs.writeFileSync(file, zlib.zstdCompressSync(JSON.stringify(write(transcript))))

export const load = (file: string): Transcript =>
  read(JSON.parse(zlib.zstdDecompressSync(fs.readFileSync(file)).toString("utf8"))) as Transcript // written by `save`

const engineFile = (folder: string, id: Uint8Array): string =>
  path.join(folder, `${Bytes.toBase64Url(id)}.engine.zst`)

export const saveEngine = (folder: string, id: Uint8Array, artifact: Uint8Array): void =>
  fs.writeFileSync(engineFile(folder, id), zlib.zstdCompressSync(artifact))

/** What an audit reads a transcript through. */
export const source = (transcript: Transcript, folder: string): LogSource<never> => ({
  log: (_, from, limit) => Effect.succeed(transcript.entries.slice(from, from + limit)),
  turns: (_, from, limit) => Effect.succeed(transcript.turns.slice(from, from + limit)),
  receipt: (_, slot) => Effect.succeed(transcript.receipts[slot]!),
  attestation: (_, slot) =>
    Effect.succeed(transcript.attestations.find(({ attestation }) => attestation.to.slot >= slot)),
  module: (id) => Effect.succeed(transcript.modules.find(([module]) => module === id)?.[1]),
  snapshots: () => Effect.succeed([]),
  snapshot: () => Effect.succeed(undefined),
  data: () => Effect.undefined,
  engineBytes: (id) =>
    Effect.sync(() => {
      const file = engineFile(folder, id)
      return fs.existsSync(file) ? new Uint8Array(zlib.zstdDecompressSync(fs.readFileSync(file))) : undefined
    }),
})
