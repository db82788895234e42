/**
 * Outcome: what a turn produced (spec 04 §3). It is equal, byte for byte, on every machine that runs the turn.
 *
 *     outcome hash = H("heddle/outcome/1", SHA-256(body), outbox root)
 *
 * The outbox has a root of its own, so that an emitted message can be shown to be in it without the rest.
 */
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import * as Merkle from "./Merkle.ts"

/** An answer to a message of this or an earlier slot: JSON text, or the text of an error. */
export type Reply =
  | { readonly to: Id.Id; readonly value: string }
  | { readonly to: Id.Id; readonly error: string }

/** What an entry can be; its place here is its number wherever it has one. */
export const kinds = ["message", "spawn", "timer", "void"] as const

/** An item that the process emitted, and what the receiver needs to know beside it. */
export interface OutboxEntry {
  readonly kind: (typeof kinds)[number]
  /** The whole item, of signature type 3001. */
  readonly item: Uint8Array
  /**
   * Messages to one target are numbered 1, 2, 3...; a void has the number of the message that it stands for; a spawn is
   * 0; a timer, which goes by its due time, is 0.
   */
  readonly pair: number
  /** ms since 1970 before which a timer does not go off; 0 for the other kinds. */
  readonly due: number
}

/**
 * `inadmissible` where the slot should not be in the log; `void` where a message that was given up would stand in it;
 * otherwise why the turn was undone. Their order is that of the numbers which they have in frames (spec 06 §4).
 */
export const turnErrors = [
  "inadmissible",
  "threw",
  "out of fuel",
  "out of memory",
  "stack overflow",
  "too many jobs",
  "job failed",
  "trapped",
  "output too large",
  "bad output",
  "module invalid",
  "void",
] as const

export interface TurnError {
  readonly reason: (typeof turnErrors)[number]
  readonly message: string
}

export interface Outcome {
  readonly slot: number
  readonly message: Id.Id
  readonly error: TurnError | undefined
  readonly fuelUsed: bigint
  readonly replies: ReadonlyArray<Reply>
  /** Views changed, as JSON text; `null` takes one away. */
  readonly views: ReadonlyArray<{ readonly name: string; readonly value: string | null }>
  readonly outbox: ReadonlyArray<OutboxEntry>
}

/** Why the message had no turn, where it was not admissible. */
export const inadmissible = ({ error }: Outcome): string | undefined =>
  error?.reason === "inadmissible" ? error.message : undefined

/** What an author reads of a turn and nobody else acts on: not part of the outcome hash. */
export interface Trace {
  readonly console: ReadonlyArray<readonly [level: string, text: string]>
  readonly stack: string | undefined
}

export const entryValue = (entry: Omit<OutboxEntry, "item">, itemHash: Uint8Array): Uint8Array =>
  Hash.tagged(
    "heddle/outbox-entry/1",
    Bytes.u8(kinds.indexOf(entry.kind)),
    Bytes.u64(entry.pair),
    Bytes.u64(entry.due),
    itemHash,
  )

export const outboxTree = (outbox: ReadonlyArray<OutboxEntry>): Merkle.Tree =>
  Merkle.tree(outbox.map((entry) => entryValue(entry, Hash.sha256(entry.item))))

const NONE = Bytes.u8(0)
const SOME = Bytes.u8(1)
const optional = (text: string | null): Uint8Array =>
  text === null ? NONE : Bytes.concat([SOME, Bytes.fromText(text)])

/** Everything in an outcome but its outbox. */
export const bodyHash = (outcome: Outcome): Uint8Array =>
  Hash.tagged(
    "heddle/outcome-body/1",
    Bytes.u64(outcome.slot),
    Id.toBytes(outcome.message),
    outcome.error === undefined
      ? NONE
      : Hash.layout("error", Bytes.fromText(outcome.error.reason), Bytes.fromText(outcome.error.message)),
    Bytes.u64(outcome.fuelUsed),
    Hash.layout(
      "replies",
      ...outcome.replies.map((reply) =>
        "error" in reply
          ? Hash.layout("error", Id.toBytes(reply.to), Bytes.fromText(reply.error))
          : Hash.layout("value", Id.toBytes(reply.to), Bytes.fromText(reply.value)),
      ),
    ),
    Hash.layout(
      "views",
      ...outcome.views.map((view) => Hash.layout("view", Bytes.fromText(view.name), optional(view.value))),
    ),
  )

export const hashOf = (body: Uint8Array, outboxRoot: Uint8Array): Uint8Array =>
  Hash.tagged("heddle/outcome/1", body, outboxRoot)

export const hash = (outcome: Outcome): Uint8Array =>
  hashOf(bodyHash(outcome), outboxTree(outcome.outbox).root)
