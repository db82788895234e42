/**
 * Figure: one thing that is measured, with the limit that it is held against. Each has a file in `figures/` and runs
 * in a process of its own, where it measures its limits too: what else the machine does then weighs on both.
 *
 * A limit is the best of its rounds, because it stands for the machine undisturbed; a figure is the median of its own.
 * So a ratio is never better than the truth. Where both are the same kind of work, done in turns round by round, the
 * same is taken of both: the best, or the median.
 */

export type Unit = "/s" | "ms" | "KiB"

export interface Quantity {
  readonly value: number
  readonly unit: Unit
}

export interface Limit extends Quantity {
  readonly name: string
}

export interface Row {
  readonly name: string
  readonly measured: Quantity
  /** None where the row is a limit itself. */
  readonly limit: Limit | undefined
  /** Share of the limit that is reached: 1 is all that the machine gives. */
  readonly ratio: number | undefined
  /** Share of the limit that is wanted, where one is named. */
  readonly goal: number | undefined
}

export interface Measured {
  readonly _tag: "Measured"
  readonly rows: ReadonlyArray<Row>
  /** The reckoning in a line or two: what the hardware would allow, and where the rest goes. */
  readonly reckoning: ReadonlyArray<string>
}

/** It can't be measured here; `why` says what is missing. */
export interface Unavailable {
  readonly _tag: "Unavailable"
  readonly why: string
}

export interface Broken {
  readonly _tag: "Broken"
  readonly why: string
}

export type Result = Measured | Unavailable

export interface Setting {
  /** An empty folder of this figure's own. */
  readonly folder: string
  /** Smaller sizes: to see that it runs, not to believe the numbers. */
  readonly quick: boolean
  /** Folder for CPU profiles, where they are wanted. */
  readonly profile: string | undefined
  /** Says on stderr what is being done. */
  readonly progress: (text: string) => void
}

export type Figure = (setting: Setting) => Promise<Result>

/** Every figure, in the order in which they run. */
export const figures = {
  limits: () => import("./figures/Limits.ts"),
  sequence: () => import("./figures/Sequence.ts"),
  load: () => import("./figures/Load.ts"),
  overload: () => import("./figures/Overload.ts"),
  "ping-pong": () => import("./figures/PingPong.ts"),
  replay: () => import("./figures/Replay.ts"),
  restart: () => import("./figures/Restart.ts"),
  help: () => import("./figures/Help.ts"),
  memory: () => import("./figures/Memory.ts"),
  overhead: () => import("./figures/Overhead.ts"),
  commit: () => import("./figures/Commit.ts"),
  wake: () => import("./figures/Wake.ts"),
  workers: () => import("./figures/Workers.ts"),
  neighbour: () => import("./figures/Neighbour.ts"),
  archive: () => import("./figures/Archive.ts"),
  "archive-size": () => import("./figures/ArchiveSize.ts"),
  restore: () => import("./figures/Restore.ts"),
} as const satisfies Record<string, () => Promise<{ readonly figure: Figure }>>

export type Name = keyof typeof figures

export const names = Object.keys(figures) as ReadonlyArray<Name> // the keys of the line above

export const isName = (name: string): name is Name => Object.hasOwn(figures, name)

export const perSecond = (value: number): Quantity => ({ value, unit: "/s" })
export const ms = (value: number): Quantity => ({ value, unit: "ms" })
export const kib = (value: number): Quantity => ({ value, unit: "KiB" })

/** A row without a limit: it is one. */
export const bare = (name: string, measured: Quantity): Row => ({
  name,
  measured,
  limit: undefined,
  ratio: undefined,
  goal: undefined,
})

/** A row held against a limit of the same unit. Of a rate more is better, of a time or a size less. */
export const against = (
  name: string,
  measured: Quantity,
  limitName: string,
  limit: number,
  goal?: number,
): Row => ({
  name,
  measured,
  limit: { name: limitName, value: limit, unit: measured.unit },
  ratio: measured.unit === "/s" ? measured.value / limit : limit / measured.value,
  goal,
})
