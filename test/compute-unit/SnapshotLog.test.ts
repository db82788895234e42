import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Taken } from "../../compute-unit/Sandbox.ts"
import * as SnapshotLog from "../../compute-unit/SnapshotLog.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Limit from "../../runtime/Limit.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreCopy from "../support/StoreCopy.ts"
import * as StoreProbe from "../support/StoreProbe.ts"
import { hash, id } from "../support/Unsigned.ts"

const [loom, shuttle] = [id("loom"), id("shuttle")]
const open = (store: Store["Service"]) => SnapshotLog.make.pipe(Effect.provideService(Store, store))

/** A snapshot of so many bytes, which differ from slot to slot. */
const taken = (slot: number, length = 100): Taken => {
  const bytes = new Uint8Array(length)
  for (let at = 0, block = hash(`slot ${slot}`); at < length; at += block.length, block = Hash.sha256(block))
    bytes.set(block.subarray(0, length - at), at)
  return { slot, stateRoot: hash(`root ${slot}`), bytes }
}

const part = Limit.snapshotPartBytesMax
const partsOf = (store: Store["Service"]) => StoreCopy.rows(store, "snapshot-part").length

describe("SnapshotLog", () => {
  it.effect("keeps the bytes of the newest two of a process, and of all others what they were", () =>
    Effect.gen(function* () {
      const { store } = StoreProbe.make()
      const log = yield* open(store)
      const all = [3, 7, 9, 12].map((slot) => taken(slot))
      for (const one of all) yield* log.write(loom, one)
      yield* log.write(shuttle, taken(1))
      assert.deepStrictEqual(log.kept(loom), [12, 9])
      assert.deepStrictEqual(log.kept(shuttle), [1])
      assert.deepStrictEqual(
        log.list(loom),
        all.map(({ slot, stateRoot, bytes }) => ({
          slot,
          stateRoot,
          sha256: Hash.sha256(bytes),
          length: bytes.length,
          kept: slot > 7,
        })),
      )
      assert.deepStrictEqual(log.bytes(loom, 12), all[3]!.bytes)
      assert.deepStrictEqual(log.bytes(loom, 9), all[2]!.bytes)
      assert.strictEqual(log.bytes(loom, 7), "it is not kept")
      assert.strictEqual(log.bytes(shuttle, 9), "it is not kept")
      assert.strictEqual(partsOf(store), 3)
    }),
  )

  it.effect("writes a small one in one commit, and a large one part by part, whole only at the end", () =>
    Effect.gen(function* () {
      const probe = StoreProbe.make()
      const log = yield* open(probe.store)
      yield* log.write(loom, taken(1, part))
      assert.strictEqual(probe.commits.length, 1)
      const large = taken(2, 2 * part + 1)
      probe.before = () => Effect.sync(() => assert.deepStrictEqual(log.kept(loom), [1]))
      yield* log.write(loom, large)
      assert.strictEqual(probe.commits.length, 1 + 5)
      assert.deepStrictEqual(log.kept(loom), [2, 1])
      assert.deepStrictEqual(log.bytes(loom, 2), large.bytes)
      for (const tables of probe.commits.slice(2, 5)) assert.deepStrictEqual(tables, ["snapshot-part"])
    }),
  )

  it.effect(
    "has nothing of one whose writing broke off at any commit, and takes the rest away with the next",
    () =>
      Effect.gen(function* () {
        for (let last = 0; last < 5; last++) {
          const probe = StoreProbe.make()
          const log = yield* open(probe.store)
          yield* log.write(loom, taken(1))
          let left = last
          probe.before = () => (left-- > 0 ? Effect.void : StoreProbe.full)
          assert.strictEqual(
            (yield* Effect.flip(log.write(loom, taken(2, 2 * part + 1))))._tag,
            "StoreFailed",
          )
          probe.before = () => Effect.void
          const again = yield* open(probe.store)
          assert.deepStrictEqual(again.kept(loom), [1])
          assert.deepStrictEqual(
            again.list(loom).map(({ slot }) => slot),
            [1],
          )
          assert.strictEqual(again.bytes(loom, 2), "it is not kept")
          assert.deepStrictEqual(again.bytes(loom, 1), taken(1).bytes)
          yield* again.write(loom, taken(3))
          assert.deepStrictEqual(again.kept(loom), [3, 1])
          assert.strictEqual(partsOf(probe.store), 2)
        }
      }),
  )

  it.effect("writes one anew over a longer one of the same slot", () =>
    Effect.gen(function* () {
      const { store } = StoreProbe.make()
      const log = yield* open(store)
      yield* log.write(loom, taken(1))
      yield* log.write(loom, taken(2, 2 * part + 1))
      yield* log.write(loom, { ...taken(2), stateRoot: hash("another") })
      assert.deepStrictEqual(log.kept(loom), [2, 1])
      assert.deepStrictEqual(log.bytes(loom, 2), taken(2).bytes)
      assert.strictEqual(partsOf(store), 2)
    }),
  )

  it.effect("gives up one that is of no use, and keeps an older one in its place", () =>
    Effect.gen(function* () {
      const { store } = StoreProbe.make()
      const log = yield* open(store)
      for (const slot of [1, 2]) yield* log.write(loom, taken(slot))
      yield* log.drop(loom, 2)
      yield* log.drop(loom, 2)
      assert.deepStrictEqual(log.kept(loom), [1])
      yield* log.write(loom, taken(3))
      assert.deepStrictEqual(log.kept(loom), [3, 1])
      assert.deepStrictEqual(
        log.list(loom).map(({ slot, kept }) => [slot, kept]),
        [
          [1, true],
          [2, false],
          [3, true],
        ],
      )
    }),
  )

  it.effect("says of one with any bit turned around that it can't be used", () =>
    Effect.gen(function* () {
      const { store } = StoreProbe.make()
      const log = yield* open(store)
      yield* log.write(loom, taken(1, 40))
      const [row] = StoreCopy.rows(store, "snapshot-part")
      const bits = 8 * row!.value.length
      assert.isAbove(bits, 320)
      for (let bit = 0; bit < bits; bit++) {
        yield* StoreCopy.flip(store, row!, bit)
        assert.include(
          ["its bytes are not those that were written", "its bytes can't be read"],
          log.bytes(loom, 1),
          `bit ${bit}`,
        )
      }
      yield* Effect.orDie(store.commit([row!]))
      assert.deepStrictEqual(log.bytes(loom, 1), taken(1, 40).bytes)
      yield* Effect.orDie(store.commit([{ key: row!.key, value: undefined }]))
      assert.strictEqual(log.bytes(loom, 1), "its bytes can't be read")
      assert.isTrue(Bytes.equal(log.list(loom)[0]!.sha256, Hash.sha256(taken(1, 40).bytes)))
    }),
  )
})
