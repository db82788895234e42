/**
 * Authority: nothing was accepted that nobody answers for. A signed item has its signature; what a process is said to
 * have emitted, it has emitted, and as many units have signed that as the receiver asks for at that slot.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Attestation from "../../../runtime/Attestation.ts"
import * as Policy from "../../../runtime/Authority.ts"
import * as Bytes from "../../../runtime/Bytes.ts"
import * as Hash from "../../../runtime/Hash.ts"
import * as Id from "../../../runtime/Id.ts"
import * as Item from "../../../runtime/Item.ts"
import * as Message from "../../../runtime/Message.ts"
import * as OutboxProof from "../../../runtime/OutboxProof.ts"
import * as Process from "../../../runtime/Process.ts"
import * as SignatureType from "../../../runtime/SignatureType.ts"
import * as Tag from "../../../runtime/Tag.ts"
import type { LogEntry } from "../../../scheduler-unit/SchedulerUnit.ts"
import type { Make } from "../Checker.ts"

export const make: Make = ({ places, keys }, fail) => {
  const scheduler = places.find(({ schedules }) => schedules)!

  const checkProof = (policy: Policy.Authority, where: string, { item: bytes, proof: given }: LogEntry) => {
    const item = Result.getOrThrow(Item.decode(bytes))
    const proof = Result.getOrThrowWith(OutboxProof.decode(given), (why) => new Error(`${where}: ${why}`))
    const source = proof.attestation.process
    const turn = scheduler.durable().outcomes.turn(source, proof.slot)
    const entry = turn?.outcome.outbox[proof.index]
    if (entry === undefined || !Bytes.equal(entry.item, bytes))
      return fail(`${where}: ${source} never emitted it`)
    const { kind, pair, due } = entry
    if (kind !== proof.kind || pair !== proof.pair || due !== proof.due)
      fail(`${where}: it was emitted as ${kind} ${pair}, not as ${proof.kind} ${proof.pair}`)
    const opened = OutboxProof.open(item, proof)
    if (Result.isFailure(opened)) return fail(`${where}: ${opened.failure}`)
    const good = opened.success.claims.filter(({ signatureType, owner, signature, root }) => {
      const type = SignatureType.find(signatureType)!
      const signed = Attestation.signingBytes(root)
      const verified = keys.verifier.verify(type, owner, "heddle/attestation/1", signed, signature)
      return Effect.runSync(Effect.orDie(verified))
    })
    const signers = new Set(good.map(({ owner }) => Id.fromBytes(Hash.sha256(owner))))
    const { units, quorum } = policy
    const believed = units.filter((unit) => signers.has(unit)).length
    if (believed < quorum) fail(`${where}: ${believed} units of those it believes signed it, not ${quorum}`)
  }

  const isOwnersDrop = ({ owner }: Process.Process, item: Item.Item): boolean =>
    item.type !== SignatureType.outbox &&
    Message.from(item) === owner &&
    Tag.value(item.tags, "Action") === "Drop"

  const checkSigned = (where: string, item: Item.Item) => {
    const verified = Effect.runSync(Effect.result(keys.verifier.verifyItem(item)))
    if (Result.isFailure(verified)) fail(`${where}: ${verified.failure.message}`)
  }

  return {
    name: "authority",
    end: () => {
      const { log, entries, turns } = scheduler.durable()
      for (const { process: id } of log.processes()) {
        const outcomes = turns(id)
        let process: Process.Process | undefined
        let policy: Policy.Authority | undefined
        for (const [slot, entry] of entries(id).entries()) {
          const where = `process ${id} slot ${slot}`
          if (outcomes[slot]?.outcome.error?.reason === "inadmissible")
            fail(`${where} was let in: ${outcomes[slot].outcome.error.message}`)
          const item = Result.getOrThrow(Item.decode(entry.item))
          const message = Result.getOrThrow(Message.parse(item))
          process ??= Result.getOrThrow(Process.fromSpawn(message))
          policy ??= process.authority
          const voids = (outcomes[slot]?.outcome.outbox ?? []).filter(({ kind }) => kind === "void").length
          if (voids > 0 && !isOwnersDrop(process, item)) fail(`${where}: its owner gave nothing up`)
          if (item.type !== SignatureType.outbox) checkSigned(where, item)
          else if (entry.proof.length > 0) checkProof(policy, where, entry)
          policy = Result.getOrThrow(Policy.read(process, message)) ?? policy
        }
      }
    },
  }
}
