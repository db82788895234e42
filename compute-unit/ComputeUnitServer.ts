/** ComputeUnitServer: the calls of a compute unit for whoever asks over a network. */
import * as Effect from "effect/Effect"
import * as Exchange from "../runtime/Exchange.ts"
import { Network } from "../runtime/Network.ts"
import type * as Outcome from "../runtime/Outcome.ts"
import * as Paging from "../runtime/Paging.ts"
import * as ComputeCalls from "./ComputeCalls.ts"
import { type Committed, ComputeUnit, type Release, type Turn } from "./ComputeUnit.ts"

const sum = <A>(all: ReadonlyArray<A>, bytesOf: (one: A) => number): number =>
  all.reduce((bytes, one) => bytes + bytesOf(one), 0)

/** About as much as an outcome takes: items and texts, which alone can be large. */
const outcomeBytes = ({ outbox, replies, views }: Outcome.Outcome): number =>
  sum(outbox, ({ item }) => item.length) +
  sum(replies, (reply) => ("value" in reply ? reply.value.length : reply.error.length)) +
  sum(views, ({ value }) => value?.length ?? 0)

const turnBytes = ({ outcome, trace }: Turn): number =>
  outcomeBytes(outcome) + sum(trace.console, ([, text]) => text.length)

const releaseBytes = ({ emitted }: Release): number =>
  sum(emitted, ({ entry, proof }) => entry.item.length + proof.length)

const committedBytes = ({ groups }: Committed): number =>
  sum(groups, ({ outcomes }) => sum(outcomes, outcomeBytes))

/** Serves the unit for as long as the scope lives. */
export const make = Effect.gen(function* () {
  const unit = yield* ComputeUnit
  const network = yield* Network
  const { answering } = Exchange
  const newestCommit = Effect.map(unit.nextCommit, (next) => next - 1)
  const numberOf = ({ number }: { readonly number: number }) => number

  yield* Exchange.serve(network, ComputeCalls.protocol, [
    answering(ComputeCalls.unit, () => Effect.succeed({ engine: unit.engine })),
    answering(ComputeCalls.addModule, (source) => Effect.result(unit.addModule(source))),
    answering(ComputeCalls.turnOf, ({ process, slot }) => unit.turn(process, slot)),
    answering(ComputeCalls.turns, ({ process, from, limit }) =>
      Effect.map(unit.turns(process, from, limit), (found) => {
        const turns = Paging.cut(found, turnBytes)
        return { turns, more: turns.length < found.length }
      }),
    ),
    answering(ComputeCalls.replyTo, ({ process, message }) => unit.reply(process, message)),
    answering(ComputeCalls.follow, ({ process, slot }) =>
      Paging.page(
        unit.follow(process, slot),
        Effect.map(unit.progress(process), ({ slots }) => slots - 1),
        ({ outcome }) => outcome.slot,
        turnBytes,
      ),
    ),
    answering(ComputeCalls.queryOf, ({ process, query }) => Effect.result(unit.query(process, query))),
    answering(ComputeCalls.view, ({ process, name }) => unit.view(process, name)),
    answering(ComputeCalls.viewProof, ({ process, name }) => Effect.result(unit.viewProof(process, name))),
    answering(ComputeCalls.snapshots, unit.snapshots),
    answering(ComputeCalls.snapshot, ({ process, slot }) => unit.snapshot(process, slot)),
    answering(ComputeCalls.engineBytes, unit.engineBytes),
    answering(ComputeCalls.attestation, ({ process, slot }) => unit.attestation(process, slot)),
    answering(ComputeCalls.parked, unit.parked),
    answering(ComputeCalls.equivocation, unit.equivocation),
    answering(ComputeCalls.progress, unit.progress),
    answering(ComputeCalls.releases, (from) =>
      Paging.page(unit.releases(from), newestCommit, numberOf, releaseBytes),
    ),
    answering(ComputeCalls.nextCommit, () => unit.nextCommit),
    answering(ComputeCalls.commits, (from) =>
      Paging.page(unit.commits(from), newestCommit, numberOf, committedBytes),
    ),
  ])
})
