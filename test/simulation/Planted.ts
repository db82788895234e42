/**
 * Planted: bugs of the kinds that a node like this has, to see that the checkers find them. Each takes the place of a
 * real piece; none is known to production code.
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Turn } from "../../compute-unit/ComputeUnit.ts"
import * as SnapshotLog from "../../compute-unit/SnapshotLog.ts"
import type { LogState } from "../../runtime/Admission.ts"
import * as Authority from "../../runtime/Authority.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import { Store } from "../../runtime/Store.ts"
import * as Table from "../../runtime/Table.ts"
import * as Waiters from "../../runtime/Waiters.ts"
import type { AssignmentLog } from "../../scheduler-unit/AssignmentLog.ts"
import { message } from "../support/Unsigned.ts"
import * as PlantedVoids from "./PlantedVoids.ts"
import type { Pieces } from "./SimulatedNode.ts"
import { tablesOf } from "./StoreSimulated.ts"
import type { Planted } from "./World.ts"

export interface Bug extends Planted {
  readonly name: string
  /** Checkers of which one must find it. */
  readonly found: ReadonlyArray<string>
  /** A seed in which it shows. */
  readonly seed: number
}

/** Bends what the scheduler's log says of a process. */
const bentState =
  (bend: (state: LogState, process: Id.ProcessId, starts: number) => LogState): Pieces["log"] =>
  (log, starts) => ({ ...log, state: (process) => bend(log.state(process), process, starts) })

const oneUnit = { units: 1, lie: undefined }
const oftenDown = { crashPerFlush: 0.2, crashesMax: 12 }

/** Takes each message between processes as the next one of its pair. */
const anyPair = (): Pick<Pieces, "scheduler" | "log"> => {
  const last = new Map<Id.ProcessId, readonly [source: Id.ProcessId, pair: number]>()
  return {
    scheduler: (scheduler) => ({
      ...scheduler,
      submit: (bytes, proof) =>
        Effect.suspend(() => {
          const item = Result.getOrUndefined(Item.decode(bytes))
          const shown = Result.getOrUndefined(OutboxProof.decode(proof))
          if (item?.target.length && shown?.kind === "message")
            last.set(Id.fromBytes(item.target), [shown.attestation.process, shown.pair - 1])
          return scheduler.submit(bytes, proof)
        }),
    }),
    log: bentState((state, process) => {
      const said = last.get(process)
      return said === undefined ? state : { ...state, pairs: HashMap.set(state.pairs, ...said) }
    }),
  }
}

/** Believes by a new policy from the moment in which its owner sends it, not from the slot after its own. */
const policyEarly = (): Pick<Pieces, "scheduler" | "log"> => {
  const sent = new Map<Id.ProcessId, Authority.Authority>()
  return {
    scheduler: (scheduler) => ({
      ...scheduler,
      submit: (bytes, proof) =>
        Effect.suspend(() => {
          const said = Result.flatMap(Item.decode(bytes), Message.parse)
          if (Result.isSuccess(said) && said.success.action === "Authority")
            sent.set(said.success.process, Result.getOrThrow(Authority.parse(said.success.item.tags, [])))
          return scheduler.submit(bytes, proof)
        }),
    }),
    log: bentState((state, process) => {
      const policy = sent.get(process)
      if (policy === undefined || state.authority === undefined) return state
      return { ...state, authority: { ...policy, since: state.authority.since } }
    }),
  }
}

const seesNoRepeat = (log: AssignmentLog["Service"]): AssignmentLog["Service"] => ({
  ...log,
  seen: () => undefined,
})

/** Answers with what was evaluated, whether that is committed or not. */
const beforeCommit = (): Pick<Pieces, "sandbox" | "compute"> => {
  const evaluated = new Map<string, Turn>()
  const waiters = Waiters.make<Turn>()
  const place = (process: Id.ProcessId, slot: number) => `${process} ${slot}`
  return {
    sandbox: (sandbox) => ({
      ...sandbox,
      run: (process, entries) =>
        Effect.tap(sandbox.run(process, entries), (turns) =>
          Effect.sync(() => {
            for (const { outcome, trace } of turns) {
              evaluated.set(place(process, outcome.slot), { outcome, trace })
              waiters.wake(place(process, outcome.slot), { outcome, trace })
            }
          }),
        ),
    }),
    compute: (compute) => ({
      ...compute,
      turn: (process, slot) =>
        Effect.suspend(() => {
          const found = evaluated.get(place(process, slot))
          return found === undefined ? waiters.wait(place(process, slot)) : Effect.succeed(found)
        }).pipe(Effect.raceFirst(compute.turn(process, slot))),
    }),
  }
}

/** After a turn that threw, something of it is still there. */
const keepsFailed: Pieces["sandbox"] = (sandbox) => ({
  ...sandbox,
  run: (process, entries) =>
    Effect.map(
      Effect.forEach(entries, (entry) =>
        Effect.flatMap(sandbox.run(process, [entry]), ([one]) => {
          if (one!.outcome.error?.reason !== "threw") return Effect.succeed([one!])
          const { bytes } = message(process, { tags: [["Action", "Break"]] }).item
          return Effect.map(sandbox.run(process, [{ ...entry, item: bytes }]), ([broken]) => [
            { ...broken!, outcome: one!.outcome },
          ])
        }),
      ),
      (all) => all.flat(),
    ),
})

const snapshotsEarly = (): Pick<Pieces, "store" | "sandbox"> => {
  let store: Store["Service"]
  return {
    store: (piece) => (store = piece),
    sandbox: (sandbox) => ({
      ...sandbox,
      run: (process, entries) =>
        Effect.tap(sandbox.run(process, entries), () =>
          Effect.gen(function* () {
            const taken = yield* sandbox.take(process)
            const snapshots = yield* Effect.provideService(SnapshotLog.make, Store, store)
            yield* Effect.ignore(snapshots.write(process, taken))
          }),
        ),
    }),
  }
}

const cursor = Table.make<[], number>("delivery-cursor")
const isOf = (table: string, key: Uint8Array) =>
  Bytes.toHex(key).startsWith(Bytes.toHex(Bytes.fromText(`${table}\0`)))

export const bugs: ReadonlyArray<Bug> = [
  {
    name: "a commit answers before it is durable",
    found: ["embargo"],
    seed: 2,
    climate: ({ disk }) => ({ disk: { ...disk, flushMsMax: 30, lies: true } }),
  },
  {
    name: "the pair number is not looked at",
    found: ["delivery", "authority"],
    seed: 8,
    climate: ({ disk, shape }) => ({
      ...oneUnit,
      courierMs: 10,
      disk: { ...disk, flushMsMax: 30 },
      shape: { ...shape, operations: 20 },
    }),
    pieces: anyPair,
  },
  {
    name: "an answer leaves before its commit",
    found: ["embargo"],
    seed: 7,
    climate: ({ disk }) => ({ ...oneUnit, disk: { ...disk, flushMsMax: 30 } }),
    pieces: beforeCommit,
  },
  {
    name: "one signature less than the quorum is enough",
    found: ["authority", "delivery"],
    seed: 2,
    climate: () => ({ units: 3, lie: undefined }),
    pieces: () => ({
      log: bentState((state) => {
        const { authority } = state
        if (authority === undefined || authority.quorum < 2) return state
        return { ...state, authority: { ...authority, quorum: authority.quorum - 1 } }
      }),
    }),
  },
  {
    name: "a policy is in force a slot early",
    found: ["authority", "delivery"],
    seed: 11,
    climate: ({ disk, shape }) => ({
      units: 2,
      lie: undefined,
      crashesMax: 0,
      courierMs: 3,
      disk: { ...disk, flushMsMax: 60 },
      shape: { ...shape, operations: 30, spanMs: 1_000 },
    }),
    pieces: policyEarly,
  },
  {
    name: "after a restart a slot is left out",
    found: ["order"],
    seed: 1,
    climate: () => ({ ...oneUnit, ...oftenDown }),
    pieces: () => {
      const first = new Map<string, number>()
      return {
        log: bentState((state, process, starts) => {
          const place = `${process} ${starts}`
          if (starts === 1 || state.nextSlot === 0) return state
          const slot = first.get(place) ?? state.nextSlot
          first.set(place, slot)
          return state.nextSlot === slot ? { ...state, nextSlot: slot + 1 } : state
        }),
      }
    },
  },
  {
    name: "messages to a child are sent before its spawn",
    found: ["liveness"],
    seed: 2,
    climate: () => oneUnit,
    pieces: () => ({
      compute: (compute) => ({
        ...compute,
        releases: (from) =>
          Stream.map(compute.releases(from), (release) => ({
            ...release,
            emitted: release.emitted.toSorted(
              (a, b) => Number(a.entry.kind === "spawn") - Number(b.entry.kind === "spawn"),
            ),
          })),
      }),
    }),
  },
  {
    name: "a restart forgets timers",
    found: ["liveness", "delivery"],
    seed: 4,
    climate: () => ({ ...oneUnit, ...oftenDown }),
    pieces: () => ({
      store: (store, starts) => ({
        ...store,
        range: (range) =>
          store.range(range).filter(([key, value]) => {
            const isTimer = isOf("undelivered", key) && Buffer.from(value).includes("timer")
            return starts === 1 || !isTimer
          }),
      }),
    }),
  },
  {
    name: "a repeat is not recognised",
    found: ["delivery", "authority"],
    seed: 3,
    climate: () => oneUnit,
    pieces: () => ({ log: seesNoRepeat }),
  },
  {
    name: "time goes back with the clock",
    found: ["order", "liveness"],
    seed: 2,
    climate: ({ shape }) => ({ ...oneUnit, skews: 0.9, shape: { ...shape, spanMs: 10_000 } }),
    pieces: () => ({ log: bentState((state) => ({ ...state, timestamp: 0 })) }),
  },
  {
    name: "a failed turn leaves something in memory",
    found: ["delivery", "commitment"],
    seed: 3,
    climate: () => oneUnit,
    pieces: () => ({ sandbox: keepsFailed }),
  },
  {
    name: "a snapshot is taken before the commit of its turn",
    found: ["embargo"],
    seed: 4,
    climate: () => ({ ...oneUnit, ...oftenDown }),
    pieces: snapshotsEarly,
  },
  {
    name: "what comes twice takes effect twice",
    found: ["delivery", "commitment"],
    seed: 2,
    climate: () => ({ ...oneUnit, courierMs: 10 }),
    pieces: () => {
      const { scheduler, log } = anyPair()
      return {
        scheduler,
        log: (real, starts) => seesNoRepeat(log(real, starts)),
        sandbox: (sandbox) => ({
          ...sandbox,
          run: (process, entries) =>
            sandbox.run(
              process,
              entries.map((entry) => ({ ...entry, inadmissible: undefined })),
            ),
        }),
      }
    },
  },
  {
    name: "what waits at a restart is not computed",
    found: ["liveness"],
    seed: 2,
    climate: () => ({ ...oneUnit, ...oftenDown }),
    pieces: () => ({
      scheduler: (scheduler, starts) => {
        let asked = 0
        return {
          ...scheduler,
          processes: Effect.suspend(() =>
            starts > 1 && asked++ === 0 ? Effect.succeed([]) : scheduler.processes,
          ),
        }
      },
    }),
  },
  {
    name: "the cursor passes what is not delivered",
    found: ["liveness", "delivery"],
    seed: 1,
    climate: () => ({ ...oneUnit, ...oftenDown }),
    pieces: () => ({
      store: (store) => ({
        ...store,
        commit: (puts) =>
          tablesOf(puts).includes("release")
            ? store.commit([...puts, cursor.put([], 1_000_000)])
            : store.commit(puts.filter(({ key }) => !isOf("delivery-cursor", key))),
      }),
    }),
  },
  {
    name: "a restart gives the number of the last batch again",
    found: ["order"],
    seed: 4,
    climate: () => ({ ...oneUnit, ...oftenDown }),
    pieces: () => ({
      log: (log, starts) => {
        let asked = 0
        return {
          ...log,
          last: () => {
            const last = log.last()
            return starts > 1 && asked++ === 1 && last !== undefined ? log.batch(last.number - 1)?.link : last
          },
        }
      },
    }),
  },
  {
    name: "a commit to a full disk is taken for done",
    found: ["embargo", "order"],
    seed: 1,
    climate: ({ shape }) => ({ ...oneUnit, fills: 0.5, shape: { ...shape, spanMs: 10_000 } }),
    pieces: () => ({ store: (store) => ({ ...store, commit: (puts) => Effect.ignore(store.commit(puts)) }) }),
  },
  {
    name: "no signature is looked at",
    found: ["authority", "delivery"],
    seed: 3,
    climate: () => oneUnit,
    pieces: () => ({
      verifier: (verifier) => ({
        ...verifier,
        verify: () => Effect.succeed(true),
        verifyItem: () => Effect.void,
      }),
    }),
  },
  ...PlantedVoids.bugs,
]
