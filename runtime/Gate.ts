/**
 * Gate: how many may be inside at once, and how many of them from one side. Nobody waits before it: who finds no place
 * is told so at once.
 *
 *     a side may come in while fewer of it are inside than places are free
 *
 * Example, 12 places: one side alone gets 6 and leaves 6 free, however much it asks for; two that flood get 4 each, and
 * a third finds 4 free. Where all are taken, whoever has least is first for what comes free. So no side can keep the
 * others out, and none is asked how much it will want.
 */

/** One who is inside. */
export interface Place {
  /** Gives the place back; a second time does nothing. */
  readonly leave: () => void
}

export interface Gate {
  /** A place for one of `side`, or none. */
  readonly enter: (side: string) => Place | undefined
  readonly inside: () => number
}

/** What a side gets at most while nobody else is inside. */
export const aloneMax = (places: number): number => Math.ceil(places / 2)

export const make = (places: number): Gate => {
  const insideOf = new Map<string, number>()
  let inside = 0
  return {
    inside: () => inside,
    enter: (side) => {
      const before = insideOf.get(side) ?? 0
      if (before >= places - inside) return undefined
      insideOf.set(side, before + 1)
      inside++
      let left = false
      return {
        leave: () => {
          if (left) return
          left = true
          inside--
          const rest = insideOf.get(side)! - 1
          if (rest > 0) insideOf.set(side, rest)
          else insideOf.delete(side)
        },
      }
    },
  }
}
