/**
 * Past: the part of a log before the state that a verification starts from. No turn of it is run; but its links are
 * gone over, because they lead to the head that is attested there, and the keys of its messages are kept, because a
 * later entry may be a repeat of one.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Admission from "../runtime/Admission.ts"
import * as Assign from "../runtime/Assign.ts"
import type * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type * as Message from "../runtime/Message.ts"
import * as Move from "../runtime/Move.ts"
import * as Outcome from "../runtime/Outcome.ts"
import type * as Process from "../runtime/Process.ts"
import * as Void from "../runtime/Void.ts"
import type { LogEntry } from "../scheduler-unit/SchedulerUnit.ts"
import { type LogUnfit, ofChain, unfit } from "./AuditFinding.ts"
import * as Follower from "./Follower.ts"
import * as LogSource from "./LogSource.ts"
import * as OutcomeLog from "./OutcomeLog.ts"

export interface Past<E> {
  readonly last: LogEntry
  /** Whose it was to give the last slot. */
  readonly givenBy: Id.Address
  /** Notes where keys of these entries stood first, as far as they were admitted there. */
  readonly settle: (
    entries: ReadonlyArray<LogEntry>,
    seen: Map<string, OutcomeLog.Seen>,
  ) => Effect.Effect<void, E | LogUnfit>
}

/** What repeats are found by. */
const keyOf = (message: Message.Message, { proof }: LogEntry) => {
  const { repeatKey, contentHash } = Void.identity(message, proof)
  return { key: Bytes.toHex(repeatKey), contentHash }
}

/** The message of an entry that may not even be an item. */
const messageOf = ({ item }: LogEntry) => Result.getOrUndefined(Assign.read(item))

/** Who gave a slot. That a term begins is attested; whose it is says the move before it, or the takeover in it. */
const tenureOf = (
  before: Move.Tenure,
  last: Message.Message | undefined,
  message: Message.Message,
  term: number,
): Move.Tenure | undefined => {
  if (term === before.term) return before
  const moves = [last, message].flatMap((one) =>
    one !== undefined && Move.is(message.process, one) ? [Move.parse(one.item.tags)] : [],
  )
  return moves.flatMap((move) =>
    Result.isSuccess(move) && move.success.term === term ? [move.success] : [],
  )[0]
}

/** Whether a unit attested a slot as admitted: its word stands for everything before the state started from. */
const admitted = Effect.fnUntraced(function* <E>(
  source: LogSource.LogSource<E>,
  process: Id.ProcessId,
  believe: (signed: Attestation.SignedAttestation) => Effect.Effect<void, E | LogUnfit>,
  slot: number,
) {
  const signed = yield* source.attestation(process, slot)
  if (signed === undefined) return yield* unfit(slot, "attestation", "its turn is not attested")
  yield* believe(signed)
  const { from, to, outcomeRoot } = signed.attestation
  const turns = yield* LogSource.readAll(source.turns, process, from.slot + 1, to.slot - from.slot)
  const turn = turns.find(({ outcome }) => outcome.slot === slot)
  if (turn === undefined || !Bytes.equal(OutcomeLog.outcomeRoot(turns), outcomeRoot))
    return yield* unfit(
      to.slot,
      "outcome",
      `the outcomes of slots ${from.slot + 1} to ${to.slot} are not those attested`,
    )
  return Outcome.inadmissible(turn.outcome) === undefined
})

/**
 * Goes over the log up to slot `to`. `believe` looks at who signed an attestation; `onProgress` hears of each page.
 */
export const read = Effect.fnUntraced(function* <E>(
  source: LogSource.LogSource<E>,
  { id: process, scheduler }: Process.Process,
  to: number,
  believe: (signed: Attestation.SignedAttestation) => Effect.Effect<void, E | LogUnfit>,
  onProgress: (slots: number) => void,
) {
  const stood = new Map<string, ReadonlyArray<OutcomeLog.Seen>>()
  let link: ReturnType<typeof Follower.checkLink> = Admission.emptyLog
  let last: LogEntry | undefined
  let tenure: Move.Tenure = { term: 0, scheduler }
  let lastMessage: Message.Message | undefined
  while (link.nextSlot <= to) {
    const limit = Math.min(Limit.logPageMax, to + 1 - link.nextSlot)
    const entries = yield* source.log(process, link.nextSlot, limit)
    if (entries.length === 0) return yield* unfit(link.nextSlot, "chain", `slot ${link.nextSlot} is missing`)
    for (const entry of entries) {
      const { slot } = entry.assignment
      const before = link
      link = yield* ofChain(Effect.sync(() => Follower.checkLink(process, before, entry)))
      const message = messageOf(entry)
      if (message === undefined) return yield* unfit(slot, "chain", "it is no message")
      const { term } = entry.assignment
      const next = tenureOf(tenure, lastMessage, message, term)
      if (next === undefined)
        return yield* unfit(slot, "chain", `term ${term} follows term ${tenure.term}, and nothing moves it`)
      tenure = next
      lastMessage = message
      const found = keyOf(message, entry)
      const seen = { slot, contentHash: found.contentHash }
      stood.set(found.key, [...(stood.get(found.key) ?? []), seen])
    }
    last = entries.at(-1)
    onProgress(link.nextSlot)
  }
  const settle = Effect.fnUntraced(function* (
    entries: ReadonlyArray<LogEntry>,
    seen: Map<string, OutcomeLog.Seen>,
  ) {
    for (const entry of entries) {
      const message = messageOf(entry)
      const key = message && keyOf(message, entry).key
      const places = key === undefined ? undefined : stood.get(key)
      if (key === undefined || places === undefined) continue
      for (const place of places) {
        if (!seen.has(key) && (yield* admitted(source, process, believe, place.slot))) seen.set(key, place)
      }
    }
  })
  const past: Past<E> = { last: last!, givenBy: tenure.scheduler, settle }
  return past
})
