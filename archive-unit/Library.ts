/**
 * Library: contents that were read, checked and are held, a few at a time: a log is never in memory as a whole. Who
 * asks for one that is being read waits for it; one that is of no use is told once and not read again.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Limit from "../runtime/Limit.ts"
import type { Listed } from "./Catalog.ts"
import type { Useless } from "./ContentReader.ts"

export interface Library<A extends object> {
  /** The content, or why there is none. */
  readonly get: (listed: Listed) => Effect.Effect<A | Useless>
  /** Begins to read a content that will be asked for. */
  readonly ahead: (listed: Listed) => Effect.Effect<void>
  /** Contents that are held or being read. */
  readonly held: () => number
}

/** `load` reads and checks a content. What it has begun ends with the scope. */
export const make = Effect.fnUntraced(function* <A extends object>(
  load: (listed: Listed) => Effect.Effect<A | Useless>,
) {
  const scope = yield* Effect.scope
  /** By key, used longest ago first. */
  const held = new Map<string, Fiber.Fiber<A | Useless>>()
  const useless = new Map<string, Useless>()

  const begin = Effect.fnUntraced(function* (listed: Listed) {
    const { key } = listed
    while (held.size >= Limit.archiveContentsHeldMax) held.delete(held.keys().next().value!)
    const fiber = yield* Effect.forkIn(load(listed), scope)
    held.set(key, fiber)
    return fiber
  })

  const library: Library<A> = {
    get: Effect.fnUntraced(function* (listed) {
      const { key } = listed
      const known = useless.get(key)
      if (known !== undefined) return known
      const fiber = held.get(key) ?? (yield* begin(listed))
      held.delete(key)
      held.set(key, fiber)
      const content = yield* Fiber.join(fiber)
      if (typeof content === "string") {
        held.delete(key)
        useless.set(key, content)
      }
      return content
    }),
    ahead: (listed) =>
      Effect.suspend(() =>
        held.has(listed.key) || useless.has(listed.key) ? Effect.void : Effect.asVoid(begin(listed)),
      ),
    held: () => held.size,
  }
  return library
})
