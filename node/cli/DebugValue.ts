/** Debug value: moments and states of a process as JSON has them, for machines. */
import type { StateDifference } from "../../compute-unit/StateDifference.ts"
import type { Moment, State } from "../../compute-unit/Timeline.ts"
import type * as Client from "../../messenger-unit/Client.ts"
import * as Id from "../../runtime/Id.ts"
import * as LogLines from "./LogLines.ts"

/** The message of a moment with its place. */
export const entry = ({ slot, timestamp, message }: Moment): Client.Entry => {
  const { id, from, fromProcess, action, item } = message
  const tags = item.tags.map(({ name, value }) => [name, value] as const)
  return { slot, timestamp, id, from, fromProcess, action, tags, data: item.data }
}

export const line = (moment: Moment): LogLines.Line => ({ entry: entry(moment), turn: moment.recorded })

/** Where a moment is: what changes with every step. */
export const place = (moment: Moment) => {
  const { slot, timestamp, message, recorded, differences } = moment
  const { fuelUsed, error } = recorded.outcome
  const action = LogLines.actionOf(entry(moment))
  return { slot, timestamp, action, from: message.from, fuelUsed, error, differences }
}

const object = <V>(map: ReadonlyMap<string, V>): Readonly<Record<string, V>> => Object.fromEntries(map)

/** What JSON text says; a guest that got around its prelude can make it something else, and that is shown as it is. */
export const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Views with what they hold. */
export const views = (state: State): Readonly<Record<string, unknown>> =>
  Object.fromEntries([...state.views].map(([name, json]) => [name, parsed(json)]))

export const state = ({ slot, stateRoot, engine, module, memory, ...rest }: State) => ({
  slot,
  stateRoot,
  engine: Id.fromBytes(engine),
  module,
  memory,
  views: object(rest.views),
  sent: object(rest.sent),
  received: object(rest.received),
  cron: object(rest.cron),
  timers: object(rest.timers),
})

/** A difference of two states, with as much of them as says which they are. */
export const difference = ({ before, after, ...changes }: StateDifference) => {
  const point = ({ slot, stateRoot, engine, module }: State) => ({
    slot,
    stateRoot,
    engine: Id.fromBytes(engine),
    module,
  })
  return { before: point(before), after: point(after), ...changes }
}
