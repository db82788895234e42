/** One process read out of an archive that is damaged, false, or has it twice. */
import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ArchiveSource from "../../archive-unit/ArchiveSource.ts"
import type { Problem } from "../../archive-unit/ContentReader.ts"
import * as PieceTags from "../../archive-unit/PieceTags.ts"
import * as Audit from "../../compute-unit/Audit.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Archive from "../../runtime/Archive.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Archived from "../support/Archived.ts"
import * as Caller from "../support/Caller.ts"
import * as Folder from "../support/Folder.ts"
import * as LogBook from "../support/LogBook.ts"
import * as Lives from "../support/ManyLives.ts"
import * as SmallNode from "../support/SmallNode.ts"

const { signer } = SmallNode.seams()
const stranger = Caller.caller("stranger").signer
const { ids, store } = await Effect.runPromise(Lives.live(0))
const contents = await Effect.runPromise(Archived.contents(store, 3))
const { parent: process } = ids
const all = [contents.modules, contents.batches, contents.turns, contents.snapshots].flat()
const verifier = VerifierLocal.make()

/** Contents that have slots of the process. */
const ofProcess = (made: ReadonlyArray<Archived.Made>) =>
  made.filter(({ slots }) => slots.some((range) => range.process === process))
const [batches, turns] = [ofProcess(contents.batches), ofProcess(contents.turns)]
const rangeOf = ({ slots }: Archived.Made) => slots.find((range) => range.process === process)!

interface Bench {
  readonly archive: Archive.Archive["Service"]
  readonly put: (made: Archived.Made, by?: typeof signer) => Effect.Effect<Id.Id>
  /** Changes the file of a bundle. */
  readonly change: (bundle: Id.Id, change: (bytes: Buffer) => Uint8Array | undefined) => void
  readonly places: ReadonlyMap<Archived.Made, Id.Id>
}

const bench = Effect.fnUntraced(function* (made: ReadonlyArray<Archived.Made> = all) {
  const folder = yield* Folder.make
  const archive = yield* ArchiveFolder.make(folder)
  const put: Bench["put"] = (one, by = signer) => Effect.orDie(Archived.put(archive, by, [one]))
  const places = new Map<Archived.Made, Id.Id>()
  for (const one of made) places.set(one, yield* put(one))
  const change: Bench["change"] = (bundle, of) => {
    const file = path.join(folder, `${bundle}.bundle`)
    const changed = of(fs.readFileSync(file))
    if (changed === undefined) fs.rmSync(file)
    else fs.writeFileSync(file, changed)
  }
  return { archive, put, change, places } satisfies Bench
})

const flipLast = (bytes: Buffer) => {
  bytes[bytes.length - 1]! ^= 1
  return bytes
}

const read = Effect.fnUntraced(
  function* (archive: Archive.Archive["Service"], of = process) {
    const problems: Array<Problem> = []
    const source = yield* ArchiveSource.open(archive, of, { report: (one) => problems.push(one) })
    const heldMax = { batches: 0, turns: 0 }
    const audit = (start?: Audit.Start) =>
      Audit.run<ArchiveSource.ArchiveGap | Archive.ArchiveUnavailable>(
        {
          ...source,
          receipt: (id, slot) =>
            Effect.tap(source.receipt(id, slot), () =>
              Effect.sync(() => {
                const [b, t] = source.held()
                heldMax.batches = Math.max(heldMax.batches, b)
                heldMax.turns = Math.max(heldMax.turns, t)
              }),
            ),
        },
        SandboxInline.make(),
        of,
        { verifier },
        () => {},
        start,
      )
    return { source, problems, audit, heldMax }
  },
  Effect.provideService(Verifier, verifier),
)

const told = (problems: ReadonlyArray<Problem>) =>
  problems.map(({ transaction, reason }) => [transaction, reason])

describe("ArchiveSource", () => {
  it.live("verifies a process from slot 0 and from its newest snapshot, and holds few contents", () =>
    Effect.scoped(
      Effect.gen(function* () {
        assert.isAbove(batches.length, Limit.archiveContentsHeldMax + 1)
        const { archive } = yield* bench()
        for (const of of Object.values(ids)) {
          const { audit, problems, heldMax } = yield* read(archive, of)
          const { finding, slots, stateRoot } = yield* audit()
          assert.deepStrictEqual([finding, problems], [undefined, []])
          const newest = yield* audit("newest")
          assert.deepStrictEqual([newest.finding, newest.from + newest.slots], [undefined, slots])
          assert.strictEqual(Bytes.toHex(newest.stateRoot), Bytes.toHex(stateRoot))
          assert.isAtLeast(newest.from, 1)
          assert.isAtMost(Math.max(heldMax.batches, heldMax.turns), Limit.archiveContentsHeldMax)
          assert.isAtLeast(heldMax.batches, 1)
        }
      }),
    ),
  )

  it.live("names each damaged copy and takes the next", () =>
    Effect.scoped(
      Effect.gen(function* () {
        for (const [change, reason] of [
          [flipLast, "wrong bytes"],
          [(bytes: Buffer) => bytes.subarray(0, bytes.length - 100), "wrong bytes"],
          [() => undefined, "not here"],
        ] as const)
          for (const one of [batches[1]!, turns[1]!]) {
            const { archive, put, change: damage, places } = yield* bench()
            yield* put(one, stranger)
            const { audit, problems, source } = yield* read(archive)
            assert.isAbove(source.listed.length, 0)
            damage(places.get(one)!, change)
            const { finding, slots } = yield* audit()
            assert.deepStrictEqual([finding, slots], [undefined, rangeOf(batches.at(-1)!).last + 1])
            assert.deepStrictEqual(told(problems), [[places.get(one)!, reason]])
          }
      }),
    ),
  )

  it.live("takes slots from contents that overlap", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const other = yield* Archived.contents(store, 4)
        const lost = batches[1]!
        const { archive, change, places } = yield* bench([...all, ...other.batches, ...other.turns])
        change(places.get(lost)!, flipLast)
        const { audit, problems } = yield* read(archive)
        assert.strictEqual((yield* audit()).finding, undefined)
        assert.isAbove(problems.length, 0)
        for (const { transaction } of problems) assert.strictEqual(transaction, places.get(lost)!)
      }),
    ),
  )

  it.live("says which slots no copy gives, and where they should be", () =>
    Effect.scoped(
      Effect.gen(function* () {
        for (const [what, made] of [
          ["slots", batches],
          ["turns", turns],
        ] as const)
          for (const one of [made[1]!, made.at(-1)!]) {
            const { archive, change, places } = yield* bench()
            const { audit } = yield* read(archive)
            change(places.get(one)!, flipLast)
            const gap = yield* Effect.flip(audit())
            const { first, last } = rangeOf(one)
            assert.deepInclude(gap, { _tag: "ArchiveGap", what, process, first, last })
            assert.include(gap.message, places.get(one)!)
            // Where nothing even claims to have them, what comes after shows that they are missing.
            if (one === made.at(-1)) continue
            const without = yield* read((yield* bench(all.filter((other) => other !== one))).archive)
            const missing = yield* Effect.flip(without.audit())
            assert.deepInclude(missing, { what, first, last, transactions: [] })
          }
      }),
    ),
  )

  it.live("believes no content that is signed by somebody else, however it is tagged", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const other = yield* Effect.promise(() => Effect.runPromise(lifeOfStranger))
        const { archive, put } = yield* bench(contents.modules)
        const named = rangeOf(batches[0]!)
        for (const one of other.batches) yield* put({ ...one, slots: [named] })
        const unknown = yield* Effect.flip(read(archive))
        assert.deepInclude(unknown, { _tag: "ProcessNotArchived", process })
        for (const one of other.batches)
          yield* put({ ...one, head: batches[1]!.head, slots: [rangeOf(batches[1]!)] })
        for (const one of other.turns)
          yield* put({ ...one, head: turns[1]!.head, slots: [rangeOf(turns[1]!)] })
        for (const one of [...contents.batches, ...contents.turns]) yield* put(one)
        const { audit, problems } = yield* read(archive)
        assert.strictEqual((yield* audit()).finding, undefined)
        assert.isAbove(problems.length, 0)
        for (const { reason, detail } of problems) {
          assert.strictEqual(reason, "not true")
          assert.include(detail, "other signer")
        }
      }),
    ),
  )

  it.live("takes no spawn message whose signature is that of another content", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { source } = yield* read((yield* bench()).archive)
        const [spawn] = yield* source.log(process, 0, 1)
        const item = Bytes.copy(spawn!.item)
        const scheduler = Bytes.fromText(signer.address)
        const at = Buffer.from(item).indexOf(scheduler)
        item.set(Bytes.fromText(stranger.address), at)
        const book = LogBook.make(stranger)
        book.write({ process, item })
        const [forged] = [...(yield* Stream.runCollect(Stream.take(book.service.batches(0), 1)))]
        const { archive, put } = yield* bench([])
        const transaction = yield* put(Archived.batchesOf([forged!]))
        for (const one of all) yield* put(one)
        const { audit, problems } = yield* read(archive)
        assert.strictEqual((yield* audit()).finding, undefined)
        assert.deepInclude(problems[0], { transaction, reason: "not true" })
        assert.include(problems[0]!.detail, "is not its spawn message")
      }),
    ),
  )

  it.live("finds what is tagged wrongly, and what only an index names", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const claimed = contents.batches.map((one, i): Archived.Made => {
          const head = { ...one.head, firstBatch: 900 - i, lastBatch: 900 - i } as PieceTags.Head
          return { ...one, head, slots: one.slots.map((range) => ({ ...range, first: 0, last: 99 })) }
        })
        const { archive } = yield* bench([...contents.modules, ...claimed, ...contents.turns])
        const { audit, problems } = yield* read(archive)
        assert.deepStrictEqual([(yield* audit()).finding, problems], [undefined, []])

        // Sixty others stand before it, so that its tags have no room for it.
        const many = Array.from({ length: 120 }, (_, i) => ({
          process: Id.fromBytes(Hash.sha256(Bytes.u32(i))),
          first: 0,
          last: 0,
        }))
        const crowded = contents.batches.map((one) => ({ ...one, slots: [...many, ...one.slots] }))
        const indexed = yield* bench([...contents.modules, ...crowded, ...contents.turns])
        const found = yield* read(indexed.archive)
        assert.deepStrictEqual([(yield* found.audit()).finding, found.problems], [undefined, []])
      }),
    ),
  )

  it.live("names a piece that makes no content", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const one = batches[1]!
        const { archive, put } = yield* bench([])
        const piece = { kind: "part", head: one.head, part: 0, parts: 1, slots: one.slots } as const
        const content = Id.fromBytes(Hash.sha256(Bytes.fromText("other")))
        const tags = PieceTags.encode({ ...piece, content })
        const item = yield* SignedItem.sign(stranger, { tags, data: Bytes.fromText("nothing") })
        const bundle = Archive.bundle([item])
        yield* archive.upload(yield* archive.prepare(bundle), bundle.bytes)
        for (const other of all) yield* put(other)
        const { audit, problems } = yield* read(archive)
        assert.strictEqual((yield* audit()).finding, undefined)
        assert.strictEqual(problems.length, 1)
        for (const problem of problems) {
          assert.deepInclude(problem, { transaction: bundle.id, reason: "damaged" })
          assert.include(problem.detail, "hash")
        }
      }),
    ),
  )

  it.live("leaves out snapshots of states that nobody attested", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const mine = contents.snapshots.filter(
          ({ head }) => head.type === "Snapshot" && head.process === process,
        )
        const last = mine.at(-1)!
        const { archive, put } = yield* bench()
        const head = { ...last.head, stateRoot: Hash.sha256(Bytes.empty) } as PieceTags.Head
        yield* put({ ...last, head: { ...head, slot: 99 } as PieceTags.Head })
        const { source, audit } = yield* read(archive)
        const slots = (yield* source.snapshots(process)).map(({ slot }) => slot)
        assert.deepStrictEqual(
          slots,
          mine.map((one) => (one.head.type === "Snapshot" ? one.head.slot : -1)),
        )
        assert.strictEqual((yield* audit("newest")).finding, undefined)
      }),
    ),
  )
})

/** What somebody else signed, of processes of their own. */
const lifeOfStranger = Effect.scoped(
  Effect.gen(function* () {
    const node = yield* SmallNode.make({ signer: stranger })
    const of = yield* SmallNode.spawn(node, Lives.ada, 'heddle.on("Get", () => 1)')
    yield* SmallNode.ask(node, Lives.ada, of, "Get")
    return yield* Archived.contents(node.store)
  }),
)
