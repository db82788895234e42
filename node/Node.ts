/**
 * Node: the assembly. One process on one data folder with all three units and no hop between them; every seam gets its
 * embedded substrate here and nowhere else.
 */
import * as Layer from "effect/Layer"
import * as ComputeUnitLocal from "../compute-unit/ComputeUnitLocal.ts"
import * as SandboxWorkers from "../compute-unit/SandboxWorkers.ts"
import type * as Identity from "../identity/Identity.ts"
import * as SignaturePool from "../identity/SignaturePool.ts"
import * as SignerPool from "../identity/SignerPool.ts"
import * as VerifierPool from "../identity/VerifierPool.ts"
import * as MessengerUnitLocal from "../messenger-unit/MessengerUnitLocal.ts"
import * as Limit from "../runtime/Limit.ts"
import * as StoreLmdb from "../runtime/StoreLmdb.ts"
import * as AssignmentLogStore from "../scheduler-unit/AssignmentLogStore.ts"
import * as SchedulerUnitLocal from "../scheduler-unit/SchedulerUnitLocal.ts"
import * as Meter from "./Meter.ts"
import * as RestoreMark from "./RestoreMark.ts"
import { version } from "./Version.ts"

export interface Options {
  readonly dataFolder: string
  /** The node's own key: signs batches and attestations. */
  readonly identity: Identity.Identity
  /** Threads that run guests, and threads that sign and verify. */
  readonly sandboxWorkers: number
  readonly cryptoWorkers: number
  /** MiB of memory that open processes may take together. */
  readonly memory?: number | undefined
}

/** All units of an embedded node, with the seams that they stand on. */
export const layer = ({
  dataFolder,
  identity,
  sandboxWorkers,
  cryptoWorkers,
  memory = Limit.residentMibDefault,
}: Options) => {
  const substrates = Layer.mergeAll(
    Layer.effectDiscard(RestoreMark.check).pipe(Layer.provideMerge(StoreLmdb.layer(dataFolder))),
    Layer.mergeAll(SignerPool.layer(identity), VerifierPool.layer).pipe(
      Layer.provide(SignaturePool.layer({ size: cryptoWorkers })),
    ),
    Meter.sandbox.pipe(Layer.provide(SandboxWorkers.layer(sandboxWorkers))),
  )
  const scheduler = SchedulerUnitLocal.layer.pipe(Layer.provideMerge(AssignmentLogStore.layer))
  return MessengerUnitLocal.layer(version).pipe(
    Layer.provideMerge(ComputeUnitLocal.layer({ residentBytesMax: memory * 1024 * 1024 })),
    Layer.provideMerge(scheduler),
    Layer.provideMerge(substrates),
  )
}
