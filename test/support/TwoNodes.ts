/** Two nodes that know each other's schedulers over a line, each of which can be stopped and started again on its store. */
import * as Effect from "effect/Effect"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import type * as Id from "../../runtime/Id.ts"
import { Network } from "../../runtime/Network.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as SchedulerUnitRemote from "../../scheduler-unit/SchedulerUnitRemote.ts"
import * as SchedulerUnitServer from "../../scheduler-unit/SchedulerUnitServer.ts"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Caller from "./Caller.ts"
import * as Line from "./Line.ts"
import * as SmallNode from "./SmallNode.ts"

export interface Running {
  readonly node: SmallNode.SmallNode
  readonly stop: Effect.Effect<void>
}

export interface Place {
  readonly address: Id.Address
  readonly start: Effect.Effect<Running>
}

export interface TwoNodes {
  readonly a: Place
  readonly b: Place
}

const addressOf = (name: string) => Caller.caller(name).identity.address

export const make = Effect.fnUntraced(function* (line: Line.Line = Line.good) {
  const join = yield* line.join
  const place = (name: string, other: string): Place => {
    const { signer } = Caller.caller(name)
    const network = join(signer.address)
    const store = StoreMemory.make()
    const start = Effect.gen(function* () {
      const scope = yield* Scope.make()
      const onNetwork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        effect.pipe(
          Effect.provideService(Network, network),
          Effect.provideService(Verifier, VerifierLocal.make()),
          Scope.provide(scope),
        )
      const elsewhere = yield* onNetwork(SchedulerUnitRemote.make(addressOf(other)))
      const node = yield* Scope.provide(SmallNode.make({ store, signer, schedulers: [elsewhere] }), scope)
      yield* onNetwork(Effect.provideService(SchedulerUnitServer.make, SchedulerUnit, node.scheduler))
      return { node, stop: Scope.close(scope, Exit.void) }
    })
    return { address: signer.address, start }
  }
  const made: TwoNodes = { a: place("node a", "node b"), b: place("node b", "node a") }
  return made
})
