/**
 * Courier: carries what processes emit, beside the messenger of the node and with less conscience. It withholds,
 * replays, reorders, mixes up and mangles; all of it must be refused or change nothing.
 *
 * In an honest hour it brings what the messenger can't: entries whose receiver believes several units, whose signatures
 * only the courier has together.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { ComputeUnit, Emitted } from "../../compute-unit/ComputeUnit.ts"
import type { Undelivered } from "../../messenger-unit/MessengerUnit.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import type { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import type { Life, Loop } from "./Loop.ts"
import type * as Luck from "./Luck.ts"
import { lost, type Machine } from "./Machine.ts"
import type { Seen } from "./Seen.ts"

interface Parcel {
  /** As the first unit has it, where that has it: another may lie. */
  emitted: Emitted
  /** Proofs by the unit that gave them. */
  readonly proofs: Map<string, Uint8Array>
  delivered: boolean
}

export interface Roads {
  readonly loop: Loop
  readonly luck: Luck.Luck
  readonly scheduler: Machine<{ readonly scheduler: SchedulerUnit["Service"] }>
  readonly units: ReadonlyArray<Machine<{ readonly compute: ComputeUnit["Service"] }>>
  readonly see: (seen: Seen) => void
  /** Longest pause between two tricks. */
  readonly pauseMs: number
}

/** Most of what it tries on is about what was emitted last. */
const recentMax = 8
const retryMs = 200
/** Share of releases that it tries to bring before the messenger does, the last entry first. */
const rushes = 0.3

const name = ({ source, slot, index }: Pick<Emitted, "source" | "slot" | "index">): string =>
  `${source} ${slot} ${index}`

/** The proof with the most signatures that proofs of several units make: one of them may say something else. */
const merge = (proofs: Iterable<Uint8Array>): Uint8Array => {
  const merged: Array<OutboxProof.OutboxProof> = []
  for (const bytes of proofs) {
    const proof = Result.getOrThrow(OutboxProof.decode(bytes))
    const both = merged.map((one) => OutboxProof.merge([one, proof]))
    const at = both.findIndex(Result.isSuccess)
    if (at < 0) merged.push(proof)
    else merged[at] = Result.getOrThrow(both[at]!)
  }
  const [most] = merged.toSorted((a, b) => b.witnesses.length - a.witnesses.length)
  return OutboxProof.encode(most!)
}

export class Courier {
  readonly #roads: Roads
  readonly #life: Life = { name: "courier", alive: true, skewMs: 0 }
  readonly #parcels = new Map<string, Parcel>()
  isHonest = false

  constructor(roads: Roads) {
    this.#roads = roads
  }

  start(): void {
    for (const unit of this.#roads.units) this.#follow(unit, 0)
    this.#tryOn()
  }

  /** Whether it has brought an entry. */
  hasBrought(entry: Pick<Emitted, "source" | "slot" | "index">): boolean {
    return this.#parcels.get(name(entry))?.delivered ?? false
  }

  /** Brings what the messenger can't, for as long as that is refused by others than the receiver's policy. */
  bring(held: ReadonlyArray<Undelivered>): void {
    for (const one of held) {
      const parcel = this.#parcels.get(name(one))
      if (parcel === undefined || parcel.delivered || !parcel.proofs.has(this.#roads.units[0]!.name)) continue
      this.#submit(
        parcel.emitted.entry.item,
        merge(parcel.proofs.values()),
        () => void (parcel.delivered = true),
      )
    }
  }

  #later(run: () => void, msMax = retryMs): void {
    this.#roads.loop.after(this.#life, 1 + this.#roads.luck.below(msMax), run)
  }

  #follow(unit: Roads["units"][number], number: number): void {
    unit.call(
      ({ compute }) => Stream.runHead(compute.releases(number)),
      (exit) => {
        if (exit === lost) return this.#later(() => this.#follow(unit, number))
        if (Exit.isFailure(exit)) return this.#roads.loop.fail(new Error(Cause.pretty(exit.cause)))
        const release = Option.getOrThrow(exit.value)
        this.#roads.see({ machine: unit.name, kind: "release", release })
        for (const emitted of release.emitted) {
          const known = this.#parcels.get(name(emitted))
          const parcel = known ?? { emitted, proofs: new Map<string, Uint8Array>(), delivered: false }
          if (unit === this.#roads.units[0]) parcel.emitted = emitted
          parcel.proofs.set(unit.name, emitted.proof)
          this.#parcels.set(name(emitted), parcel)
        }
        if (!this.isHonest && this.#roads.luck.chance(rushes))
          for (const { entry, proof } of release.emitted.toReversed())
            this.#submit(entry.item, proof, () => {})
        this.#follow(unit, number + 1)
      },
    )
  }

  #submit(item: Uint8Array, proof: Uint8Array, done: () => void): void {
    this.#roads.scheduler.call(
      ({ scheduler }) => Effect.result(scheduler.submit(item, proof)),
      (exit) => {
        if (exit !== lost && Exit.isSuccess(exit) && Result.isSuccess(exit.value)) done()
      },
    )
  }

  #tryOn(): void {
    const { luck, pauseMs } = this.#roads
    const all = [...this.#parcels.values()]
    const parcels = luck.chance(0.7) ? all.slice(-recentMax) : all
    if (!this.isHonest && parcels.length > 0) {
      const [one, other] = [luck.pick(parcels), luck.pick(parcels)]
      const { item } = one.emitted.entry
      const [first] = one.proofs.values()
      const mangled = Bytes.copy(first!)
      mangled[luck.below(mangled.length)]! ^= 1 << luck.below(8)
      const tricks = [first!, first!, merge(one.proofs.values()), mangled, other.emitted.proof, Bytes.empty]
      this.#submit(item, luck.pick(tricks), () => {})
    }
    this.#later(() => this.#tryOn(), pauseMs)
  }
}
