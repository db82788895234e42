/**
 * TurnInput: what a turn is told, and the words in which a guest is told it (spec 04 §2).
 */
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"

export interface ProcessInfo {
  readonly id: Id.ProcessId
  readonly owner: Id.Address
  readonly module: Id.Id
  readonly scheduler: Id.Address
  readonly tags: ReadonlyArray<readonly [name: string, value: string]>
}

export interface MessageInput {
  readonly id: Id.Id
  /** Text of an id; empty for a query that nobody signed. */
  readonly from: string
  /** Whether `from` is a process, whose word was proven, and not the holder of a key. */
  readonly fromProcess: boolean
  /** Text of an id; of the process itself for its spawn. */
  readonly target: string
  /** Empty where the message has none. */
  readonly action: string
  readonly tags: ReadonlyArray<readonly [name: string, value: string]>
  readonly data: Uint8Array
}

export interface TurnInput {
  readonly slot: number
  /** ms since 1970: the only time there is. */
  readonly timestamp: number
  /** Head of the log at this slot. */
  readonly head: Id.Id
  /** 32 bytes that seed `Math.random`. */
  readonly seed: Uint8Array
  /** Who the process is: scripts are told in slot 0 and remember it. */
  readonly process: ProcessInfo
  readonly message: MessageInput
}

/** The input as JSON, with fields in the order of the spec. */
export const toWords = (input: TurnInput, introduce: boolean, more: object = {}): string => {
  const { message, process } = input
  const data = Bytes.toText(message.data) ?? null
  return JSON.stringify({
    slot: input.slot,
    timestamp: input.timestamp,
    head: input.head,
    seed: Bytes.toHex(input.seed),
    process: introduce ? process : null,
    message: { ...message, data, length: message.data.length },
    ...more,
  })
}
