/**
 * Outbox proof: shows that an item stands in the outbox of a turn that compute units attested (spec 05 §2).
 *
 *     item -> outbox entry -> outbox root -> outcome hash -> outcome root -> attestation -> signed root
 *
 * It travels beside the item, in the batch. Opening it is hashing; whether the signatures are good and whether the
 * receiver believes the signers is asked by who opens it.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Attestation from "./Attestation.ts"
import type * as Batch from "./Batch.ts"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import type * as Item from "./Item.ts"
import * as Limit from "./Limit.ts"
import * as Merkle from "./Merkle.ts"
import * as Outcome from "./Outcome.ts"
import * as OutboxItem from "./OutboxItem.ts"
import * as SignatureType from "./SignatureType.ts"

/** One unit's signature over a tree in which the attestation stands. */
export interface Witness extends Batch.Signed {
  readonly index: number
  readonly path: ReadonlyArray<Uint8Array>
}

export interface OutboxProof {
  readonly slot: number
  readonly index: number
  readonly kind: Outcome.OutboxEntry["kind"]
  readonly pair: number
  readonly due: number
  readonly entryPath: ReadonlyArray<Uint8Array>
  readonly bodyHash: Uint8Array
  readonly outcomePath: ReadonlyArray<Uint8Array>
  readonly attestation: Attestation.Attestation
  readonly witnesses: ReadonlyArray<Witness>
}

/** A signature that still has to be verified: over `Attestation.signingBytes(root)` under `heddle/attestation/1`. */
export interface Claim extends Batch.Signed {
  readonly root: Uint8Array
}

/** What a proof shows once its claims are verified. */
export interface Opened {
  readonly source: Id.ProcessId
  readonly slot: number
  readonly kind: Outcome.OutboxEntry["kind"]
  readonly pair: number
  readonly due: number
  readonly claims: ReadonlyArray<Claim>
}

/** Where the kind stands in the bytes of a proof: behind version, slot and index. */
const kindAt = 1 + 8 + 4

const point = (at: Attestation.Point): Uint8Array =>
  Bytes.concat([Bytes.u64(at.slot + 1), at.head, at.stateRoot])

const encodeWitness = (witness: Witness): ReadonlyArray<Uint8Array> => [
  Bytes.u16(witness.index),
  Merkle.encodePath(witness.path),
  Bytes.u16(witness.signatureType),
  Bytes.block(witness.owner),
  Bytes.block(witness.signature),
]

export const encode = (proof: OutboxProof): Uint8Array => {
  const { attestation } = proof
  return Bytes.concat([
    Bytes.u8(1),
    Bytes.u64(proof.slot),
    Bytes.u32(proof.index),
    Bytes.u8(Outcome.kinds.indexOf(proof.kind)),
    Bytes.u64(proof.pair),
    Bytes.u64(proof.due),
    Merkle.encodePath(proof.entryPath),
    proof.bodyHash,
    Merkle.encodePath(proof.outcomePath),
    attestation.engine,
    Id.toBytes(attestation.process),
    Bytes.u64(attestation.term),
    point(attestation.from),
    point(attestation.to),
    attestation.outcomeRoot,
    Bytes.u8(proof.witnesses.length),
    ...proof.witnesses.flatMap(encodeWitness),
  ])
}

const readPoint = (reader: Bytes.Reader): Attestation.Point => ({
  slot: reader.count() - 1,
  head: reader.take(Hash.length),
  stateRoot: reader.take(Hash.length),
})

const read = (reader: Bytes.Reader): OutboxProof => {
  const version = reader.u8()
  if (version !== 1) throw new RangeError(`version ${version} of a proof is not known`)
  const [slot, index, kind] = [reader.count(), reader.u32(), Outcome.kinds[reader.u8()]]
  if (kind === undefined) throw new RangeError("an outbox entry is a message, a spawn, a timer or a void")
  const proof = {
    slot,
    index,
    kind,
    pair: reader.count(),
    due: reader.count(),
    entryPath: Merkle.readPath(reader),
    bodyHash: reader.take(Hash.length),
    outcomePath: Merkle.readPath(reader),
    attestation: {
      engine: reader.take(Hash.length),
      process: Id.fromBytes(reader.take(Hash.length)),
      term: reader.count(),
      from: readPoint(reader),
      to: readPoint(reader),
      outcomeRoot: reader.take(Hash.length),
    },
  }
  const count = reader.u8()
  if (count > Limit.witnessesPerProofMax)
    throw new RangeError(`${count} witnesses; at most ${Limit.witnessesPerProofMax} are allowed`)
  const witnesses = Array.from({ length: count }, () => ({
    index: reader.u16(),
    path: Merkle.readPath(reader),
    signatureType: reader.u16(),
    owner: reader.block(),
    signature: reader.block(),
  }))
  if (reader.remaining > 0) throw new RangeError(`${reader.remaining} bytes follow the proof`)
  return { ...proof, witnesses }
}

/** Reads a proof; the failure says what is wrong with it. */
export const decode = (bytes: Uint8Array): Result.Result<OutboxProof, string> => {
  if (bytes.length > Limit.proofBytesMax)
    return Result.fail(`the proof has ${bytes.length} bytes; at most ${Limit.proofBytesMax} are allowed`)
  try {
    return Result.succeed(read(new Bytes.Reader(bytes)))
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes) return Result.fail("the proof ends early")
    if (error instanceof RangeError) return Result.fail(error.message)
    throw error
  }
}

/** The kind that a proof claims, without a look at the rest; `undefined` where it claims none. */
export const kindOf = (bytes: Uint8Array): Outcome.OutboxEntry["kind"] | undefined =>
  Outcome.kinds[bytes[kindAt] ?? -1]

/** Proofs that do not make one. */
export class NotMerged extends Data.TaggedError("NotMerged")<{
  readonly reason: "no proof" | "other claim" | "too many witnesses"
  /** Of the proofs that were given, the first that does not go with those before it. */
  readonly index: number
}> {
  override get message(): string {
    switch (this.reason) {
      case "no proof":
        return "there is nothing to merge"
      case "other claim":
        return `proof ${this.index} says something else than the first; merge what units say of the same attestation`
      case "too many witnesses":
        return `with proof ${this.index} there are more than ${Limit.witnessesPerProofMax} witnesses; leave some out`
    }
  }
}

/**
 * One proof with the witnesses of all, where they say the same of the same entry. What is there twice is taken once, and
 * the order of witnesses is that of their bytes: it does not matter who gathered what first.
 */
export const merge = (proofs: ReadonlyArray<OutboxProof>): Result.Result<OutboxProof, NotMerged> => {
  const [first] = proofs
  if (first === undefined) return Result.fail(new NotMerged({ reason: "no proof", index: 0 }))
  const claim = encode({ ...first, witnesses: [] })
  const witnesses = new Map<string, Witness>()
  for (const [index, proof] of proofs.entries()) {
    if (!Bytes.equal(encode({ ...proof, witnesses: [] }), claim))
      return Result.fail(new NotMerged({ reason: "other claim", index }))
    for (const one of proof.witnesses) witnesses.set(Bytes.toHex(Bytes.concat(encodeWitness(one))), one)
    if (witnesses.size > Limit.witnessesPerProofMax)
      return Result.fail(new NotMerged({ reason: "too many witnesses", index }))
  }
  const inOrder = [...witnesses].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Result.succeed({ ...first, witnesses: inOrder.map(([, witness]) => witness) })
}

/** Checks every hash from the item up to the signed roots; the failure names the first step that does not hold. */
export const open = (item: Item.Item, proof: OutboxProof): Result.Result<Opened, string> => {
  const { attestation, slot, index, kind, pair, due } = proof
  const origin = OutboxItem.origin(item)
  if (item.type !== SignatureType.outbox || origin === undefined)
    return Result.fail("the item's signature field does not fit its content")
  if (origin.source !== attestation.process) return Result.fail("the proof is about another process")
  if (origin.index !== index) return Result.fail("the proof is about another place in the outbox")
  if (slot <= attestation.from.slot || slot > attestation.to.slot)
    return Result.fail(`slot ${slot} is outside the slots attested`)
  if (slot === attestation.to.slot && !Bytes.equal(origin.head, attestation.to.head))
    return Result.fail("the item names another head than the one attested")
  const place = slot - attestation.from.slot - 1
  if (place >= Merkle.leavesMax || index >= Merkle.leavesMax)
    return Result.fail("a place is outside its tree")
  const entry = Outcome.entryValue({ kind, pair, due }, Hash.sha256(item.bytes))
  const outcome = Outcome.hashOf(proof.bodyHash, Merkle.rootOf(index, entry, proof.entryPath))
  if (!Bytes.equal(Merkle.rootOf(place, outcome, proof.outcomePath), attestation.outcomeRoot))
    return Result.fail("the item is not in the outcomes attested")
  const claims = proof.witnesses.map(({ signatureType, owner, signature, ...place }) => ({
    signatureType,
    owner,
    signature,
    root: Attestation.rootOf({ attestation, ...place }),
  }))
  return Result.succeed({ source: origin.source, slot, kind, pair, due, claims })
}
