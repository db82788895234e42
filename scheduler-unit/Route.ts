/**
 * Route: a scheduler as a messenger has it: what is not for its own node's goes to the one that gives the next slot of the
 * process, as that says itself or as one says that handed it over (spec 05 §3).
 *
 *     own: "other scheduler"   ->  own log: B since term 1  ->  B
 *     own: "unknown process"   ->  A says: B, term 1; B says: B, term 1; C knows nothing  ->  B
 *     a spawn                  ->  whom it names
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { Refused } from "../runtime/Admission.ts"
import * as Assign from "../runtime/Assign.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type * as Message from "../runtime/Message.ts"
import type * as Move from "../runtime/Move.ts"
import * as Process from "../runtime/Process.ts"
import { Schedulers, type SchedulersService } from "./Schedulers.ts"
import { SchedulerUnit } from "./SchedulerUnit.ts"

type Service = SchedulerUnit["Service"]

const isElsewhere = ({ reason }: Refused): boolean =>
  reason === "unknown process" || reason === "other scheduler"

/** Of those who say who schedules a process: a later term is the newer word. */
export const newest = (said: ReadonlyArray<Move.Tenure>): Move.Tenure | undefined =>
  said.reduce<Move.Tenure | undefined>(
    (best, one) => (best === undefined || one.term > best.term ? one : best),
    undefined,
  )

/** One that does not answer in time is none. */
const tenureAt = (unit: Service, process: Id.ProcessId) =>
  Effect.timeoutOption(Effect.option(unit.tenure(process)), Limit.elsewhereMsMax / 4).pipe(
    Effect.map((said) => Option.getOrUndefined(Option.flatten(said))),
  )

/** Who schedules a process, so far as `own` or any of the others knows. */
const tenureOf = Effect.fnUntraced(function* (
  own: Service,
  others: SchedulersService,
  process: Id.ProcessId,
) {
  const known = yield* tenureAt(own, process)
  if (known !== undefined) return known
  const said = yield* Effect.forEach(others.all(), (unit) => tenureAt(unit, process), {
    concurrency: "unbounded",
  })
  return newest(said.filter((one) => one !== undefined))
})

const schedulerOf = (own: Service, others: SchedulersService, message: Message.Message) =>
  message.kind === "Process"
    ? Effect.succeed(Result.getOrUndefined(Process.fromSpawn(message))?.scheduler)
    : Effect.map(tenureOf(own, others, message.process), (tenure) => tenure?.scheduler)

const late = new Refused({
  reason: "other scheduler",
  detail: "whoever schedules it now has not taken it yet; send it again",
  retryMs: Limit.elsewhereMsMax,
})

/** `own` where it takes a message, else whoever of `others` schedules its process. */
export const make = (own: Service, others: SchedulersService): Service => {
  /** It can be that the other one has not read yet that it is the scheduler now, or is it no more: it is asked again, for a while. */
  const submitElsewhere = Effect.fnUntraced(function* (
    refused: Refused,
    item: Uint8Array,
    proof: Uint8Array,
  ) {
    const message = Result.getOrUndefined(Assign.read(item))
    for (;;) {
      const address = message && (yield* schedulerOf(own, others, message))
      const unit = address === undefined || address === own.address ? undefined : others.at(address)
      if (unit === undefined) return yield* refused
      const answer = yield* Effect.result(unit.submit(item, proof))
      if (Result.isSuccess(answer)) return answer.success
      if (!isElsewhere(answer.failure)) return yield* answer.failure
      yield* Effect.sleep(Limit.askRetryMsMin)
    }
  })
  return {
    ...own,
    submit: (item, proof) =>
      Effect.catchIf(own.submit(item, proof), isElsewhere, (refused) =>
        others.all().length === 0
          ? Effect.fail(refused)
          : Effect.timeoutOrElse(submitElsewhere(refused, item, proof), {
              duration: Limit.elsewhereMsMax,
              orElse: () => Effect.fail(late),
            }),
      ),
  }
}

/** As `make`, of the units that there are. */
export const layer = Layer.effect(
  SchedulerUnit,
  Effect.gen(function* () {
    return make(yield* SchedulerUnit, yield* Schedulers)
  }),
)
