/**
 * Debug session: where somebody stands in a process's life, and what each command shows from there. It reads from the
 * node and computes here; nothing that it does reaches the node.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { LogUnfit } from "../../compute-unit/AuditFinding.ts"
import * as StateDifference from "../../compute-unit/StateDifference.ts"
import type { Moment, SlotUnknown, Timeline } from "../../compute-unit/Timeline.ts"
import * as Client from "../../messenger-unit/Client.ts"
import type { MessengerUnit, Unreachable } from "../../messenger-unit/MessengerUnit.ts"
import type { Refused } from "../../runtime/Admission.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import type { LogUnknown } from "../../scheduler-unit/SchedulerUnit.ts"
import type * as DebugLine from "./DebugLine.ts"
import * as DebugText from "./DebugText.ts"
import * as DebugValue from "./DebugValue.ts"
import * as DiffText from "./DiffText.ts"
import * as LogLines from "./LogLines.ts"
import * as Slots from "./Slots.ts"

/** A command that can't be done from here; says what can. */
export class CommandRefused extends Data.TaggedError("CommandRefused")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

export type Failed =
  | CommandRefused
  | Slots.TurnUnknown
  | LogUnfit
  | SlotUnknown
  | LogUnknown
  | Unreachable
  | Refused

/** What a command came to, for machines and for people. */
export interface Answer {
  readonly value: unknown
  readonly text: () => string
}

export interface Session {
  readonly moment: () => Moment
  readonly run: (command: DebugLine.Command) => Effect.Effect<Answer, Failed>
}

/** Slots shown before and after the present one. */
const aroundMax = 5

const refuse = (detail: string) => new CommandRefused({ detail })

/** Opens a session at a slot, or at the newest turn. */
export const open = Effect.fnUntraced(function* <E extends Failed>(
  messenger: MessengerUnit["Service"],
  process: Id.ProcessId,
  timeline: Timeline<E>,
  slot: number | undefined,
) {
  const newest = Effect.map(Slots.computed(messenger, process), (computed) => computed - 1)
  const check = (...slots: ReadonlyArray<number>) => Slots.check(messenger, process, slots)

  const start = slot ?? Math.max(yield* newest, 0)
  yield* check(start)
  let present = yield* timeline.seek(start)

  const go = Effect.fnUntraced(function* (to: number) {
    yield* check(to)
    present = yield* timeline.seek(to)
    const moment = present
    return { value: DebugValue.place(moment), text: () => DebugText.place(moment) }
  })

  const next = Effect.fnUntraced(function* (count: number) {
    const last = yield* newest
    if (present.slot >= last) return yield* refuse(`slot ${present.slot} is the newest that is computed`)
    return yield* go(Math.min(present.slot + count, last))
  })

  const back = (count: number) =>
    present.slot === 0 ? refuse("slot 0 is the first") : go(Math.max(present.slot - count, 0))

  const find = Effect.fnUntraced(function* (action: string) {
    const last = yield* newest
    for (let from = present.slot + 1; from <= last;) {
      const entries = yield* messenger.log(process, from, Math.min(Limit.logPageMax, last - from + 1))
      const found = entries.map(Client.entryOf).find((entry) => LogLines.actionOf(entry) === action)
      if (found !== undefined) return yield* go(found.slot)
      if (entries.length === 0) break
      from += entries.length
    }
    return yield* refuse(
      `no slot from ${present.slot + 1} to ${last} has the action ${JSON.stringify(action)}`,
    )
  })

  const list = Effect.fnUntraced(function* ({ slot }: Moment) {
    const from = Math.max(slot - aroundMax, 0)
    const lines = yield* LogLines.read(messenger, process, from, slot - from + aroundMax + 1)
    return { value: lines.map(LogLines.value), text: () => LogLines.table(lines, slot) }
  })

  const where = Effect.fnUntraced(function* (moment: Moment) {
    const state = yield* timeline.state(moment.slot)
    const { stateRoot, module, engine, memory } = DebugValue.state(state)
    const value = { ...DebugValue.place(moment), stateRoot, module, engine, memory }
    return { value, text: () => DebugText.where(moment, state) }
  })

  const inspect = Effect.fnUntraced(function* (expression: string, when: "before" | "after") {
    const inspected = yield* timeline.inspect(present.slot, expression, when)
    return { value: inspected, text: () => DebugText.inspected(inspected) }
  })

  const views = Effect.fnUntraced(function* (name: string | undefined) {
    const state = yield* timeline.state(present.slot)
    if (name === undefined) return { value: DebugValue.views(state), text: () => DebugText.views(state) }
    const json = state.views.get(name)
    if (json === undefined)
      return yield* refuse(
        `nothing is published under ${JSON.stringify(name)}; there is ${[...state.views.keys()].toSorted().join(", ") || "nothing"}`,
      )
    const value = DebugValue.parsed(json)
    return { value, text: () => JSON.stringify(value, null, 2) }
  })

  const pages = Effect.fnUntraced(function* ({ slot }: Moment) {
    const touched = yield* timeline.touched(slot)
    const text = () =>
      touched.pages.length === 0
        ? DiffText.memory(touched)
        : `${DiffText.memory(touched)}\n${DiffText.pages(touched)}`
    return { value: touched, text }
  })

  const diff = Effect.fnUntraced(function* (from: number, to: number) {
    yield* check(from, to)
    const difference = yield* StateDifference.between(timeline, from, to)
    return { value: DebugValue.difference(difference), text: () => DiffText.state(difference) }
  })

  const run = (command: DebugLine.Command): Effect.Effect<Answer, Failed> => {
    const moment = present
    const { recorded, differences } = moment
    switch (command.name) {
      case "next":
        return next(command.count)
      case "back":
        return back(command.count)
      case "go":
        return go(command.slot)
      case "find":
        return find(command.action)
      case "list":
        return list(moment)
      case "where":
        return where(moment)
      case "message":
        return Effect.succeed({
          value: LogLines.entryValue(DebugValue.entry(moment)),
          text: () => DebugText.message(moment),
        })
      case "outcome": {
        const { stack } = recorded.trace
        const value = { ...recorded.outcome, stack, differences }
        return Effect.succeed({ value, text: () => DebugText.outcome(moment) })
      }
      case "console":
        return Effect.succeed({ value: recorded.trace.console, text: () => DebugText.console(moment) })
      case "eval":
        return inspect(command.expression, "after")
      case "before":
        return inspect(command.expression, "before")
      case "views":
        return views(command.view)
      case "pages":
        return pages(moment)
      case "diff":
        return diff(command.from, command.to ?? moment.slot)
      case "help":
      case "quit":
        return Effect.succeed({ value: null, text: DebugText.help })
    }
  }

  const session: Session = { moment: () => present, run }
  return session
})
