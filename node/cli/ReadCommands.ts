/** Commands that read: ps, log, follow, receipt, snapshots. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Turn } from "../../compute-unit/ComputeUnit.ts"
import * as Client from "../../messenger-unit/Client.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import * as Caller from "./Caller.ts"
import * as LogLines from "./LogLines.ts"
import * as Screen from "./Screen.ts"

export interface OfProcess extends Caller.Input {
  readonly process: Id.ProcessId
}

const idWidth = 12
const textWidth = 60

export const ps = (input: Caller.Input) =>
  Effect.gen(function* () {
    const [processes, info] = yield* Caller.connected(input, (messenger) =>
      Effect.all([messenger.processes, messenger.info], { concurrency: 2 }),
    )
    yield* Screen.show(input.json, processes, () => {
      if (processes.length === 0) return "no process yet; spawn one with: heddle spawn <file.ts>"
      const otherOf = (engine: Uint8Array | undefined): string =>
        engine === undefined || Bytes.equal(engine, info.engine) ? "" : Id.fromBytes(engine).slice(0, idWidth)
      // Most nodes run everything with one engine, and its id would be on every line.
      const anyOther = processes.some(({ engine }) => otherOf(engine) !== "")
      const rows = processes.map(
        ({ process, name, slots, computed, timestamp, stateRoot, engine, parked }) => [
          process,
          Screen.short(name ?? "", 24),
          String(slots),
          parked !== undefined
            ? `parked: ${Screen.short(parked, textWidth)}`
            : computed < slots
              ? "running"
              : "idle",
          Screen.time(timestamp),
          Screen.short(Bytes.toHex(stateRoot), 16),
          ...(anyOther ? [otherOf(engine)] : []),
        ],
      )
      const always = ["process", "name", "slots", "state", "newest message", "state root"]
      const columns = anyOther ? [...always, "other engine"] : always
      return Screen.table(
        columns.map((title) => ({ title, right: title === "slots" })),
        rows,
        (cell, column) => (column === 3 && cell.startsWith("parked") ? Screen.styled("red", cell) : cell),
      )
    })
  })

export interface LogInput extends OfProcess {
  readonly from: number
  readonly limit: number
}

export const log = (input: LogInput) =>
  Effect.gen(function* () {
    const read = yield* Caller.connected(input, (messenger) =>
      Screen.progress("reading", () => LogLines.read(messenger, input.process, input.from, input.limit)),
    )
    yield* Screen.show(input.json, read.map(LogLines.value), () =>
      read.length === 0 ? `nothing from slot ${input.from} on` : LogLines.table(read),
    )
    const next = input.from + read.length
    if (!input.json && Screen.isTerminal() && read.length === input.limit)
      yield* Screen.note(`more: --from ${next}`)
  })

export const follow = (input: Pick<LogInput, "from" | keyof OfProcess>) =>
  Caller.connected(input, (messenger) => {
    const show = Effect.fnUntraced(function* (turn: Turn) {
      const { slot } = turn.outcome
      const [logged] = yield* messenger.log(input.process, slot, 1)
      if (logged === undefined) return
      const line = { entry: Client.entryOf(logged), turn }
      if (input.json) return yield* Screen.print(Screen.json(LogLines.value(line)))
      yield* Screen.print(LogLines.one(line))
      for (const [level, text] of turn.trace.console)
        yield* Screen.print(Screen.styled("dim", `        ${level}: ${Screen.plain(text)}`))
      for (const line of LogLines.stack(turn.trace))
        yield* Screen.print(Screen.styled("dim", `        ${line}`))
    })
    return Stream.runForEach(Client.follow(input.process, input.from), show)
  })

export const receipt = (input: OfProcess & { readonly slot: number }) =>
  Effect.gen(function* () {
    const [found, anchor] = yield* Caller.connected(input, (messenger) =>
      Effect.all([messenger.receipt(input.process, input.slot), messenger.anchor(input.process)], {
        concurrency: 2,
      }),
    )
    const { assignment, link, index } = found
    const anchored =
      anchor !== undefined && anchor.slot >= assignment.slot
        ? { transaction: anchor.transfer, height: anchor.height }
        : undefined
    yield* Screen.show(input.json, { ...found, anchored }, () =>
      [
        ["process", assignment.process],
        ["slot", String(assignment.slot)],
        ["time", Screen.time(assignment.timestamp)],
        ["head", Bytes.toHex(assignment.head)],
        ["batch", `${link.number}, place ${index}`],
        ["batch root", Bytes.toHex(link.root)],
        ["signature", `type ${link.signatureType}, ${link.signature.length} bytes`],
        [
          "anchored",
          anchored === undefined ? "no" : `yes, by ${anchored.transaction} at height ${anchored.height}`,
        ],
      ]
        .map(([name = "", value = ""]) => `${Screen.styled("dim", name.padEnd(10))}  ${value}`)
        .join("\n"),
    )
  })

export const snapshots = (input: OfProcess) =>
  Effect.gen(function* () {
    const { process } = input
    const taken = yield* Caller.connected(input, (messenger) =>
      // A process that is not there has no snapshots either, and that would be the wrong thing to say.
      Effect.andThen(messenger.process(process), messenger.snapshots(process)),
    )
    yield* Screen.show(input.json, taken, () => {
      if (taken.length === 0) return "no snapshot yet; until there is one, everything starts from slot 0"
      const rows = taken.map(({ slot, stateRoot, length, kept }) => [
        String(slot),
        Bytes.toHex(stateRoot),
        String(length),
        kept ? "yes" : "no",
      ])
      const columns = ["slot", "state root", "bytes", "kept"]
      return Screen.table(
        columns.map((title) => ({ title, right: title === "slot" || title === "bytes" })),
        rows,
      )
    })
  })
