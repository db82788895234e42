/** Commands that say something: spawn, upgrade, send, ask, query. */
import fs from "node:fs/promises"
import { buffer } from "node:stream/consumers"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Client from "../../messenger-unit/Client.ts"
import type { Draft, Spawn } from "../../messenger-unit/Draft.ts"
import type * as Id from "../../runtime/Id.ts"
import { bundler } from "../Bundler.ts"
import * as Caller from "./Caller.ts"
import * as LogLines from "./LogLines.ts"
import * as Screen from "./Screen.ts"

interface Content {
  readonly tags: ReadonlyArray<readonly [name: string, value: string]>
  /** Text, `@file` for the bytes of a file, or `-` for what comes in. */
  readonly data: string | undefined
}

/** What a message to a process can say besides. */
interface Attached {
  /** A file whose bytes are the data. */
  readonly dataFile: string | undefined
  readonly byReference: boolean
}

interface Speech extends Caller.Input, Content {
  readonly as: string | undefined
}

export interface MessageInput extends Speech, Attached {
  readonly process: Id.ProcessId
  readonly action: string
}

/** Data that can't be read. */
export class DataUnreadable extends Data.TaggedError("DataUnreadable")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

const content = Effect.fnUntraced(function* ({
  tags,
  data,
}: Content): Effect.fn.Return<Draft, DataUnreadable> {
  if (data === undefined || (data !== "-" && !data.startsWith("@"))) return { tags, data }
  const bytes = yield* Effect.tryPromise({
    try: () => (data === "-" ? buffer(process.stdin) : fs.readFile(data.slice(1))),
    catch: (error) => new DataUnreadable({ detail: `data can't be read: ${String(error)}` }),
  })
  return { tags, data: new Uint8Array(bytes) }
})

/** Reads the data where it is now known where it comes from. */
const attached = Effect.fnUntraced(function* (input: MessageInput) {
  const { tags, data, dataFile, byReference } = input
  if (dataFile !== undefined && data !== undefined)
    return yield* new Caller.WrongUsage({
      detail: "--data and --data-file both say what the data is: give one of them",
      help: "heddle send --help",
    })
  const said = yield* content({ tags, data: dataFile === undefined ? data : `@${dataFile}` })
  return { ...said, byReference }
})

interface Program {
  /** An author's file, or the id of a module that the node holds. */
  readonly code: { readonly file: string } | { readonly module: Id.Id }
  readonly engine: Id.Id | undefined
}

export interface SpawnInput extends Speech, Program, Pick<Spawn, "name" | "memoryMiB"> {
  readonly fuelPerTurnMax: number | undefined
}

export const spawn = (input: SpawnInput) =>
  Effect.gen(function* () {
    const { name, memoryMiB, fuelPerTurnMax, engine } = input
    const draft = { ...(yield* content(input)), name, memoryMiB, fuelPerTurnMax, engine }
    const as = yield* Caller.identity(input, input.as)
    const spawned = yield* Caller.connected(input, () =>
      Screen.progress("spawning", () =>
        Effect.gen(function* () {
          const module = yield* Client.addModule(input.code, bundler)
          const accepted = yield* Client.spawn(module, { ...draft, as, retries: Caller.retries })
          return { ...accepted, module }
        }),
      ),
    )
    yield* Screen.show(input.json, spawned, () => spawned.process)
  })

export interface UpgradeInput extends Speech, Program {
  readonly process: Id.ProcessId
}

export const upgrade = (input: UpgradeInput) =>
  Effect.gen(function* () {
    const { process, engine } = input
    const draft = { ...(yield* content(input)), engine }
    const as = yield* Caller.identity(input, input.as)
    const upgraded = yield* Caller.connected(input, () =>
      Screen.progress("upgrading", () =>
        Effect.gen(function* () {
          const module = yield* Client.addModule(input.code, bundler)
          return yield* Client.upgrade(process, module, { ...draft, as, retries: Caller.retries })
        }),
      ),
    )
    const { slot, module, fuelUsed } = upgraded
    yield* Screen.show(
      input.json,
      upgraded,
      () => `${Screen.styled("green", "upgraded")} in slot ${slot} to module ${module}, ${fuelUsed} fuel`,
    )
  })

export interface SendInput extends MessageInput {
  readonly receipt: boolean
}

export const send = (input: SendInput) =>
  Effect.gen(function* () {
    const draft = yield* attached(input)
    const as = yield* Caller.identity(input, input.as)
    const { process, action } = input
    const sent = yield* Caller.connected(input, (messenger) =>
      Effect.gen(function* () {
        const accepted = yield* Client.send(process, action, { ...draft, as, retries: Caller.retries })
        if (!input.receipt) return accepted
        return { ...accepted, receipt: yield* messenger.receipt(process, accepted.slot) }
      }),
    )
    yield* Screen.show(input.json, sent, () => {
      const place = `${Screen.styled("green", "accepted")} slot ${sent.slot} at ${Screen.time(sent.timestamp)}`
      return "receipt" in sent ? `${place}, signed in batch ${sent.receipt.link.number}` : place
    })
  })

/** JSON text as a person reads it. */
const readable = (text: string): string => {
  const value: unknown = JSON.parse(text)
  if (typeof value === "string" && !Screen.isTerminal()) return value
  return typeof value === "object" && value !== null
    ? JSON.stringify(value, null, 2)
    : Screen.plain(String(value))
}

export interface AskInput extends MessageInput {
  readonly timeoutSeconds: number | undefined
  /** Units that have to attest the answer. */
  readonly quorum: number | undefined
}

/** The message is in the log; its answer did not come in the time that the caller gave. */
export class NoAnswerYet extends Data.TaggedError("NoAnswerYet")<{
  readonly process: Id.ProcessId
  readonly seconds: number
}> {
  override get message(): string {
    return `no answer within ${this.seconds} s; the message stays in the log, and its answer will be in: heddle follow ${this.process}`
  }
}

/** Shows where in the author's file a turn threw. */
const stack = ({ process, ...input }: AskInput, { slot, reason }: Client.AskFailed) => {
  if (input.json || reason === "replied" || reason === "parked") return Effect.void
  return Caller.connected(input, (messenger) => messenger.turn(process, slot)).pipe(
    Effect.flatMap(({ trace }) => Effect.forEach(LogLines.stack(trace), Screen.note)),
    Effect.ignore,
  )
}

export const ask = (input: AskInput) =>
  Effect.gen(function* () {
    const draft = yield* attached(input)
    const as = yield* Caller.identity(input, input.as)
    const { process, action, timeoutSeconds } = input
    const said = { ...draft, as, retries: Caller.retries }
    const { quorum } = input
    const alone = Effect.map(Client.ask(process, action, said), (answer) => ({ ...answer, by: {} }))
    const agreed = (units: number) =>
      Effect.scoped(
        Effect.gen(function* () {
          const of = { units, peers: yield* Caller.peers(input) }
          const {
            units: agreeing,
            attested,
            ...answer
          } = yield* Client.askUnits(process, action, {
            ...said,
            quorum: of,
          })
          return { ...answer, by: { units: agreeing, attested } }
        }),
      )
    const asked = Caller.connected(input, () =>
      Screen.progress("waiting for the answer", () =>
        Effect.gen(function* () {
          return yield* quorum === undefined ? alone : agreed(quorum)
        }),
      ),
    )
    const told = Effect.tapErrorTag(asked, "AskFailed", (failed) => stack(input, failed))
    const answer = yield* timeoutSeconds === undefined
      ? told
      : Effect.timeoutOrElse(told, {
          duration: timeoutSeconds * 1000,
          orElse: () => Effect.fail(new NoAnswerYet({ process, seconds: timeoutSeconds })),
        })
    const value: unknown = JSON.parse(answer.value)
    const { accepted, fuelUsed, by } = answer
    yield* Screen.show(input.json, { ...accepted, fuelUsed, value, ...by }, () => readable(answer.value))
  })

/** A dry run that ended in an error. */
export class QueryFailed extends Data.TaggedError("QueryFailed")<{
  readonly reason: string
  readonly detail: string
  readonly slot: number
}> {
  override get message(): string {
    return `${this.reason}: ${this.detail}`
  }
}

export const query = (input: Caller.Input & Content & Pick<MessageInput, "process" | "action">) =>
  Effect.gen(function* () {
    const draft = yield* content(input)
    const { result, ...answer } = yield* Caller.connected(input, () =>
      Client.query(input.process, input.action, draft),
    )
    for (const [level, text] of answer.console) yield* Screen.note(`${level}: ${Screen.plain(text)}`)
    if ("error" in result)
      return yield* new QueryFailed({
        reason: result.error.reason,
        detail: result.error.message,
        slot: answer.slot,
      })
    const value: unknown = result.value === null ? null : JSON.parse(result.value)
    yield* Screen.show(input.json, { ...answer, value }, () => readable(result.value ?? "null"))
    if (Screen.isTerminal() && !input.json)
      yield* Screen.note(`of the state after slot ${answer.slot}, not proven`)
  })
