/**
 * heddle prove: without more, writes what the node's compute unit has seen its scheduler sign twice; with --against,
 * compares what two nodes have signed about one process. Where their scheduler gave one slot twice,
 * or their compute units attest different results of one log, it writes the file that shows it to anyone.
 */
import fs from "node:fs/promises"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Bisection from "../../compute-unit/Bisection.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Divergence from "../../messenger-unit/Divergence.ts"
import { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as FirstDifference from "../../runtime/FirstDifference.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import * as Equivocation from "../../scheduler-unit/Equivocation.ts"
import * as Connection from "../Connection.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

type Messenger = MessengerUnit["Service"]

export interface ProveAgainstInput extends Caller.Input {
  readonly process: Id.ProcessId
  /** URL of the other node; without one, what the node itself has found. */
  readonly against: string | undefined
  /** Where the proof goes. */
  readonly out: string | undefined
}

/** The node's compute unit has found nothing against the process's scheduler. */
export class NothingFound extends Data.TaggedError("NothingFound")<{ readonly process: Id.ProcessId }> {
  override get message(): string {
    return `the node has kept nothing that a scheduler signed twice about ${this.process}: only a node whose compute unit follows another's scheduler looks. Compare two nodes: --against <url>`
  }
}

/** The two say different things, and nothing that both signed shows it. */
export class NothingProven extends Data.TaggedError("NothingProven")<{
  readonly process: Id.ProcessId
  readonly slot: number
  readonly detail: string
}> {
  override get message(): string {
    return `the nodes differ at slot ${this.slot}, and that is no proof: ${this.detail}`
  }
}

/** The proof can't be written. */
export class ProofUnwritten extends Data.TaggedError("ProofUnwritten")<{
  readonly file: string
  readonly detail: string
}> {
  override get message(): string {
    return `${this.file} can't be written: ${this.detail}`
  }
}

interface Proven {
  readonly proven: "equivocation" | "divergence"
  /** The first slot about which they differ; of two batches with one number, that number. */
  readonly slot?: number
  readonly batch?: number
  readonly by: ReadonlyArray<Id.Address>
  readonly file: string
}

/** Where two logs of a scheduler go apart, as its two receipts of that slot. */
const fork = Effect.fnUntraced(function* (process: Id.ProcessId, a: Messenger, b: Messenger, newest: number) {
  const receipts = (slot: number) =>
    Effect.all([a.receipt(process, slot), b.receipt(process, slot)], { concurrency: 2 })
  const differ = (slot: number) =>
    Effect.map(receipts(slot), ([one, two]) => !Bytes.equal(one.assignment.head, two.assignment.head))
  if (!(yield* differ(newest))) return undefined
  const slot = yield* FirstDifference.find(0, newest, differ)
  const [first, second] = yield* receipts(slot)
  return { first, second } satisfies Equivocation.Proof
})

/** The first turn from a slot to another whose outcome is not the same at both nodes. */
const firstTurn = Effect.fnUntraced(function* (
  process: Id.ProcessId,
  a: Messenger,
  b: Messenger,
  from: number,
  to: number,
) {
  for (let at = from; at <= to;) {
    const read = (of: Messenger) => of.turns(process, at, Math.min(to - at + 1, Limit.turnsPerRunMax))
    const [one, two] = yield* Effect.all([read(a), read(b)], { concurrency: 2 })
    const differs = one.findIndex(({ outcome }, i) => {
      const other = two[i]?.outcome
      return other === undefined || !Bytes.equal(Outcome.hash(outcome), Outcome.hash(other))
    })
    if (differs >= 0) return at + differs
    if (one.length === 0) return undefined
    at += one.length
  }
  return undefined
})

/** Writes a proof to the file that was named, or to one named by its kind. */
export const writing =
  ({ process, out }: Pick<ProveAgainstInput, "process" | "out">) =>
  (name: string, text: string) => {
    const file = out ?? `${name}-${process}.json`
    return Effect.tryPromise({
      try: () => fs.writeFile(file, `${text}\n`),
      catch: (error) => new ProofUnwritten({ file, detail: String(error) }),
    }).pipe(Effect.as(file))
  }

/** Writes an equivocation, once it is seen to be one. */
const equivocated = Effect.fnUntraced(function* (input: ProveAgainstInput, proof: Equivocation.Proof) {
  const slot = Batch.slotGivenTwice(proof)
  const shown = yield* Effect.mapError(
    Equivocation.check(proof, VerifierLocal.make()),
    ({ message }) =>
      new NothingProven({
        process: input.process,
        slot: slot ?? proof.first.assignment.slot,
        detail: message,
      }),
  )
  const file = yield* writing(input)("equivocation", Equivocation.encode(proof))
  const by = [shown.scheduler]
  return slot === undefined
    ? ({ proven: "equivocation", batch: proof.first.link.number, by, file } satisfies Proven)
    : ({ proven: "equivocation", slot, by, file } satisfies Proven)
})

/** What the node's own compute unit has kept. */
const kept = Effect.fnUntraced(function* (input: ProveAgainstInput, messenger: Messenger) {
  const { process } = input
  yield* messenger.process(process)
  const found = yield* messenger.equivocation(process)
  if (found === undefined) return yield* new NothingFound({ process })
  return yield* equivocated(input, found)
})

const compare = Effect.fnUntraced(function* (input: ProveAgainstInput, a: Messenger, b: Messenger) {
  const { process } = input
  const write = writing(input)
  const [one, two] = yield* Effect.all([a.process(process), b.process(process)], { concurrency: 2 })
  const forked = yield* fork(process, a, b, Math.min(one.slots, two.slots) - 1)
  if (forked !== undefined) return yield* equivocated(input, forked)
  const computed = Math.min(one.computed, two.computed) - 1
  if (computed < 0) return { agree: Math.min(one.slots, two.slots) - 1, attested: undefined }
  const attested = (slot: number) =>
    Effect.map(
      Effect.all([a.attestation(process, slot), b.attestation(process, slot)], { concurrency: 2 }),
      ([first, second]) =>
        first === undefined || second === undefined ? undefined : ([first, second] as const),
    )
  const nothing = (slot: number, detail: string) => new NothingProven({ process, slot, detail })
  const diverged = Effect.fnUntraced(function* (found: Divergence.Proof, turn: number | undefined) {
    const { to } = found.first.attestation
    const shown = Divergence.check(found)
    if (Result.isFailure(shown)) return yield* nothing(to.slot, shown.failure.message)
    const { from, units } = shown.success
    // Where all outcomes are equal it is the state alone that differs.
    const slot = turn ?? (yield* firstTurn(process, a, b, from, to.slot)) ?? to.slot
    const file = yield* write("divergence", Divergence.encode(found))
    return { proven: "divergence", slot, by: units, file } satisfies Proven
  })

  const found = yield* Bisection.bisect(computed, attested)
  if (found._tag === "Apart") return yield* diverged(found, undefined)
  if (found._tag === "Incomparable") return yield* nothing(found.slot, found.detail)
  // A unit can come to the right state and still have attested an outcome that is not the right one.
  const slot = yield* firstTurn(process, a, b, 0, found.slot)
  if (slot === undefined) return { agree: Math.min(one.slots, two.slots) - 1, attested: found.slot }
  const pair = yield* attested(slot)
  if (pair === undefined) return yield* nothing(slot, "one of them attests nothing of it")
  return yield* diverged({ first: pair[0], second: pair[1] }, slot)
})

export const prove = (input: ProveAgainstInput) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { against } = input
      const other =
        against === undefined
          ? undefined
          : Context.get(yield* Layer.build(Connection.layer(against)), MessengerUnit)
      const found = yield* Caller.connected(input, (messenger) =>
        Screen.progress("comparing", () =>
          Effect.gen(function* () {
            return yield* other === undefined ? kept(input, messenger) : compare(input, messenger, other)
          }),
        ),
      )
      yield* Screen.show(input.json, found, () => {
        if ("agree" in found) {
          const turns = found.attested === undefined ? "" : `, and on the turns up to slot ${found.attested}`
          return `${Screen.styled("green", "they agree")} up to slot ${found.agree}${turns}`
        }
        const what =
          found.proven === "equivocation"
            ? `scheduler ${found.by[0]} ${found.batch === undefined ? `gave slot ${found.slot} twice` : `signed two batches with number ${found.batch}`}`
            : `units ${found.by.join(" and ")} differ, first in slot ${found.slot}`
        return `${Screen.styled("red", "proven")} ${what}\n${found.file}`
      })
    }),
  )
