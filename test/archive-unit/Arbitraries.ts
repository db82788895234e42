/** Contents at random, as a scheduler and a compute unit make them: links, leaves and roots hold, signatures are real. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as TurnsContent from "../../archive-unit/TurnsContent.ts"
import * as BatchSignature from "../../identity/BatchSignature.ts"
import * as Identity from "../../identity/Identity.ts"
import type { Signer } from "../../identity/Signer.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import type * as SigningContext from "../../identity/SigningContext.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Item from "../../runtime/Item.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import type * as Outcome from "../../runtime/Outcome.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import type { CommittedBatch, LogEntry } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Emitted from "../support/Emitted.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { hash, id } = Unsigned

const identity = (name: string) => Identity.fromSeed(hash(name), SignatureType.mlDsa44)
export const [scheduler, compute] = [
  SignerLocal.make(identity("archived scheduler")),
  SignerLocal.make(identity("archived compute unit")),
]

const signed = (
  signer: Signer["Service"],
  context: SigningContext.SigningContext,
  bytes: Uint8Array,
): Batch.Signed => ({
  signatureType: signer.type.number,
  owner: signer.owner,
  signature: Effect.runSync(Effect.orDie(signer.sign(context, bytes))),
})

const processes = ["ada", "bob", "cyd"].map(id)

/** Three messages under one batch signature. */
const batchSigned = (() => {
  const owner = new Uint8Array(SignatureType.batch44.ownerBytes).fill(7)
  const contents = ["one", "two", "three"].map((data) =>
    Result.getOrThrow(
      Item.content({ type: SignatureType.batch44, owner, tags: [], data: Bytes.fromText(data) }),
    ),
  )
  const tree = Merkle.tree(contents.map(Item.signingHash))
  const signature = new Uint8Array(SignatureType.mlDsa44.signatureBytes).fill(9)
  return contents.map((content, i) =>
    Result.getOrThrow(Item.encode(content, BatchSignature.field(signature, tree, i))),
  )
})()

/** A message, a spawn and a timer that a process emitted, each with its proof. */
const emitted = Emitted.emit(
  {
    source: processes[0]!,
    slot: 3,
    emissions: [
      { kind: "message", target: processes[1]!, pair: 1, data: "hello" },
      { kind: "spawn" },
      { kind: "timer", target: processes[0]!, due: 1_000 },
    ],
  },
  [identity("witness")],
)

export interface Line {
  readonly process: (typeof processes)[number]
  readonly item: Uint8Array
  readonly proof: Uint8Array
  /** Whether it follows the entry before of its process. */
  readonly follows: boolean
}

const anyLine: fc.Arbitrary<Line> = fc
  .record({
    process: fc.constantFrom(...processes),
    follows: fc.boolean(),
    words: fc.oneof(
      fc.constantFrom(...batchSigned).map(({ bytes }) => ({ item: bytes, proof: Bytes.empty })),
      fc
        .constantFrom(...emitted)
        .map(({ item, proof }) => ({ item: item.bytes, proof: OutboxProof.encode(proof) })),
      fc.record({
        item: fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.constant(new Uint8Array(100_000).fill(3))),
        proof: fc.constant(Bytes.empty),
      }),
    ),
  })
  .map(({ process, follows, words }) => ({ process, follows, ...words }))

/** A run of batches with these lines, from a number on. */
export const batchesOf = (
  first: number,
  lines: ReadonlyArray<ReadonlyArray<Line>>,
): ReadonlyArray<CommittedBatch> => {
  const last = new Map<string, Assignment.Assignment>()
  let previousRoot: Uint8Array = first === 0 ? new Uint8Array(32) : hash(`root ${first - 1}`)
  return lines.map((batch, place) => {
    const entries = batch.map(({ process, item, proof, follows }, index): LogEntry => {
      const before = last.get(process)
      const assignment = Assignment.make({
        process,
        term: first % 3,
        slot: before === undefined ? first : before.slot + 1,
        timestamp: 1_000 + index,
        entryHash: Assignment.entryHash(item, proof),
        previous: before !== undefined && follows ? before.head : hash(`head before ${place} ${index}`),
      })
      last.set(process, assignment)
      return { assignment, batch: first + place, index, item, proof }
    })
    const { root } = Batch.tree(entries.map(({ assignment }) => assignment))
    const link = { number: first + place, previousRoot, root }
    previousRoot = root
    return { link: { ...link, ...signed(scheduler, "heddle/batch/1", Batch.signingBytes(link)) }, entries }
  })
}

const anyNumber = fc.oneof(fc.constant(0), fc.constant(7), fc.constant(2 ** 53 - 100))

export const anyBatches = fc
  .tuple(
    anyNumber,
    fc.array(fc.array(anyLine, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }),
  )
  .map(([first, lines]) => batchesOf(first, lines))

const anyText = fc.oneof(fc.string({ unit: "binary", maxLength: 20 }), fc.constant("x".repeat(5_000)))
const anyId = fc.nat(1_000).map((n) => id(String(n)))

const anyOutcome: fc.Arbitrary<Omit<Outcome.Outcome, "slot">> = fc.record({
  message: anyId,
  error: fc.option(
    fc.record({
      reason: fc.constantFrom("inadmissible", "threw", "out of fuel", "module invalid"),
      message: anyText,
    }),
    { nil: undefined },
  ),
  fuelUsed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  replies: fc.array(
    fc.oneof(fc.record({ to: anyId, value: anyText }), fc.record({ to: anyId, error: anyText })),
    { maxLength: 3 },
  ),
  views: fc.array(fc.record({ name: anyText, value: fc.option(anyText) }), { maxLength: 3 }),
  outbox: fc.array(
    fc.record({
      kind: fc.constantFrom("message", "spawn", "timer"),
      item: fc.oneof(
        fc.uint8Array({ maxLength: 50 }),
        fc.constantFrom(...emitted.map(({ item }) => item.bytes)),
      ),
      pair: fc.maxSafeNat(),
      due: fc.maxSafeNat(),
    }),
    { maxLength: 3 },
  ),
})

interface Turns {
  readonly process: (typeof processes)[number]
  readonly from: number
  readonly outcomes: ReadonlyArray<Omit<Outcome.Outcome, "slot">>
  /** Whether the outcomes are left out. */
  readonly out: boolean
}

const anyTurns: fc.Arbitrary<Turns> = fc.record({
  process: fc.constantFrom(...processes),
  from: fc.constantFrom(-1, 0, 41, 2 ** 53 - 1_000),
  outcomes: fc.array(anyOutcome, { minLength: 1, maxLength: 3 }),
  out: fc.boolean(),
})

export const groupOf = ({ process, from, outcomes, out }: Turns): TurnsContent.ArchivedGroup => {
  const at = (slot: number): Attestation.Point =>
    slot < 0 ? Attestation.origin : { slot, head: hash(`head ${slot}`), stateRoot: hash(`state ${slot}`) }
  const numbered = outcomes.map((outcome, i) => ({ ...outcome, slot: from + 1 + i }))
  const attestation = {
    engine: hash("engine"),
    process,
    term: 0,
    from: at(from),
    to: at(from + outcomes.length),
    outcomeRoot: TurnsContent.outcomeRoot(numbered),
  }
  return { attestation, outcomes: out ? undefined : numbered }
}

/** A release of these groups with the signature of the compute unit. */
export const releaseOf = (
  number: number,
  groups: ReadonlyArray<TurnsContent.ArchivedGroup>,
): TurnsContent.ArchivedRelease => {
  const { root } = Attestation.tree(groups.map(({ attestation }) => attestation))
  return { number, ...signed(compute, "heddle/attestation/1", Attestation.signingBytes(root)), groups }
}

export const anyReleases = fc
  .tuple(
    anyNumber,
    fc.array(fc.array(anyTurns, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
  )
  .map(([first, releases]) => releases.map((groups, i) => releaseOf(first + i, groups.map(groupOf))))

/** A turn in which nothing happened. */
export const nothing: Omit<Outcome.Outcome, "slot"> = {
  message: id("message"),
  error: undefined,
  fuelUsed: 0n,
  replies: [],
  views: [],
  outbox: [],
}

export const line = (item: Uint8Array, process = processes[0]!): Line => ({
  process,
  item,
  proof: Bytes.empty,
  follows: true,
})
