/** Our own vectors of chapters 03 to 05, read in place; `test/identity/Vectors.test.ts` has the others. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import * as Claim from "../../identity/Claim.ts"
import * as MlDsa from "../../identity/MlDsa.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Admission from "../../runtime/Admission.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Authority from "../../runtime/Authority.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Drop from "../../runtime/Drop.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import type * as Move from "../../runtime/Move.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as Outcome from "../../runtime/Outcome.ts"
import * as Process from "../../runtime/Process.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import * as Void from "../../runtime/Void.ts"
import * as Equivocation from "../../scheduler-unit/Equivocation.ts"
import type { order } from "../vectors/makeOrder.ts"
import type { outbox } from "../vectors/makeOutbox.ts"
import type { outcome } from "../vectors/makeOutcome.ts"
import { own } from "../vectors/shared.ts"

const hex = (text: string): Uint8Array => Bytes.fromHex(text)!
const base64 = (text: string): Uint8Array => Bytes.fromBase64Url(text)!
const id = (text: string): Id.Id => Id.parse(text)!

describe("spec/vectors/order.json", () => {
  const { secrets, entries, receipts, equivocations, admission } = own<ReturnType<typeof order>>("order.json")
  const { authorities } = own<ReturnType<typeof order>>("order.json")

  it("has a chain of entries", () => {
    let checked = 0
    for (const { item, proof, assignment, leaf } of entries) {
      const { process, term, slot, timestamp, previous } = assignment
      const entryHash = Assignment.entryHash(hex(item), hex(proof))
      assert.strictEqual(Bytes.toBase64Url(entryHash), assignment.entryHash)
      const made = Assignment.make({
        process: id(process),
        term,
        slot,
        timestamp,
        entryHash,
        previous: base64(previous),
      })
      assert.strictEqual(Bytes.toBase64Url(made.head), assignment.head)
      assert.strictEqual(Bytes.toHex(Assignment.leafValue(made)), leaf)
      checked += 1
    }
    assert.strictEqual(checked, 4)
  })

  type Written = (typeof receipts)[number]["receipt"]
  const read = ({ link, assignment, index, path }: Written): Batch.Receipt => ({
    link: {
      number: link.number,
      previousRoot: base64(link.previousRoot),
      root: base64(link.root),
      signatureType: link.signatureType,
      owner: base64(link.owner),
      signature: base64(link.signature),
    },
    assignment: {
      ...assignment,
      process: id(assignment.process),
      entryHash: base64(assignment.entryHash),
      previous: base64(assignment.previous),
      head: base64(assignment.head),
    },
    index,
    path: path.map(base64),
  })

  const signed = ({ link }: Batch.Receipt): boolean => {
    const { signatureType, owner, signature } = link
    const type = SignatureType.find(signatureType)!
    return Claim.holds({ type, owner, context: "heddle/batch/1", bytes: Batch.signingBytes(link), signature })
  }

  it("has as many invalid as valid receipts, of the key that the seed gives", () => {
    assert.isAtLeast(
      receipts.filter(({ valid }) => !valid).length,
      receipts.filter(({ valid }) => valid).length,
    )
    const { owner } = MlDsa.fromSeed(SignatureType.mlDsa44, hex(secrets.scheduler))
    assert.strictEqual(Bytes.toBase64Url(owner), receipts[0]!.receipt.link.owner)
  })

  for (const each of receipts)
    it(`${each.valid ? "believes" : "refuses"} a receipt: ${each.name}`, () => {
      const receipt = read(each.receipt)
      const head = Bytes.equal(Assignment.make(receipt.assignment).head, receipt.assignment.head)
      const fails = !head
        ? "head"
        : !Batch.receiptHolds(receipt)
          ? "path"
          : !signed(receipt)
            ? "signature"
            : undefined
      assert.strictEqual(fails, "fails" in each ? each.fails : undefined)
      assert.strictEqual(Batch.receiptHolds(receipt), fails === undefined || fails === "signature")
    })

  const named = new Map(receipts.map(({ name, receipt }) => [name, receipt]))
  for (const each of equivocations)
    it.effect(`${each.valid ? "finds" : "finds no"} equivocation: ${each.name}`, () =>
      Effect.gen(function* () {
        const [first, second] = [named.get(each.first)!, named.get(each.second)!]
        const text = JSON.stringify({ format: Equivocation.format, first, second })
        const proof = Result.getOrThrow(Equivocation.decode(text))
        assert.deepStrictEqual(JSON.parse(Equivocation.encode(proof)), JSON.parse(text))
        const found = yield* Effect.result(Equivocation.check(proof, VerifierLocal.make()))
        assert.strictEqual(
          Result.isSuccess(found) ? found.success.kind : undefined,
          "kind" in each ? each.kind : undefined,
        )
      }),
    )

  it("hashes a policy", () => {
    for (const { units, hash, ...policy } of authorities)
      assert.strictEqual(Bytes.toHex(Authority.hash({ ...policy, units: units.map(id) })), hash)
    assert.strictEqual(new Set(authorities.map(({ hash }) => hash)).size, authorities.length)
  })

  /** The parts that the generator leaves open. */
  interface State extends Pick<Admission.LogState, "nextSlot" | "timestamp" | "spawnedAt"> {
    readonly term?: number
    readonly scheduler?: Id.Address
    readonly spawn: string | null
    readonly authority: Authority.InForce | null
    readonly pairs: Readonly<Record<Id.Id, number>>
    readonly cron: Readonly<Record<string, number>>
  }
  const message = (item: string) =>
    Result.getOrThrow(Message.parse(Result.getOrThrow(Item.decode(hex(item)))))
  const logOf = ({ spawn, pairs, cron, authority, ...rest }: State): Admission.LogState => ({
    ...Admission.emptyLog,
    ...rest,
    authority: authority ?? undefined,
    process: spawn === null ? undefined : Result.getOrThrow(Process.fromSpawn(message(spawn))),
    pairs: HashMap.fromIterable(Object.entries(pairs) as Array<[Id.Id, number]>), // written as ids
    cron: HashMap.fromIterable(Object.entries(cron)),
  })

  it("has a case for each line of the table, as many refused as admitted", () => {
    const lines = ["5d", "5e", ...Array.from({ length: 18 }, (_, i) => i + 2)]
    assert.sameMembers([...new Set(admission.map(({ line }) => line))], lines)
    assert.isAtLeast(
      admission.filter(({ valid }) => !valid).length,
      admission.filter(({ valid }) => valid).length,
    )
  })

  for (const {
    line,
    name,
    state,
    item,
    voucher,
    seen,
    timestamp,
    term,
    decision,
    inForce,
    tenure,
  } of admission)
    it(`line ${line}, ${decision}: ${name}`, () => {
      const given = voucher as "signed" | "none" | { readonly proven: Admission.Proven }
      const candidate: Admission.Candidate = {
        message: message(item),
        voucher: given === "signed" ? { signed: true } : given === "none" ? { none: true } : given,
        seen: (seen ?? undefined) as Admission.Candidate["seen"],
      }
      const found = Admission.admit(logOf(state as State), candidate, timestamp, term)
      assert.strictEqual(Result.isSuccess(found) ? "admitted" : found.failure.reason, decision)
      if (inForce !== undefined)
        assert.deepStrictEqual(Result.getOrThrow(found).authority, inForce as Authority.InForce)
      if (tenure !== undefined) {
        const { term: next, scheduler } = Result.getOrThrow(found)
        assert.deepStrictEqual({ term: next, scheduler }, tenure as Move.Tenure)
      }
    })
})

describe("spec/vectors/outcome.json", () => {
  const { outcomes, attestations, root, signed } = own<ReturnType<typeof outcome>>("outcome.json")

  const outcomeOf = ({ outcome: one }: (typeof outcomes)[number]): Outcome.Outcome => ({
    slot: one.slot,
    message: id(one.message),
    error: one.error === null ? undefined : (one.error as Outcome.TurnError), // reasons of 04 §5
    fuelUsed: BigInt(one.fuelUsed),
    replies: one.replies.map((reply) =>
      reply.error === undefined
        ? { to: id(reply.to), value: reply.value! }
        : { to: id(reply.to), error: reply.error },
    ),
    views: one.views,
    outbox: one.outbox.map((entry) => ({ ...entry, item: hex(entry.item) })),
  })

  for (const each of outcomes)
    it(`hashes an outcome: ${each.name}`, () => {
      const one = outcomeOf(each)
      const values = one.outbox.map((entry) => Outcome.entryValue(entry, Hash.sha256(entry.item)))
      assert.deepStrictEqual(values.map(Bytes.toHex), each.entries)
      assert.strictEqual(Bytes.toHex(Outcome.outboxTree(one.outbox).root), each.outboxRoot)
      assert.strictEqual(Bytes.toHex(Outcome.bodyHash(one)), each.bodyHash)
      assert.strictEqual(Bytes.toHex(Outcome.hash(one)), each.hash)
    })

  it("has no two outcomes, and no two attestations, of one hash", () => {
    assert.strictEqual(new Set(outcomes.map(({ hash }) => hash)).size, outcomes.length)
    assert.strictEqual(new Set(attestations.map(({ leaf }) => leaf)).size, attestations.length)
  })

  it("has the numbers of the spec's example", () => {
    const example = outcomes[0]!
    assert.strictEqual(example.hash, "02cc26435670d0d382d6c882ddd375567c6f7c2c50f182c53a017a826c376f0b")
    assert.strictEqual(example.bodyHash, "7510f72a5e076017c0af3b3833a6af34b819c264687ec8f0ad8a98011defbeb7")
  })

  type Shown = (typeof attestations)[number]["attestation"]
  const pointOf = ({ slot, head, stateRoot }: Shown["from"]): Attestation.Point => ({
    slot,
    head: base64(head),
    stateRoot: base64(stateRoot),
  })
  const attestationOf = ({
    engine,
    process,
    term,
    from,
    to,
    outcomeRoot,
  }: Shown): Attestation.Attestation => ({
    engine: base64(engine),
    process: id(process),
    term,
    from: pointOf(from),
    to: pointOf(to),
    outcomeRoot: base64(outcomeRoot),
  })

  const first = attestationOf(attestations[0]!.attestation)
  for (const { name, attestation, leaf, contradicts } of attestations)
    it(`${contradicts ? "contradicts" : "does not contradict"} the first attestation: ${name}`, () => {
      const one = attestationOf(attestation)
      assert.strictEqual(Bytes.toHex(Attestation.leafValue(one)), leaf)
      assert.strictEqual(Attestation.contradict(first, one), contradicts)
    })

  it("signs all attestations by one root", () => {
    const tree = Attestation.tree(attestations.map(({ attestation }) => attestationOf(attestation)))
    assert.strictEqual(Bytes.toHex(tree.root), root)
    assert.strictEqual(Bytes.toHex(Attestation.signingBytes(tree.root)), signed)
  })
})

describe("spec/vectors/outbox.json", () => {
  const { secrets, proofs, repeats, drops, cron } = own<ReturnType<typeof outbox>>("outbox.json")
  const steps = [
    "field",
    "another process",
    "another place",
    "outside the slots",
    "another head",
    "outside its tree",
    "not in the outcomes",
  ]

  const isGood = ({ signatureType, owner, root, signature }: OutboxProof.Claim): boolean => {
    const type = SignatureType.find(signatureType)!
    const bytes = Attestation.signingBytes(root)
    return Claim.holds({ type, owner, context: "heddle/attestation/1", bytes, signature })
  }

  it("has as many invalid as valid proofs, one at least for each step, of the keys that the seeds give", () => {
    const bad = proofs.filter(({ valid }) => !valid)
    assert.isAtLeast(bad.length, proofs.length - bad.length)
    const failing = new Set(bad.map((each) => ("fails" in each ? each.fails : undefined)))
    assert.deepStrictEqual([...failing], [1, 2, 3, 4, 5, 6, 7, "decode"])
    const owners = Object.values(secrets).map((seed) =>
      Bytes.toBase64Url(MlDsa.fromSeed(SignatureType.mlDsa44, hex(seed)).owner),
    )
    const first = proofs[0]!
    assert.deepStrictEqual("shows" in first ? first.shows.attestors : [], owners)
  })

  for (const each of proofs)
    it(`${each.valid ? "opens" : "does not open"}: ${each.name}`, () => {
      const item = Result.getOrThrow(Item.decode(hex(each.item)))
      const decoded = OutboxProof.decode(base64(each.proof))
      const opened = Result.isSuccess(decoded) ? OutboxProof.open(item, decoded.success) : undefined
      if ("shows" in each) {
        assert.isTrue(Result.isSuccess(decoded))
        assert.strictEqual(Bytes.toBase64Url(OutboxProof.encode(Result.getOrThrow(decoded))), each.proof)
        const { claims, ...found } = Result.getOrThrow(opened!)
        const attestors = [...new Set(claims.filter(isGood).map(({ owner }) => Bytes.toBase64Url(owner)))]
        assert.deepEqual({ ...found, attestors }, each.shows)
        return
      }
      if (each.fails === "decode") assert.isTrue(Result.isFailure(decoded))
      else
        assert.include(
          opened !== undefined && Result.isFailure(opened) ? opened.failure : "",
          steps[each.fails - 1]!,
        )
    })

  it("has items that are repeats of those named alike, and of no others", () => {
    for (const { name, item, proof, repeatKey, contentHash } of repeats) {
      const message = Result.getOrThrow(Result.flatMap(Item.decode(hex(item)), Message.parse))
      const found = Void.identity(message, base64(proof))
      assert.deepStrictEqual([found.repeatKey, found.contentHash].map(Bytes.toHex), [repeatKey, contentHash])
      for (const other of repeats)
        assert.strictEqual(other.repeatKey === repeatKey, other.name === name, `${name}, ${other.name}`)
    }
    assert.strictEqual(repeats.length, 4)
  })

  it("has as many drops that give up nothing as such that do, or more", () =>
    assert.isAtLeast(drops.filter(({ valid }) => !valid).length, drops.filter(({ valid }) => valid).length))

  for (const each of drops)
    it(`${each.valid ? "drops" : "drops nothing"}: ${each.name}`, () => {
      const message = Result.getOrThrow(Result.flatMap(Item.decode(hex(each.item)), Message.parse))
      assert.isTrue(Drop.is(message))
      const opened = Drop.open(message)
      if (!("shows" in each))
        return assert.include(Result.isFailure(opened) ? opened.failure.message : "it does", each.fails)
      const { claims, contentHash, reference, ...found } = Result.getOrThrow(opened)
      assert.deepStrictEqual(
        {
          ...found,
          contentHash: Bytes.toHex(contentHash),
          reference: reference ?? "",
          attestors: claims.filter(isGood).map(({ owner }) => Bytes.toBase64Url(owner)),
        },
        each.shows,
      )
    })

  it("has cron messages that follow from the spawn", () => {
    for (const { process, name, count, item, id: itemId } of cron) {
      const made = OutboxItem.cron(id(process), name, count)
      assert.strictEqual(Bytes.toHex(made.bytes), item)
      assert.strictEqual(made.id, itemId)
    }
    assert.strictEqual(cron.length, 4)
  })
})
