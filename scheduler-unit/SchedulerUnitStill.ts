/**
 * SchedulerUnit that assigns nothing: its log is read by who makes up for what was assigned before, while nobody may
 * change it.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Refused } from "../runtime/Admission.ts"
import * as Feed from "../runtime/Feed.ts"
import type * as Id from "../runtime/Id.ts"
import * as LogReader from "./LogReader.ts"
import { SchedulerUnit } from "./SchedulerUnit.ts"

const still = new Refused({
  reason: "stopping",
  detail: "no slots are given while the log is restored",
})

export const make = (
  options: Omit<LogReader.Options, "feed">,
  address: Id.Address,
): SchedulerUnit["Service"] =>
  SchedulerUnit.of({
    ...LogReader.make({ ...options, feed: Feed.make() }).shows,
    address,
    submit: () => Effect.fail(still),
    addData: () => Effect.fail(still),
    // Who restores goes through the log as it is told to.
    batches: () => Stream.never,
    grown: Stream.never,
  })
