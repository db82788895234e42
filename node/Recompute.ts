/**
 * Recompute: replay, verification, trial and debugging with what they need: a fresh sandbox, and for a verification
 * threads that check signatures. None touches the data folder of a node; all read from whatever messenger serves the
 * log.
 */
import * as Effect from "effect/Effect"
import * as Audit from "../compute-unit/Audit.ts"
import type { Sandbox } from "../compute-unit/Sandbox.ts"
import * as SandboxWorkers from "../compute-unit/SandboxWorkers.ts"
import * as StateDifference from "../compute-unit/StateDifference.ts"
import * as Timeline from "../compute-unit/Timeline.ts"
import * as Trial from "../compute-unit/Trial.ts"
import * as SignaturePool from "../identity/SignaturePool.ts"
import * as VerifierPool from "../identity/VerifierPool.ts"
import type { MessengerUnit } from "../messenger-unit/MessengerUnit.ts"
import type * as Id from "../runtime/Id.ts"

type Messenger = MessengerUnit["Service"]

/** Hears the slot that was reached, counted from the beginning of the log. */
export type Progress = (slots: number) => void

/** Something done in a sandbox of its own. */
const inSandbox = <A, E, R>(use: (sandbox: Sandbox["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.flatMap(SandboxWorkers.make(1), use))

/** Runs the log in a fresh sandbox, from slot 0 or a snapshot, and compares outcomes and state root with those recorded. */
export const replay = (
  messenger: Messenger,
  process: Id.ProcessId,
  onProgress?: Progress,
  from?: Audit.Start,
) => inSandbox((sandbox) => Audit.run(messenger, sandbox, process, undefined, onProgress, from))

/** As `replay`, and checks every signature, link, receipt and attestation. */
export const verify = (
  messenger: Messenger,
  process: Id.ProcessId,
  onProgress?: Progress,
  from?: Audit.Start,
) =>
  inSandbox((sandbox) =>
    Effect.gen(function* () {
      const verifier = VerifierPool.make(yield* SignaturePool.make())
      return yield* Audit.run(messenger, sandbox, process, { verifier }, onProgress, from)
    }),
  )

/** Runs the log through another program and compares what it does with what is recorded. */
export const trial = (
  messenger: Messenger,
  process: Id.ProcessId,
  wanted: Trial.Wanted,
  onProgress?: Progress,
) => inSandbox((sandbox) => Trial.run(messenger, sandbox, process, wanted, onProgress))

/** A process at any slot of its life. Its sandbox lives as long as the scope. */
export const timeline = (messenger: Messenger, process: Id.ProcessId, watch?: Timeline.Watch) =>
  Effect.flatMap(SandboxWorkers.make(1), (sandbox) => Timeline.open(messenger, sandbox, process, watch))

/** What changed in a process from after slot `a` to after slot `b`. */
export const difference = (
  messenger: Messenger,
  process: Id.ProcessId,
  a: number,
  b: number,
  watch?: Timeline.Watch,
) =>
  inSandbox((sandbox) =>
    Effect.flatMap(Timeline.open(messenger, sandbox, process, watch), (opened) =>
      StateDifference.between(opened, a, b),
    ),
  )
