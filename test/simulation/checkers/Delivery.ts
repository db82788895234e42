/**
 * Delivery: what a process emits gets one slot at its target, in the order of the pair, and takes effect once; what a
 * caller was told is accepted is in the log once, whoever sent it how often.
 */
import * as Result from "effect/Result"
import * as Bytes from "../../../runtime/Bytes.ts"
import * as Id from "../../../runtime/Id.ts"
import * as Item from "../../../runtime/Item.ts"
import * as Message from "../../../runtime/Message.ts"
import * as OutboxProof from "../../../runtime/OutboxProof.ts"
import * as Void from "../../../runtime/Void.ts"
import { nobody } from "../Client.ts"
import type { Evidence, Make, Place } from "../Checker.ts"
import type { Durable } from "../Durable.ts"
import type { State } from "../Guest.ts"

type Fail = (detail: string) => never

/** The message whose number an item of a log takes: its own, or that of the message for which a void stands. */
const takenBy = (item: Item.Item, proof: Uint8Array): Id.Id =>
  OutboxProof.kindOf(proof) === "void"
    ? Result.getOrThrow(Result.map(Message.parse(item), (message) => Void.read(message)!.entry))
    : item.id

/** Slots with an item, or with the void of it, by its id, those that were not admissible left out. */
const slotsById = ({ entries, turns }: Durable, process: Id.ProcessId) => {
  const found = new Map<Id.Id, Array<number>>()
  const outcomes = turns(process)
  for (const [slot, { item, proof }] of entries(process).entries()) {
    if (outcomes[slot]?.outcome.error?.reason === "inadmissible") continue
    const id = takenBy(Result.getOrThrow(Item.decode(item)), proof)
    found.set(id, [...(found.get(id) ?? []), slot])
  }
  return found
}

const checkEmitted = (read: Durable, isComplete: boolean, fail: Fail) => {
  const logs = new Map<Id.ProcessId, ReturnType<typeof slotsById>>()
  const slotsOf = (process: Id.ProcessId) => {
    const found = logs.get(process) ?? slotsById(read, process)
    logs.set(process, found)
    return found
  }
  for (const { process } of read.log.processes()) {
    const last = new Map<Id.ProcessId, number>()
    for (const { outcome } of read.turns(process))
      for (const { kind, item, pair } of outcome.outbox) {
        if (kind === "void") continue // where it came, and once, is seen at the message for which it stands
        const { id, target: to } = Result.getOrThrow(Item.decode(item))
        const target = kind === "spawn" ? id : Id.fromBytes(to)
        if (target === nobody) continue
        const where = `${kind} ${pair} of process ${process} slot ${outcome.slot} to ${target}`
        const slots = slotsOf(target).get(id) ?? []
        if (slots.length === 0 && !isComplete) continue
        if (slots.length !== 1) fail(`${where} has ${slots.length} slots`)
        if (kind === "timer") continue
        if (slots[0]! <= (last.get(target) ?? -1)) fail(`${where} came before the one before it`)
        last.set(target, slots[0]!)
      }
  }
}

/** What actors themselves noted of the numbers that came. */
const checkEffects = (read: Durable, fail: Fail) => {
  for (const { process } of read.log.processes()) {
    const view = read.outcomes.view(process, "state")
    if (view === undefined) continue
    const { got, broken } = JSON.parse(view.value) as State // what the guest publishes
    if (broken !== 0) fail(`process ${process} kept something of ${broken} turns that failed`)
    for (const [source, numbers] of Object.entries(got)) {
      const sorted = [...new Set(numbers)].toSorted((a, b) => a - b)
      if (sorted.join() !== numbers.join()) fail(`process ${process} got of ${source} ${numbers.join()}`)
    }
  }
}

const checkPairs = (read: Durable, fail: Fail) => {
  for (const { process } of read.log.processes()) {
    const pairs = new Map<Id.ProcessId, number>()
    const turns = read.turns(process)
    for (const [slot, { proof }] of read.entries(process).entries()) {
      if (proof.length === 0 || turns[slot]?.outcome.error?.reason === "inadmissible") continue
      const { kind, pair, attestation } = Result.getOrThrow(OutboxProof.decode(proof))
      if (kind !== "message" && kind !== "void") continue
      if ((kind === "void") !== (turns[slot]?.outcome.error?.reason === "void") && turns[slot] !== undefined)
        fail(`process ${process} slot ${slot}: a ${kind} came to ${turns[slot]?.outcome.error?.reason}`)
      const last = pairs.get(attestation.process) ?? 0
      if (pair !== last + 1)
        fail(`process ${process} slot ${slot}: ${pair} of ${attestation.process} after ${last}`)
      pairs.set(attestation.process, pair)
    }
  }
}

/** Whether another message of the caller took the anchor first. */
const isContested = (jobs: Evidence["jobs"], item: Item.Item | undefined): boolean =>
  item !== undefined &&
  jobs.some(
    (other) =>
      other.accepted.length > 0 &&
      other.item !== undefined &&
      Bytes.equal(other.item.owner, item.owner) &&
      Bytes.equal(other.item.anchor, item.anchor) &&
      !Bytes.equal(Item.contentHash(other.item), Item.contentHash(item)),
  )

const checkJobs = ({ jobs }: Evidence, read: Durable, fail: Fail) => {
  for (const { operation, item, accepted, answers, refused } of jobs) {
    const name = `operation ${operation.number} (${operation.kind})`
    const [first] = accepted
    for (const { process, slot } of accepted)
      if (process !== first!.process || slot !== first!.slot) fail(`${name} has two slots`)
    if (operation.kind === "forge" && first !== undefined) fail(`${name} was accepted`)
    const isGood = ["spawn", "say"].includes(operation.kind) && !isContested(jobs, item)
    if (operation.kind === "drop" && refused !== undefined) fail(`${name}: ${refused.message}`)
    if (isGood && refused !== undefined) fail(`${name} was refused: ${refused.message}`)
    const texts = new Set(answers.map(({ result }) => JSON.stringify(result)))
    if (texts.size > 1) fail(`${name} was answered in two ways: ${[...texts].join(" ")}`)
    if (first === undefined || item === undefined) continue
    const turn = read.outcomes.turn(first.process, first.slot)
    if (turn?.outcome.error?.reason === "inadmissible") fail(`${name} was accepted and is inadmissible`)
    const content = Bytes.toHex(Item.contentHash(item))
    const same = read.entries(first.process).filter((entry) => {
      const logged = Result.getOrThrow(Item.decode(entry.item))
      const isSame = Bytes.toHex(Item.contentHash(logged)) === content
      return isSame && Bytes.equal(logged.owner, item.owner)
    })
    if (same.length !== 1) fail(`${name} has ${same.length} slots`)
  }
}

export const make: Make = (evidence, fail) => {
  const scheduler: Place = evidence.places.find(({ schedules }) => schedules)!
  return {
    name: "delivery",
    end: (isComplete) => {
      const read = scheduler.durable()
      checkEmitted(read, isComplete, fail)
      checkPairs(read, fail)
      checkEffects(read, fail)
      checkJobs(evidence, read, fail)
    },
  }
}
