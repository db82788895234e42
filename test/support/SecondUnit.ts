/** A second compute unit of a node's log, with a key and a store of its own, and the messenger that speaks for it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { ArchiveUnit } from "../../archive-unit/ArchiveUnit.ts"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import type { Evaluated, Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Signer } from "../../identity/Signer.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as MessengerUnitLocal from "../../messenger-unit/MessengerUnitLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import { Store } from "../../runtime/Store.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "./Caller.ts"
import * as SmallNode from "./SmallNode.ts"
import * as UnitOver from "./UnitOver.ts"

/** Whose unit it is, by name. */
const signerOf = (name: string) => Caller.caller(name).signer

/** A sandbox that runs another program than the one it is given. */
export const runningInstead = (program: string): Sandbox["Service"] => {
  const inner = SandboxInline.make()
  const source = Bytes.fromText(program)
  return { ...inner, open: (opening) => inner.open({ ...opening, source }) }
}

/** A sandbox that says of some slots that they took one fuel more, and, where `states`, of all after them another state. */
export const lyingIn = (slot: number, states: boolean): Sandbox["Service"] => {
  const inner = SandboxInline.make()
  const bend = (one: Evaluated): Evaluated => {
    const { outcome, stateRoot } = one
    const fuelUsed = outcome.slot === slot ? outcome.fuelUsed + 1n : outcome.fuelUsed
    const root =
      states && outcome.slot >= slot && stateRoot !== undefined ? Hash.sha256(stateRoot) : stateRoot
    return { ...one, outcome: { ...outcome, fuelUsed }, stateRoot: root }
  }
  return { ...inner, run: (...args) => Effect.map(inner.run(...args), (all) => all.map(bend)) }
}

/** `sources` are modules that it has; `sandbox` is what it runs processes in, if it lies. */
export const make = Effect.fnUntraced(function* (
  scheduler: SchedulerUnit["Service"],
  name: string,
  sources: ReadonlyArray<string> = [],
  sandbox?: Sandbox["Service"],
) {
  const { unit, ...seams } = yield* UnitOver.make(scheduler, {
    signer: signerOf(name),
    sources,
    ...(sandbox === undefined ? {} : { sandbox }),
  })
  const messenger = yield* MessengerUnitLocal.make("test").pipe(
    Effect.provideService(ArchiveUnit, SmallNode.noArchive),
    Effect.provideContext(
      Context.make(SchedulerUnit, scheduler).pipe(
        Context.add(ComputeUnit, unit),
        Context.add(Store, seams.store),
        Context.add(Signer, seams.signer),
        Context.add(Verifier, seams.verifier),
      ),
    ),
  )
  const node: Omit<SmallNode.SmallNode, "adopter"> = {
    ...seams,
    scheduler,
    compute: unit,
    archive: SmallNode.noArchive,
    messenger,
  }
  return node
})
