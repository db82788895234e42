/**
 * A store on a disk that takes its time, fills up, and loses at a crash what was not flushed.
 *
 * Commits that are asked for together share a flush. At a crash some of the flush that is under way is durable: the
 * first so many commits of it, each as a whole, which is all that the seam promises.
 */
import * as Effect from "effect/Effect"
import * as Bytes from "../../runtime/Bytes.ts"
import { assertKeys, type Put, type Store, StoreFailed } from "../../runtime/Store.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import type { Life, Loop } from "./Loop.ts"
import type * as Luck from "./Luck.ts"

export interface Disk {
  /** Longest flush, in ms, and share of flushes that take fifty times as long. */
  readonly flushMsMax: number
  readonly slow: number
  /** Whether a commit answers before it is durable, as a disk does that lies about its cache. */
  readonly lies: boolean
}

interface Waiting {
  readonly puts: ReadonlyArray<Put>
  readonly done: (result: Effect.Effect<void, StoreFailed>) => void
}

const full = Effect.fail(new StoreFailed({ reason: "full", detail: "no space is left" }))
const everything = { from: Uint8Array.of(0), to: new Uint8Array(64).fill(0xff) }

/** A key begins with its table's name and a zero byte. */
export const tablesOf = (puts: ReadonlyArray<Put>): ReadonlyArray<string> => [
  ...new Set(puts.map(({ key }) => Bytes.toText(key.subarray(0, key.indexOf(0))) ?? "")),
]

export class StoreSimulated {
  readonly #loop: Loop
  readonly #luck: Luck.Luck
  readonly #disk: Disk
  readonly #name: string
  /** What a crash leaves. */
  readonly durable = StoreMemory.make()
  #visible: Store["Service"]
  #waiting: Array<Waiting> = []
  #flushing: ReadonlyArray<Waiting> = []
  #commits = 0
  /** Whether commits fail for want of space. */
  isFull = false
  /** Told after each flush, when it is durable and nobody knows it yet. */
  onFlush: () => void = () => {}

  constructor(loop: Loop, luck: Luck.Luck, disk: Disk, name: string) {
    this.#loop = loop
    this.#luck = luck
    this.#disk = disk
    this.#name = name
    this.#visible = disk.lies ? StoreMemory.make() : this.durable
  }

  #write(puts: ReadonlyArray<Put>, store: Store["Service"]): void {
    Effect.runSync(Effect.orDie(store.commit(puts)))
  }

  /** Has something on the disk before the world begins. */
  install(puts: ReadonlyArray<Put>): void {
    this.#write(puts, this.durable)
    if (this.#disk.lies) this.#write(puts, this.#visible)
  }

  #flush(life: Life): void {
    if (this.#flushing.length > 0 || this.#waiting.length === 0) return
    this.#flushing = this.#waiting.splice(0)
    const slow = this.#luck.chance(this.#disk.slow) ? 50 : 1
    const ms = Math.ceil(this.#luck.next() * this.#disk.flushMsMax * slow)
    this.#loop.after(life, ms, () => {
      const group = this.#flushing
      this.#flushing = []
      for (const { puts, done } of group) {
        const result = this.isFull ? full : Effect.void
        if (!this.isFull) this.#write(puts, this.durable)
        this.#loop.note(`${this.#name} ${this.isFull ? "is full for" : "has"} ${tablesOf(puts).join(" ")}`)
        for (const { key, value } of puts) this.#loop.trace.count(Bytes.toHex(value ?? key))
        this.#loop.add(life, () => done(result))
      }
      this.#commits++
      this.onFlush()
      this.#flush(life)
    })
  }

  /** The store as a life has it: after its crash it reaches nothing. */
  open(life: Life): Store["Service"] {
    const commit = (puts: ReadonlyArray<Put>) =>
      Effect.callback<void, StoreFailed>((resume) => {
        if (!life.alive) return
        let done: Waiting["done"] = resume
        if (this.#disk.lies && !this.isFull) {
          this.#write(puts, this.#visible)
          done = () => {}
          this.#loop.add(life, () => resume(Effect.void))
        }
        this.#waiting.push({ puts, done })
        this.#loop.add(life, () => this.#flush(life))
      })
    return {
      get: (key) => this.#visible.get(key),
      range: (range) => this.#visible.range(range),
      commit: (puts) =>
        Effect.suspend(() => {
          assertKeys(puts)
          return Effect.uninterruptible(commit(puts))
        }),
      commits: () => this.#commits,
    }
  }

  /** Power is cut. What was asked for and not flushed is lost, but for a part of the flush that was under way. */
  crash(): void {
    const kept = this.#flushing.slice(0, this.isFull ? 0 : this.#luck.below(this.#flushing.length + 1))
    for (const { puts } of kept) this.#write(puts, this.durable)
    const lost = this.#flushing.length - kept.length + this.#waiting.length
    this.#loop.note(`${this.#name} loses ${lost} commits, keeps ${kept.length}`)
    this.#flushing = []
    this.#waiting = []
    if (!this.#disk.lies) return
    this.#visible = StoreMemory.make()
    const rows = this.durable.range(everything)
    this.#write(
      rows.map(([key, value]) => ({ key, value })),
      this.#visible,
    )
  }
}
