/** What a rehearsal has in the sandbox, and which turns it runs. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { EngineStore } from "../../compute-unit/EngineStore.ts"
import type * as Follower from "../../compute-unit/Follower.ts"
import type { Evaluated } from "../../compute-unit/Sandbox.ts"
import { Sandbox } from "../../compute-unit/Sandbox.ts"
import type { TurnRunner } from "../../compute-unit/TurnRunner.ts"
import * as RestoreRehearsal from "../../node/RestoreRehearsal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Module from "../../runtime/Module.ts"
import type * as Process from "../../runtime/Process.ts"
import { Store } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"

const source = Bytes.fromText("a program")

const processes = Array.from(
  { length: 10 },
  (_, i) => ({ id: Id.fromBytes(Hash.sha256(Bytes.u32(i))), module: Module.id(source) }) as Process.Process, // all that is looked at
)

const rootAt = (slot: number) => Hash.sha256(Bytes.u32(slot))

/** One turn, attested alone. */
const partAt = (process: Process.Process, slot: number, upgrade?: object): RestoreRehearsal.Part => {
  const pointAt = (at: number) => ({ slot: at, head: rootAt(at), stateRoot: rootAt(at) })
  const [engine, outcomeRoot] = [Bytes.empty, Bytes.empty]
  return {
    process,
    examined: [{ entry: { slot, item: Bytes.empty, upgrade } } as Follower.Examined], // all that is looked at
    group: {
      attestation: {
        engine,
        process: process.id,
        term: 0,
        from: pointAt(slot - 1),
        to: pointAt(slot),
        outcomeRoot,
      },
      engines: [],
    },
  }
}

const upgrade = (process: Process.Process) => partAt(process, 1, {})

const make = Effect.fnUntraced(function* (residentBytesMax: number, gate: Effect.Effect<void> = Effect.void) {
  const store = StoreMemory.make()
  yield* store.commit([Module.put(source)])
  const open = new Set<Id.ProcessId>()
  const seen = { openMax: 0, opened: 0, ran: [] as Array<number> }
  const sandbox = {
    open: ({ process }: { readonly process: Id.ProcessId }) =>
      Effect.sync(() => {
        open.add(process)
        seen.opened += 1
        seen.openMax = Math.max(seen.openMax, open.size)
      }),
    close: (process: Id.ProcessId) => Effect.sync(() => void open.delete(process)),
  } satisfies Partial<Sandbox["Service"]> as unknown as Sandbox["Service"] // a rehearsal asks it for nothing else
  const runTurns: TurnRunner = (_, entries) =>
    Effect.as(
      Effect.tap(gate, () => Effect.sync(() => seen.ran.push(...entries.map(({ slot }) => slot)))),
      entries.map(({ slot }) => ({ stateRoot: rootAt(slot), ownBytes: 0 }) as Evaluated), // all that is looked at
    )
  const rehearsal = yield* RestoreRehearsal.make({
    engines: { provide: (effect) => effect } as EngineStore, // one engine, which is there
    runTurns,
    residentBytesMax,
    isLeftOut: () => false,
  }).pipe(Effect.provideService(Store, store), Effect.provideService(Sandbox, sandbox))
  return { rehearsal, open, seen }
})

describe("RestoreRehearsal", () => {
  it.live(
    "has three processes in the sandbox where there is memory for three, and closes all at its end",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { rehearsal, open, seen } = yield* make(3 * Limit.residentOverheadBytes)
          for (const process of processes) yield* rehearsal.add(partAt(process, 0))
          const points = yield* rehearsal.end
          assert.isAtMost(seen.openMax, 3)
          assert.isAbove(points.size, 0)
          assert.deepStrictEqual([...open], [])
        }),
      ),
  )

  it.live(
    "closes those that were upgraded after their first turns were run, and has room again for others",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { rehearsal, open, seen } = yield* make(3 * Limit.residentOverheadBytes)
          for (const process of processes) {
            yield* rehearsal.add(partAt(process, 0))
            yield* rehearsal.round
            yield* rehearsal.add(upgrade(process))
          }
          yield* rehearsal.round
          assert.deepStrictEqual([...open], [])
          assert.strictEqual(seen.opened, processes.length)
          assert.isAtMost(seen.openMax, 3)
          assert.strictEqual((yield* rehearsal.end).size, 0)
        }),
      ),
  )

  it.live("has no room for another before one whose rehearsal has ended is closed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { rehearsal, open, seen } = yield* make(Limit.residentOverheadBytes + 1)
        for (const process of processes.slice(0, 3)) {
          yield* rehearsal.add(partAt(process, 0))
          yield* rehearsal.round
          yield* rehearsal.add(partAt(process, 9)) // turns between are missing
        }
        assert.deepStrictEqual([seen.openMax, open.size], [1, 1])
      }),
    ),
  )

  it.live("runs nothing more of a process whose rehearsal has ended, though it waits in the round", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const { rehearsal, seen } = yield* make(1_000_000, Deferred.await(gate))
        const [process] = processes as [Process.Process]
        for (const slot of [0, 1, 2]) yield* rehearsal.add(partAt(process, slot))
        yield* rehearsal.round
        yield* rehearsal.add(partAt(process, 9))
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual((yield* rehearsal.end).size, 0)
        assert.deepStrictEqual(seen.ran, [0])
      }),
    ),
  )
})
