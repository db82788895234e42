/**
 * Window: messages of a pair that came before those that go before them (spec 03 §4). Where several carry for one source,
 * a later message can overtake an earlier one by a little; it waits here instead of going all the way back.
 *
 *     admitted last 4; 7, 6 and 69 come     7 and 6 wait, 69 is too far ahead
 *     5 is admitted                         6 and 7 are decided again, in this order
 *
 * Bounded in how far ahead, how many of a pair and in all, and how many bytes. How long is its keeper's business.
 */
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"

/** Where a message stands among those of its source to its process. */
export interface Place {
  readonly process: Id.ProcessId
  readonly source: Id.ProcessId
  readonly pair: number
}

interface Held<A> {
  readonly pair: number
  readonly bytes: number
  readonly value: A
}

type Lane<A> = ReadonlyArray<Held<A>>

export class Window<A> {
  readonly #lanes = new Map<Id.ProcessId, Map<Id.ProcessId, Lane<A>>>()
  #count = 0
  #bytes = 0

  /** Whether a message may wait, `last` being the pair number admitted last; if so, it does. */
  enter({ process, source, pair }: Place, last: number, bytes: number, value: A): boolean {
    const lane = this.#lanes.get(process)?.get(source) ?? []
    if (pair <= last + 1 || pair > last + Limit.pairsAheadMax) return false
    if (lane.length >= Limit.pairsAheadMax || this.#count >= Limit.earlyMessagesMax) return false
    if (this.#bytes + bytes > Limit.earlyMessagesBytesMax) return false
    this.#set(process, source, [...lane, { pair, bytes, value }])
    this.#count++
    this.#bytes += bytes
    return true
  }

  leave({ process, source }: Place, value: A): void {
    const lane = this.#lanes.get(process)?.get(source) ?? []
    const held = lane.find((one) => one.value === value)
    if (held === undefined) return
    const rest = lane.filter((one) => one !== held)
    this.#set(process, source, rest)
    this.#count--
    this.#bytes -= held.bytes
  }

  /** Those whose turn has come, in order: of each source from the number after the last one on, as far as they go. */
  ready(process: Id.ProcessId, lastOf: (source: Id.ProcessId) => number): ReadonlyArray<A> {
    return [...(this.#lanes.get(process) ?? [])].flatMap(([source, lane]) => {
      let next = lastOf(source) + 1
      const ready: Array<A> = []
      for (const { pair, value } of lane.toSorted((a, b) => a.pair - b.pair)) {
        if (pair > next) break
        next = Math.max(next, pair + 1)
        ready.push(value)
      }
      return ready
    })
  }

  #set(process: Id.ProcessId, source: Id.ProcessId, lane: Lane<A>): void {
    const lanes = this.#lanes.get(process) ?? new Map<Id.ProcessId, Lane<A>>()
    if (lane.length > 0) lanes.set(source, lane)
    else lanes.delete(source)
    if (lanes.size > 0) this.#lanes.set(process, lanes)
    else this.#lanes.delete(process)
  }
}
