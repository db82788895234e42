/** The command that reads the log of a process of AO from a file and checks it. */
import fs from "node:fs/promises"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as AoSchedule from "../../identity/AoSchedule.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Screen from "./Screen.ts"

/** A file that can't be read. */
export class FileUnreadable extends Data.TaggedError("FileUnreadable")<{
  readonly file: string
  readonly detail: string
}> {
  override get message(): string {
    return `${this.file} can't be read: ${this.detail}`
  }
}

export const readFile = (file: string): Effect.Effect<Uint8Array, FileUnreadable> =>
  Effect.tryPromise({
    try: async () => new Uint8Array(await fs.readFile(file)),
    catch: (error) => new FileUnreadable({ file, detail: error instanceof Error ? error.message : "" }),
  })

export interface ImportInput {
  readonly json: boolean
  readonly file: string
}

const idWidth = 12

const value = ({ process, scheduler, schedulerNamed, slots, signatures }: AoSchedule.AoSchedule) => ({
  process,
  scheduler,
  schedulerNamed,
  signatures,
  chain: slots.at(-1)?.chain,
  slots: slots.map(({ item, ...slot }) => ({
    ...slot,
    tags: item?.tags.map(({ name, value }) => [name, value]),
    data: item && (Bytes.toText(item.data) ?? { base64url: item.data }),
  })),
})

const columns = [
  { title: "slot", right: true },
  { title: "time" },
  { title: "block", right: true },
  { title: "from" },
  { title: "action" },
  { title: "message" },
]

const text = ({ process, scheduler, schedulerNamed, slots, signatures }: AoSchedule.AoSchedule): string => {
  const rows = slots.map(({ slot, timestamp, blockHeight, from, action, message }) => [
    String(slot),
    Screen.time(timestamp),
    String(blockHeight),
    from === undefined ? "(elsewhere)" : Screen.short(from, idWidth),
    Screen.short(slot === 0 ? "Spawn" : (action ?? ""), 24),
    message,
  ])
  const chain = slots.at(-1)!.chain // a schedule has slots
  const verdict = `${Screen.styled("green", "verified")} ${slots.length} slots, ${signatures} signatures good`
  const other =
    schedulerNamed === scheduler ? "" : `, and the spawn names ${Screen.plain(schedulerNamed ?? "none")}`
  return [
    Screen.table(columns, rows),
    `${verdict}, hash chain as recorded up to ${Bytes.toBase64Url(chain)}`,
    `process ${process}`,
    `scheduler ${scheduler}${other}`,
  ].join("\n")
}

export const importAo = ({ json, file }: ImportInput) =>
  Effect.gen(function* () {
    const bytes = yield* readFile(file)
    const schedule = yield* Effect.fromResult(AoSchedule.read(Bytes.toText(bytes) ?? ""))
    yield* Screen.show(json, value(schedule), () => text(schedule))
  })
