/** A node that has lost its data folder comes back from an archive, and goes on as if it had not. */
import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as ArchiveQueue from "../../archive-unit/ArchiveQueue.ts"
import * as BatchRun from "../../archive-unit/BatchRun.ts"
import * as BatchesContent from "../../archive-unit/BatchesContent.ts"
import * as PieceTags from "../../archive-unit/PieceTags.ts"
import type { ArchiveGap } from "../../archive-unit/Shelf.ts"
import * as TurnsContent from "../../archive-unit/TurnsContent.ts"
import * as Audit from "../../compute-unit/Audit.ts"
import * as OutcomeLog from "../../compute-unit/OutcomeLog.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { Sandbox, SandboxLost } from "../../compute-unit/Sandbox.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as ProvenView from "../../messenger-unit/ProvenView.ts"
import * as Node from "../../node/Node.ts"
import * as Restore from "../../node/Restore.ts"
import * as RestoreKept from "../../node/RestoreKept.ts"
import * as RestoreLog from "../../node/RestoreLog.ts"
import * as RestoreMark from "../../node/RestoreMark.ts"
import * as RestorePace from "../../node/RestorePace.ts"
import { Archive, bundle as bundleOf } from "../../runtime/Archive.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as Assign from "../../runtime/Assign.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Message from "../../runtime/Message.ts"
import * as Module from "../../runtime/Module.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreLmdb from "../../runtime/StoreLmdb.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as AssignmentLogStore from "../../scheduler-unit/AssignmentLogStore.ts"
import * as Archived from "../support/Archived.ts"
import * as Caller from "../support/Caller.ts"
import * as Folder from "../support/Folder.ts"
import * as LogBook from "../support/LogBook.ts"
import * as Lives from "../support/ManyLives.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as StoreCopy from "../support/StoreCopy.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import * as UnitOver from "../support/UnitOver.ts"

const { signer } = SmallNode.seams()
const scheduler = signer.address
const lived = await Effect.runPromise(Lives.live(0))
const { ids, store: whole } = lived
const contents = await Effect.runPromise(Archived.contents(whole))
const all = [contents.modules, contents.engines, contents.batches, contents.turns, contents.snapshots].flat()

/** Whether more than one process is in one batch or release of it. */
const isShared = ({ head, bytes }: Archived.Made): boolean =>
  head.type === "Batches"
    ? Result.getOrThrow(BatchesContent.decode(bytes)).some(
        ({ entries }) => new Set(entries.map(({ assignment }) => assignment.process)).size > 1,
      )
    : Result.getOrThrow(TurnsContent.decode(bytes)).some(({ groups }) => groups.length > 1)

/** An archive of some contents, a bundle each; gives where each lies. */
const archived = Effect.fnUntraced(function* (made: ReadonlyArray<Archived.Made> = all) {
  const folder = yield* Folder.make
  const archive = yield* ArchiveFolder.make(folder)
  const places = new Map<Archived.Made, string>()
  for (const one of made) places.set(one, yield* Archived.put(archive, signer, [one]))
  const damage = (one: Archived.Made) => {
    const file = path.join(folder, `${places.get(one)!}.bundle`)
    const bytes = fs.readFileSync(file)
    bytes[bytes.length - 1]! ^= 1
    fs.writeFileSync(file, bytes)
    return places.get(one)!
  }
  return { archive, damage, places }
})

const restore = (
  archive: Archive["Service"],
  options: Partial<Restore.Options> = {},
  store: Store["Service"] = StoreMemory.make(),
  sandbox: Sandbox["Service"] = SandboxInline.make(),
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
    Effect.provideService(Sandbox, sandbox),
    Effect.provideService(Verifier, VerifierLocal.make()),
  )

const logOf = (store: Store["Service"]) => Effect.provideService(AssignmentLogStore.make, Store, store)
const outcomesOf = (store: Store["Service"]) => Effect.provideService(OutcomeLog.make, Store, store)

/** Outcome and root of each slot. */
const shown = Effect.fnUntraced(function* (store: Store["Service"], processes?: ReadonlyArray<Id.ProcessId>) {
  const [log, outcomes] = [yield* logOf(store), yield* outcomesOf(store)]
  const of = processes ?? log.processes().map(({ process }) => process)
  return of.flatMap((process) =>
    outcomes.turns(process, 0, 100_000).map(({ outcome }) => {
      const { to } = outcomes.attested(process, outcome.slot)!
      const hash = Bytes.toHex(Outcome.hash(outcome))
      return `${process} ${outcome.slot} ${hash} ${to.slot} ${Bytes.toHex(to.stateRoot)}`
    }),
  )
})

/** Rows of tables as text. */
const rows = (store: Store["Service"], ...tables: ReadonlyArray<string>) =>
  tables.flatMap((table) =>
    StoreCopy.rows(store, table).map(({ key, value }) => `${Bytes.toHex(key)} ${Bytes.toHex(value)}`),
  )

const logTables = ["assignment", "batch", "owner", "log", "pair", "cron", "cron-time", "authority", "seen"]
const outcomeTables = ["attestation", "release", "view", "reply", "engine-since", "evaluated"]

/** Runs a node on a store by a clock that goes on where the lives ended. */
const after = <A, E>(store: Store["Service"], use: (node: SmallNode.SmallNode) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(Lives.endMs)
    const { node, stop } = yield* SmallNode.open({ store })
    yield* Lives.rest
    const result = yield* use(node)
    yield* stop
    return result
  }).pipe(Effect.provide(TestClock.layer()))

const view = Effect.fnUntraced(function* (node: SmallNode.SmallNode, process: Id.ProcessId, name: string) {
  const found = yield* node.messenger.view(process, name)
  return found === undefined ? undefined : (JSON.parse(found.value) as unknown)
})

/** What goes on in every process that is there, and what must not happen again. */
const goesOn = Effect.fnUntraced(function* (node: SmallNode.SmallNode) {
  const { messenger } = node
  const before = new Map((yield* messenger.processes).map(({ process, slots }) => [process, slots] as const))
  const said = yield* SmallNode.send(node, Lives.ada, ids.parent, "Ask-Child")
  assert.strictEqual(said.slot, before.get(ids.parent))
  yield* Lives.rest
  assert.deepStrictEqual(yield* view(node, ids.child, "sums"), 6)
  // What was said to a process that is there only now.
  assert.deepInclude(
    (yield* messenger.outbox).find(({ target }) => target === Lives.late.id),
    {
      source: ids.parent,
      kind: "message",
    },
  )
  yield* messenger.send(Lives.late.bytes)
  yield* Lives.rest
  assert.strictEqual(yield* view(node, Lives.late.id, "n"), 1)
  assert.strictEqual((yield* messenger.process(Lives.late.id)).slots, 2)
  yield* TestClock.adjust(600_000)
  yield* Lives.rest
  const log = (yield* view(node, ids.parent, "log")) as ReadonlyArray<unknown>
  assert.deepStrictEqual(log.slice(-3), [9, "rested", "at last 1"])
  assert.strictEqual(yield* view(node, ids.upgraded, "n"), 501)
  yield* SmallNode.send(node, Lives.ada, ids.upgraded, "Add")
  yield* SmallNode.send(node, Lives.ada, ids.plain, "Increment", { By: "3" })
  yield* Lives.rest
  assert.deepStrictEqual(
    [yield* view(node, ids.upgraded, "n"), yield* view(node, ids.plain, "count")],
    [502, 18],
  )
  // One more for the clock that went on, however often it should have ticked.
  const ticks = Number(yield* view(node, ids.ticking, "ticks"))
  assert.isAtLeast(ticks, 3)
  for (const { process } of yield* messenger.processes) {
    const report = yield* Audit.run(messenger, SandboxInline.make(), process, { verifier: node.verifier })
    assert.strictEqual(report.finding, undefined)
  }
  // The end of the parent's patience with an answer that it has by now.
  const held = (yield* messenger.outbox).map(({ source, kind, reason }) => [source, kind, reason])
  assert.deepStrictEqual(held, [[ids.parent, "timer", "not due yet"]])
})

describe("Restore of all processes of a scheduler", () => {
  for (const full of [false, true])
    it.live(`${full ? "by running all again" : "from outcomes and snapshots"}, comes to the same`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          assert.isAbove(contents.snapshots.length, 5)
          const { archive } = yield* archived()
          const { report, store } = yield* restore(archive, { full })
          assert.deepStrictEqual([report.problems, report.missing, report.readOnly], [[], [], false])
          assert.strictEqual(report.processes.length, 6)
          for (const { equal, slots, computed, detail } of report.processes)
            assert.deepStrictEqual([equal, computed, detail], [true, slots, undefined])
          assert.strictEqual(report.snapshots, full ? 0 : 6)
          assert.deepStrictEqual(yield* shown(store), yield* shown(whole))
          assert.deepStrictEqual(rows(store, ...logTables), rows(whole, ...logTables))
          if (!full) assert.deepStrictEqual(rows(store, ...outcomeTables), rows(whole, ...outcomeTables))
          yield* after(store, goesOn)
        }),
      ),
    )

  it.live("does as the node itself does that was never lost", () =>
    Effect.scoped(Effect.flatMap(StoreCopy.copy(whole), (store) => after(store, goesOn))),
  )

  it.live("takes the snapshot before one that is damaged, or wrong, and none where all are", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [older, newest] = contents.snapshots.filter(
          ({ head }) => head.type === "Snapshot" && head.process === ids.parent,
        ) as [Archived.Made, Archived.Made]
        const kept = Effect.fnUntraced(function* (store: Store["Service"]) {
          const { node, stop } = yield* SmallNode.open({ store })
          const taken = yield* node.compute.snapshots(ids.parent)
          yield* stop
          return taken.map(({ slot }) => slot)
        })
        const slotOf = ({ head }: Archived.Made) => (head.type === "Snapshot" ? head.slot : -1)
        const { archive, damage } = yield* archived()
        const transaction = damage(newest)
        const once = yield* restore(archive)
        assert.deepStrictEqual(
          once.report.problems.map((one) => [one.transaction, one.reason]),
          [
            [transaction, "wrong bytes"],
            [transaction, "missing"],
          ],
        )
        assert.deepStrictEqual(yield* kept(once.store), [slotOf(older)])
        damage(older)
        const twice = yield* restore(archive)
        assert.deepStrictEqual(yield* kept(twice.store), [])
        const other = { ...newest, bytes: older.bytes }
        const wrong = yield* restore(
          (yield* archived(all.map((one) => (one === newest ? other : one)))).archive,
        )
        assert.deepStrictEqual(
          wrong.report.problems.map(({ reason, detail }) => [reason, detail]),
          [["not true", `it is of slot ${slotOf(older)} of ${ids.parent}`]],
        )
        for (const { report, store } of [once, twice, wrong]) {
          assert.isTrue(report.processes.every(({ equal }) => equal === true))
          assert.deepStrictEqual(yield* shown(store), yield* shown(whole))
        }
      }),
    ),
  )

  it.live("runs again what no outcomes are archived of", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive, damage } = yield* archived()
        damage(contents.turns[2]!)
        const { report, store } = yield* restore(archive)
        assert.isTrue(report.processes.every(({ equal, slots, computed }) => equal && slots === computed))
        assert.deepStrictEqual(yield* shown(store), yield* shown(whole))
        yield* after(store, goesOn)
      }),
    ),
  )

  it.live("takes no number of a release from anybody, and releases in whatever order they are found", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stranger = Caller.caller("stranger").signer
        const numbered = (one: Archived.Made, first: number): Archived.Made => {
          const releases = Result.getOrThrow(TurnsContent.decode(one.bytes))
          return Archived.turnsOf(releases.map((release, i) => ({ ...release, number: first + i })))
        }
        const { turns } = contents
        assert.isAbove(turns.length, 3)
        const rest = all.filter((one) => !turns.includes(one))
        const { archive } = yield* archived([
          ...rest,
          ...turns.map((one, i) => numbered(one, 1_000 * (turns.length - i))),
        ])
        yield* Archived.put(archive, stranger, [numbered(turns[0]!, 3_000_000)])
        yield* Archived.put(archive, stranger, [numbered(turns.at(-1)!, 2 ** 53 - 1_000)])
        // Who has no key runs nothing again.
        const { report, store } = yield* restore(archive, { signer: undefined })
        assert.isTrue(report.processes.every(({ equal, slots, computed }) => equal && slots === computed))
        assert.deepStrictEqual(yield* shown(store), yield* shown(whole))
        const [before, now] = [yield* outcomesOf(whole), yield* outcomesOf(store)]
        assert.strictEqual(now.nextRelease(), before.nextRelease())
        yield* after((yield* restore(archive)).store, goesOn)
      }),
    ),
  )

  it.live("does not go past a gap in the log, says where it is, and marks the folder", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive, damage } = yield* archived()
        const lost = contents.batches[2]!
        const transaction = damage(lost)
        const store = StoreMemory.make()
        const gap = (yield* Effect.flip(restore(archive, {}, store))) as ArchiveGap
        assert.strictEqual(gap._tag, "ArchiveGap")
        const { head } = lost
        assert.isTrue(head.type === "Batches" && gap.first === head.firstBatch && gap.last === head.lastBatch)
        assert.deepStrictEqual([gap.what, gap.transactions], ["batches", [transaction]])
        const marked = yield* Effect.flip(Effect.provideService(RestoreMark.check, Store, store))
        assert.deepInclude(marked, { _tag: "RestoreUnfinished", scheduler })
        // Another copy comes to the archive, and what was begun goes on.
        yield* Archived.put(archive, signer, [lost, contents.modules[0]!])
        const { report } = yield* restore(archive, {}, store)
        assert.isTrue(report.processes.every(({ equal }) => equal === true))
        yield* Effect.provideService(RestoreMark.check, Store, store)
        assert.deepStrictEqual(rows(store, ...logTables), rows(whole, ...logTables))
      }),
    ),
  )

  it.live("that is cut short after any commit goes on from there and from nowhere else", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived()
        const counted = StoreProbe.make()
        yield* restore(archive, {}, counted.store)
        const commits = counted.commits.length
        assert.isAbove(commits, 15)
        for (let fatal = 1; fatal < commits; fatal++) {
          const probe = StoreProbe.make()
          let made = 0
          probe.after = () => (++made >= fatal ? StoreProbe.full : Effect.void)
          yield* Effect.flip(restore(archive, {}, probe.store))
          probe.after = () => Effect.void
          const marked = yield* Effect.flip(Effect.provideService(RestoreMark.check, Store, probe.store))
          assert.include(marked.message, "was cut short")
          for (const other of [{ full: true }, { processes: [ids.plain] }]) {
            const refused = yield* Effect.flip(restore(archive, other, probe.store))
            assert.deepInclude(refused, { _tag: "RestoreRefused", reason: "other restore" })
          }
          const { report } = yield* restore(archive, {}, probe.store)
          assert.isTrue(
            report.processes.every(({ equal }) => equal === true),
            `after commit ${fatal}`,
          )
          const tables = [...logTables, ...outcomeTables, "turn", "module", "engine", "archive-state"]
          assert.deepStrictEqual(rows(probe.store, ...tables), rows(counted.store, ...tables))
        }
      }),
    ),
  )

  it.live("that is cut short while turns are run again archives these, and none that the archive has", () =>
    Effect.scoped(
      Effect.gen(function* () {
        // The last turns never came into the archive.
        const some = all.filter((one) => !contents.turns.slice(-2).includes(one))
        const { archive } = yield* archived(some)
        const counted = StoreProbe.make()
        yield* restore(archive, {}, counted.store)
        const state = rows(counted.store, "archive-state")
        assert.lengthOf(state, 1)
        const ran = counted.commits.findIndex((tables) => tables.includes("archive-state")) + 1
        assert.isAbove(counted.commits.length - ran, 3)
        for (let fatal = ran; fatal < counted.commits.length; fatal++) {
          const probe = StoreProbe.make()
          let made = 0
          const killed = Deferred.makeUnsafe<void>()
          probe.after = () =>
            ++made < fatal ? Effect.void : Effect.andThen(Deferred.succeed(killed, undefined), Effect.never)
          yield* Effect.raceFirst(restore(archive, {}, probe.store), Deferred.await(killed))
          probe.after = () => Effect.void
          const { report } = yield* restore(archive, {}, probe.store)
          assert.isTrue(report.processes.every(({ equal, slots, computed }) => equal && slots === computed))
          assert.deepStrictEqual(rows(probe.store, "archive-state"), state, `after commit ${fatal}`)
        }
      }),
    ),
  )

  it.live("is refused into a folder that has a log, and of a scheduler that the archive does not know", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived()
        const refusal = (options: Partial<Restore.Options>, store?: Store["Service"]) =>
          Effect.map(Effect.flip(restore(archive, options, store)), (error) =>
            error._tag === "RestoreRefused" ? error.reason : error._tag,
          )
        assert.strictEqual(yield* refusal({}, yield* StoreCopy.copy(whole)), "not empty")
        const other = Caller.caller("somebody").signer.address
        assert.strictEqual(yield* refusal({ scheduler: other }), "nothing there")
        assert.strictEqual(yield* refusal({ scheduler: other, processes: [ids.plain] }), "other scheduler")
        assert.strictEqual(yield* refusal({ scheduler: undefined }), "no scheduler")
        assert.strictEqual(yield* refusal({ processes: [Lives.late.id] }), "ProcessNotArchived")
      }),
    ),
  )

  it.live("without the scheduler's key gives what can be read, and no slots", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived()
        const { report, store } = yield* restore(archive, { signer: undefined })
        assert.isTrue(report.readOnly)
        assert.isTrue(report.processes.every(({ equal }) => equal === true))
        assert.deepStrictEqual(rows(store, "cron-time"), [])
        const other = Caller.caller("somebody").signer
        yield* Effect.gen(function* () {
          yield* TestClock.setTime(Lives.endMs + 3_600_000)
          const { node, stop } = yield* SmallNode.open({ store, signer: other })
          yield* Lives.rest
          assert.strictEqual(yield* view(node, ids.upgraded, "n"), 501)
          const refused = yield* Effect.flip(SmallNode.send(node, Lives.ada, ids.upgraded, "Add"))
          assert.deepInclude(refused, { reason: "other scheduler" })
          yield* stop
        }).pipe(Effect.provide(TestClock.layer()))
        assert.strictEqual(
          (yield* logOf(store)).state(ids.ticking).nextSlot,
          (yield* logOf(whole)).state(ids.ticking).nextSlot,
        )
      }),
    ),
  )

  it.live("names a module that the archive does not have", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const plain = contents.modules.find(({ bytes }) => bytes[0] === 0)!
        const { archive } = yield* archived(all.filter((one) => one !== plain))
        const { report } = yield* restore(archive)
        assert.deepStrictEqual(report.missing, [
          { what: "module", id: plain.head.type === "Module" ? plain.head.module : scheduler },
        ])
        const stuck = report.processes.filter(({ equal }) => equal !== true)
        assert.deepStrictEqual(
          stuck.map(({ process, equal }) => [process, equal]),
          [[ids.plain, false]],
        )
        assert.include(stuck[0]!.detail, "is not stored here")
      }),
    ),
  )
})

describe("Restore of a log in which something is inadmissible", () => {
  it.live("leaves it so, and knows where its content was admitted first", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const book = LogBook.make(signer)
        const process = yield* UnitOver.spawn(book)
        const [add, again, forged] = yield* UnitOver.say(process, "Add", "Add", "Add")
        const item = Bytes.copy(forged!.item)
        item[100]! ^= 1
        book.write(add!)
        book.write(add!, again!, { process, item })
        book.write(again!)
        const { unit, store: computed } = yield* UnitOver.make(book.service)
        for (let slot = 0; slot < 6; slot++) yield* unit.turn(process, slot)
        const batches = yield* Stream.runCollect(Stream.take(book.service.batches(0), 4))
        const module = { head: { type: "Module", module: UnitOver.module }, slots: [] } as const
        const code = { ...module, bytes: Bytes.fromText(UnitOver.guest) }
        const log = [code, Archived.batchesOf([...batches])]
        const { turns } = yield* Archived.contents(computed)
        let store = StoreMemory.make()
        // Run again, and as it was attested.
        for (const made of [log, [...log, ...turns]]) {
          const { archive } = yield* archived(made)
          const restored = yield* restore(archive)
          ;({ store } = restored)
          assert.deepStrictEqual([restored.report.problems, restored.report.missing], [[], []])
          const outcomes = yield* outcomesOf(store)
          const verdicts = outcomes
            .turns(process, 0, 10)
            .map(({ outcome }) => outcome.error?.message ?? "admitted")
          assert.deepStrictEqual(verdicts, [
            "admitted",
            "admitted",
            "repeat",
            "admitted",
            "bad signature",
            "repeat",
          ])
          const ours = (yield* shown(store)).map((line) => line.split(" ").slice(2).join(" "))
          assert.deepStrictEqual(ours, yield* UnitOver.shown(unit, process))
          assert.deepStrictEqual(rows(store, "evaluated"), rows(computed, "evaluated"))
        }
        const { node, stop } = yield* SmallNode.open({ store })
        for (const [line, slot] of [
          [add!, 1],
          [again!, 3],
        ] as const)
          assert.deepInclude(yield* node.messenger.send(line.item), { slot, repeat: true })
        yield* stop
      }),
    ),
  )
})

describe("Restore of a log written by hand", () => {
  it.live("knows a repeat of what is still being written, and writes one commit at a time", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const book = LogBook.make(signer)
        const process = yield* UnitOver.spawn(book)
        const many = yield* UnitOver.sayMany(process, "Add", 1_100)
        const [fresh] = yield* UnitOver.say(process, "Add")
        book.write(...many)
        book.write(many[7]!, fresh!)
        const batches = yield* Stream.runCollect(Stream.take(book.service.batches(0), 3))
        const { archive } = yield* archived([Archived.batchesOf([...batches])])
        const memory = StoreMemory.make()
        const [commits, sizes] = [{ begun: 0, mostAtOnce: 0 }, new Array<number>()]
        const slow = Store.of({
          ...memory,
          commit: Effect.fnUntraced(function* (puts) {
            commits.mostAtOnce = Math.max(commits.mostAtOnce, ++commits.begun)
            yield* Effect.sleep(300)
            yield* memory.commit(puts)
            sizes.push(puts.length)
            commits.begun--
          }),
        })
        yield* restore(archive, { signer: undefined }, slow)
        assert.strictEqual(commits.mostAtOnce, 1)
        assert.isAbove(sizes.filter((puts) => puts > 3).length, 1)
        const log = yield* logOf(memory)
        assert.strictEqual(log.state(process).nextSlot, 1_103)
        const firsts = rows(memory, "seen")
        assert.lengthOf(firsts, 1_102)
        const again = log.entry(process, 1_101)!
        const message = Result.getOrThrow(Assign.read(again.item))
        assert.strictEqual(log.seen(process, Message.repeatKey(message))!.slot, 8)
      }),
    ),
  )

  it.live("that goes on with more than there was archives what it ran itself, and takes none of that", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const late = [contents.batches.at(-1)!, ...contents.turns.slice(-2)]
        const { archive } = yield* archived(all.filter((one) => !late.includes(one)))
        const probe = StoreProbe.make()
        const killed = Deferred.makeUnsafe<void>()
        let [taken, before] = [-1, -1]
        probe.after = (tables) =>
          Effect.gen(function* () {
            if (tables.includes("archive-state")) {
              taken = (yield* outcomesOf(probe.store)).nextRelease()
              before = (yield* logOf(probe.store)).last()!.number + 1
            } else if (taken >= 0 && tables.includes("turn"))
              return yield* Effect.andThen(Deferred.succeed(killed, undefined), Effect.never)
          })
        yield* Effect.raceFirst(restore(archive, {}, probe.store), Deferred.await(killed))
        probe.after = () => Effect.void
        assert.isAbove((yield* outcomesOf(probe.store)).nextRelease(), taken)
        const cursors = Effect.map(Effect.provideService(ArchiveQueue.make, Store, probe.store), (queue) => {
          const { batch, commit } = queue.state()
          return [batch, commit]
        })
        assert.deepStrictEqual(yield* cursors, [before, taken])
        yield* Archived.put(archive, signer, late)
        const { report } = yield* restore(archive, {}, probe.store)
        assert.isTrue(report.processes.every(({ equal, slots, computed }) => equal && slots === computed))
        const end = (yield* logOf(whole)).last()!.number + 1
        assert.isAbove(end, before)
        assert.deepStrictEqual(yield* cursors, [end, taken])
        const signatures = (of: OutcomeLog.OutcomeLog) =>
          Array.from({ length: of.nextRelease() }, (_, n) => Bytes.toHex(of.committed(n)!.signature))
        const known = new Set(signatures(yield* outcomesOf(whole)))
        const isArchived = signatures(yield* outcomesOf(probe.store)).map((one) => known.has(one))
        assert.strictEqual(isArchived.lastIndexOf(true), taken - 1)
        assert.isFalse(isArchived.slice(0, taken).includes(false))
      }),
    ),
  )

  it.live("finds what the store has damaged of a log whose turns were run before it was written", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived(all.filter((one) => !contents.snapshots.includes(one)))
        const probe = StoreProbe.make()
        const of = Bytes.toHex(Id.toBytes(ids.ticking))
        let bent = 0
        // Turns are not run any more once it is known where archiving goes on.
        probe.after = (tables) =>
          Effect.suspend(() => {
            if (!tables.includes("archive-state") || bent > 0) return Effect.void
            const [, row] = StoreCopy.rows(probe.store, "assignment").filter(({ key }) =>
              Bytes.toHex(key).includes(of),
            )
            bent += 1
            // The proof of it, which is none, follows the end of its item.
            return StoreCopy.flip(probe.store, row!, (row!.value.length - 9) * 8)
          })
        const { report } = yield* restore(archive, {}, probe.store)
        assert.strictEqual(bent, 1)
        for (const { process, equal, detail } of report.processes)
          if (process !== ids.ticking) assert.deepStrictEqual([equal, detail], [true, undefined])
          else {
            assert.isFalse(equal)
            assert.include(detail, "slot 1: the item or its proof is not the one that was assigned")
          }
      }),
    ),
  )

  it.live("runs each turn once, whatever is taken before", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived(all.filter((one) => !contents.snapshots.includes(one)))
        const ran = new Map<string, number>()
        const inline = SandboxInline.make()
        const sandbox = Sandbox.of({
          ...inline,
          run: (process, entries) => {
            for (const { slot } of entries)
              ran.set(`${process} ${slot}`, (ran.get(`${process} ${slot}`) ?? 0) + 1)
            return inline.run(process, entries)
          },
        })
        const { report } = yield* restore(archive, {}, StoreMemory.make(), sandbox)
        assert.isTrue(report.processes.every(({ equal, detail }) => equal && detail === undefined))
        assert.strictEqual(
          ran.size,
          report.processes.reduce((sum, { slots }) => sum + slots, 0),
        )
        // Under which program turns after an upgrade are run is asked of all that is attested: that process is run anew.
        const again = new Set([...ran].filter(([, times]) => times > 1).map(([slot]) => slot.split(" ")[0]))
        assert.isAtMost(again.size, 1)
      }),
    ),
  )

  it.live("makes a process at the end whose turns could not be run before", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived(all.filter((one) => !contents.snapshots.includes(one)))
        const inline = SandboxInline.make()
        for (const fault of ["lost", "defect", "other root"] as const) {
          const faulty = new Set<Id.ProcessId>()
          const sandbox = Sandbox.of({
            ...inline,
            run: (process, entries) => {
              if (faulty.has(process) || !entries.some(({ root }) => root))
                return inline.run(process, entries)
              faulty.add(process)
              if (fault === "lost")
                return Effect.fail(new SandboxLost({ process, detail: "gone", own: true }))
              if (fault === "defect") return Effect.die("a fault")
              return Effect.map(inline.run(process, entries), (done) =>
                done.map((one) => ({ ...one, stateRoot: one.stateRoot && new Uint8Array(32) })),
              )
            },
          })
          const { report, store } = yield* restore(archive, {}, StoreMemory.make(), sandbox)
          assert.strictEqual(faulty.size, 6)
          for (const { equal, slots, computed, detail } of report.processes)
            assert.deepStrictEqual([equal, computed, detail], [true, slots, undefined], fault)
          assert.deepStrictEqual(yield* shown(store), yield* shown(whole))
        }
      }),
    ),
  )

  it.live("holds no more processes open beside the log than there is memory for", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived(all.filter((one) => !contents.snapshots.includes(one)))
        const inline = SandboxInline.make()
        const open = new Set<Id.ProcessId>()
        let [most, opened] = [0, 0]
        const sandbox = Sandbox.of({
          ...inline,
          open: (opening) =>
            Effect.suspend(() => {
              open.add(opening.process)
              most = Math.max(most, open.size)
              opened++
              return inline.open(opening)
            }),
          close: (process) =>
            Effect.suspend(() => {
              open.delete(process)
              return inline.close(process)
            }),
        })
        const { report } = yield* restore(archive, { residentBytesMax: 1 }, StoreMemory.make(), sandbox)
        assert.isTrue(report.processes.every(({ equal, detail }) => equal && detail === undefined))
        assert.strictEqual(most, 1)
        assert.isAbove(opened, report.processes.length)
        assert.strictEqual(open.size, 0)
      }),
    ),
  )

  it.live("goes no further where the scheduler signed two logs", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const books = [LogBook.make(signer), LogBook.make(signer)] as const
        for (const book of books)
          for (let i = 0; i < 3; i++) yield* UnitOver.spawn(book, UnitOver.guest, { Anchored: String(i) })
        const three = ({ service }: LogBook.LogBook) =>
          Effect.map(Stream.runCollect(Stream.take(service.batches(0), 3)), (all) => [...all])
        const [mine, other] = [yield* three(books[0]), yield* three(books[1])]
        const { archive } = yield* archived([
          Archived.batchesOf(mine.slice(0, 2)),
          Archived.batchesOf(other.slice(2)),
        ])
        const broken = yield* Effect.flip(restore(archive))
        assert.deepInclude(broken, { _tag: "LogBroken", process: undefined, slot: 2 })
      }),
    ),
  )

  it.live("brings the program of a process that was spawned and is nowhere yet", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const source = 'heddle.on("Make", (m) => heddle.spawn(m.tags.Module))'
        const [code, childCode] = [source, UnitOver.guest].map((text) => Bytes.fromText(text))
        const book = LogBook.make(signer)
        const process = yield* UnitOver.spawn(book, source)
        const make = yield* Effect.promise(() =>
          UnitOver.ada.message(process, "Make", { Module: UnitOver.module }),
        )
        book.write({ process, item: make.bytes })
        const { unit, store: computed } = yield* UnitOver.make(book.service, { sources: [source] })
        assert.lengthOf((yield* unit.turn(process, 1)).outcome.outbox, 1)
        const batches = yield* Stream.runCollect(Stream.take(book.service.batches(0), 2))
        const { turns } = yield* Archived.contents(computed)
        const modules = [code!, childCode!].map((bytes): Archived.Made => ({
          head: { type: "Module", module: Module.id(bytes) },
          slots: [],
          bytes,
        }))
        const { archive } = yield* archived([...modules, Archived.batchesOf([...batches]), ...turns])
        for (const full of [false, true]) {
          const { store } = yield* restore(archive, { full })
          assert.isDefined(Module.get(store, UnitOver.module))
        }
      }),
    ),
  )
})

describe("Restore that can't run what is assigned", () => {
  const some = all.filter((one) => !contents.turns.includes(one))

  it.live("ends where the clock is behind, and says by how much", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const book = LogBook.make(signer)
        const process = yield* UnitOver.spawn(book)
        const [add] = yield* UnitOver.say(process, "Add")
        book.write({ ...add!, timestamp: Date.now() + 3_600_000 })
        const batches = yield* Stream.runCollect(Stream.take(book.service.batches(0), 2))
        const module = { head: { type: "Module", module: UnitOver.module }, slots: [] } as const
        const { archive } = yield* archived([
          { ...module, bytes: Bytes.fromText(UnitOver.guest) },
          Archived.batchesOf([...batches]),
        ])
        const { report } = yield* restore(archive)
        const [checked] = report.processes
        assert.deepInclude(checked, { process, slots: 2, computed: 1, equal: undefined })
        assert.match(checked!.detail!, /slot 1 is \d+ s too far ahead of the clock/)
      }),
    ),
  )

  it.live("ends where the store takes nothing more, and goes on once it does", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived(some)
        const probe = StoreProbe.make()
        probe.before = (tables) =>
          tables.includes("turn") || (tables.includes("restoring") && probe.commits.length > 3)
            ? StoreProbe.full
            : Effect.void
        const failed = yield* Effect.flip(restore(archive, {}, probe.store))
        assert.strictEqual(failed._tag, "StoreFailed")
        probe.before = () => Effect.void
        const { report } = yield* restore(archive, {}, probe.store)
        assert.isTrue(
          report.processes.every(({ slots, computed, detail }) => slots === computed && detail === undefined),
        )
      }),
    ),
  )
})

describe("Restore of some processes", () => {
  it.live("keeps nothing of a content but what it is to have of it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived()
        const store = StoreMemory.make()
        const opened = yield* Effect.provideService(AssignmentLogStore.open, Store, store)
        const contentBytes = new Set(contents.batches.map(({ bytes }) => bytes.length))
        let parts = 0
        const pace = RestorePace.make()
        pace.turnsEnded()
        yield* RestoreLog.restore({
          store: {
            ...opened,
            restore: (restored, states, readOnly) => {
              for (const { link, entries, leaves } of restored) {
                parts += leaves === undefined ? 0 : 1
                const kept = entries.flatMap(({ item, proof, assignment }) => [item, proof, assignment.head])
                for (const { buffer } of [link.owner, link.signature, link.previousRoot, ...kept])
                  assert.isFalse(contentBytes.has(buffer.byteLength))
              }
              return opened.restore(restored, states, readOnly)
            },
          },
          run: yield* BatchRun.ofProcesses(
            archive,
            { report: () => {} },
            scheduler,
            new Map([[ids.parent, 0]]),
          ),
          processes: new Set([ids.parent]),
          readOnly: false,
          modules: () => Effect.void,
          data: () => Effect.void,
          kept: RestoreKept.make(),
          pace,
          onSlots: () => {},
        })
        assert.isAbove(parts, 3)
      }).pipe(Effect.provideService(Verifier, VerifierLocal.make())),
    ),
  )

  it.live("has them alone, opens their receipts and proofs, and never gives a batch number again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive } = yield* archived()
        const chosen = [ids.upgraded, ids.child, ids.parent]
        assert.isTrue(contents.batches.some(isShared) && contents.turns.some(isShared))
        for (const full of [false, true]) {
          const { report, store } = yield* restore(archive, { scheduler: undefined, processes: chosen, full })
          assert.deepStrictEqual(
            report.processes.map(({ process, equal }) => [process, equal]),
            chosen
              .toSorted((a, b) =>
                Bytes.toHex(Bytes.fromBase64Url(a)!) < Bytes.toHex(Bytes.fromBase64Url(b)!) ? -1 : 1,
              )
              .map((process) => [process, true]),
          )
          assert.deepStrictEqual(yield* shown(store, chosen), yield* shown(whole, chosen))
          const [log, before] = [yield* logOf(store), yield* logOf(whole)]
          assert.strictEqual(log.last()!.number, before.last()!.number)
          for (const process of chosen) {
            const [a, b] = [log.state(process), before.state(process)]
            assert.deepStrictEqual(HashMap.toEntries(a.pairs), HashMap.toEntries(b.pairs))
          }
          yield* after(store, (node) =>
            Effect.gen(function* () {
              const { messenger, verifier } = node
              // What went to those who are here is not sent again, whatever shares its release is not here.
              const held = (yield* messenger.outbox).filter(({ kind }) => kind !== "timer")
              assert.deepStrictEqual(
                new Set(held.map(({ target }) => target)),
                new Set([ids.slow, Lives.late.id]),
              )
              for (const { reason } of held) assert.include(reason, "unknown process")
              const next = yield* node.scheduler.nextBatch
              // Followers get what is here, and are not held up by what is not.
              const here = (yield* logOf(store)).processes().reduce((sum, one) => sum + one.nextSlot, 0)
              const followed: Array<Id.ProcessId> = []
              yield* node.scheduler.batches(0).pipe(
                Stream.takeUntil(({ link }) => link.number === next - 1),
                Stream.runForEach(({ entries }) =>
                  Effect.sync(() => followed.push(...entries.map(({ assignment }) => assignment.process))),
                ),
              )
              assert.deepStrictEqual([followed.length, new Set(followed)], [here, new Set(chosen)])
              const { slot } = yield* SmallNode.send(node, Lives.ada, ids.upgraded, "Add")
              yield* Lives.rest
              assert.strictEqual(yield* view(node, ids.upgraded, "n"), 502)
              const receipt = yield* messenger.receipt(ids.upgraded, slot)
              assert.strictEqual(receipt.link.number, next)
              assert.strictEqual(next, before.last()!.number + 1)
              assert.deepStrictEqual(receipt.link.previousRoot, before.last()!.root)
              for (const process of chosen) {
                for (let at = 0; at < (yield* messenger.process(process)).slots; at++)
                  assert.isTrue(Batch.receiptHolds(yield* messenger.receipt(process, at)))
                const audit = yield* Audit.run(messenger, SandboxInline.make(), process, { verifier })
                assert.strictEqual(audit.finding, undefined)
              }
              const [spawn] = yield* messenger.log(ids.child, 0, 1)
              const proof = yield* messenger.viewProof(ids.child, "sums")
              const proven = Result.getOrThrow(ProvenView.check(ids.child, "sums", spawn!.item, proof))
              assert.strictEqual(proven.value, "5")
            }),
          )
        }
      }),
    ),
  )

  it.live(
    "gives no slot to a process that is left out, whoever sends its spawn, and takes no others later",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { archive } = yield* archived()
          const before = yield* logOf(whole)
          const { store } = yield* restore(archive, { processes: [ids.parent] })
          for (let start = 0; start < 2; start++)
            yield* after(store, (node) =>
              Effect.gen(function* () {
                const { messenger } = node
                // The parent's own spawn is on its way again.
                const held = (yield* messenger.outbox).filter(({ kind }) => kind === "spawn")
                assert.deepStrictEqual(
                  held.map(({ target, reason }) => [target, reason.split(":", 1)[0]]),
                  [[ids.child, "not restored"]],
                )
                for (const item of [before.entry(ids.slow, 0)!.item, Lives.late.bytes]) {
                  const refused = yield* Effect.flip(messenger.send(item))
                  assert.deepInclude(refused, { _tag: "Refused", reason: "not restored" })
                  assert.include(refused.message, "restore the whole scheduler")
                }
                // What is here has its slot.
                const own = yield* messenger.send(before.entry(ids.parent, 0)!.item)
                assert.deepInclude(own, { process: ids.parent, slot: 0, repeat: true })
              }),
            )
          const log = yield* logOf(store)
          assert.deepStrictEqual(
            log.processes().map(({ process }) => process),
            [ids.parent],
          )
          for (const processes of [[], [ids.slow]]) {
            const refused = yield* Effect.flip(restore(archive, { processes }, store))
            assert.deepInclude(refused, { _tag: "RestoreRefused", reason: "not empty" })
            assert.include(refused.message, "more can't be added")
          }
        }),
      ),
  )

  it.live("finds them whatever the tags of their contents say", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const claimed = contents.batches.map((one, i): Archived.Made => {
          const number = 900 - i
          const head = { ...one.head, firstBatch: number, lastBatch: number } as Archived.Made["head"]
          return { ...one, head, slots: one.slots.map((range) => ({ ...range, first: 0, last: 99 })) }
        })
        const { archive } = yield* archived([...contents.modules, ...claimed, ...contents.turns])
        const processes = [ids.parent, ids.plain]
        for (const chosen of [processes, []]) {
          const { report, store } = yield* restore(archive, { processes: chosen })
          assert.isTrue(report.processes.every(({ equal }) => equal === true))
          assert.deepStrictEqual(yield* shown(store, processes), yield* shown(whole, processes))
        }
      }),
    ),
  )

  it.live("names slots that no copy gives, and leaves other processes alone", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { archive, damage } = yield* archived()
        const lost = contents.batches[3]!
        const transaction = damage(lost)
        for (const { process, first, last } of lost.slots) {
          const gap = (yield* Effect.flip(restore(archive, { processes: [process] }))) as ArchiveGap
          assert.deepInclude(gap, { what: "slots", process, first, last, transactions: [transaction] })
        }
        const free = Object.values(ids).filter((id) => lost.slots.every(({ process }) => process !== id))
        assert.isAbove(free.length, 0)
        const { report } = yield* restore(archive, { processes: free })
        assert.isTrue(report.processes.every(({ equal }) => equal === true))
      }),
    ),
  )
})

/** A process that was told data of these bytes, and what its node came to. */
const told = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const store = StoreMemory.make()
  const { node, stop } = yield* SmallNode.open({ store })
  const process = yield* SmallNode.spawn(node, Lives.ada, 'heddle.on("Put", (m) => m.data.length)')
  const hash = yield* node.messenger.addData(bytes)
  const tags = { "Data-Hash": hash, "Data-Length": String(bytes.length) }
  yield* SmallNode.send(node, Lives.ada, process, "Put", tags)
  yield* node.compute.turn(process, 1)
  yield* stop
  const data: Archived.Made = { head: { type: "Data", hash: Hash.sha256(bytes) }, slots: [], bytes }
  return { process, hash, data, store, made: yield* Archived.contents(store) }
})

describe("Restore of a log that refers to data", () => {
  it.live("ends where the data is lost, and says which", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { process, hash, made } = yield* told(new Uint8Array(100_000).fill(3))
        const { archive } = yield* archived([made.modules, made.engines, made.batches].flat())
        const { report, store } = yield* restore(archive)
        assert.deepStrictEqual(report.missing, [{ what: "data", id: hash }])
        const [checked] = report.processes
        assert.deepInclude(checked, { process, slots: 2, computed: 1, equal: undefined })
        assert.include(checked!.detail, `hash ${hash} that it refers to are not to be had`)
        yield* Effect.provideService(RestoreMark.check, Store, store)
      }),
    ),
  )

  it.live("brings an engine that is data as well", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [engine] = contents.engines
        const { data, store: before, made } = yield* told(engine!.bytes)
        assert.isAbove(rows(before, "engine").length, 0)
        const { archive } = yield* archived(
          [made.modules, made.engines, made.batches, made.turns, data].flat(),
        )
        const { report, store } = yield* restore(archive)
        assert.deepStrictEqual([report.missing, report.problems], [[], []])
        assert.deepStrictEqual(rows(store, "engine"), rows(before, "engine"))
      }),
    ),
  )
})

describe("Restore from an archive into which strangers put pieces", () => {
  it.live(
    "is not held up by batches that they say there are, and restores nothing where there is nothing else",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const stranger = Caller.caller("stranger").signer
          const head = {
            type: "Batches",
            scheduler,
            firstBatch: 0,
            lastBatch: 1_000_000,
            previousRoot: Hash.sha256(Bytes.empty),
            root: Hash.sha256(Bytes.empty),
          } as const
          const slots = Object.values(ids).map((process) => ({ process, first: 0, last: 1_000_000 }))
          const tags = PieceTags.encode({ kind: "part", head, content: ids.plain, part: 1, parts: 2, slots })
          const item = yield* SignedItem.sign(stranger, { tags, data: Bytes.u8(1) })
          const put = Effect.fnUntraced(function* (archive: Archive["Service"]) {
            const bundle = bundleOf([item])
            yield* archive.upload(yield* archive.prepare(bundle), bundle.bytes)
            return bundle.id
          })
          const { archive } = yield* archived()
          const transaction = yield* put(archive)
          for (const processes of [[], [ids.parent], [ids.plain]]) {
            const { report, store } = yield* restore(archive, { processes })
            assert.isTrue(report.processes.every(({ equal }) => equal === true))
            assert.strictEqual((yield* logOf(store)).last()!.number, (yield* logOf(whole)).last()!.number)
            const told = new Set(report.problems.map((one) => `${one.transaction} ${one.reason}`))
            assert.deepStrictEqual(told, new Set([`${transaction} missing`]))
          }
          const { archive: empty } = yield* archived([])
          yield* put(empty)
          const refused = yield* Effect.flip(restore(empty))
          assert.deepInclude(refused, { _tag: "RestoreRefused", reason: "nothing there" })
        }),
      ),
  )
})

describe("heddle dev", () => {
  it.live("does not start on a folder in which a restore was cut short", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const dataFolder = yield* Folder.make
        yield* Effect.scoped(
          Effect.flatMap(StoreLmdb.make(dataFolder), (store) =>
            store.commit([RestoreMark.put({ scheduler, processes: [], full: false })]),
          ),
        )
        const { identity } = Caller.caller("small node")
        const node = Node.layer({ dataFolder, identity, sandboxWorkers: 1, cryptoWorkers: 1 })
        const failed = yield* Effect.flip(Effect.provide(Effect.void, node))
        assert.strictEqual(failed._tag, "RestoreUnfinished")
        assert.include(failed.message, `all processes of ${scheduler}`)
      }),
    ),
  )
})
