/**
 * The nodes of a simulated world: the units of `node/Node.ts` over seams that a seed rules. A test may put its own piece
 * in the place of any, to plant a bug.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import * as ComputeUnitLocal from "../../compute-unit/ComputeUnitLocal.ts"
import { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Signer } from "../../identity/Signer.ts"
import { Verifier } from "../../identity/Verifier.ts"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as MessengerUnitLocal from "../../messenger-unit/MessengerUnitLocal.ts"
import * as Module from "../../runtime/Module.ts"
import { Store } from "../../runtime/Store.ts"
import { AssignmentLog } from "../../scheduler-unit/AssignmentLog.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as SchedulerUnitLocal from "../../scheduler-unit/SchedulerUnitLocal.ts"
import * as Guest from "./Guest.ts"
import type { Build } from "./Machine.ts"
import type { StoreSimulated } from "./StoreSimulated.ts"

/** Pieces that stand between the units of a node instead of the real ones; `starts` counts from 1. */
export interface Pieces {
  readonly store: (real: Store["Service"], starts: number) => Store["Service"]
  readonly log: (real: AssignmentLog["Service"], starts: number) => AssignmentLog["Service"]
  readonly sandbox: (real: Sandbox["Service"], starts: number) => Sandbox["Service"]
  /** The scheduler as the other units have it, and the compute unit as the messenger has it. */
  readonly scheduler: (real: SchedulerUnit["Service"], starts: number) => SchedulerUnit["Service"]
  readonly compute: (real: ComputeUnit["Service"], starts: number) => ComputeUnit["Service"]
}

export const real: Pieces = {
  store: (piece) => piece,
  log: (piece) => piece,
  sandbox: (piece) => piece,
  scheduler: (piece) => piece,
  compute: (piece) => piece,
}

export interface SimulatedNode {
  readonly scheduler: SchedulerUnit["Service"]
  readonly compute: ComputeUnit["Service"]
  readonly messenger: MessengerUnit["Service"]
}

export interface Seams {
  readonly disk: StoreSimulated
  readonly signer: Signer["Service"]
  readonly verifier: Verifier["Service"]
  readonly residentBytesMax: number
  readonly pieces: Pieces
}

const substrates = (
  { disk, signer, verifier, pieces }: Seams,
  life: Parameters<Build<unknown>>[0],
  starts: number,
) =>
  Context.make(Store, pieces.store(disk.open(life), starts)).pipe(
    Context.add(Signer, signer),
    Context.add(Verifier, verifier),
    Context.add(Sandbox, pieces.sandbox(SandboxInline.make(), starts)),
  )

/** The programs are uploaded with the first start. */
const keepPrograms = Effect.gen(function* () {
  const store = yield* Store
  const missing = Guest.programs.filter((program) => Module.get(store, Module.id(program)) === undefined)
  if (missing.length > 0) yield* Effect.orDie(store.commit(missing.map((program) => Module.put(program))))
})

/** A node with all units. */
export const whole =
  (seams: Seams): Build<SimulatedNode> =>
  (life, starts) =>
    Effect.gen(function* () {
      yield* keepPrograms
      const { pieces, residentBytesMax } = seams
      const log = pieces.log(yield* AssignmentLogStore.make, starts)
      const local = yield* Effect.provideService(SchedulerUnitLocal.make, AssignmentLog, log)
      const scheduler = pieces.scheduler(local, starts)
      const unit = yield* Effect.provideService(
        ComputeUnitLocal.make({ residentBytesMax }),
        SchedulerUnit,
        scheduler,
      )
      const compute = pieces.compute(unit, starts)
      const messenger = yield* MessengerUnitLocal.make("simulated").pipe(
        Effect.provideService(SchedulerUnit, scheduler),
        Effect.provideService(ComputeUnit, compute),
      )
      return { scheduler, compute, messenger }
    }).pipe(Effect.provideContext(substrates(seams, life, starts)))
