/**
 * Metrics: how a node stands, for `/health` and `/metrics`. What it does is counted by `Meter.ts`; what its store and
 * its units know anyway is read when it is asked for.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { ComputeUnit } from "../compute-unit/ComputeUnit.ts"
import { MessengerUnit } from "../messenger-unit/MessengerUnit.ts"
import * as Limit from "../runtime/Limit.ts"
import { Store } from "../runtime/Store.ts"
import { SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"

const gauges = {
  batches: Metric.gauge("heddle_batches", { description: "Batches that the scheduler has signed, ever" }),
  commits: Metric.gauge("heddle_store_commits", { description: "Commits of the store since the start" }),
  processes: Metric.gauge("heddle_processes", { description: "Processes" }),
  parked: Metric.gauge("heddle_processes_parked", {
    description: "Processes that the node stopped following",
  }),
  slots: Metric.gauge("heddle_slots", { description: "Slots assigned, over all processes" }),
  queue: Metric.gauge("heddle_turns_waiting", { description: "Slots assigned and not computed" }),
  outbox: Metric.gauge("heddle_outbox_waiting", {
    description: `Messages between processes that are not delivered, counted up to ${Limit.outboxShownMax}`,
  }),
  bundlesWaiting: Metric.gauge("heddle_archive_bundles_waiting", {
    description: "Bundles that are not confirmed in the archive",
  }),
  bytesWaiting: Metric.gauge("heddle_archive_bytes_waiting", { description: "Bytes of these" }),
  behind: Metric.gauge("heddle_archive_behind_seconds", {
    description: "Age of the oldest batch or commit that is not confirmed in the archive",
  }),
  bundles: Metric.gauge("heddle_archive_bundles_confirmed", {
    description: "Bundles confirmed in the archive, ever",
  }),
  bytes: Metric.gauge("heddle_archive_bytes_confirmed", { description: "Bytes of these" }),
}

const spentGauge = Metric.gauge("heddle_archive_spent_winston", {
  description: "Winston spent on the archive, ever",
  bigint: true,
})

/** How a node stands, from what its units know. */
export const health = Effect.gen(function* () {
  const heads = yield* (yield* SchedulerUnit).processes
  const compute = yield* ComputeUnit
  const total = { processes: heads.length, slots: 0, computed: 0, parked: 0 }
  for (const { process, nextSlot } of heads) {
    const { slots, parked } = yield* compute.progress(process)
    total.slots += nextSlot
    total.computed += slots
    if (parked !== undefined) total.parked++
  }
  return total
})

/** All of it in Prometheus's text format. */
export const text = Effect.gen(function* () {
  const { processes, slots, computed, parked } = yield* health
  const messenger = yield* MessengerUnit
  const archive = yield* messenger.archive
  const values = {
    batches: yield* (yield* SchedulerUnit).nextBatch,
    commits: (yield* Store).commits(),
    processes,
    parked,
    slots,
    queue: slots - computed,
    outbox: (yield* messenger.outbox).length,
    bundlesWaiting: archive.waiting.length,
    bytesWaiting: archive.waiting.reduce((sum, { bytes }) => sum + bytes, 0),
    behind: archive.behindMs / 1_000,
    bundles: archive.bundles,
    bytes: archive.bytes,
  }
  for (const [name, gauge] of Object.entries(gauges))
    yield* Metric.update(gauge, values[name as keyof typeof values]) // same names
  yield* Metric.update(spentGauge, archive.spent)
  return yield* PrometheusMetrics.format()
})
