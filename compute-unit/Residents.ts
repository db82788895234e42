/**
 * Residents: the processes that are open in sandboxes, by when they were last used, and the bytes that they take.
 *
 *     bytes of a resident = pages of its own + what being open costs beside them
 */
import * as Limit from "../runtime/Limit.ts"
import type { Followed } from "./Followed.ts"

export class Residents {
  /** Least recently used first. */
  readonly #bytes = new Map<Followed, number>()
  #total = 0

  /** Bytes of all of them. */
  get total(): number {
    return this.#total
  }

  get size(): number {
    return this.#bytes.size
  }

  /** Notes that it is open and was used just now, with so many bytes in pages of its own. */
  set(of: Followed, ownBytes: number): void {
    this.remove(of)
    const bytes = ownBytes + Limit.residentOverheadBytes
    this.#bytes.set(of, bytes)
    this.#total += bytes
  }

  /** Notes that it was used just now, if it is open. */
  use(of: Followed): void {
    const bytes = this.#bytes.get(of)
    if (bytes === undefined) return
    this.#bytes.delete(of)
    this.#bytes.set(of, bytes)
  }

  remove(of: Followed): void {
    this.#total -= this.#bytes.get(of) ?? 0
    this.#bytes.delete(of)
  }

  /** Those least recently used that `mayGo`, as many as free so many bytes, and at most `max`. */
  oldest(bytes: number, max: number, mayGo: (of: Followed) => boolean): ReadonlyArray<Followed> {
    const found: Array<Followed> = []
    let freed = 0
    for (const [of, own] of this.#bytes) {
      if (freed >= bytes || found.length >= max) break
      if (!mayGo(of)) continue
      found.push(of)
      freed += own
    }
    return found
  }
}
