/**
 * Lives: recordings of processes that tests recompute. A pinned one was spawned under an engine that no version of
 * heddle made, and goes on as another program halfway.
 */
import * as Effect from "effect/Effect"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import * as Caller from "../support/Caller.ts"
import * as LogBook from "../support/LogBook.ts"
import * as OtherEngine from "../support/OtherEngine.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as Recording from "./Recording.ts"

export const ada = Caller.caller("ada")

/** Computes as that of this version, and has another id. */
export const otherEngine = OtherEngine.make(2)

export const program = Bytes.fromText(`
  let n = 0
  heddle.on("Add", (m) => { n += Number(m.tags.By ?? 1); heddle.publish("n", n); console.log("n is " + n); return { n, at: m.timestamp } })
  heddle.on("Name", (m) => { heddle.publish(m.tags.View, m.data); heddle.send(m.from, { action: "Named", data: m.data }) })
  heddle.on("Tell", (m) => { heddle.send(m.tags.To, { action: "Add" }) })
  heddle.on("Drop", (m) => heddle.publish(m.tags.View, undefined))
  heddle.on("Wait", async () => { await heddle.sleep("1h"); return n })
  heddle.on("Cron", () => ++n)
  heddle.on("Fail", () => { n = -1; throw new RangeError("no") })
  heddle.onExport(() => n)`)

/** What it goes on as. */
export const nextProgram = Bytes.fromText(`
  let n = 0
  heddle.onImport((given) => { n = given * 100; heddle.publish("upgraded", n) })
  heddle.on("Add", (m) => { n += Number(m.tags.By ?? 1); heddle.publish("n", n); return n })`)

/** What does not load, so that nothing can go on as it. */
export const brokenProgram = Bytes.fromText("let n = ")

export interface Said {
  readonly action: string
  readonly tags?: Record<string, string>
  readonly data?: string
}

/** A process of `source` that is told each list in one batch, recorded, with snapshots where attestations end. */
export const live = Effect.fnUntraced(function* (
  source: Uint8Array,
  tags: Record<string, string>,
  batches: ReadonlyArray<ReadonlyArray<Said>>,
  given: { readonly sandbox?: Sandbox["Service"]; readonly modules?: ReadonlyArray<Uint8Array> } = {},
) {
  const book = LogBook.make()
  const seams = SmallNode.seams(given.sandbox && { sandbox: given.sandbox })
  const known = [source, nextProgram, brokenProgram, ...(given.modules ?? [])]
  yield* Effect.orDie(seams.store.commit(known.map(Module.put)))
  yield* seams.sandbox.addEngine(otherEngine.artifact, otherEngine.id)
  const unit = yield* SmallNode.compute(book.service, seams)
  const spawn = yield* Effect.promise(() => ada.spawn(Module.id(source), book.service.address, tags))
  const process = spawn.id
  book.write({ process, item: spawn.bytes })
  for (const batch of batches) {
    const lines = yield* Effect.forEach(batch, ({ action, tags = {}, data = "" }) =>
      Effect.map(
        Effect.promise(() => ada.message(process, action, tags, data)),
        ({ bytes }): LogBook.Line => ({ process, item: bytes }),
      ),
    )
    book.write(...lines)
  }
  const modules = Recording.modulesOf(...known)
  return yield* Recording.withSnapshots(yield* Recording.record(book, unit, process, modules))
})

const add: Said = { action: "Add" }

/**
 * Slots 0 to 12, in batches that end at 0, 2, 5, 6, 9 and 12. At 6 it goes over to `nextProgram`; 4 fails, and so does
 * the upgrade at 9.
 */
export const pinned = live(program, { Engine: Id.fromBytes(otherEngine.id) }, [
  [add, { action: "Wait" }],
  [add, { action: "Fail" }, { action: "Name", tags: { View: "who" }, data: "ada" }],
  [{ action: "Upgrade", tags: { Module: Module.id(nextProgram) } }],
  [add, add, { action: "Upgrade", tags: { Module: Module.id(brokenProgram) } }],
  [add, add, add],
])
