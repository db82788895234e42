/** InboxReader: a person's letters as a reader may believe them: each is checked here, whoever keeps the inbox. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Identity from "../identity/Identity.ts"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import { patience } from "./Client.ts"
import { type Letter, MessengerUnit } from "./MessengerUnit.ts"
import * as ProvenLetter from "./ProvenLetter.ts"
import * as ProvenSpawn from "./ProvenSpawn.ts"

/** A letter with what was seen to hold of it, or why nothing of it is to be believed. */
export interface Received extends Pick<Letter, "number" | "at" | "slot" | "index"> {
  readonly letter: ProvenLetter.ProvenLetter | undefined
  readonly problem: string | undefined
}

/** What processes said to a person, from a letter on, each seen to be from whom it says; `wait` where there is none yet. */
export const inbox = Effect.fnUntraced(function* (
  address: Id.Address,
  { from = 0, limit = 100, wait = false }: InboxPage = {},
  retries?: number,
) {
  const messenger = yield* MessengerUnit
  const letters = yield* Effect.retry(messenger.inbox(address, from, limit, wait), patience(retries))
  const spawns = new Map<Id.ProcessId, ReturnType<typeof ProvenSpawn.check>>()
  for (const { source } of letters) {
    if (spawns.has(source)) continue
    const read = Effect.retry(messenger.log(source, 0, 1), patience(retries))
    const [first] = yield* Effect.catchTag(read, "LogUnknown", () => Effect.succeed([]))
    spawns.set(source, ProvenSpawn.check(source, first?.item ?? Bytes.empty))
  }
  return letters.map((one): Received => {
    const { number, at, source, slot, index } = one
    const seen = ProvenLetter.check(address, spawns.get(source)!, one)
    const letter = Result.getOrUndefined(seen)
    const problem = Result.isFailure(seen) ? seen.failure.message : undefined
    return { number, at, slot, index, letter, problem }
  })
})

/** Which letters: the first 100 unless it says. */
export interface InboxPage {
  readonly from?: number | undefined
  readonly limit?: number | undefined
  readonly wait?: boolean | undefined
}

/** Lets the node know a person's key, so that what is for its address has an inbox. */
export const openInbox = ({ type, owner }: Pick<Identity.Identity, "type" | "owner">) =>
  MessengerUnit.use((messenger) => messenger.openInbox(type.number, owner))
