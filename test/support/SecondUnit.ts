/** A second compute unit of a node's log, with a key and a store of its own, and the messenger that speaks for it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { ArchiveUnit } from "../../archive-unit/ArchiveUnit.ts"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Signer } from "../../identity/Signer.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as MessengerUnitLocal from "../../messenger-unit/MessengerUnitLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { Store } from "../../runtime/Store.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Caller from "./Caller.ts"
import * as SmallNode from "./SmallNode.ts"
import * as UnitOver from "./UnitOver.ts"

/** Whose unit it is, by name. */
const signerOf = (name: string) => Caller.caller(name).signer

/** A sandbox that runs another program than the one it is given. */
const runningInstead = (program: string): Sandbox["Service"] => {
  const inner = SandboxInline.make()
  const source = Bytes.fromText(program)
  return { ...inner, open: (opening) => inner.open({ ...opening, source }) }
}

/** `sources` are modules that it has; with `instead` it lies: that is the program it runs, whatever a process names. */
export const make = Effect.fnUntraced(function* (
  scheduler: SchedulerUnit["Service"],
  name: string,
  sources: ReadonlyArray<string> = [],
  instead?: string,
) {
  const { unit, store, signer, verifier, sandbox } = yield* UnitOver.make(scheduler, {
    signer: signerOf(name),
    sources,
    ...(instead === undefined ? {} : { sandbox: runningInstead(instead) }),
  })
  const messenger = yield* MessengerUnitLocal.make("test").pipe(
    Effect.provideService(ArchiveUnit, SmallNode.noArchive),
    Effect.provideContext(
      Context.make(SchedulerUnit, scheduler).pipe(
        Context.add(ComputeUnit, unit),
        Context.add(Store, store),
        Context.add(Signer, signer),
        Context.add(Verifier, verifier),
      ),
    ),
  )
  const node: SmallNode.SmallNode = {
    store,
    signer,
    verifier,
    sandbox,
    scheduler,
    compute: unit,
    archive: SmallNode.noArchive,
    messenger,
  }
  return node
})
