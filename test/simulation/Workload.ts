/**
 * Workload: what the callers of a simulated world do, and when, from a seed. It names processes by numbers, because who
 * a process is depends on who was spawned before.
 */
import type * as Luck from "./Luck.ts"

/** A step of a script whose targets are numbers: of processes that callers have spawned, in order, all over again. */
export type Plan = ReadonlyArray<
  | readonly ["send" | "ask", target: number, plan: Plan]
  | readonly ["ask within", target: number, plan: Plan, ms: number]
  /** Asks a process that there is not. */
  | readonly ["ask nobody", ms: number]
  | readonly ["spawn", plan: Plan]
  | readonly ["sleep", ms: number]
  | readonly ["fail"]
>

export type Look = "nothing" | "receipt" | "turn" | "view" | "view proof" | "query"

interface Timed {
  /** Names it for good, whatever else is left out of the workload. */
  readonly number: number
  /** ms after the world began. */
  readonly at: number
  readonly by: number
}

export type Operation = Timed &
  (
    | { readonly kind: "spawn"; readonly cronSeconds: number | undefined; readonly quorum: number }
    | {
        readonly kind: "say"
        readonly target: number
        readonly plan: Plan
        readonly waits: boolean
        readonly look: Look
        /** Times that it is sent at once. */
        readonly copies: number
      }
    /** Sends an earlier message of the same caller once more: as it is, or the same content signed again. */
    | { readonly kind: "repeat"; readonly of: number; readonly signedAgain: boolean }
    /** Other content under the anchor of an earlier message. */
    | { readonly kind: "anchor"; readonly of: number }
    | { readonly kind: "forge"; readonly target: number }
    | { readonly kind: "look"; readonly target: number; readonly look: Look }
    /** A word of its owner whom a process is to believe. */
    | { readonly kind: "authority"; readonly target: number; readonly quorum: number }
    | { readonly kind: "upgrade"; readonly target: number; readonly program: number }
    /** Lets a process speak to one that is not there yet, gives up one of its messages, and spawns that one. */
    | {
        readonly kind: "drop"
        readonly target: number
        /** Which of the messages: one that is sent, one that asks. */
        readonly index: number
        readonly byOwner: boolean
        readonly quorum: number
        /** ms after the first message. */
        readonly dropMs: number
        readonly spawnMs: number
      }
  )

export const callers = 3

const looks: ReadonlyArray<Look> = ["nothing", "nothing", "receipt", "turn", "view", "view proof", "query"]

const planOf = (luck: Luck.Luck, depth: number): Plan =>
  Array.from({ length: 1 + luck.below(depth > 1 ? 3 : 2) }, () => {
    const target = luck.below(100)
    const inner = depth > 0 ? planOf(luck, depth - 1) : []
    const dice = luck.below(16)
    if (dice < 5) return ["send", target, inner]
    if (dice < 9) return ["ask", target, inner]
    if (dice < 10) return ["ask within", target, inner, 1 + luck.below(5_000)]
    if (dice < 12) return ["spawn", inner]
    if (dice < 14) return ["sleep", 1 + luck.below(luck.chance(0.2) ? 20_000 : 2_000)]
    return dice < 15 ? ["fail"] : ["ask nobody", 1 + luck.below(3_000)]
  })

export interface Shape {
  readonly operations: number
  /** ms in which they all begin. */
  readonly spanMs: number
  /** Compute units that attest, where the world has more than one. */
  readonly units: number
}

export const make = (luck: Luck.Luck, { operations, spanMs, units }: Shape): ReadonlyArray<Operation> => {
  const spawnsFirst = 2 + luck.below(2)
  const times = Array.from({ length: operations }, () => luck.below(spanMs)).toSorted((a, b) => a - b)
  const all = times.map((at, number): Operation => {
    const timed = { number, at: number < spawnsFirst ? 0 : at, by: luck.below(callers) }
    const [target, of, dice] = [luck.below(100), luck.below(Math.max(1, number)), luck.below(20)]
    const plan = planOf(luck, 1 + luck.below(2))
    const [waits, look, isDouble] = [luck.chance(0.7), luck.pick(looks), luck.chance(0.1)]
    const cronSeconds = luck.chance(0.3) ? 8 + luck.below(20) : undefined
    const quorum = 1 + luck.below(units)
    if (number < spawnsFirst || dice === 0) return { ...timed, kind: "spawn", cronSeconds, quorum }
    if (dice < 12) return { ...timed, kind: "say", target, plan, waits, look, copies: isDouble ? 2 : 1 }
    if (dice < 15) return { ...timed, kind: "repeat", of, signedAgain: luck.chance(0.5) }
    if (dice < 16) return { ...timed, kind: "anchor", of }
    if (dice < 17) return { ...timed, kind: "forge", target }
    if (dice < 18) return { ...timed, kind: "look", target, look }
    return dice < 19
      ? { ...timed, kind: "authority", target, quorum }
      : { ...timed, kind: "upgrade", target, program: luck.below(2) }
  })
  const drops = Array.from({ length: luck.below(3) }, (_, i): Operation => ({
    number: operations + i,
    at: luck.below(spanMs),
    by: luck.below(callers),
    kind: "drop",
    target: luck.below(100),
    index: luck.below(2),
    byOwner: luck.chance(0.8),
    quorum: 1 + luck.below(units),
    dropMs: luck.below(1_000),
    spawnMs: luck.below(2_000),
  }))
  return [...all, ...drops]
}
