/** Bugs about messages that are given up, to be planted. */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Entry } from "../../compute-unit/Sandbox.ts"
import * as Assign from "../../runtime/Assign.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Drop from "../../runtime/Drop.ts"
import type * as Id from "../../runtime/Id.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import type { AssignmentLog } from "../../scheduler-unit/AssignmentLog.ts"
import type { Bug } from "./Planted.ts"
import type { Pieces } from "./SimulatedNode.ts"

const oneUnit = { units: 1, lie: undefined }

/** A log in which voids leave the last number of their pair what it was; `forgets` whether they are no repeats either. */
const numbersNoVoid = (forgets: boolean): Pieces["log"] => {
  /** Pair numbers that voids took, by target. */
  const taken = new Map<Id.ProcessId, ReadonlyArray<readonly [source: Id.ProcessId, pair: number]>>()
  const keys = new Set<string>()
  return (log: AssignmentLog["Service"]) => ({
    ...log,
    append: (link, entries, states) =>
      Effect.tap(log.append(link, entries, states), () =>
        Effect.sync(() => {
          for (const { assignment, proof, repeatKey } of entries) {
            if (OutboxProof.kindOf(proof) !== "void") continue
            const { attestation, pair } = Result.getOrThrow(OutboxProof.decode(proof))
            const before = taken.get(assignment.process) ?? []
            taken.set(assignment.process, [...before, [attestation.process, pair]])
            keys.add(`${assignment.process} ${Bytes.toHex(repeatKey)}`)
          }
        }),
      ),
    seen: (process, key) =>
      forgets && keys.has(`${process} ${Bytes.toHex(key)}`) ? undefined : log.seen(process, key),
    state: (process) => {
      const state = log.state(process)
      let { pairs } = state
      for (const [source, pair] of taken.get(process) ?? [])
        if (Option.contains(HashMap.get(pairs, source), pair)) pairs = HashMap.set(pairs, source, pair - 1)
      return { ...state, pairs }
    },
  })
}

const bentEntries =
  (bend: (entry: Entry) => Entry): Pieces["sandbox"] =>
  (sandbox) => ({ ...sandbox, run: (process, entries) => sandbox.run(process, entries.map(bend)) })

/** What a message would give up, whoever signed it. */
const dropIn = ({ item }: Entry): Drop.Dropped | undefined => {
  const message = Result.getOrThrow(Assign.read(item))
  return Drop.is(message) ? Result.getOrUndefined(Drop.open(message)) : undefined
}

export const bugs: ReadonlyArray<Bug> = [
  {
    name: "a void takes no number",
    found: ["liveness"],
    seed: 1,
    climate: () => oneUnit,
    pieces: () => ({ log: numbersNoVoid(false) }),
  },
  {
    name: "what was given up is taken after its void",
    found: ["authority", "delivery"],
    seed: 3,
    climate: () => ({ ...oneUnit, courierMs: 10 }),
    pieces: () => ({ log: numbersNoVoid(true) }),
  },
  {
    name: "anybody can give up what a process emitted",
    found: ["authority"],
    seed: 5,
    climate: () => oneUnit,
    pieces: () => ({ sandbox: bentEntries((entry) => ({ ...entry, drop: entry.drop ?? dropIn(entry) })) }),
  },
  {
    name: "who waits for the answer to what is given up is not told",
    found: ["commitment", "liveness"],
    seed: 2,
    climate: () => oneUnit,
    pieces: () => ({
      sandbox: bentEntries((entry) =>
        entry.drop === undefined ? entry : { ...entry, drop: { ...entry.drop, reference: undefined } },
      ),
    }),
  },
]
