/**
 * Turns content: a run of one compute unit's releases, with what it attested and the outcomes (spec 07 §3).
 *
 *     content = block "heddle/archive/turns/1" | u16 signature type | owner | u64 number | u32 count | release...
 *     release = signature | u32 count | group...                    the groups are the leaves of its tree, in order
 *     group   = engine 32 | process 32 | u64 term | from | to | 1, outcome... or 0, outcome root 32
 *     point   = u64 slot + 1 | head 32 | state root 32
 *
 * The number of a release is the unit's own count: no signature covers it and nothing follows from it. In which order
 * turns were done is said by the points, which do.
 *
 * A group has one outcome for each slot after `from` up to `to`; their root follows from them and is not stored. Where
 * they are left out, because a release with them would be no content, the root stands alone: who wants them runs the
 * turns again.
 */
import * as Result from "effect/Result"
import * as Attestation from "../runtime/Attestation.ts"
import type * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Merkle from "../runtime/Merkle.ts"
import * as Outcome from "../runtime/Outcome.ts"
import * as Content from "./Content.ts"
import * as OutcomeBytes from "./OutcomeBytes.ts"
import * as SlotRanges from "./SlotRanges.ts"

/** The turns of one process in one release, and where they lead. */
export interface ArchivedGroup {
  readonly attestation: Attestation.Attestation
  /** Of slots from.slot + 1 to to.slot; unset where they were left out. */
  readonly outcomes: ReadonlyArray<Outcome.Outcome> | undefined
}

/** What a compute unit committed under one signature: over the tree of its groups' attestations, in order. */
export interface ArchivedRelease extends Batch.Signed {
  readonly number: number
  readonly groups: ReadonlyArray<ArchivedGroup>
}

const domain = Bytes.block(Bytes.fromText("heddle/archive/turns/1"))

const pointBytes = 8 + 2 * Hash.length
/** A group whose outcomes are left out: the smallest of several turns; one of one turn may be as small. */
const groupBytesMin = 2 * Hash.length + 8 + 2 * pointBytes + 1 + Hash.length

const writePoint = ({ slot, head, stateRoot }: Attestation.Point): ReadonlyArray<Uint8Array> => [
  Bytes.u64(slot + 1),
  head,
  stateRoot,
]

/** What `Attestation.outcomeRoot` commits to. */
export const outcomeRoot = (outcomes: ReadonlyArray<Outcome.Outcome>): Uint8Array =>
  Merkle.root(outcomes.map(Outcome.hash))

const groupParts = ({ attestation, outcomes }: ArchivedGroup): ReadonlyArray<Uint8Array> => [
  attestation.engine,
  Id.toBytes(attestation.process),
  Bytes.u64(attestation.term),
  ...writePoint(attestation.from),
  ...writePoint(attestation.to),
  Bytes.u8(outcomes === undefined ? 0 : 1),
  ...(outcomes === undefined ? [attestation.outcomeRoot] : outcomes.flatMap(OutcomeBytes.parts)),
]

/** Bytes that a group adds to a content, outcomes included. */
export const groupBytes = (group: ArchivedGroup): number =>
  groupParts(group).reduce((sum, part) => sum + part.length, 0)

/** Bytes that a release adds to a content. */
export const releaseBytes = ({ signature, groups }: ArchivedRelease): number =>
  groups.reduce((sum, group) => sum + groupBytes(group), signature.length + 4)

/** A release whose outcomes alone would be no content: who wants them runs the turns again. */
export const withoutOutcomes = (release: ArchivedRelease): ArchivedRelease => ({
  ...release,
  groups: release.groups.map((group) => ({ ...group, outcomes: undefined })),
})

/** Bytes of a content beside its releases, at most. */
export const headBytesMax = domain.length + 2 + 2_592 + 8 + 4

const invalid = (reason: Content.ContentInvalid["reason"], detail: string) =>
  Result.fail(new Content.ContentInvalid({ type: "Turns", reason, offset: undefined, detail }))

/** Why a group can't be written, or undefined; a turn a step. */
function* wrong({ attestation, outcomes }: ArchivedGroup): Content.Steps<string | undefined> {
  const { from, to } = attestation
  const turns = to.slot - from.slot
  if (turns < 1 || turns > Merkle.leavesMax) return `it is about ${turns} turns`
  if (outcomes === undefined) return undefined
  if (outcomes.length !== turns) return `it has ${outcomes.length} outcomes of ${turns} turns`
  if (!outcomes.every(({ slot }, i) => slot === from.slot + 1 + i)) return "its outcomes are of other slots"
  if (outcomes.some(({ outbox }) => outbox.length > Limit.outboxEntriesPerTurnMax))
    return "an outbox has too many entries"
  const hashes: Array<Uint8Array> = []
  for (const outcome of outcomes) {
    hashes.push(Outcome.hash(outcome))
    yield
  }
  return Bytes.equal(Merkle.root(hashes), attestation.outcomeRoot)
    ? undefined
    : "its outcomes are not what is attested"
}

/** Writes a run of releases, in the order of their numbers, a turn a step. It refuses what would not read back as it was. */
export function* encoding(
  releases: ReadonlyArray<ArchivedRelease>,
): Content.Steps<Result.Result<Uint8Array, Content.ContentInvalid>> {
  const first = releases[0]
  if (first === undefined) return invalid("not canonical", "there is no release in it")
  const type = Content.plainType(first.signatureType)
  if (type === undefined || first.owner.length !== type.ownerBytes)
    return invalid("not canonical", `signature type ${first.signatureType} is not plain ML-DSA`)
  const parts = [
    domain,
    Bytes.u16(first.signatureType),
    first.owner,
    Bytes.u64(first.number),
    Bytes.u32(releases.length),
  ]
  for (const [place, release] of releases.entries()) {
    const { number, signatureType, owner, signature, groups } = release
    if (number !== first.number + place)
      return invalid("not canonical", `release ${number} stands where ${first.number + place} is expected`)
    if (signatureType !== type.number || !Bytes.equal(owner, first.owner))
      return invalid("not canonical", `release ${number} is signed by another key`)
    if (signature.length !== type.signatureBytes)
      return invalid("not canonical", `the signature of release ${number} has another size`)
    if (groups.length === 0 || groups.length > Merkle.leavesMax)
      return invalid("not canonical", `release ${number} has ${groups.length} groups`)
    parts.push(signature, Bytes.u32(groups.length))
    for (const [index, group] of groups.entries()) {
      const why = yield* wrong(group)
      if (why !== undefined) return invalid("other root", `group ${index} of release ${number}: ${why}`)
      parts.push(...groupParts(group))
    }
  }
  const bytes = Bytes.concat(parts)
  return bytes.length > Content.bytesMax.Turns
    ? invalid("too large", `${bytes.length} bytes; at most ${Content.bytesMax.Turns} are allowed`)
    : Result.succeed(bytes)
}

/** The same at once. */
export const encode = (releases: ReadonlyArray<ArchivedRelease>) => Content.atOnce(encoding(releases))

const readPoint = (reader: Bytes.Reader): Attestation.Point => ({
  slot: reader.count() - 1,
  head: reader.take(Hash.length),
  stateRoot: reader.take(Hash.length),
})

const readGroup = (reader: Bytes.Reader): ArchivedGroup => {
  const engine = reader.take(Hash.length)
  const process = Id.fromBytes(reader.take(Hash.length))
  const term = reader.count()
  const [from, to] = [readPoint(reader), readPoint(reader)]
  const turns = to.slot - from.slot
  if (turns < 1 || turns > Merkle.leavesMax)
    throw new RangeError(`an attestation of ${turns} turns; 1 to ${Merkle.leavesMax} are allowed`)
  const stated = { engine, process, term, from, to }
  if (!Content.readFlag(reader, "whether outcomes are there"))
    return { attestation: { ...stated, outcomeRoot: reader.take(Hash.length) }, outcomes: undefined }
  if (turns * OutcomeBytes.bytesMin > reader.remaining) throw new Bytes.EndOfBytes(reader.bytes.length)
  const outcomes: Array<Outcome.Outcome> = []
  for (let slot = from.slot + 1; slot <= to.slot; slot++) outcomes.push(OutcomeBytes.read(reader, slot))
  return { attestation: { ...stated, outcomeRoot: outcomeRoot(outcomes) }, outcomes }
}

const read = (reader: Bytes.Reader): ReadonlyArray<ArchivedRelease> => {
  Content.readDomain(reader, domain)
  const { type, owner } = Content.readSignedBy(reader)
  const first = reader.count()
  const releaseBytesMin = type.signatureBytes + 4 + groupBytesMin
  const count = Content.readCount(reader, "releases", 1, 0xffff_ffff, releaseBytesMin)
  if (!Number.isSafeInteger(first + (count - 1))) throw new RangeError("a release number is over 2^53 - 1")
  const releases: Array<ArchivedRelease> = []
  for (let place = 0; place < count; place++) {
    const number = first + place
    const signature = reader.take(type.signatureBytes)
    const n = Content.readCount(reader, "groups in a release", 1, Merkle.leavesMax, groupBytesMin)
    const groups: Array<ArchivedGroup> = []
    for (let index = 0; index < n; index++) groups.push(readGroup(reader))
    releases.push({ number, signatureType: type.number, owner, signature, groups })
  }
  return releases
}

/**
 * Reads a content. Total: every byte string is a run of releases or a named refusal. Outcome roots are those of the
 * outcomes that are there; whether the compute unit signed them is asked by `ContentChecks.turns`.
 */
export const decode = (
  bytes: Uint8Array,
): Result.Result<ReadonlyArray<ArchivedRelease>, Content.ContentInvalid> =>
  Content.decode("Turns", bytes, read)

/** Groups of many releases as those of as few as their trees take, still to be signed: a tree has 65,536 places. */
export const joined = (
  releases: ReadonlyArray<Pick<ArchivedRelease, "groups">>,
): ReadonlyArray<ReadonlyArray<ArchivedGroup>> => {
  const groups = releases.flatMap((release) => release.groups)
  return Array.from({ length: Math.ceil(groups.length / Merkle.leavesMax) }, (_, i) =>
    groups.slice(i * Merkle.leavesMax, (i + 1) * Merkle.leavesMax),
  )
}

/** What the compute unit signs of a release (04 §6). */
export const signingBytes = (groups: ReadonlyArray<ArchivedGroup>): Uint8Array =>
  Attestation.signingBytes(Attestation.tree(groups.map(({ attestation }) => attestation)).root)

/** The slots of each process in these releases. */
export const slots = (releases: ReadonlyArray<ArchivedRelease>): ReadonlyArray<SlotRanges.SlotRange> =>
  SlotRanges.of(
    releases.flatMap(({ groups }) =>
      groups.map(({ attestation: { process, from, to } }) => ({
        process,
        first: from.slot + 1,
        last: to.slot,
      })),
    ),
  )
