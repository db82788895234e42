/** A scheduler on whatever store, signer and verifier, for as long as the scope lives; started again on the same store. */
import * as Effect from "effect/Effect"
import * as Context from "effect/Context"
import type * as Scope from "effect/Scope"
import * as Identity from "../../identity/Identity.ts"
import { Signer } from "../../identity/Signer.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Module from "../../runtime/Module.ts"
import { Store } from "../../runtime/Store.ts"
import { AssignmentLog } from "../../scheduler-unit/AssignmentLog.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as SchedulerUnitLocal from "../../scheduler-unit/SchedulerUnitLocal.ts"
import { hash } from "./Unsigned.ts"

export const identity = Identity.fromSeed(hash("scheduler"))
export const signer = SignerLocal.make(identity)

const source = Bytes.fromText("heddle.on('Get', () => 1)")

/** The module that every scheduler here has. */
export const module = Module.id(source)

/** Believes every signature: for what does not turn on them, a thousand times. */
export const credulous: Verifier["Service"] = {
  verify: () => Effect.succeed(true),
  verifyItem: () => Effect.void,
}

export interface Parts {
  readonly store: Store["Service"]
  readonly signer?: Signer["Service"]
  readonly verifier?: Verifier["Service"]
  /** Looks at the log, or puts another in its place. */
  readonly log?: (log: AssignmentLog["Service"]) => AssignmentLog["Service"]
}

export const start = (parts: Parts): Effect.Effect<SchedulerUnit["Service"], never, Scope.Scope> =>
  Effect.gen(function* () {
    const { store } = parts
    if (Module.get(store, module) === undefined) yield* Effect.orDie(store.commit([Module.put(source)]))
    const log = yield* Effect.provideService(AssignmentLogStore.make, Store, store)
    const services = Context.make(Store, store).pipe(
      Context.add(AssignmentLog, parts.log === undefined ? log : parts.log(log)),
      Context.add(Signer, parts.signer ?? signer),
      Context.add(Verifier, parts.verifier ?? VerifierLocal.make()),
    )
    return yield* Effect.provideContext(SchedulerUnitLocal.make, services)
  })

/** Lets everything that can go on go on. */
export const settle = Effect.gen(function* () {
  for (let i = 0; i < 50; i++) yield* Effect.yieldNow
})
