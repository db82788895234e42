/** The command that shows what is not delivered, and tries it again. */
import * as Effect from "effect/Effect"
import type { OutboxPlace, Undelivered } from "../../messenger-unit/MessengerUnit.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

export interface OutboxInput extends Caller.Input {
  readonly retry: boolean
  /** As people write it: source.slot.index. */
  readonly entry: OutboxPlace | undefined
}

const idWidth = 12
const textWidth = 60

/** Whole ids: an entry is named by them to the command that retries it. */
const table = (waiting: ReadonlyArray<Undelivered>): string => {
  const columns = ["entry", "kind", "target", "since", "attempts", "next", "reason"]
  const rows = waiting.map((one) => [
    `${one.source}.${one.slot}.${one.index}`,
    one.kind,
    Screen.short(one.target, idWidth),
    Screen.time(one.since),
    String(one.attempts),
    one.next === undefined ? "" : Screen.time(one.next),
    Screen.short(one.reason, textWidth),
  ])
  return Screen.table(
    columns.map((title) => ({ title, right: title === "attempts" })),
    rows,
  )
}

const list = Effect.fnUntraced(function* (input: OutboxInput) {
  const waiting = yield* Caller.connected(input, (messenger) => messenger.outbox)
  yield* Screen.show(input.json, waiting, () =>
    waiting.length === 0 ? "everything is delivered" : table(waiting),
  )
  if (waiting.length === Limit.outboxShownMax && !input.json)
    yield* Screen.note(`${waiting.length} are shown; there may be more`)
})

const retry = Effect.fnUntraced(function* (input: OutboxInput) {
  const retried = yield* Caller.connected(input, (messenger) =>
    Screen.progress("trying", () => messenger.retry(input.entry)),
  )
  const { tried, delivered, waiting } = retried
  yield* Screen.show(input.json, retried, () => {
    const told = `${tried} tried again, ${delivered} delivered`
    return waiting.length === 0 ? told : `${told}, ${waiting.length} not yet\n${table(waiting)}`
  })
})

export const outbox = (input: OutboxInput) =>
  Effect.gen(function* () {
    if (input.retry) return yield* retry(input)
    if (input.entry === undefined) return yield* list(input)
    return yield* new Caller.WrongUsage({
      detail: "an entry goes with what is to become of it, such as --retry",
      help: "heddle outbox --help",
    })
  })
