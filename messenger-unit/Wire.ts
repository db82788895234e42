/**
 * Wire: the nouns as JSON, for the HTTP API and for whoever prints them. Ids, bytes and times are spelled as
 * `Spelling.ts` says, fuel is decimal text, and what is not there is `null`.
 *
 * Every schema decodes to the type of the noun's own file, so a field that is added there and not here is an error of
 * the compiler in `MessengerUnitServer.ts` or `MessengerUnitRemote.ts`.
 */
import * as Schema from "effect/Schema"
import { kinds, turnErrors } from "../runtime/Outcome.ts"
import { Assignment, Base64Url, Hash32, Id, place, Receipt, signed, slot, time } from "../runtime/Spelling.ts"

export { Assignment, Base64Url, Id, Receipt }

/** An engine's id: the hash of its bytes, written as every id is. */
export const EngineId = Hash32.annotate({ description: "id of an engine: SHA-256 of its bytes" })

/** Bytes that a message refers to, by their hash. */
export const DataHash = Id.annotate({ description: "SHA-256 of the bytes, written as an id is" })

const u32 = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 }))
const fuel = Schema.BigInt.annotate({ description: "fuel as decimal text" })
const pairs = Schema.Array(Schema.Tuple([Schema.String, Schema.String]))

export const Accepted = Schema.Struct({
  id: Id,
  process: Id,
  slot,
  timestamp: time,
  head: Hash32,
  repeat: Schema.Boolean.annotate({ description: "whether the message had this slot before" }),
}).annotate({ identifier: "Accepted", description: "a message has its slot, durably" })

export const LogEntry = Schema.Struct({
  assignment: Assignment,
  batch: Schema.Natural,
  index: Schema.Natural,
  item: Base64Url,
  proof: Base64Url,
}).annotate({ identifier: "LogEntry", description: "one slot of a log, with the whole signed item" })

export const Equivocation = Schema.Struct({
  kind: Schema.Literals(["slot", "batch"]),
  first: Receipt,
  second: Receipt,
}).annotate({
  identifier: "Equivocation",
  description: "two receipts of one scheduler that exclude each other",
})

const pointSlot = Schema.Int.check(Schema.isBetween({ minimum: -1, maximum: Number.MAX_SAFE_INTEGER - 1 }))
const Point = Schema.Struct({ slot: pointSlot, head: Hash32, stateRoot: Hash32 }).annotate({
  identifier: "Point",
  description: "a process after a slot; before slot 0 the slot is -1",
})

export const SignedAttestation = Schema.Struct({
  attestation: Schema.Struct({
    engine: Hash32,
    process: Id,
    term: Schema.Natural,
    from: Point,
    to: Point,
    outcomeRoot: Hash32,
  }),
  ...place,
  ...signed,
}).annotate({
  identifier: "SignedAttestation",
  description: "the compute unit's signed statement of where turns lead",
})

export const TurnError = Schema.Struct({
  reason: Schema.Literals(turnErrors),
  message: Schema.String,
}).annotate({ identifier: "TurnError" })

const jsonText = Schema.String.annotate({ description: "JSON text" })

const entryKind = Schema.Literals(kinds)

const OutboxEntry = Schema.Struct({
  kind: entryKind,
  item: Base64Url,
  pair: Schema.Natural,
  due: time,
})

export const ProvenEntry = Schema.Struct({
  entry: OutboxEntry,
  proof: Base64Url,
}).annotate({ identifier: "ProvenEntry", description: "an outbox entry with the proof of it" })

export const Outcome = Schema.Struct({
  slot,
  message: Id,
  error: Schema.UndefinedOr(TurnError),
  fuelUsed: fuel,
  replies: Schema.Array(
    Schema.Union([
      Schema.Struct({ to: Id, value: jsonText }),
      Schema.Struct({ to: Id, error: Schema.String }),
    ]),
  ),
  views: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.NullOr(jsonText) })),
  outbox: Schema.Array(OutboxEntry),
}).annotate({ identifier: "Outcome", description: "what a turn produced" })

export const Turn = Schema.Struct({
  outcome: Outcome,
  trace: Schema.Struct({ console: pairs, stack: Schema.UndefinedOr(Schema.String) }),
}).annotate({ identifier: "Turn", description: "an outcome with what its author wants to read" })

/** What a message was answered. */
export const Answered = Schema.Struct({
  fuelUsed: fuel,
  result: Schema.Union([
    Schema.Struct({ value: jsonText }),
    Schema.Struct({
      error: Schema.String,
      reason: Schema.Literals(["replied", "parked", ...TurnError.fields.reason.literals]),
    }),
  ]),
}).annotate({ identifier: "Answered" })

/** The answer to a message sent, as far as the sender wanted to wait. */
export const Sent = Schema.Struct({
  ...Accepted.fields,
  receipt: Schema.optionalKey(Receipt),
  answer: Schema.optionalKey(Answered),
}).annotate({ identifier: "Sent" })

export const Query = Schema.Struct({
  action: Schema.String,
  tags: Schema.optionalKey(pairs),
  data: Schema.optionalKey(Base64Url),
}).annotate({ identifier: "Query", description: "a message to run on a throw-away copy of the newest state" })

export const QueryAnswer = Schema.Struct({
  slot,
  timestamp: time,
  fuelUsed: fuel,
  result: Schema.Union([
    Schema.Struct({ value: Schema.NullOr(jsonText) }),
    Schema.Struct({ error: TurnError }),
  ]),
  console: pairs,
}).annotate({ identifier: "QueryAnswer", description: "an unproven answer, of the state after `slot`" })

export const View = Schema.Struct({ value: jsonText, slot }).annotate({ identifier: "View" })

const MetadataHead = Schema.Struct({
  spawn: Hash32,
  module: Hash32,
  term: Schema.Natural,
  scheduler: Hash32,
  handles: Base64Url,
  sent: Hash32,
  received: Hash32,
  cron: Hash32,
  timers: Hash32,
  authority: Hash32,
}).annotate({ identifier: "MetadataHead", description: "what metadata commits to beside the views" })

const MemoryHead = Schema.Struct({ wasmPages: u32, root: Hash32, globals: Base64Url }).annotate({
  identifier: "MemoryHead",
  description: "what memory commits to; `wasmPages` counts pages of 64 KiB",
})

const Leaf = Schema.Struct({ ...place, name: Schema.String, value: Hash32 }).annotate({
  identifier: "ViewLeaf",
  description: "a view as its state commits to it; `value` is SHA-256 of the JSON text",
})

const Opening = Schema.Struct({
  engine: EngineId,
  metadata: MetadataHead,
  memory: Schema.UndefinedOr(MemoryHead).annotate({
    description: "`null` where the module does not load",
  }),
  views: Schema.Natural.annotate({ description: "views there are" }),
  viewsRoot: Hash32,
  leaves: Schema.Array(Leaf).check(Schema.isMaxLength(2)).annotate({
    description: "the view, or the one or two between which it would stand",
  }),
}).annotate({ identifier: "Opening", description: "a state root, opened around one view" })

export const ViewProven = Schema.Struct({
  name: Schema.String,
  value: Schema.NullOr(jsonText).annotate({
    description: "`null` where nothing is published under the name, which is then what is proven",
  }),
  opening: Opening,
  attestation: SignedAttestation,
  assignment: Assignment,
}).annotate({
  identifier: "ViewProven",
  description: "a view of the newest attested state, with all that shows it to a reader who checks",
})

export const SnapshotInfo = Schema.Struct({
  slot,
  stateRoot: Hash32,
  sha256: Hash32.annotate({ description: "of the bytes as served" }),
  length: Schema.Natural.annotate({ description: "bytes" }),
  kept: Schema.Boolean.annotate({ description: "whether the bytes are still here" }),
}).annotate({ identifier: "SnapshotInfo", description: "a process's state after a slot, as it was taken" })

export const ProcessInfo = Schema.Struct({
  process: Id,
  owner: Id,
  module: Id,
  name: Schema.UndefinedOr(Schema.String),
  slots: Schema.Natural.annotate({ description: "slots assigned" }),
  computed: Schema.Natural.annotate({ description: "slots computed" }),
  timestamp: time,
  stateRoot: Hash32,
  engine: Schema.UndefinedOr(EngineId).annotate({
    description: "id of the engine that ran its newest turn, if there is one",
  }),
  parked: Schema.UndefinedOr(Schema.String).annotate({
    description: "why the node stopped following it, if it did",
  }),
}).annotate({ identifier: "ProcessInfo" })

export const Authority = Schema.Struct({
  units: Schema.Array(Id).annotate({ description: "compute units whose word about other processes counts" }),
  quorum: Schema.Natural.annotate({ description: "how many of them it takes" }),
  since: slot.annotate({ description: "the first slot that it counts for" }),
}).annotate({ identifier: "Authority", description: "whom a process believes" })

/** Where a process emitted something. */
export const emitted = { source: Id, slot, index: Schema.Natural }

export const Undelivered = Schema.Struct({
  ...emitted,
  target: Id,
  kind: entryKind,
  due: time,
  reason: Schema.String,
  since: time,
  attempts: Schema.Natural.annotate({
    description: "times it was tried since the node started; 0 while another of its pair goes first",
  }),
  next: Schema.UndefinedOr(time).annotate({
    description: "when it is tried next; `null` where something has to happen first",
  }),
}).annotate({ identifier: "Undelivered", description: "an outbox entry that is not delivered, and why" })

export const NodeInfo = Schema.Struct({
  version: Schema.String,
  scheduler: Id,
  compute: Id,
  engine: EngineId,
}).annotate({ identifier: "NodeInfo" })

const winston = Schema.BigInt.annotate({ description: "winston as decimal text; 10^12 are one AR" })
const bytes = Schema.Natural.annotate({ description: "bytes" })

const Reach = Schema.Struct({
  made: Schema.Natural.annotate({ description: "how many there are" }),
  bundled: Schema.Natural.annotate({ description: "how many of them, from the first on, are in a bundle" }),
  confirmed: Schema.Natural.annotate({ description: "and in one that is confirmed" }),
}).annotate({ identifier: "ArchiveReach" })

const WaitingBundle = Schema.Struct({
  number: Schema.Natural,
  bundle: Id,
  bytes,
  state: Schema.Literals(["waiting", "sent"]),
  transfer: Schema.UndefinedOr(Id).annotate({ description: "the transaction, once there is one" }),
  cost: Schema.UndefinedOr(winston),
  sent: bytes,
  total: bytes,
  since: time,
}).annotate({ identifier: "WaitingBundle", description: "a bundle that is not confirmed yet" })

export const ArchiveStatus = Schema.Struct({
  archive: Schema.String.annotate({ description: "where it goes, for people" }),
  batches: Reach,
  turns: Reach.annotate({ description: "commits of the compute unit" }),
  waiting: Schema.Array(WaitingBundle),
  bundles: Schema.Natural.annotate({ description: "bundles confirmed, ever" }),
  bytes,
  spent: winston,
  spendingLimit: Schema.UndefinedOr(winston),
  behindMs: Schema.Natural.annotate({
    description: "ms since the oldest batch or commit that is not confirmed; 0 where all are",
  }),
  problem: Schema.UndefinedOr(Schema.String).annotate({ description: "what it waits for" }),
}).annotate({ identifier: "ArchiveStatus" })

export const Anchor = Schema.Struct({
  slot,
  head: Hash32,
  transfer: Id.annotate({ description: "the transaction that has the slot" }),
  height: Schema.Natural.annotate({ description: "the block that has the transaction" }),
}).annotate({ identifier: "Anchor", description: "how far a process is confirmed in the archive" })

export const ArchiveCost = Schema.Struct({
  slots: Schema.Natural,
  signedBytes: bytes.annotate({ description: "bytes of items and proofs, as they are signed" }),
  bytes: bytes.annotate({ description: "bytes that would be stored" }),
  winston,
}).annotate({ identifier: "ArchiveCost" })
