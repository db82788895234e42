/**
 * `heddle/guest`: everything that a process can do.
 *
 * A process reads one ordered log of messages and nothing else. For each message it runs one **turn**: a handler is
 * called, and when it has gone as far as it can without waiting, what it changed and what it sent become permanent
 * together. A turn that throws, runs out of fuel or of memory changes nothing and sends nothing.
 *
 * ```ts
 * import { on, publish } from "heddle/guest"
 *
 * let count = 0
 *
 * on("Increment", () => {
 *   publish("count", ++count)
 *   return count
 * })
 * ```
 *
 * `await` may wait for other processes and for time, over many turns. What was changed before it is kept by then, and
 * other messages are handled meanwhile: check again after an `await` what was checked before it. A promise that is
 * rejected and that nobody awaits or returns is not reported: return or await what a handler starts.
 *
 * There is no network, no file, no clock but the message's, and no secret: all memory and all messages of a public
 * process can be read and replayed by anyone, and `Math.random` is a public stream.
 */

/** What JSON can carry. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** Milliseconds, or a number and its unit: milliseconds, seconds, minutes, hours, days. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`

/** An identifier as 43 characters of base64url. */
export type Id = string

/** Names and values, or pairs where a name occurs more than once. Names and values are not empty. */
export type Tags =
  | { readonly [name: string]: string | number | boolean }
  | ReadonlyArray<readonly [name: string, value: string | number | boolean]>

/** Content of a message. */
export interface Content {
  /** The `Action` tag: which handler of the receiver is called. */
  readonly action?: string | undefined
  /** Further tags, at most 128 with 4,096 bytes in all. Tags that heddle sets itself are refused. */
  readonly tags?: Tags | undefined
  /** A text or bytes go as they are, anything else as JSON. */
  readonly data?: string | Uint8Array | Json | undefined
}

/** A message as a handler gets it. */
export interface Message {
  readonly id: Id
  /** Who sent it: the address of a key, or the id of a process. It is proven. */
  readonly from: Id
  readonly target: Id
  /** Value of its `Action` tag; empty where it has none. */
  readonly action: string
  /** Tags by name; of several with one name, the first. */
  readonly tags: { readonly [name: string]: string | undefined }
  /** All tags in their order. */
  readonly tagList: ReadonlyArray<readonly [name: string, value: string]>
  /** Its data as text, or undefined where it is not UTF-8. */
  readonly data: string | undefined
  /** Its place in this process's log. */
  readonly slot: number
  /** When it was put there, in ms since 1970. */
  readonly timestamp: number
  /** Its data, as a copy of one's own. */
  bytes(): Uint8Array
  /** Its data read as JSON. Throws where it is none: a turn that lets it throw refuses the message. */
  json(): unknown
  /** Answers it; false where it was answered before. See {@link reply}. */
  reply(value?: unknown): boolean
}

/**
 * Handles a message. What it returns, or what the promise that it returns comes to, answers the message, unless it was
 * answered with `reply` before; `undefined` answers `null`. If it throws before it first waits, or after, the turn in
 * which it does so is undone and the error is the answer.
 */
export type Handler = (message: Message) => unknown

/**
 * Handles messages with this action. `Spawn` is the message that made the process and nothing else; `Cron` comes from
 * the `Cron-Interval` tags of the spawn. No caller can pass for either.
 */
export function on(action: string, handler: Handler): void

/** Handles messages whose action has no handler. Without it they fail, and the sender reads which actions there are. */
export function onMessage(handler: Handler): void

/** Sends a message once this turn is permanent. Returns its id. */
export function send(target: Id, content?: Content): Id

/**
 * Sends a message and waits for the answer of exactly that process, in whatever turn it comes. Rejects with the error
 * that it answers, or with `ask timed out`. Without `timeout` it may wait for ever.
 */
export function ask(
  target: Id,
  content?: Content,
  options?: { readonly timeout?: Duration | undefined },
): Promise<unknown>

/**
 * Answers a message, now or in a later turn. Each message is answered once: false where it was answered before.
 * The value must be something that JSON carries; `undefined` becomes `null`.
 */
export function reply(message: Message, value?: unknown): boolean

/** Makes a process of a module once this turn is permanent. Its id is known at once, so it can be sent to. */
export function spawn(module: Id, content?: Content): Id

/** Waits. The process runs other turns meanwhile. */
export function sleep(duration: Duration): Promise<void>

/**
 * Publishes a view: a value under a name that anyone can read without sending a message. It must be
 * something that JSON carries, at most 256 KiB of it; `null` takes the view away.
 */
export function publish(name: string, value: unknown): void

/** Who this process is. Known from its spawn message on, not while the module loads. */
export const process: {
  readonly id: Id
  /** Who spawned it. */
  readonly owner: Id
  readonly module: Id
  readonly scheduler: Id
  /** Tags of the spawn message; of several with one name, the first. */
  readonly tags: { readonly [name: string]: string | undefined }
}

/** When the message of this turn was put into the log, in ms since 1970. `Date.now()` gives the same. */
export function now(): number

/** Kept with the turn for the author to read: at most 1,000 lines and 64 KiB of one turn. Also global. */
export const console: {
  debug(...values: ReadonlyArray<unknown>): void
  log(...values: ReadonlyArray<unknown>): void
  info(...values: ReadonlyArray<unknown>): void
  warn(...values: ReadonlyArray<unknown>): void
  error(...values: ReadonlyArray<unknown>): void
}
