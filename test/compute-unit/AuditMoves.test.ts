/** A process that went from one scheduler to others, gone through by whoever doubts it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Audit from "../../compute-unit/Audit.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Caller from "../support/Caller.ts"
import * as LogBook from "../support/LogBook.ts"
import * as UnitOver from "../support/UnitOver.ts"
import * as Recording from "./Recording.ts"

const [one, two] = ["small node", "second scheduler"].map((name) => Caller.caller(name)) as [
  Caller.Caller,
  Caller.Caller,
]
const verifier = VerifierLocal.make()

const lineOf = (process: Id.ProcessId, term: number, action: string, tags: Record<string, string> = {}) =>
  Effect.map(
    Effect.promise(() => UnitOver.ada.message(process, action, tags)),
    (item): LogBook.Line => ({ process, item: item.bytes, term }),
  )

/** Slot 2 hands it to the second scheduler, slot 4 takes it back. */
const recorded = Effect.gen(function* () {
  const book = LogBook.make(one.signer, [two.signer, one.signer])
  const process = yield* UnitOver.spawn(book)
  const to = (scheduler: Caller.Caller, term: number) => ({
    Scheduler: scheduler.identity.address,
    Term: String(term),
  })
  book.write(yield* lineOf(process, 0, "Add"))
  book.write(yield* lineOf(process, 0, "Scheduler", to(two, 1)))
  book.write(yield* lineOf(process, 1, "Add"))
  book.write(yield* lineOf(process, 2, "Scheduler", to(one, 2)))
  book.write(yield* lineOf(process, 2, "Add"))
  const { unit } = yield* UnitOver.make(book.service)
  const source = Bytes.fromText(UnitOver.guest)
  return yield* Effect.flatMap(
    Recording.record(book, unit, process, Recording.modulesOf(source)),
    Recording.withSnapshots,
  )
})
const life = await Effect.runPromise(Effect.scoped(recorded))

const verify = (of: Recording.Recording, start: Audit.Start | undefined) =>
  Audit.run(Recording.sourceOf(of), SandboxInline.make(), of.process, { verifier }, undefined, start)

/** With a receipt of one slot that another key signed. */
const signedBy = (slot: number, by: Caller.Caller): Recording.Recording => ({
  ...life,
  receipts: Recording.at(life.receipts, slot, ({ link, ...receipt }) => {
    const signature = Effect.runSync(Effect.orDie(by.signer.sign("heddle/batch/1", Batch.signingBytes(link))))
    return {
      ...receipt,
      link: { ...link, signatureType: by.signer.type.number, owner: by.signer.owner, signature },
    }
  }),
})

describe("a verification of a process that was moved", () => {
  it.effect("wants each slot signed by who schedules it there, from the spawn or any snapshot", () =>
    Effect.gen(function* () {
      const slots = life.entries.length
      for (const start of [undefined, ...life.snapshots.keys()]) {
        const report = yield* verify(life, start)
        assert.deepInclude(report, { finding: undefined, slots: slots - (start ?? -1) - 1, inadmissible: 0 })
      }
      const schedulers = [one, one, one, two, one, one]
      for (const [slot, by] of schedulers.entries()) {
        const wrong = signedBy(slot, by === one ? two : one)
        const before = slot < 2 ? undefined : slot - 2
        for (const start of [undefined, before, slot]) {
          const { finding } = yield* verify(wrong, start)
          assert.deepInclude(finding, { slot, what: "receipt" }, `slot ${slot} from ${start}`)
          assert.include(finding!.detail, by.identity.address)
        }
      }
    }),
  )
})
