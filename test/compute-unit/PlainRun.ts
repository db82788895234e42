/**
 * A program of its own for the test of plain modules: prints what they computed, a line a turn or an attack.
 *
 *     node [V8 options] PlainRun.ts life <turns>    processes of several modules in one machine
 *     node [V8 options] PlainRun.ts attacks         every attack, each twice
 *     node [V8 options] PlainRun.ts inlined         recursion between small functions, once the compiler knows them
 *
 * All of it runs in a worker with the stack that a sandbox has.
 */
import { setTimeout } from "node:timers/promises"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import { type Attack, attacks, inlined, inlinedWarm } from "./PlainAttacks.ts"
import * as PlainLife from "./PlainLife.ts"
import { counter, stage, tried } from "./PlainStage.ts"
import type { Sent, Stage } from "./Stage.ts"

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, field) => (typeof field === "bigint" ? String(field) : field))

/** A turn and what it leaves to do, as a line. */
export const step = (of: Stage, sent: Sent): string => {
  const result = of.next(sent)
  const failed = result._tag === "Failed"
  const left = failed ? of.machine.abandon(of.memory, of.input(sent), result, of.limits) : undefined
  const end = failed ? `${result.reason}: ${result.message}` : "done"
  const said = Bytes.toHex(Hash.sha256(Bytes.fromText(shown([result, left])))).slice(0, 16)
  return [
    of.slot,
    end,
    result.fuelUsed,
    of.memory.wasmPages,
    said,
    Bytes.toHex(of.memory.globals),
    of.root,
  ].join(" | ")
}

export const live = (turns: number): ReadonlyArray<string> => {
  const processes = PlainLife.open({ machine: new Turn.Machine() })
  const spawned = PlainLife.names.map((name) => `${name} | ${step(processes[name]!, {})}`)
  return [
    ...spawned,
    ...PlainLife.messages(turns).map(([name, sent]) => `${name} | ${step(processes[name]!, sent)}`),
  ]
}

/** What an attack came to. */
export interface Attacked {
  readonly name: string
  /** In which words it was refused. */
  readonly refused: string | undefined
  /** How its first turn ended, and whether the second ended the same for the same fuel. */
  readonly reason: string | undefined
  readonly message: string | undefined
  readonly fuelUsed: string
  readonly again: boolean
  /** Whether memory, globals and size are those of before. */
  readonly kept: boolean
  /** What a neighbour in the same thread counts. */
  readonly neighbour: unknown
}

const limits: Turn.Limits = { fuel: 50_000_000n, memoryPagesMax: 1_024 }

const attacked = ({ name, module }: Attack, machine: Turn.Machine): Omit<Attacked, "neighbour"> => {
  const bytes = module()
  const [booted, second] = [tried(bytes, limits), tried(bytes, limits)]
  const none = { reason: undefined, message: undefined, fuelUsed: "none" }
  if (booted._tag === "ModuleInvalid") {
    const again = shown(booted) === shown(second)
    return { name, refused: booted.message, ...none, again, kept: true }
  }
  const of = stage(bytes, { machine, limits, name })
  of.spawn()
  const state = () => [of.root, of.memory.wasmPages, Bytes.toHex(of.memory.globals)].join()
  const before = state()
  const turns = [of.next({}), of.next({})].map((turn) =>
    turn._tag === "Failed"
      ? { reason: turn.reason, message: turn.message, fuelUsed: String(turn.fuelUsed) }
      : { reason: "done", message: "", fuelUsed: String(turn.fuelUsed) },
  )
  const again = shown(turns[0]) === shown(turns[1])
  return { name, refused: undefined, ...turns[0]!, again, kept: state() === before }
}

const attack = (): ReadonlyArray<string> => {
  const machine = new Turn.Machine()
  const neighbour = stage(counter(), { machine, name: "neighbour" })
  return attacks.map((one) => shown({ ...attacked(one, machine), neighbour: neighbour.value("Increment") }))
}

const inlining = async (): Promise<ReadonlyArray<string>> => {
  const of = stage(inlined(), { limits: { ...limits, fuel: 10_000_000_000n } })
  of.spawn()
  const ends: Array<string> = []
  for (let n = 0; n < 2 * inlinedWarm; n++) {
    const turn = of.next({})
    ends.push(turn._tag === "Failed" ? turn.reason : "done")
    await setTimeout(100) // in which the second tier is done
  }
  return ends
}

if (isMainThread && process.argv[1] === import.meta.filename) {
  const options = { workerData: process.argv.slice(2), resourceLimits: { stackSizeMb: 16 } }
  new Worker(new URL(import.meta.url), options).on("message", (lines: ReadonlyArray<string>) =>
    process.stdout.write(lines.join("\n")),
  )
} else if (!isMainThread && Array.isArray(workerData)) {
  const [mode, turns = "0"] = workerData as ReadonlyArray<string> // as given above
  parentPort!.postMessage(
    mode === "attacks" ? attack() : mode === "inlined" ? await inlining() : live(Number(turns)),
  )
}
