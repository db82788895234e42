/**
 * Client: performs the operations of a workload, as callers do who have only what a node tells them: one who gets no
 * answer sends the same item again.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { Entropy } from "../../identity/Entropy.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import type { Answered, MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import type { Refused } from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Drop from "../../runtime/Drop.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import * as Module from "../../runtime/Module.ts"
import type { Accepted } from "../../scheduler-unit/SchedulerUnit.ts"
import * as Guest from "./Guest.ts"
import type { Life, Loop } from "./Loop.ts"
import type * as Luck from "./Luck.ts"
import { lost, type Machine } from "./Machine.ts"
import type { Seen } from "./Seen.ts"
import type { Keys } from "./SeededKeys.ts"
import { callers, type Look, type Operation, type Plan } from "./Workload.ts"

export type Door = MessengerUnit["Service"]

/** An operation under way. */
export interface Job {
  readonly operation: Operation
  /** What was sent; unset for what has nothing to send. */
  item: Item.Item | undefined
  /** What it was told, each time. */
  readonly accepted: Array<Accepted>
  readonly answers: Array<Answered>
  refused: Refused | undefined
  /** Copies that are not done yet. */
  open: number
}

/** Who is asked about, and who may be. */
export interface Town {
  readonly loop: Loop
  readonly keys: Keys
  readonly machine: Machine<{ readonly messenger: Door }>
  /** Address of the scheduler, and of each compute unit that attests. */
  readonly scheduler: Id.Address
  readonly units: ReadonlyArray<Id.Address>
  readonly see: (seen: Seen) => void
}

/** What the door fails with, by its name and in words. */
interface Failed {
  readonly _tag: string
  readonly message: string
}

/** Refusals that pass by themselves. */
const passing = new Set(["overloaded", "store failed", "stopping"])
const retryMs = 200
/** There is no process with this id. */
export const nobody = Id.fromBytes(Hash.sha256(Bytes.fromText("nobody")))

export class Client {
  readonly jobs: Array<Job> = []
  readonly #town: Town
  readonly #luck: Luck.Luck
  readonly #life: Life = { name: "client", alive: true, skewMs: 0 }
  readonly #spawned: Array<Id.ProcessId> = []
  #planned = 0

  constructor(town: Town, luck: Luck.Luck) {
    this.#town = town
    this.#luck = luck
  }

  /** Whether all that was planned has ended. */
  get isDone(): boolean {
    return this.jobs.length === this.#planned && this.jobs.every(({ open }) => open === 0)
  }

  plan(operations: ReadonlyArray<Operation>): void {
    this.#planned = operations.length
    for (const operation of operations)
      this.#town.loop.after(this.#life, operation.at, () => this.#begin(operation))
  }

  #process(number: number): Id.ProcessId | undefined {
    return this.#spawned[number % this.#spawned.length]
  }

  #script(plan: Plan): Guest.Script {
    return plan.map((step): Guest.Step => {
      switch (step[0]) {
        case "send":
        case "ask":
          return [step[0], this.#process(step[1])!, this.#script(step[2])]
        case "ask within":
          return [step[0], this.#process(step[1])!, this.#script(step[2]), step[3]]
        case "ask nobody":
          return ["ask within", nobody, [], step[1]]
        case "spawn":
          return [step[0], this.#script(step[1])]
        default:
          return step
      }
    })
  }

  /** Each item follows from its operation alone, so that leaving out another one does not change it. */
  #sign(by: number, salt: string, fields: SignedItem.Fields): Item.Item {
    const signer = this.#town.keys.key(`caller ${by}`).signer(salt)
    const all = { anchor: Hash.sha256(Bytes.fromText(salt)), ...fields }
    return Effect.runSync(
      Effect.orDie(
        SignedItem.sign(signer, all).pipe(
          Effect.provideService(Entropy, { bytes: (length) => new Uint8Array(length) }),
        ),
      ),
    )
  }

  /** Units of which it takes so many, and more than half. */
  #believed({ quorum }: { readonly quorum: number }): ReadonlyArray<Id.Address> {
    return this.#town.units.slice(0, 2 * quorum - 1)
  }

  #message(
    process: Id.ProcessId,
    action: string,
    data: string,
    ...tags: ReadonlyArray<readonly [name: string, value: string]>
  ) {
    const extra = tags.map(([name, value]) => ({ name, value }))
    const all = [...Message.protocolTags("Message"), { name: "Action", value: action }, ...extra]
    return { target: Id.toBytes(process), tags: all, data: Bytes.fromText(data) }
  }

  #spawn(by: number, salt: string, quorum: number, cronSeconds?: number): Item.Item {
    const { scheduler, units } = this.#town
    const named = units.length > 1 ? this.#believed({ quorum }) : []
    const tags = [
      ...Message.protocolTags("Process"),
      { name: "Module", value: Module.id(Guest.programs[0]!) },
      { name: "Scheduler", value: scheduler },
      ...named.map((value) => ({ name: "Compute", value })),
    ]
    if (cronSeconds !== undefined) tags.push({ name: "Cron-Interval", value: `${cronSeconds}-seconds` })
    return this.#sign(by, salt, { tags, data: Bytes.empty })
  }

  /** The process to which a message is said that is given up. */
  #latecomer({ number, by, quorum }: Extract<Operation, { kind: "drop" }>): Item.Item {
    return this.#spawn(by, `latecomer ${number}`, quorum)
  }

  #item(operation: Operation): Item.Item | undefined {
    const { number, by, kind } = operation
    const name = `operation ${number}`
    if (kind === "spawn") return this.#spawn(by, name, operation.quorum, operation.cronSeconds)
    if (kind === "look") return undefined
    if (kind === "repeat" || kind === "anchor") {
      const earlier = this.jobs.find((job) => job.operation.number === operation.of)
      const item = earlier?.item
      if (earlier === undefined || item === undefined) return undefined
      if (kind === "repeat" && !operation.signedAgain) return item
      // A spawn signed again would be another process.
      if (item.target.length === 0) return undefined
      const { target, tags, anchor } = item
      const data = kind === "anchor" ? Bytes.fromText('[["sleep",1]]') : item.data
      return this.#sign(this.#signerOf(earlier), name, { target, tags, anchor, data })
    }
    const process = this.#process(operation.target)
    if (process === undefined) return undefined
    if (kind === "upgrade") {
      const module = Module.id(Guest.programs[operation.program]!)
      return this.#sign(by, name, this.#message(process, "Upgrade", "", ["Module", module]))
    }
    if (kind === "authority") {
      const units = this.#believed(operation).map((unit) => ["Authority", unit] as const)
      const owner = this.jobs.find(({ item }) => item?.id === process)!.operation.by
      return this.#sign(owner, name, this.#message(process, "Authority", "", ...units))
    }
    const script = kind === "say" ? [...this.#script(operation.plan)] : []
    if (kind === "drop") {
      const { id } = this.#latecomer(operation)
      script.push(["send", id, []], ["ask", id, []], ["send", id, []])
    }
    const item = this.#sign(by, name, this.#message(process, "Do", JSON.stringify(script)))
    if (kind === "say" || kind === "drop") return item
    // Forged: the data is not what was signed.
    const bytes = Bytes.copy(item.bytes)
    bytes[bytes.length - 1]! ^= 1
    return { ...item, bytes }
  }

  /** Who signed what was sent: of a repeat, whoever signed what it repeats. */
  #signerOf({ operation }: Job): number {
    if (operation.kind !== "repeat" && operation.kind !== "anchor") return operation.by
    const earlier = this.jobs.find((job) => job.operation.number === operation.of)
    return earlier === undefined ? operation.by : this.#signerOf(earlier)
  }

  #begin(operation: Operation): void {
    const isFirst = this.#spawned.length === 0 && this.jobs.some(({ open }) => open > 0)
    if (isFirst && "target" in operation) return this.#later(() => this.#begin(operation))
    const item = this.#item(operation)
    const copies = operation.kind === "say" ? operation.copies : 1
    const job: Job = { operation, item, accepted: [], answers: [], refused: undefined, open: copies }
    this.jobs.push(job)
    if (item !== undefined) for (let i = 0; i < copies; i++) this.#send(job, item.bytes)
    else if (operation.kind === "look") this.#look(job, operation.look, this.#process(operation.target))
    else job.open = 0
  }

  #later(run: () => void): void {
    this.#town.loop.after(this.#life, 1 + this.#luck.below(retryMs), run)
  }

  /** Asks, and asks again until something comes of it. */
  #ask<A, E extends Failed>(
    what: string,
    effect: (door: Door) => Effect.Effect<A, E>,
    done: (result: Result.Result<A, E>) => void,
  ): void {
    const { loop, machine } = this.#town
    machine.call(
      ({ messenger }) => Effect.result(effect(messenger)),
      (exit) => {
        const again = () => this.#later(() => this.#ask(what, effect, done))
        if (exit === lost) return again()
        if (Exit.isFailure(exit)) return loop.fail(new Error(`${what}: ${Cause.pretty(exit.cause)}`))
        const result = exit.value
        if (Result.isFailure(result)) {
          const { failure } = result
          loop.note(`client hears that ${what} failed: ${failure.message}`)
          if ("reason" in failure && passing.has(String(failure.reason))) return again()
        }
        done(result)
      },
    )
  }

  #send(job: Job, bytes: Uint8Array): void {
    const { operation } = job
    const { machine, see } = this.#town
    this.#ask(
      `operation ${operation.number}`,
      (door) => door.send(bytes),
      (sent) => {
        if (Result.isFailure(sent)) {
          if (sent.failure._tag === "Refused") job.refused = sent.failure
          job.open--
          return
        }
        const accepted = sent.success
        job.accepted.push(accepted)
        see({ machine: machine.name, kind: "accepted", item: bytes, accepted })
        const { process, slot } = accepted
        if (slot === 0 && !this.#spawned.includes(process)) this.#spawned.push(process)
        if (operation.kind === "drop") this.#drop(job, operation, process, slot)
        if (operation.kind === "say" && !operation.waits)
          return this.#look(job, operation.look, process, slot)
        this.#answer(job, process, slot)
      },
    )
  }

  /** Gives up one of the messages that a slot emitted, where it still waits, and brings about whom they are for. */
  #drop(job: Job, operation: Extract<Operation, { kind: "drop" }>, source: Id.ProcessId, slot: number): void {
    const { loop } = this.#town
    const { number, index, dropMs, spawnMs, byOwner } = operation
    job.open += 2
    const sent = (what: string, item: Item.Item): void =>
      this.#ask(
        what,
        (door) => door.send(item.bytes),
        (done) => {
          if (Result.isFailure(done) && done.failure._tag === "Refused") job.refused = done.failure
          if (Result.isSuccess(done))
            this.#town.see({
              machine: this.#town.machine.name,
              kind: "accepted",
              item: item.bytes,
              accepted: done.success,
            })
          job.open--
        },
      )
    loop.after(this.#life, spawnMs, () => sent(`latecomer of ${number}`, this.#latecomer(operation)))
    const look = () =>
      this.#ask(
        `what operation ${number} drops`,
        (door) => Effect.andThen(door.turn(source, slot), () => door.outboxEntry({ source, slot, index })),
        (found) => {
          if (Result.isFailure(found) || found.success === undefined) return void job.open--
          const { entry, proof } = found.success
          const dropped = Result.getOrThrow(Item.decode(entry.item)).id
          const owner = this.#ownerOf(source)
          const by = byOwner ? owner : (owner + 1) % callers
          const { target, tags } = this.#message(source, "Drop", "")
          const fields = { target, tags: [...tags, ...Drop.tags(dropped, "given up")] }
          const data = Drop.data(entry.item, proof)
          sent(`drop of ${number}`, this.#sign(by, `drop ${number}`, { ...fields, data }))
        },
      )
    loop.after(this.#life, dropMs, look)
  }

  #ownerOf(process: Id.ProcessId): number {
    return this.#signerOf(
      this.jobs.find(({ accepted: [first] }) => first?.slot === 0 && first.process === process)!,
    )
  }

  #answer(job: Job, process: Id.ProcessId, slot: number): void {
    const { machine, see } = this.#town
    this.#ask(
      `answer of ${job.operation.number}`,
      (door) => door.answer(process, slot),
      (result) => {
        if (Result.isSuccess(result)) {
          job.answers.push(result.success)
          see({ machine: machine.name, kind: "answered", process, slot, answered: result.success })
        }
        const { operation } = job
        if (operation.kind === "say") this.#look(job, operation.look, process, slot)
        else job.open--
      },
    )
  }

  #look(job: Job, look: Look, process: Id.ProcessId | undefined, slot = 0): void {
    if (process === undefined || look === "nothing") return void job.open--
    const { machine: at, see } = this.#town
    const machine = at.name
    const ask = <A, E extends Failed>(
      effect: (door: Door) => Effect.Effect<A, E>,
      found: (value: A) => Seen,
    ) =>
      this.#ask(`${look} for ${job.operation.number}`, effect, (result) => {
        if (Result.isSuccess(result)) see(found(result.success))
        job.open--
      })
    const query = { action: "Peek", tags: [], data: Bytes.empty, from: "" }
    switch (look) {
      case "receipt":
        return ask(
          (door) => door.receipt(process, slot),
          (receipt) => ({ machine, kind: "receipt", receipt }),
        )
      case "turn":
        return ask(
          (door) => door.turn(process, slot),
          (turn) => ({ machine, kind: "turn", process, turn }),
        )
      case "view":
        return ask(
          (door) => door.view(process, "state"),
          (view) => ({ machine, kind: "view", process, name: "state", view }),
        )
      case "view proof":
        return ask(
          (door) => door.viewProof(process, "state"),
          (proven) => ({ machine, kind: "view proof", process, proven }),
        )
      case "query":
        return ask(
          (door) => door.query(process, query),
          (answer) => ({ machine, kind: "query", process, answer }),
        )
    }
  }
}
