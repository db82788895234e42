/**
 * Recompute: replay and verification with what they need: a fresh sandbox, and for a verification threads that check
 * signatures. Neither touches the data folder of a node; both read from whatever messenger serves the log.
 */
import * as Effect from "effect/Effect"
import * as Audit from "../compute-unit/Audit.ts"
import * as SandboxWorkers from "../compute-unit/SandboxWorkers.ts"
import * as SignaturePool from "../identity/SignaturePool.ts"
import * as VerifierPool from "../identity/VerifierPool.ts"
import type { MessengerUnit } from "../messenger-unit/MessengerUnit.ts"
import type * as Id from "../runtime/Id.ts"

type Messenger = MessengerUnit["Service"]

/** Hears how many slots are done. */
export type Progress = (slots: number) => void

/** Runs the whole log in a fresh sandbox and compares outcomes and state root with those recorded. */
export const replay = (messenger: Messenger, process: Id.ProcessId, onProgress?: Progress) =>
  Effect.scoped(
    Effect.flatMap(SandboxWorkers.make(1), (sandbox) =>
      Audit.run(messenger, sandbox, process, undefined, onProgress),
    ),
  )

/** As `replay`, and checks every signature, link, receipt and attestation. */
export const verify = (messenger: Messenger, process: Id.ProcessId, onProgress?: Progress) =>
  Effect.scoped(
    Effect.gen(function* () {
      const sandbox = yield* SandboxWorkers.make(1)
      const verifier = VerifierPool.make(yield* SignaturePool.make())
      return yield* Audit.run(messenger, sandbox, process, { verifier }, onProgress)
    }),
  )
