/** IdText: ids that a caller gives as text, read before anything is asked: one that is no id is refused by name. */
import * as Effect from "effect/Effect"
import { Refused } from "../runtime/Admission.ts"
import * as Id from "../runtime/Id.ts"

export const id = (text: string, what: "process" | "module"): Effect.Effect<Id.Id, Refused> => {
  const found = Id.parse(text)
  if (found !== undefined) return Effect.succeed(found)
  return Effect.fail(
    new Refused({ reason: `unknown ${what}`, detail: `"${text}" is no id: it has 43 characters` }),
  )
}

/** The engine that is to run a process; without one, that of the unit's version. */
export interface Pinned {
  readonly engine?: string | undefined
}

export const engine = ({ engine: text }: Pinned): Effect.Effect<Id.Id | undefined, Refused> => {
  const found = text === undefined ? undefined : Id.parse(text)
  if (text === undefined || found !== undefined) return Effect.succeed(found)
  const detail = `"${text}" is no id of an engine: it has 43 characters`
  return Effect.fail(new Refused({ reason: "bad spawn", detail }))
}
