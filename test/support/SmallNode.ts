/**
 * A node in memory: the units of `node/Node.ts`, put together by hand over seams that a test can hold, break or count.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { ArchiveUnit } from "../../archive-unit/ArchiveUnit.ts"
import * as ArchiveUnitLocal from "../../archive-unit/ArchiveUnitLocal.ts"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import * as ComputeUnitLocal from "../../compute-unit/ComputeUnitLocal.ts"
import { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Signer } from "../../identity/Signer.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import type { Tags } from "../../messenger-unit/Draft.ts"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as MessengerUnitLocal from "../../messenger-unit/MessengerUnitLocal.ts"
import { Archive } from "../../runtime/Archive.ts"
import * as Adopter from "../../node/Adopter.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import { AssignmentLog } from "../../scheduler-unit/AssignmentLog.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Route from "../../scheduler-unit/Route.ts"
import * as Schedulers from "../../scheduler-unit/Schedulers.ts"
import * as SchedulerUnitLocal from "../../scheduler-unit/SchedulerUnitLocal.ts"
import * as Caller from "./Caller.ts"

/** Whose node it is where a test names none. */
export const identity = Caller.caller("small node").identity

export interface Seams {
  readonly store: Store["Service"]
  readonly signer: Signer["Service"]
  readonly verifier: Verifier["Service"]
  readonly sandbox: Sandbox["Service"]
}

/** Where a node archives, and how. Without one it archives nothing. */
export interface Archived extends Partial<ArchiveUnitLocal.Options> {
  readonly archive: Archive["Service"]
}

/** Schedulers that a node knows beside its own. */
export interface Acquainted {
  readonly schedulers?: ReadonlyArray<SchedulerUnit["Service"]>
}

export interface SmallNode extends Seams {
  readonly adopter: Adopter.Adopter["Service"]
  readonly scheduler: SchedulerUnit["Service"]
  readonly compute: ComputeUnit["Service"]
  readonly archive: ArchiveUnit["Service"]
  readonly messenger: MessengerUnit["Service"]
}

/** Seams in this thread, fresh but for those that are given. */
export const seams = (given: Partial<Seams> = {}): Seams => ({
  store: given.store ?? StoreMemory.make(),
  signer: given.signer ?? Caller.caller("small node").signer,
  verifier: given.verifier ?? VerifierLocal.make(),
  sandbox: given.sandbox ?? SandboxInline.make(),
})

const contextOf = ({ store, signer, verifier, sandbox }: Seams) =>
  Context.make(Store, store).pipe(
    Context.add(Signer, signer),
    Context.add(Verifier, verifier),
    Context.add(Sandbox, sandbox),
  )

/** A compute unit that follows `scheduler`, whoever that is. */
export const compute = (
  scheduler: SchedulerUnit["Service"],
  given: Seams,
  residentBytesMax = Number.POSITIVE_INFINITY,
) =>
  ComputeUnitLocal.make({ residentBytesMax }).pipe(
    Effect.provideService(SchedulerUnit, scheduler),
    Effect.provideContext(contextOf(given)),
  )

const reach = { made: 0, bundled: 0, confirmed: 0 }

/** Archives nothing. */
export const noArchive = ArchiveUnit.of({
  status: Effect.succeed({
    archive: "none",
    batches: reach,
    turns: reach,
    waiting: [],
    bundles: 0,
    bytes: 0,
    spent: 0n,
    spendingLimit: undefined,
    behindMs: 0,
    problem: undefined,
  }),
  anchor: () => Effect.undefined,
  cost: () => Effect.succeed({ slots: 0, signedBytes: 0, bytes: 0, winston: 0n }),
  flush: Effect.void,
})

const archiveUnit = (archived: Archived | undefined) =>
  archived === undefined
    ? Effect.succeed(noArchive)
    : ArchiveUnitLocal.make({ confirmations: 1, ...archived }).pipe(
        Effect.provideService(Archive, archived.archive),
      )

/** Lives as long as the scope. Where processes may take fewer bytes, they are evicted, and have snapshots. */
export const make = Effect.fnUntraced(function* (
  given: Partial<Seams> & Acquainted = {},
  residentBytesMax?: number,
  archived?: Archived,
) {
  const all = seams(given)
  const context = contextOf(all)
  const log = yield* Effect.provideContext(AssignmentLogStore.make, context)
  const opened = yield* SchedulerUnitLocal.open.pipe(
    Effect.provideService(AssignmentLog, log),
    Effect.provideContext(context),
  )
  const scheduler = opened.unit
  const others = Schedulers.of(given.schedulers ?? [])
  const adopter = yield* Adopter.make.pipe(
    Effect.provideService(SchedulerUnitLocal.SchedulerOfNode, opened),
    Effect.provideService(AssignmentLog, log),
    Effect.provideService(Schedulers.Schedulers, others),
    Effect.provideContext(context),
  )
  const unit = yield* compute(scheduler, all, residentBytesMax)
  const units = Context.add(Context.make(SchedulerUnit, scheduler), ComputeUnit, unit)
  const archive = yield* archiveUnit(archived).pipe(
    Effect.provideContext(units),
    Effect.provideContext(context),
  )
  const messenger = yield* MessengerUnitLocal.make("test").pipe(
    Effect.provideService(ArchiveUnit, archive),
    Effect.provideService(SchedulerUnit, Route.make(scheduler, others)),
    Effect.provideContext(units),
    Effect.provideContext(context),
  )
  const node: SmallNode = { ...all, adopter, scheduler, compute: unit, archive, messenger }
  return node
})

/** A node that is stopped by hand. */
export const open = Effect.fnUntraced(function* (
  given: Partial<Seams> & Acquainted,
  residentBytesMax?: number,
  archived?: Archived,
) {
  const scope = yield* Scope.make()
  const node = yield* Scope.provide(make(given, residentBytesMax, archived), scope)
  return { node, stop: Scope.close(scope, Exit.void) }
})

/** Uploads guest code. */
export const upload = ({ messenger }: Pick<SmallNode, "messenger">, source: string) =>
  messenger.addModule(Bytes.fromText(source))

/** Spawns a process of guest code; gives its id once it has slot 0. */
export const spawn = Effect.fnUntraced(function* (
  node: Pick<SmallNode, "messenger">,
  by: Caller.Caller,
  source: string,
  tags: Tags = {},
) {
  const module = yield* upload(node, source)
  const { scheduler } = yield* node.messenger.info
  const item = yield* Effect.promise(() => by.spawn(module, scheduler, tags))
  return (yield* node.messenger.send(item.bytes)).process
})

export const send = Effect.fnUntraced(function* (
  { messenger }: Pick<SmallNode, "messenger">,
  by: Caller.Caller,
  process: Id.ProcessId,
  action: string,
  tags: Tags = {},
  data: string | Uint8Array = "",
) {
  const item = yield* Effect.promise(() => by.message(process, action, tags, data))
  return yield* messenger.send(item.bytes)
})

/** Sends a message and gives what it is answered: the value, or the error in words. */
export const ask = Effect.fnUntraced(function* (
  { messenger }: Pick<SmallNode, "messenger">,
  by: Caller.Caller,
  process: Id.ProcessId,
  action: string,
  tags: Tags = {},
  data: string | Uint8Array = "",
) {
  const item = yield* Effect.promise(() => by.message(process, action, tags, data))
  const { result } = yield* messenger.ask(item.bytes)
  return "value" in result ? (JSON.parse(result.value) as unknown) : `${result.reason}: ${result.error}`
})

/** Lets everything else run until `holds`; dies where it never does. For what no seam tells by itself. */
export const until = Effect.fnUntraced(function* <E>(what: string, holds: Effect.Effect<boolean, E>) {
  for (let rounds = 0; rounds < 20_000; rounds++) {
    if (yield* holds) return
    yield* Effect.yieldNow
  }
  throw new Error(`it never came to this: ${what}`)
})
