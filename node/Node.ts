/**
 * Node: the assembly. One process on one data folder with all three units and no hop between them; every seam gets its
 * embedded substrate here and nowhere else.
 */
import * as Layer from "effect/Layer"
import * as ArchiveUnitLocal from "../archive-unit/ArchiveUnitLocal.ts"
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
import * as Intake from "../scheduler-unit/Intake.ts"
import * as Lease from "../scheduler-unit/Lease.ts"
import * as Route from "../scheduler-unit/Route.ts"
import * as SchedulerUnitLocal from "../scheduler-unit/SchedulerUnitLocal.ts"
import * as Adopter from "./Adopter.ts"
import * as Archiving from "./Archiving.ts"
import * as Meter from "./Meter.ts"
import * as RestoreMark from "./RestoreMark.ts"
import * as Settings from "./Settings.ts"
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
  /** Messages a second that peers, identities and processes may send; as many as they like where nothing is said. */
  readonly rates?: Intake.Rates | undefined
  /** Where it archives; a folder in the data folder where nothing is said. */
  readonly archiving?: Archiving.Archiving | undefined
  /** How it archives, where a test wants it otherwise. */
  readonly archiveUnit?: Partial<ArchiveUnitLocal.Options> | undefined
}

/** The units that do the work of a node, with the seams that they stand on. */
export const units = ({
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
  return ComputeUnitLocal.layer({ residentBytesMax: memory * 1024 * 1024 }).pipe(
    Layer.provideMerge(scheduler),
    Layer.provideMerge(substrates),
  )
}

/** All units of an embedded node, and its archive. */
export const layer = (options: Options) => {
  const { archiving = { folder: Settings.archiveOf(options.dataFolder) }, rates = Intake.noRates } = options
  const archive = ArchiveUnitLocal.layer({ ...Archiving.unit(archiving), ...options.archiveUnit })
  const node = Layer.merge(
    MessengerUnitLocal.layer(version).pipe(Layer.provide(Route.layer)),
    Adopter.layer,
  ).pipe(
    Layer.provideMerge(archive),
    Layer.provideMerge(Archiving.layer(archiving)),
    Layer.provideMerge(units(options)),
    // Whoever serves a transport takes in hand what the scheduler goes on with.
    Layer.provideMerge(Layer.sync(Intake.Intake, () => Intake.make(rates))),
  )
  // Nobody else looks into a node's own folder, so no takeover could build on it, and there is no lease.
  return "folder" in archiving ? node : Layer.provide(node, Layer.succeed(Lease.Lease, Lease.make()))
}
