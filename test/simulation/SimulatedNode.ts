/**
 * The nodes of a simulated world: the units of `node/Node.ts` over seams that a seed rules. A test may put its own piece
 * in the place of any, to plant a bug.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { ArchiveUnit } from "../../archive-unit/ArchiveUnit.ts"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import * as ComputeUnitLocal from "../../compute-unit/ComputeUnitLocal.ts"
import { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Signer } from "../../identity/Signer.ts"
import { Verifier } from "../../identity/Verifier.ts"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as MessengerUnitLocal from "../../messenger-unit/MessengerUnitLocal.ts"
import { Store } from "../../runtime/Store.ts"
import { AssignmentLog } from "../../scheduler-unit/AssignmentLog.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as SchedulerUnitLocal from "../../scheduler-unit/SchedulerUnitLocal.ts"
import * as SmallNode from "../support/SmallNode.ts"
import type { Life } from "./Loop.ts"
import type { Build } from "./Machine.ts"
import type { StoreSimulated } from "./StoreSimulated.ts"

/** Pieces that stand between the units of a node instead of the real ones; `starts` counts from 1. */
export interface Pieces {
  readonly store: (real: Store["Service"], starts: number) => Store["Service"]
  readonly log: (real: AssignmentLog["Service"], starts: number) => AssignmentLog["Service"]
  readonly verifier: (real: Verifier["Service"], starts: number) => Verifier["Service"]
  readonly sandbox: (real: Sandbox["Service"], starts: number) => Sandbox["Service"]
  /** The scheduler as the other units have it, and the compute unit as the messenger has it. */
  readonly scheduler: (real: SchedulerUnit["Service"], starts: number) => SchedulerUnit["Service"]
  readonly compute: (real: ComputeUnit["Service"], starts: number) => ComputeUnit["Service"]
}

export const real: Pieces = {
  verifier: (piece) => piece,
  store: (piece) => piece,
  log: (piece) => piece,
  sandbox: (piece) => piece,
  scheduler: (piece) => piece,
  compute: (piece) => piece,
}

export interface SimulatedNode extends SimulatedUnit {
  readonly scheduler: SchedulerUnit["Service"]
  readonly messenger: MessengerUnit["Service"]
}

export interface Seams {
  readonly disk: StoreSimulated
  readonly signer: Signer["Service"]
  readonly verifier: Verifier["Service"]
  readonly residentBytesMax: number
  readonly pieces: Pieces
}

const substrates = ({ disk, signer, verifier, pieces }: Seams, life: Life, starts: number) =>
  Context.make(Store, pieces.store(disk.open(life), starts)).pipe(
    Context.add(Signer, signer),
    Context.add(Verifier, pieces.verifier(verifier, starts)),
    Context.add(Sandbox, pieces.sandbox(SandboxInline.make(), starts)),
  )

/** A machine that computes what a scheduler elsewhere orders. */
export interface SimulatedUnit {
  readonly compute: ComputeUnit["Service"]
}

/** A compute unit that follows `scheduler`, which it is given for each life. */
export const unit =
  (seams: Seams, scheduler: (life: Life) => SchedulerUnit["Service"]): Build<SimulatedUnit> =>
  (life, starts) =>
    ComputeUnitLocal.make({ residentBytesMax: seams.residentBytesMax }).pipe(
      Effect.provideService(SchedulerUnit, scheduler(life)),
      Effect.map((compute) => ({ compute })),
      Effect.provideContext(substrates(seams, life, starts)),
    )

/** A node with all units. */
export const whole =
  (seams: Seams): Build<SimulatedNode> =>
  (life, starts) =>
    Effect.gen(function* () {
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
        Effect.provideService(ArchiveUnit, SmallNode.noArchive),
      )
      return { scheduler, compute, messenger }
    }).pipe(Effect.provideContext(substrates(seams, life, starts)))
