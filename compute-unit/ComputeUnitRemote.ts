/**
 * ComputeUnitRemote: a compute unit at an address of the network. It brings what the unit says and believes nothing for
 * its caller: what is signed is checked by who acts on it (an outbox proof by admission, a view by its reader, a quorum by
 * `Quorum`), and what is not signed (turns, queries, progress) is the unit's word, as it is in one process.
 *
 * What names itself is compared here, because a wrong one could come from anywhere on the way: an engine with its id, a
 * page of a stream with the numbers that were asked for.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Bytes from "../runtime/Bytes.ts"
import * as Exchange from "../runtime/Exchange.ts"
import * as Hash from "../runtime/Hash.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Module from "../runtime/Module.ts"
import { Network } from "../runtime/Network.ts"
import * as ComputeCalls from "./ComputeCalls.ts"
import { ComputeUnit, ModuleInvalid, type Turn } from "./ComputeUnit.ts"

const slotOf = ({ outcome }: Turn): number => outcome.slot
const numberOf = ({ number }: { readonly number: number }): number => number

/** Whether a list has what stands at `from` and after it, one each. */
const runsFrom = <A>(all: ReadonlyArray<A>, from: number, placeOf: (one: A) => number): boolean =>
  all.every((one, i) => placeOf(one) === from + i)

/** A unit at `address`; waits until it has said what engine it has. */
export const make = Effect.fnUntraced(function* (address: Id.Address) {
  const network = yield* Network
  const peer: Exchange.Server = { network, address, protocol: ComputeCalls.protocol }
  const ask = <Q, A>(
    call: Exchange.Call<Q, A>,
    question: Q,
    wrong?: (answer: A) => string | undefined,
  ): Effect.Effect<A> =>
    Exchange.ask(peer, call, question, wrong && ((answer) => Effect.sync(() => wrong(answer))))

  /** A stream by its numbers, as pages that are asked for one after the other. */
  const following = <Q, A>(
    call: Exchange.Call<Q, ReadonlyArray<A>>,
    question: (from: number) => Q,
    placeOf: (one: A) => number,
    first: number,
  ): Stream.Stream<A> =>
    Stream.unfold(first, (from) =>
      Effect.map(
        ask(call, question(from), (page) =>
          page.length > 0 && runsFrom(page, from, placeOf) ? undefined : `a page that is not from ${from} on`,
        ),
        (page) => [page, from + page.length] as const,
      ),
    ).pipe(Stream.flatMap(Stream.fromIterable))

  const turns = Effect.fnUntraced(function* (process: Id.ProcessId, from: number, limit: number) {
    const found: Array<Turn> = []
    for (let more = true; more && found.length < limit;) {
      const asked = {
        process,
        from: from + found.length,
        limit: Math.min(limit - found.length, Limit.logPageMax),
      }
      const page = yield* ask(ComputeCalls.turns, asked, (answer) =>
        runsFrom(answer.turns, asked.from, slotOf) && answer.turns.length <= asked.limit
          ? undefined
          : `turns that are not from ${asked.from} on`,
      )
      for (const turn of page.turns) found.push(turn)
      more = page.turns.length > 0 && (page.more || page.turns.length === asked.limit)
    }
    return found
  })

  const { engine } = yield* ask(ComputeCalls.unit, undefined)

  return ComputeUnit.of({
    address,
    engine,
    addModule: (source) =>
      source.length > Limit.moduleBytesMax
        ? Effect.fail(
            new ModuleInvalid({
              detail: `the module has ${source.length} bytes; at most ${Limit.moduleBytesMax} are allowed`,
              file: "module",
              line: 1,
              column: 1,
            }),
          )
        : Effect.flatMap(
            ask(ComputeCalls.addModule, source, (answer) =>
              Result.isFailure(answer) || answer.success === Module.id(source)
                ? undefined
                : "the id of another module",
            ),
            Effect.fromResult,
          ),
    turn: (process, slot) =>
      ask(ComputeCalls.turnOf, { process, slot }, (turn) =>
        slotOf(turn) === slot ? undefined : "the turn of another slot",
      ),
    turns,
    reply: (process, message) =>
      ask(ComputeCalls.replyTo, { process, message }, ({ to }) =>
        to === message ? undefined : "a reply to another message",
      ),
    follow: (process, from) => following(ComputeCalls.follow, (slot) => ({ process, slot }), slotOf, from),
    query: (process, query) =>
      Effect.flatMap(ask(ComputeCalls.queryOf, { process, query }), Effect.fromResult),
    view: (process, name) => ask(ComputeCalls.view, { process, name }),
    viewProof: (process, name) =>
      Effect.flatMap(ask(ComputeCalls.viewProof, { process, name }), Effect.fromResult),
    snapshots: (process) => ask(ComputeCalls.snapshots, process),
    snapshot: (process, slot) => ask(ComputeCalls.snapshot, { process, slot }),
    engineBytes: (id) =>
      ask(ComputeCalls.engineBytes, id, (bytes) =>
        bytes === undefined || Bytes.equal(Hash.sha256(bytes), id) ? undefined : "another engine",
      ),
    attestation: (process, slot) => ask(ComputeCalls.attestation, { process, slot }),
    parked: (process) => ask(ComputeCalls.parked, process),
    equivocation: (process) => ask(ComputeCalls.equivocation, process),
    progress: (process) => ask(ComputeCalls.progress, process),
    releases: (from) => following(ComputeCalls.releases, (number) => number, numberOf, from),
    nextCommit: ask(ComputeCalls.nextCommit, undefined),
    commits: (from) => following(ComputeCalls.commits, (number) => number, numberOf, from),
  })
})

export const layer = (address: Id.Address) => Layer.effect(ComputeUnit, make(address))
