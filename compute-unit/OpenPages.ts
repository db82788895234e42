/**
 * OpenPages: the memories whose pages lie open in a thread, by when they were last used. What is over the bound is
 * packed, oldest first: thousands of processes wait in one thread for each that runs.
 */

export interface Packable {
  /** False where it can't be packed yet. */
  readonly pack: () => boolean
}

export class OpenPages {
  readonly #pagesMax: number
  /** Least recently used first. Weak, so that a process that is closed goes at once. */
  readonly #pages = new Map<WeakRef<Packable>, number>()
  #total = 0

  constructor(pagesMax: number) {
    this.#pagesMax = pagesMax
  }

  /** Pages that lie open, those of closed processes included until they are the oldest. */
  get total(): number {
    return this.#total
  }

  /** Notes that a memory was used just now and has so many pages open. */
  use(memory: WeakRef<Packable>, pages: number): void {
    this.remove(memory)
    this.#pages.set(memory, pages)
    this.#total += pages
    for (const oldest of this.#pages.keys()) {
      if (this.#total <= this.#pagesMax || oldest === memory) return
      if (oldest.deref()?.pack() ?? true) this.remove(oldest)
    }
  }

  remove(memory: WeakRef<Packable>): void {
    this.#total -= this.#pages.get(memory) ?? 0
    this.#pages.delete(memory)
  }
}
