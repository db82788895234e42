/**
 * A scheduler as a machine beside it has it: each request takes its time there and back, and is sent again where the
 * scheduler was gone, because the seam knows no such failure.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Id from "../../runtime/Id.ts"
import type { CommittedBatch, SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import type { Life, Loop } from "./Loop.ts"
import type * as Luck from "./Luck.ts"
import { lost, type Machine } from "./Machine.ts"

type Service = SchedulerUnit["Service"]

export interface Line {
  readonly loop: Loop
  readonly luck: Luck.Luck
  readonly address: Id.Address
  readonly scheduler: Machine<{ readonly scheduler: Service }>
  readonly delayMsMax: number
  /** Told of each batch in the moment in which it leaves the scheduler. */
  readonly onBatch: (batch: CommittedBatch) => void
}

const retryMs = 300

/** Lives as long as `life`. */
export const make = (line: Line, life: Life): Service => {
  const { loop, luck, address, scheduler, delayMsMax, onBatch } = line
  const delay = () => luck.below(delayMsMax + 1)
  const request = <A, E>(
    effect: (service: Service) => Effect.Effect<A, E>,
    left: (value: A) => void = () => {},
  ): Effect.Effect<A, E> =>
    Effect.callback<A, E>((resume) => {
      const attempt = (): void =>
        scheduler.call(
          (node) => effect(node.scheduler),
          (exit) => {
            if (exit === lost) return void loop.after(life, 1 + luck.below(retryMs), attempt)
            if (Exit.isFailure(exit) && Cause.hasDies(exit.cause))
              return loop.fail(new Error(Cause.pretty(exit.cause)))
            if (Exit.isSuccess(exit)) left(exit.value)
            loop.after(life, delay(), () => resume(exit))
          },
        )
      loop.after(life, delay(), attempt)
    })
  const nextBatch = (number: number) =>
    Effect.map(
      request((service) => Effect.map(Stream.runHead(service.batches(number)), Option.getOrThrow), onBatch),
      (batch) => [batch, number + 1] as const,
    )
  const nextSlot = (process: Id.ProcessId, slot: number) =>
    Effect.map(
      request((service) => Effect.map(Stream.runHead(service.slots(process, slot)), Option.getOrThrow)),
      (one) => [one, slot + 1] as const,
    )
  return {
    address,
    submit: (item, proof) => request((service) => service.submit(item, proof)),
    addData: (bytes) => request((service) => service.addData(bytes)),
    data: (hash) => request((service) => service.data(hash)),
    receipt: (process, slot) => request((service) => service.receipt(process, slot)),
    log: (process, from, limit) => request((service) => service.log(process, from, limit)),
    authority: (process) => request((service) => service.authority(process)),
    tenure: (process) => request((service) => service.tenure(process)),
    slots: (process, from) => Stream.unfold(from, (slot) => nextSlot(process, slot)),
    grown: Stream.never,
    module: (id) => request((service) => service.module(id)),
    processes: request((service) => service.processes),
    knows: (address) => request((service) => service.knows(address)),
    nextBatch: request((service) => service.nextBatch),
    batches: (from) => Stream.unfold(from, nextBatch),
  }
}
