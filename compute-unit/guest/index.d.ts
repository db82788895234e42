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
  /** This process. Of an assigned item: whom its sender said it to, empty where that is nobody. */
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
 * that it answers, with `ask timed out`, or with `undelivered: <reason>` where the owner of this process gave the message
 * up before it was delivered. Without `timeout` it may wait for ever.
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

/** Hashes that give a digest of one length. */
export type FixedHash = "sha256" | "sha384" | "sha512" | "sha3-256" | "sha3-384" | "sha3-512"

/** Hashes that give as many bytes as are asked for. */
export type ExtendableHash = "shake128" | "shake256"

/**
 * Digest of a text, as UTF-8, or of bytes: SHA-2 (FIPS 180-4), SHA-3 or SHAKE (FIPS 202), of at most 10 MiB.
 *
 * The host does the work, for 8 to 64 fuel a byte; a library in JavaScript takes 20,000 and more.
 */
export function hash(algorithm: FixedHash, data: string | Uint8Array): Uint8Array
/** `length` bytes, 1 to 65,536. */
export function hash(algorithm: ExtendableHash, data: string | Uint8Array, length: number): Uint8Array

/** Signature schemes by the names that {@link verify} takes. */
export type SignatureType = "ML-DSA-44" | "ML-DSA-65" | "ML-DSA-87" | "Ed25519" | "RSA-PSS-4096" | "Ethereum"

/** A signature, and what it should be of. */
export interface Signed {
  readonly type: SignatureType
  /**
   * The public key as it stands in the `owner` of items: raw bytes of ML-DSA (FIPS 204) and Ed25519, the modulus of
   * RSA with 4,096 bits, the uncompressed point of Ethereum (65 bytes).
   */
  readonly key: Uint8Array
  /** What was signed, a text as UTF-8: at most 57,344 bytes. Of anything longer sign and verify the hash. */
  readonly message: string | Uint8Array
  readonly signature: Uint8Array
  /** The context of FIPS 204, at most 255 bytes; empty by default. Only ML-DSA has one. */
  readonly context?: string | Uint8Array | undefined
}

/**
 * Whether a signature is good: false for anything that is none, a key or signature of another length too. The rules
 * are those by which messages are believed. Ethereum's is of a personal message (EIP-191), as wallets sign it; RSA's
 * is PSS with SHA-256.
 *
 * Takes 2 to 4 million fuel, Ethereum's 20 million.
 */
export function verify(signed: Signed): boolean

/** Bytes as base64url without padding: how ids are written, and how a tag carries a key. */
export function toBase64Url(bytes: Uint8Array): string

/** Reads base64url without padding. Throws where the text is not the one spelling of its bytes. */
export function fromBase64Url(text: string): Uint8Array

/**
 * What this program hands over when its owner upgrades the process to another one: `exporter` returns, at once,
 * something that JSON carries. Called once while the module loads.
 *
 * Nothing else goes over. Messages whose handlers have not ended are answered with an error, waits are dropped.
 */
export function onExport(exporter: () => unknown): void

/**
 * Takes over from the program before, in a memory in which this module has just loaded: `importer` is given what was
 * exported, or undefined where that program exports nothing. It may send and publish, and must not wait. If it throws,
 * the process stays what it was. Called once while the module loads.
 */
export function onImport(importer: (value: unknown) => void): void

/** Kept with the turn for the author to read: at most 1,000 lines and 64 KiB of one turn. Also global. */
export const console: {
  debug(...values: ReadonlyArray<unknown>): void
  log(...values: ReadonlyArray<unknown>): void
  info(...values: ReadonlyArray<unknown>): void
  warn(...values: ReadonlyArray<unknown>): void
  error(...values: ReadonlyArray<unknown>): void
}
