/**
 * Move: the word that another scheduler gives a process its slots (spec 03 §10). Its log alone says who schedules it in
 * which term: the spawn names the scheduler of term 0, and each move the one of the next.
 *
 *     slot 7, term 0: "Action: Scheduler", "Scheduler: B", "Term: 1"    a hand-over: A's last slot; slot 8 is B's, of term 1
 *     slot 7, term 1: the same                                           a takeover: B's first slot, without A's help
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Id from "./Id.ts"
import type * as Message from "./Message.ts"
import * as Tag from "./Tag.ts"

/** Who schedules a process, and in which term. */
export interface Tenure {
  readonly term: number
  readonly scheduler: Id.Address
}

export class MoveInvalid extends Data.TaggedError("MoveInvalid")<{
  readonly tag: string
  readonly detail: string
}> {
  override get message(): string {
    return `tag "${this.tag}": ${this.detail}`
  }
}

const fail = (tag: string, detail: string) => Result.fail(new MoveInvalid({ tag, detail }))

/** Whether a message is a word about who schedules a process: what was said to another process is none. */
export const is = (process: Id.ProcessId, message: Message.Message): boolean =>
  message.kind === "Message" && message.target === process && message.action === "Scheduler"

/** The tenure that the tags of a move name. */
export const parse = (tags: ReadonlyArray<Tag.Tag>): Result.Result<Tenure, MoveInvalid> => {
  const scheduler = Id.parse(Tag.value(tags, "Scheduler") ?? "")
  if (scheduler === undefined)
    return fail("Scheduler", "names no scheduler; it takes the 43 characters of an address")
  const term = Tag.count(Tag.value(tags, "Term") ?? "")
  if (term === undefined) return fail("Term", "names no term; it takes the number of the next one")
  return Result.succeed({ term, scheduler })
}

/**
 * The tenure that a message puts in force from the next slot on; none where it is a message like any other. `now` is the
 * one before it, `term` that of the slot itself: the next term's in a takeover, which is the owner's word alone.
 */
export const read = (
  { id, owner }: { readonly id: Id.ProcessId; readonly owner: Id.Address },
  now: Tenure,
  message: Message.Message,
  term: number,
): Result.Result<Tenure | undefined, MoveInvalid> => {
  const takesOver = term !== now.term
  if (!is(id, message))
    return takesOver ? fail("Action", "no takeover begins this term") : Result.succeed(undefined)
  const isOwners = message.from === owner
  if (takesOver && !isOwners)
    return fail("Action", `only the process's owner ${owner} has it taken over, not ${message.from}`)
  if (!isOwners && message.from !== now.scheduler)
    return fail(
      "Action",
      `only the process's owner ${owner} and its scheduler ${now.scheduler} move it, not ${message.from}`,
    )
  const next = parse(message.item.tags)
  if (Result.isFailure(next)) return next
  const expected = now.term + 1
  if (next.success.term !== expected || (takesOver && term !== expected))
    return fail("Term", `the next is ${expected}, not ${next.success.term}`)
  if (next.success.scheduler === now.scheduler) return fail("Scheduler", "schedules the process already")
  return next
}
