/** Fetch: reads a process out of an archive and verifies all of it, and touches no data folder. */
import * as Effect from "effect/Effect"
import * as ArchiveSource from "../archive-unit/ArchiveSource.ts"
import type { Watch } from "../archive-unit/Contents.ts"
import * as Audit from "../compute-unit/Audit.ts"
import * as SandboxWorkers from "../compute-unit/SandboxWorkers.ts"
import * as SignaturePool from "../identity/SignaturePool.ts"
import { Verifier } from "../identity/Verifier.ts"
import * as VerifierPool from "../identity/VerifierPool.ts"
import type { Archive, ArchiveUnavailable } from "../runtime/Archive.ts"
import type * as Id from "../runtime/Id.ts"

export interface Progress {
  readonly pieces: number
  readonly bytes: number
  readonly bytesAll: number
  readonly slots: number
}

/** Verifies a process from slot 0. What is wrong with a piece is told to `watch`. */
export const verify = (
  archive: Archive["Service"],
  process: Id.ProcessId,
  report: Watch["report"],
  onProgress: (progress: Progress) => void = () => {},
) =>
  Effect.scoped(
    Effect.gen(function* () {
      let progress: Progress = { pieces: 0, bytes: 0, bytesAll: 0, slots: 0 }
      const say = (change: Partial<Progress>) => onProgress((progress = { ...progress, ...change }))
      const verifier = VerifierPool.make(yield* SignaturePool.make())
      const watch = { report, onBytes: (bytes: number) => say({ bytes: progress.bytes + bytes }) }
      const source = yield* ArchiveSource.open(archive, process, watch).pipe(
        Effect.provideService(Verifier, verifier),
      )
      say({
        pieces: source.listed.reduce((sum, { copies }) => sum + copies.flat().length, 0),
        bytesAll: source.listed.reduce((sum, { bytes }) => sum + bytes, 0),
      })
      const sandbox = yield* SandboxWorkers.make(1)
      return yield* Audit.run<ArchiveSource.ArchiveGap | ArchiveUnavailable>(
        source,
        sandbox,
        process,
        { verifier },
        (slots) => say({ slots }),
      )
    }),
  )
