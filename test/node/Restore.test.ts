import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as OutcomeLog from "../../compute-unit/OutcomeLog.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Sandbox } from "../../compute-unit/Sandbox.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Restore from "../../node/Restore.ts"
import { Archive } from "../../runtime/Archive.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import * as Archived from "../support/Archived.ts"
import * as Folder from "../support/Folder.ts"
import * as Lives from "../support/ManyLives.ts"
import * as SmallNode from "../support/SmallNode.ts"

const { signer } = SmallNode.seams()
const scheduler = signer.address
const lived = await Effect.runPromise(Lives.live(0))
const { ids } = lived

/** An archive of all that the node has. */
const archived = Effect.gen(function* () {
  const archive = yield* ArchiveFolder.make(yield* Folder.make)
  const contents = yield* Archived.archive(archive, signer, lived.store)
  return { archive, contents }
})

const restore = (
  archive: Archive["Service"],
  options: Partial<Restore.Options> = {},
  store: Store["Service"] = StoreMemory.make(),
) =>
  Restore.run({
    scheduler,
    processes: [],
    full: false,
    signer,
    residentBytesMax: 64 * 1024 * 1024,
    ...options,
  }).pipe(
    Effect.map((report) => ({ report, store })),
    Effect.provideService(Store, store),
    Effect.provideService(Archive, archive),
    Effect.provideService(Sandbox, SandboxInline.make()),
    Effect.provideService(Verifier, VerifierLocal.make()),
  )

/** Outcome and root of each slot of each process. */
const shown = Effect.fnUntraced(function* (store: Store["Service"], processes?: ReadonlyArray<Id.ProcessId>) {
  const provide = Effect.provideService(Store, store)
  const log = yield* provide(AssignmentLogStore.make)
  const outcomes = yield* provide(OutcomeLog.make)
  const of = processes ?? log.processes().map(({ process }) => process)
  return of.flatMap((process) =>
    outcomes.turns(process, 0, 100_000).map(({ outcome }) => {
      const { to } = outcomes.attested(process, outcome.slot)!
      const hash = Bytes.toHex(Outcome.hash(outcome))
      return `${process} ${outcome.slot} ${hash} ${to.slot} ${Bytes.toHex(to.stateRoot)}`
    }),
  )
})

describe("Restore", () => {
  for (const full of [false, true])
    it.live(
      `gives all processes of a scheduler back, ${full ? "run again from slot 0" : "from snapshots"}`,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const { archive, contents } = yield* archived
            assert.isAbove(contents.snapshots.length, 3)
            const { report, store } = yield* restore(archive, { full })
            assert.deepStrictEqual([report.problems, report.missing, report.readOnly], [[], [], false])
            assert.strictEqual(report.processes.length, 6)
            for (const { equal, slots, computed, detail } of report.processes)
              assert.deepStrictEqual([equal, computed, detail], [true, slots, undefined])
            assert.strictEqual(report.snapshots > 0, !full)
            assert.deepStrictEqual(yield* shown(store), yield* shown(lived.store))
          }),
        ),
    )
})
