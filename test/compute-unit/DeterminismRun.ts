/**
 * A program of its own for the test of determinism: prints what it computed, a line a turn.
 *
 *     node [V8 options] DeterminismRun.ts life inline | workers <turns>    the corpus, on the main thread or in a worker
 *     node [V8 options] DeterminismRun.ts leg <file> <turns> <from> <to>   slots of it, from the snapshot in the file,
 *                                                                          which those after them go on from
 *     node [V8 options] DeterminismRun.ts attacks                          every attack, on a worker thread
 */
import fs from "node:fs"
import v8 from "node:v8"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Evaluated, Sandbox, Taken } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import * as Snapshot from "../../compute-unit/Snapshot.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import type { Attack } from "./Attack.ts"
import { attacks } from "./Attacks.ts"
import * as Corpus from "./Corpus.ts"
import { Stage } from "./Stage.ts"

/** Slots of a leg after each of which the process is taken up anew, from its snapshot. */
const retakenMax = 12

const lineOf = (action: string, { outcome, stateRoot, trace }: Evaluated): string => {
  const { slot, error, fuelUsed, replies } = outcome
  const [reply] = replies
  const end = error === undefined ? "done" : error.reason
  const said =
    error?.message ?? (reply !== undefined && "value" in reply ? reply.value : (reply?.error ?? ""))
  const traced = Bytes.toHex(Hash.sha256(Bytes.fromText(JSON.stringify(trace))))
  const hashes = [Bytes.toHex(Outcome.hash(outcome)), traced.slice(0, 16), Bytes.toHex(stateRoot!)]
  return [slot, action, end, JSON.stringify(said.slice(0, 200)), fuelUsed, ...hashes].join(" | ")
}

const wasmPages = ({ bytes }: Taken): number => Result.getOrThrow(Snapshot.decode(bytes)).memory!.wasmPages

const live = Effect.fnUntraced(function* (sandbox: Sandbox["Service"], turns: number) {
  const { life, entries, actions } = Corpus.make(turns)
  yield* sandbox.open(life.opening)
  const lines: Array<string> = []
  for (let at = 0; at < entries.length; at += 100)
    for (const evaluated of yield* sandbox.run(life.process, entries.slice(at, at + 100)))
      lines.push(lineOf(actions[evaluated.outcome.slot]!, evaluated))
  return [...lines, `pages | ${wasmPages(yield* sandbox.take(life.process))}`]
})

const leg = Effect.fnUntraced(function* (
  sandbox: Sandbox["Service"],
  file: string,
  [turns, from, to]: readonly [number, number, number],
) {
  const { life, entries, actions } = Corpus.make(turns)
  const { process, opening } = life
  if (from === 0) yield* sandbox.open(opening)
  else {
    const { bytes, stateRoot } = v8.deserialize(fs.readFileSync(file)) as Taken // written below
    yield* sandbox.restore(opening, bytes, stateRoot)
  }
  const lines: Array<string> = []
  for (const entry of entries.slice(from, to)) {
    const [evaluated] = yield* sandbox.run(process, [entry])
    lines.push(lineOf(actions[entry.slot]!, evaluated!))
    if (lines.length > retakenMax) continue
    const { bytes, stateRoot } = yield* sandbox.take(process)
    yield* sandbox.close(process)
    yield* sandbox.restore(opening, bytes, stateRoot)
  }
  const taken = yield* sandbox.take(process)
  fs.writeFileSync(file, v8.serialize(taken))
  return to < entries.length ? lines : [...lines, `pages | ${wasmPages(taken)}`]
})

/** What an attack came to. */
export interface Attacked {
  readonly name: string
  readonly reason: string | undefined
  readonly message: string | undefined
  readonly answer: string | undefined
  readonly sent: readonly [tags: ReadonlyArray<readonly [string, string]>, data: string] | undefined
  readonly view: readonly [name: string, value: string | null] | undefined
  readonly sentInAll: number
  readonly fuelUsed: string
  /** Memory root once the turn is over and, where it failed, what that leaves to do is done. */
  readonly root: string
  /** Whether a failed turn left memory, in storage and where it runs, as in a process that was never attacked. */
  readonly kept: boolean
  /** What the attacked process and a neighbour in its thread answer to the next message. */
  readonly next: string
  readonly neighbour: string
  /** Whether the neighbour's memory is that of a process with a thread of its own. */
  readonly undisturbed: boolean
}

const answerOf = (result: Turn.TurnResult): string => {
  if (result._tag === "Failed") return `${result.reason}: ${result.message}`
  const [reply] = result.emission.replies
  return reply === undefined ? "no answer" : "value" in reply ? reply.value : reply.error
}

const sent = {
  action: "Attack",
  tags: [
    ["\0", "\0\0"],
    ["__proto__", "x"],
    ["constructor", "y"],
  ],
  data: "in\0side",
} as const

/** The attacked processes of one thread and their neighbour, beside a machine that is spared and has its twin. */
class Thread {
  readonly #machine = new Turn.Machine()
  readonly #spared = new Turn.Machine()
  readonly #neighbour = this.#count(this.#machine)
  readonly #twin = this.#count(this.#spared)

  #count(machine: Turn.Machine): Stage {
    return new Stage(`let n = 0; heddle.on("Count", () => ++n)`, { machine, name: "neighbour" })
  }

  attack({ name, body, limits }: Attack): Attacked {
    const script = `heddle.on("Attack", async (m) => { ${body} })\nheddle.on("Next", () => "served")`
    const stage = new Stage(script, { machine: this.#machine, limits, name })
    stage.spawn()
    const before = stage.root
    const unharmed = stage.memory.copy()
    const result = stage.turn(sent)
    const failed = result._tag === "Failed"
    const kept = stage.root === before
    const settle = (machine: Turn.Machine, memory: Turn.Memory): string => {
      const settled = failed ? machine.abandon(memory, stage.input(sent), result, limits) : result
      if (settled._tag === "Failed") throw new Error(`${name} is not settled: ${settled.message}`)
      return Bytes.toHex(memory.root())
    }
    const root = settle(this.#machine, stage.memory)
    const [neighbour] = [this.#neighbour, this.#twin].map((one) => answerOf(one.turn("Count")))
    const { outbox = [], views = [] } = failed ? {} : result.emission
    const [entry] = outbox
    const [view] = views
    return {
      name,
      reason: failed ? result.reason : undefined,
      message: failed ? result.message.slice(0, 200) : undefined,
      answer: failed ? undefined : answerOf(result),
      sent: entry && [
        entry.tags.slice(3).map(({ name, value }) => [name, value] as const),
        Bytes.toText(entry.data)!,
      ],
      view: view && [view.name, view.value],
      sentInAll: outbox.length,
      fuelUsed: String(result.fuelUsed),
      root,
      kept: kept && root === settle(this.#spared, unharmed),
      next: answerOf(stage.turn("Next")),
      neighbour: neighbour!,
      undisturbed: this.#neighbour.root === this.#twin.root,
    }
  }
}

const runAttacks = (): ReadonlyArray<string> => {
  const thread = new Thread()
  return attacks.map((one) => JSON.stringify(thread.attack(one)))
}

const sandboxOf = (where: string) =>
  where === "inline" ? Effect.sync(SandboxInline.make) : SandboxWorkers.make(1)

const print = (lines: ReadonlyArray<string>): void => void process.stdout.write(lines.join("\n"))

const program = ([mode, where = "", ...numbers]: ReadonlyArray<string>): void => {
  const [turns = 0, from = 0, to = 0] = numbers.map(Number)
  if (mode === "attacks")
    new Worker(new URL(import.meta.url), {
      workerData: "attacks",
      resourceLimits: { stackSizeMb: 16 },
    }).on("message", print)
  if (mode === "life")
    void Effect.runPromise(
      Effect.scoped(Effect.flatMap(sandboxOf(where), (sandbox) => live(sandbox, turns))),
    ).then(print)
  if (mode === "leg")
    void Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(sandboxOf("workers"), (sandbox) => leg(sandbox, where, [turns, from, to])),
      ),
    ).then(print)
}

if (!isMainThread && workerData === "attacks") parentPort!.postMessage(runAttacks())
else if (isMainThread) program(process.argv.slice(2))
