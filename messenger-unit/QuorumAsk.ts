/**
 * QuorumAsk: an answer that several compute units attest. It asks the node as any caller does, then every node for what
 * its unit attests of the slot in which the answer stands, until `Quorum` says that it is enough.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { LogUnknown } from "../scheduler-unit/SchedulerUnit.ts"
import type { Asked, MessengerUnit, Unreachable } from "./MessengerUnit.ts"
import * as Quorum from "./Quorum.ts"

type Messenger = MessengerUnit["Service"]

/** A node, by the name that its caller has for it. */
export interface Node {
  readonly name: string
  readonly messenger: Messenger
}

/** The slot whose outcome answers a message that has its slot and its answer. */
const answerSlot = Effect.fnUntraced(function* (
  messenger: Messenger,
  process: Id.ProcessId,
  { accepted: { id, slot } }: Asked,
): Effect.fn.Return<number | undefined, Unreachable> {
  for (let from = slot; ;) {
    const turns = yield* messenger.turns(process, from, Limit.turnsPerRunMax)
    const found = turns.find(({ outcome }) => Quorum.answerIn(outcome, id) !== undefined)
    if (found !== undefined) return found.outcome.slot
    if (turns.length === 0) return undefined
    from += turns.length
  }
})

/** What a node's unit attests of a slot; waits until it does. */
const statement = Effect.fnUntraced(function* (
  { messenger }: Node,
  process: Id.ProcessId,
  slot: number,
): Effect.fn.Return<Quorum.Statement, Unreachable> {
  for (;;) {
    const signed = yield* messenger.attestation(process, slot)
    if (signed !== undefined) {
      const { from, to } = signed.attestation
      const turns = yield* messenger.turns(process, from.slot + 1, to.slot - from.slot)
      return { signed, outcomes: turns.map(({ outcome }) => outcome) }
    }
    yield* Effect.sleep(Limit.quorumPollMs)
  }
})

/**
 * What `want` units of the process attest as the answer to a message. `nodes` has the one that was asked first; it fails
 * once no more nodes can say anything, or after `withinMs`.
 */
export const confirm = Effect.fnUntraced(function* (
  nodes: readonly [Node, ...ReadonlyArray<Node>],
  process: Id.ProcessId,
  asked: Asked,
  want: number,
  withinMs: number = Limit.quorumWaitMsMax,
): Effect.fn.Return<Quorum.Agreed, Quorum.QuorumMissing | Quorum.UnitsDiffer | LogUnknown | Unreachable> {
  const [{ messenger }] = nodes
  const [first] = yield* messenger.log(process, 0, 1)
  const slot = yield* answerSlot(messenger, process, asked)
  const at = slot ?? asked.accepted.slot
  const missing = (why: ReadonlyArray<string>) =>
    new Quorum.QuorumMissing({ process, slot: at, have: [], want, why })
  if (first === undefined || slot === undefined)
    return yield* missing([`no turn at ${nodes[0].name} answers the message`])
  const question = { process, spawn: first.item, message: asked.accepted.id, slot, want }

  const statements: Array<Result.Result<Quorum.Seen, string>> = []
  const silent = new Map(nodes.map(({ name }) => [name, `${name} has attested nothing of it yet`]))
  const decided = yield* Deferred.make<Quorum.Agreed, Quorum.UnitsDiffer>()
  const told = Effect.suspend(() => {
    const now = Quorum.decide(question, statements)
    if (Result.isSuccess(now)) return Deferred.succeed(decided, now.success)
    return now.failure._tag === "UnitsDiffer" ? Deferred.fail(decided, now.failure) : Effect.void
  })
  const hear = (node: Node) =>
    statement(node, process, slot).pipe(
      Effect.matchEffect({
        onSuccess: (said) => {
          statements.push(Quorum.read(question, said))
          silent.delete(node.name)
          return told
        },
        onFailure: ({ message }) => Effect.sync(() => void silent.set(node.name, message)),
      }),
    )
  const all = Effect.forEach(nodes, hear, { concurrency: "unbounded", discard: true }).pipe(
    Effect.timeoutOption(withinMs),
    Effect.andThen(
      Effect.suspend(() => Effect.fromResult(Quorum.decide(question, statements, [...silent.values()]))),
    ),
  )
  return yield* Effect.raceFirst(Deferred.await(decided), all)
})
