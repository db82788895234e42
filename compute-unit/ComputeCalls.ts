/** ComputeCalls: what can be asked of a compute unit over a network, and how it stands in frames (spec 06 §4). */
import type { Refused } from "../runtime/Admission.ts"
import * as Codec from "../runtime/Codec.ts"
import * as Exchange from "../runtime/Exchange.ts"
import * as FramedNouns from "../runtime/FramedNouns.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Merkle from "../runtime/Merkle.ts"
import * as Outcome from "../runtime/Outcome.ts"
import type { StoreFailed } from "../runtime/Store.ts"
import type * as ViewProof from "../runtime/ViewProof.ts"
import {
  type Answer,
  type Committed,
  ComputeUnknown,
  type Emitted,
  ModuleInvalid,
  type Query,
  type Release,
  type SnapshotInfo,
  type Turn,
} from "./ComputeUnit.ts"

export const protocol = "/heddle/compute/1"

/** Lists that nothing else bounds but the frame that they stand in. */
const many = 0xffff_ffff

const turnError: Codec.Codec<Outcome.TurnError> = Codec.struct({
  reason: Codec.word(Outcome.turnErrors),
  message: Codec.text,
})

type Failed = Extract<Outcome.Reply, { readonly error: string }>

const reply: Codec.Codec<Outcome.Reply> = Codec.either(
  Codec.struct({ to: Codec.id, value: Codec.text }),
  Codec.struct({ to: Codec.id, error: Codec.text }),
  (value): value is Failed => "error" in value,
)

const outboxEntry: Codec.Codec<Outcome.OutboxEntry> = Codec.struct({
  kind: Codec.word(Outcome.kinds),
  item: Codec.block,
  pair: Codec.count,
  due: Codec.count,
})

const outcome: Codec.Codec<Outcome.Outcome> = Codec.struct({
  slot: Codec.count,
  message: Codec.id,
  error: Codec.optional(turnError),
  fuelUsed: Codec.u64,
  replies: Codec.list(reply, many),
  views: Codec.list(Codec.struct({ name: Codec.text, value: Codec.nullable(Codec.text) }), many),
  outbox: Codec.list(outboxEntry, Limit.outboxEntriesPerTurnMax),
})

const texts = Codec.list(Codec.pair(Codec.text, Codec.text), many)

const turn: Codec.Codec<Turn> = Codec.struct({
  outcome,
  trace: Codec.struct({ console: texts, stack: Codec.optional(Codec.text) }),
})

const query: Codec.Codec<Query> = Codec.struct({
  action: Codec.text,
  tags: texts,
  data: Codec.block,
  from: Codec.text,
})

type AnswerError = Extract<Answer["result"], { readonly error: Outcome.TurnError }>

const answer: Codec.Codec<Answer> = Codec.struct({
  slot: Codec.count,
  timestamp: Codec.count,
  fuelUsed: Codec.u64,
  result: Codec.either(
    Codec.struct({ value: Codec.nullable(Codec.text) }),
    Codec.struct({ error: turnError }),
    (value): value is AnswerError => "error" in value,
  ),
  console: texts,
})

const opening: Codec.Codec<ViewProof.Opening> = Codec.struct({
  engine: Codec.hash,
  metadata: Codec.struct({
    spawn: Codec.hash,
    module: Codec.hash,
    term: Codec.count,
    scheduler: Codec.hash,
    handles: Codec.block,
    sent: Codec.hash,
    received: Codec.hash,
    cron: Codec.hash,
    timers: Codec.hash,
    authority: Codec.hash,
  }),
  memory: Codec.optional(Codec.struct({ wasmPages: Codec.u32, root: Codec.hash, globals: Codec.block })),
  views: Codec.count,
  viewsRoot: Codec.hash,
  leaves: Codec.list(
    Codec.struct({
      index: Codec.u16,
      name: Codec.text,
      value: Codec.hash,
      path: Codec.exactly(Codec.hash, Merkle.depth),
    }),
    2,
  ),
})

const snapshotInfo: Codec.Codec<SnapshotInfo> = Codec.struct({
  slot: Codec.count,
  stateRoot: Codec.hash,
  sha256: Codec.hash,
  length: Codec.count,
  kept: Codec.boolean,
})

const emitted: Codec.Codec<Emitted> = Codec.struct({
  source: Codec.id,
  slot: Codec.count,
  index: Codec.u32,
  entry: outboxEntry,
  proof: Codec.block,
})

const release: Codec.Codec<Release> = Codec.struct({
  number: Codec.count,
  emitted: Codec.list(emitted, many),
})

const committed: Codec.Codec<Committed> = Codec.mapped(
  Codec.struct({
    number: Codec.count,
    signed: FramedNouns.signature,
    groups: Codec.list(
      Codec.struct({ attestation: FramedNouns.attestation, outcomes: Codec.list(outcome, Merkle.leavesMax) }),
      Merkle.leavesMax,
    ),
  }),
  ({ number, groups, signatureType, owner, signature }: Committed) => ({
    number,
    signed: { signatureType, owner, signature },
    groups,
  }),
  ({ number, signed, groups }) => ({ number, ...signed, groups }),
)

const computeUnknown = Codec.mapped(
  Codec.id,
  ({ process }: ComputeUnknown) => process,
  (process) => new ComputeUnknown({ process }),
)

const moduleInvalid = Codec.mapped(
  Codec.struct({ detail: Codec.text, file: Codec.text, line: Codec.u32, column: Codec.u32 }),
  ({ detail, file, line, column }: ModuleInvalid) => ({ detail, file, line, column }),
  (fields) => new ModuleInvalid(fields),
)

/** An error of the call itself, or a refusal of one who asks too much. */
const orRefused = <E extends { readonly _tag: string }>(error: Codec.Codec<E>) =>
  Codec.either<E, Refused>(error, FramedNouns.refused, (value): value is Refused => value._tag === "Refused")

const named = Codec.struct({ process: Codec.id, name: Codec.text })
const slotOf = Codec.struct({ process: Codec.id, slot: Codec.count })

/** A unit by what a reader has to know of it once. */
export const unit = Exchange.call(0, Codec.nothing, Codec.struct({ engine: Codec.hash }))
export const addModule = Exchange.call(
  1,
  Codec.block,
  Codec.result(
    Codec.id,
    orRefused(
      Codec.either<ModuleInvalid, StoreFailed>(
        moduleInvalid,
        FramedNouns.storeFailed,
        (error): error is StoreFailed => error._tag === "StoreFailed",
      ),
    ),
  ),
)
export const turnOf = Exchange.call(2, slotOf, turn)
export const turns = Exchange.call(
  3,
  Codec.struct({ process: Codec.id, from: Codec.count, limit: Codec.u32 }),
  Codec.struct({ turns: Codec.list(turn, many), more: Codec.boolean }),
)
export const replyTo = Exchange.call(4, Codec.struct({ process: Codec.id, message: Codec.id }), reply)

/** One turn at least; there is no answer while there is none. */
export const follow = Exchange.call(5, slotOf, Codec.list(turn, Limit.answerPageMax))
export const queryOf = Exchange.call(
  6,
  Codec.struct({ process: Codec.id, query }),
  Codec.result(answer, orRefused(computeUnknown)),
)
export const view = Exchange.call(
  7,
  named,
  Codec.optional(Codec.struct({ value: Codec.text, slot: Codec.count })),
)
export const viewProof = Exchange.call(
  8,
  named,
  Codec.result(
    Codec.struct({
      name: Codec.text,
      value: Codec.nullable(Codec.text),
      opening,
      attestation: FramedNouns.signedAttestation,
      assignment: FramedNouns.assignment,
    }),
    orRefused(computeUnknown),
  ),
)
export const snapshots = Exchange.call(9, Codec.id, Codec.list(snapshotInfo, many))
export const snapshot = Exchange.call(10, slotOf, Codec.optional(Codec.block))
export const engineBytes = Exchange.call(11, Codec.hash, Codec.optional(Codec.block))
export const attestation = Exchange.call(12, slotOf, Codec.optional(FramedNouns.signedAttestation))
export const parked = Exchange.call(13, Codec.id, Codec.text)
export const progress = Exchange.call(
  14,
  Codec.id,
  Codec.struct({
    slots: Codec.count,
    engine: Codec.optional(Codec.hash),
    parked: Codec.optional(Codec.text),
  }),
)

/** One at least, as of turns. */
export const releases = Exchange.call(15, Codec.count, Codec.list(release, Limit.answerPageMax))
export const nextCommit = Exchange.call(16, Codec.nothing, Codec.count)
export const commits = Exchange.call(17, Codec.count, Codec.list(committed, Limit.answerPageMax))

export const equivocation = Exchange.call(
  18,
  Codec.id,
  Codec.optional(
    Codec.struct({
      kind: Codec.word(["slot", "batch"]),
      first: FramedNouns.receipt,
      second: FramedNouns.receipt,
    }),
  ),
)
