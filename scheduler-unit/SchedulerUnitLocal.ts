/**
 * SchedulerUnit in this process: read and check each message side by side, then one batch at a time:
 * prefetch facts, decide (`Sequencer.step`), sign, commit, answer.
 *
 * The signature is made before the commit and released after it: one whose commit failed is destroyed with the
 * slots it named, and their numbers are given again.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import { Signer } from "../identity/Signer.ts"
import { Verifier } from "../identity/Verifier.ts"
import * as Voucher from "../identity/Voucher.ts"
import { lastOf, type Reason, Refused } from "../runtime/Admission.ts"
import * as Assign from "../runtime/Assign.ts"
import * as Backoff from "../runtime/Backoff.ts"
import * as Batch from "../runtime/Batch.ts"
import * as Batcher from "../runtime/Batcher.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as DataReference from "../runtime/DataReference.ts"
import * as Feed from "../runtime/Feed.ts"
import * as Gate from "../runtime/Gate.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import * as Message from "../runtime/Message.ts"
import * as Module from "../runtime/Module.ts"
import * as OutboxItem from "../runtime/OutboxItem.ts"
import * as Peer from "../runtime/Peer.ts"
import * as Process from "../runtime/Process.ts"
import { Store, type StoreFailed } from "../runtime/Store.ts"
import * as Upgrade from "../runtime/Upgrade.ts"
import * as Void from "../runtime/Void.ts"
import type * as Adoption from "./Adoption.ts"
import { type Appended, AssignmentLog } from "./AssignmentLog.ts"
import * as Chain from "./Chain.ts"
import * as Cron from "./Cron.ts"
import * as Excerpt from "./Excerpt.ts"
import * as HeldData from "./HeldData.ts"
import * as Intake from "./Intake.ts"
import { Lease } from "./Lease.ts"
import * as LogReader from "./LogReader.ts"
import { type Accepted, SchedulerUnit } from "./SchedulerUnit.ts"
import * as Sequencer from "./Sequencer.ts"
import { Window } from "./Window.ts"

const zeroRoot = new Uint8Array(Hash.length)

const refuse = (reason: Reason, detail: string) => Effect.fail(new Refused({ reason, detail }))

const read = (bytes: Uint8Array): Effect.Effect<Message.Message, Refused> => {
  const message = Assign.read(bytes)
  if (Result.isSuccess(message)) return Effect.succeed(message.success)
  if (message.failure._tag === "MessageInvalid") return refuse("not a message", message.failure.detail)
  const { reason, detail } = message.failure
  return refuse(
    reason === "too large" || reason === "unknown signature type" ? reason : "malformed item",
    detail,
  )
}

/** The unit with what only its own node does to it. */
export interface Opened {
  readonly unit: SchedulerUnit["Service"]
  /**
   * Takes in slots that other schedulers gave. Who calls it has verified all of it, and `references` are what those that
   * were admitted refer to: where one of them is not here, nothing is taken in.
   */
  readonly adopt: (
    adoption: Adoption.Adoption,
    references: ReadonlyArray<DataReference.DataReference>,
  ) => Effect.Effect<void, StoreFailed | Refused>
}

export const open = Effect.gen(function* () {
  const store = yield* Store
  const log = yield* AssignmentLog
  const signer = yield* Signer
  const verifier = yield* Verifier
  const held = yield* HeldData.make
  const lease = yield* Lease
  const intake = yield* Intake.Intake
  const uploads = Gate.make(Limit.uploadsInHandMax)
  const feed = Feed.make()
  const reader = LogReader.make({ store, log, held, feed })
  const cronNews = yield* Queue.sliding<void>(1)
  const early = new Window<Deferred.Deferred<void>>()

  /** Those of messages of peers, until they have their slot. */
  const places = new WeakMap<Message.Message, Gate.Place>()

  const isExcerpt = Excerpt.is(store)

  /** A spawn must name this scheduler and a module that is here; everything else waits for its turn in the batch. */
  const checkSpawn = (message: Message.Message): Effect.Effect<void, Refused> => {
    const process = Process.fromSpawn(message)
    if (Result.isFailure(process)) return refuse("bad spawn", process.failure.message)
    const { scheduler, module } = process.success
    if (scheduler !== signer.address)
      return refuse("other scheduler", `the spawn names ${scheduler}; this is ${signer.address}`)
    if (isExcerpt && log.state(message.process).nextSlot === 0)
      return refuse(
        "not restored",
        "only some processes of this scheduler were restored here, and this one may have a log already; restore the whole scheduler into an empty folder, or use another node",
      )
    if (Module.get(store, module) === undefined)
      return refuse(
        "unknown module",
        `${module} is not stored here; upload the module first, then send the spawn again`,
      )
    return Effect.void
  }

  /** Its process must be scheduled here, but for what has its slot already; and it must not be told to go on as a program that nobody here can run. */
  const checkMessage = (message: Message.Message, isNew: boolean): Effect.Effect<void, Refused> => {
    const { process, scheduler, nextSlot } = log.state(message.process)
    if (nextSlot === 0)
      return refuse(
        "unknown process",
        `${message.process} is not scheduled here; spawn it first or ask its scheduler`,
      )
    if (scheduler !== signer.address && isNew)
      return refuse(
        "other scheduler",
        `${scheduler} schedules the process; this is ${signer.address}, where its log is only read`,
      )
    const upgrade = process && Upgrade.read(process, message)
    return upgrade === undefined || Module.get(store, upgrade.module) !== undefined
      ? Effect.void
      : refuse(
          "unknown module",
          `${upgrade.module} is not stored here; upload the module first, then send the upgrade again`,
        )
  }

  const referencesOf = (submissions: ReadonlyArray<Pick<Sequencer.Submission, "message">>) =>
    submissions.flatMap(({ message }) => DataReference.find(message) ?? [])

  /** Nothing that a message of this batch refers to goes while the batch comes about. */
  const sequence = (submissions: ReadonlyArray<Sequencer.Submission>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => referencesOf(submissions).filter(held.hold)),
      (here) => assign(submissions, new Set(here.map(({ hash, length }) => `${hash} ${length}`))),
      (here) => Effect.sync(() => held.release(here)),
    )

  const assign = Effect.fnUntraced(function* (
    submissions: ReadonlyArray<Sequencer.Submission>,
    here: ReadonlySet<string>,
  ) {
    const now = yield* Clock.currentTimeMillis
    const facts = submissions.map((one) => {
      const reference = DataReference.find(one.message)
      const is = reference === undefined || here.has(`${reference.hash} ${reference.length}`)
      const seen = log.seen(one.message.process, one.repeatKey)
      return { ...one, seen, missing: is ? undefined : reference }
    })
    const { assigned, answers, states } = Sequencer.step(signer.address, log.state, facts, now)
    const last = log.last()
    const refusal =
      assigned.length === 0
        ? undefined
        : (Chain.refusal(signer.owner, last, log.newestForeign(signer.address)) ?? lease.refusal(now))
    if (refusal !== undefined)
      return answers.map((answer, i) => {
        const { message, seen } = facts[i]!
        // A repeat of what would have got a slot in this batch has none either.
        const isOld = answer._tag === "Refused" || (answer._tag === "Repeat" && seen !== undefined)
        return isOld ? accepted(message, answer) : Effect.fail(refusal)
      })
    if (assigned.length > 0) {
      const tree = Batch.tree(assigned.map(({ assignment }) => assignment))
      const link = { number: (last?.number ?? -1) + 1, previousRoot: last?.root ?? zeroRoot, root: tree.root }
      const signature = yield* signer.sign("heddle/batch/1", Batch.signingBytes(link))
      const entries = assigned.map(({ submission, assignment }, index): Appended => ({
        assignment,
        batch: link.number,
        index,
        item: Message.logged(submission.message).bytes,
        proof: submission.proof,
        repeatKey: submission.repeatKey,
        contentHash: submission.contentHash,
      }))
      const signed = { ...link, signatureType: signer.type.number, owner: signer.owner, signature }
      const kept = yield* held.keep(referencesOf(assigned.map(({ submission }) => submission)))
      yield* Effect.tapError(log.append(signed, entries, states), () => Effect.ignore(held.loosen(kept)))
      reader.keepOpen({ link: signed, tree })
      for (const { submission, assignment } of assigned) {
        const place = places.get(submission.message)
        if (place !== undefined) intake.placed(place, assignment)
      }
      feed.publish()
      for (const [process, { pairs }] of states)
        for (const waiting of early.ready(process, (source) => lastOf(pairs, source)))
          Deferred.doneUnsafe(waiting, Effect.void)
      for (const { process } of states.values())
        if (process !== undefined && process.cron.length > 0) Queue.offerUnsafe(cronNews, undefined)
    }
    return answers.map((answer, i) => accepted(facts[i]!.message, answer))
  })

  const accepted = (message: Message.Message, answer: Sequencer.Answer): Effect.Effect<Accepted, Refused> => {
    if (answer._tag === "Refused") return Effect.fail(answer.refused)
    const { process } = message
    const repeat = answer._tag === "Repeat"
    const { slot, timestamp, head } = repeat ? log.entry(process, answer.slot)!.assignment : answer.assignment
    const id = repeat ? firstId(process, slot) : message.id
    return Effect.succeed({ id, process, slot, timestamp, head, repeat })
  }

  /** The id under which a content has its slot: signing it again gave the repeat another. */
  const firstId = (process: Id.ProcessId, slot: number): Id.Id =>
    Result.getOrThrow(Assign.read(log.entry(process, slot)!.item)).id

  const batcher = yield* Batcher.make<Sequencer.Submission, Accepted, Refused>({
    batchMax: Limit.assignmentsPerCommitMax,
    weightMax: Limit.batchBytesMax,
    weigh: ({ message, proof }) => Message.logged(message).bytes.length + proof.length,
    waitingMax: Limit.submitQueueMax,
    run: (submissions) =>
      sequence(submissions).pipe(
        Effect.mapError(
          (error) =>
            new Refused({
              reason:
                error._tag === "StoreFailed"
                  ? "store failed"
                  : error.reason === "stopped"
                    ? "stopping"
                    : "overloaded",
              detail: `${error.message}; nothing was lost, send it again`,
            }),
        ),
      ),
  })

  /** Messages that are neither refused nor have their slot. */
  let inHand = 0

  const take = Effect.fnUntraced(function* (bytes: Uint8Array, proof: Uint8Array, place?: Gate.Place) {
    const message = yield* read(bytes)
    const identity = Void.identity(message, proof)
    const isNew = log.seen(message.process, identity.repeatKey) === undefined
    yield* message.kind === "Process" ? checkSpawn(message) : checkMessage(message, isNew)
    const now = yield* Clock.currentTimeMillis
    // Anyone can send again what another said: what has its slot is charged to nobody.
    const asked = isNew && !message.fromProcess ? intake.refusal(Intake.ofSigned(message), now) : undefined
    if (asked !== undefined) return yield* asked
    const voucher = yield* Voucher.ofMessage(verifier, message, proof)
    const charges = isNew ? Intake.ofVoucher(message, voucher) : []
    const refused = intake.charge(charges, now)
    if (refused !== undefined) return yield* refused
    if (place !== undefined) places.set(message, place)
    return yield* inOrder({ message, voucher, proof, ...identity, seen: undefined }).pipe(
      Effect.tap(({ repeat }) => Effect.sync(() => repeat && intake.giveBack(charges))),
      Effect.tapError(() => Effect.sync(() => intake.giveBack(charges))),
    )
  })

  const decide = (submission: Sequencer.Submission) =>
    batcher
      .submit(submission)
      .pipe(Effect.catchTag("Overloaded", (error) => refuse("overloaded", error.message)))

  /** Decides a message, and again when those before it in its pair are there, if that is soon. */
  const inOrder = Effect.fnUntraced(function* (submission: Sequencer.Submission) {
    const { message, voucher, proof } = submission
    const until = (yield* Clock.currentTimeMillis) + Limit.earlyMessageMsMax
    for (;;) {
      const decided = yield* Effect.result(decide(submission))
      if (Result.isSuccess(decided)) return decided.success
      if (decided.failure.reason !== "pair out of order" || !("proven" in voucher))
        return yield* decided.failure
      const left = until - (yield* Clock.currentTimeMillis)
      const { source, pair } = voucher.proven
      const place = { process: message.process, source, pair }
      // Those before it may have come while its refusal was on its way.
      const last = lastOf(log.state(message.process).pairs, source)
      if (pair <= last + 1 && left > 0) continue
      const woken = Deferred.makeUnsafe<void>()
      const bytes = message.item.bytes.length + proof.length
      if (left <= 0 || !early.enter(place, last, bytes, woken)) return yield* decided.failure
      const isTime = yield* Effect.raceFirst(
        Effect.as(Deferred.await(woken), true),
        Effect.as(Effect.sleep(left), false),
      ).pipe(Effect.ensuring(Effect.sync(() => early.leave(place, woken))))
      if (!isTime) return yield* decided.failure
    }
  })

  const submit = (bytes: Uint8Array, proof: Uint8Array, place?: Gate.Place) =>
    Effect.suspend((): Effect.Effect<Accepted, Refused> => {
      if (inHand >= Limit.submitQueueMax)
        return refuse("overloaded", `${inHand} messages are in hand; try again later`)
      inHand++
      return Effect.ensuring(
        take(bytes, proof, place),
        Effect.sync(() => void inHand--),
      )
    })

  /** What a peer sends takes one of the places that peers have. */
  const submitFrom = Effect.fnUntraced(function* (bytes: Uint8Array, proof: Uint8Array) {
    const peer = yield* Peer.Peer
    if (peer === undefined) return yield* submit(bytes, proof)
    const place = peer.place?.() ?? intake.enter(peer, yield* Clock.currentTimeMillis)
    if ("reason" in place) return yield* place
    return yield* Effect.onExit(submit(bytes, proof, place), (exit) =>
      // With its slot it has its place until its turn is over.
      Effect.sync(() => void ((Exit.isFailure(exit) || exit.value.repeat) && place.leave())),
    )
  })

  const submitCron = (process: Id.ProcessId, now: number) => {
    const { name, count } = Cron.next(log.state(process), now)!
    return submit(OutboxItem.cron(process, name, count).bytes, Bytes.empty)
  }

  /** Waits until a cron message is due and submits it, with those of other processes that are due by then. */
  const cronRound = Effect.gen(function* () {
    const first = log.cronDue(1)[0]
    if (first === undefined) return yield* Queue.take(cronNews)
    const now = yield* Clock.currentTimeMillis
    if (first.at > now)
      return yield* Effect.raceFirst(
        Queue.take(cronNews),
        Effect.sleep(Math.min(first.at - now, Limit.cronSleepMsMax)),
      )
    const due = log.cronDue(Limit.cronsPerRoundMax).filter(({ at }) => at <= now)
    const sent = yield* Effect.forEach(due, ({ process }) => Effect.result(submitCron(process, now)), {
      concurrency: "unbounded",
    })
    yield* Effect.fromResult(sent.find(Result.isFailure) ?? Result.succeed(undefined))
  })
  yield* cronRound.pipe(
    Effect.tapError((refused) => Effect.logWarning(`cron messages wait: ${refused.message}`)),
    Effect.retry(Backoff.forever),
    Effect.forever,
    Effect.forkScoped,
  )

  const addData = (bytes: Uint8Array): Effect.Effect<Id.Id, Refused> => {
    if (bytes.length === 0) return refuse("bad reference", "there are no bytes to refer to")
    if (bytes.length > Limit.referencedBytesMax)
      return refuse("too large", `${bytes.length} bytes; at most ${Limit.referencedBytesMax} are allowed`)
    const added = Effect.catchTag(held.add(bytes), "StoreFailed", (error) =>
      refuse("store failed", `${error.message}; send it again`),
    )
    return added.pipe(Peer.within(uploads, "uploads"))
  }

  const takeIn = Effect.fnUntraced(function* (
    { slots, states }: Adoption.Adoption,
    references: ReadonlyArray<DataReference.DataReference>,
  ) {
    const kept = yield* held.keep(references)
    yield* Effect.tapError(log.adopt(slots, states, signer.address), () => Effect.ignore(held.loosen(kept)))
    reader.grew(states.keys())
    Queue.offerUnsafe(cronNews, undefined)
  })

  const opened: Opened = {
    unit: SchedulerUnit.of({ ...reader.shows, address: signer.address, submit: submitFrom, addData }),
    adopt: (adoption, references) =>
      Effect.acquireUseRelease(
        Effect.sync(() => references.filter(held.hold)),
        (here): Effect.Effect<void, StoreFailed | Refused> => {
          const lacking = references.find((one) => !here.includes(one))
          return lacking === undefined
            ? takeIn(adoption, here)
            : refuse("data unavailable", `the ${lacking.length} bytes of hash ${lacking.hash} are not here`)
        },
        (here) => Effect.sync(() => held.release(here)),
      ),
  }
  return opened
})

export const make = Effect.map(open, ({ unit }) => unit)

/** What only the node of a scheduler has of it. */
export class SchedulerOfNode extends Context.Service<SchedulerOfNode, Opened>()("heddle/SchedulerOfNode") {}

export const layer = Layer.effectContext(
  Effect.map(open, (opened) =>
    Context.add(Context.make(SchedulerUnit, opened.unit), SchedulerOfNode, opened),
  ),
)
