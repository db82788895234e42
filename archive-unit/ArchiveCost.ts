/**
 * ArchiveCost: how many bytes the archive would take of a process, measured on its own log: what is signed does not
 * compress, what repeats does, and how much repeats is up to who sends.
 */
import * as Effect from "effect/Effect"
import * as Bytes from "../runtime/Bytes.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type { SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import type { Cost } from "./ArchiveUnit.ts"
import * as Compression from "./Compression.ts"

/**
 * What a slot takes beside its item and proof: assignment, outcome, its share of points and signatures in batches of
 * some tens (measured: `npm run bench -- --only archive-size`).
 */
const slotBytes = 300

/** Slots, bytes as signed, and bytes as stored: page by page, so that a long log needs no memory. */
export const measure = Effect.fnUntraced(function* (
  scheduler: SchedulerUnit["Service"],
  process: Id.ProcessId,
) {
  let measured: Omit<Cost, "winston"> = { slots: 0, signedBytes: 0, bytes: 0 }
  for (;;) {
    const page = yield* scheduler
      .log(process, measured.slots, Limit.logPageMax)
      .pipe(Effect.catchTag("LogUnknown", () => Effect.succeed([])))
    if (page.length === 0) return measured
    const all = Bytes.concat(page.flatMap(({ item, proof }) => [item, proof]))
    const stored = yield* Compression.compress(all)
    measured = {
      slots: measured.slots + page.length,
      signedBytes: measured.signedBytes + all.length,
      bytes: measured.bytes + stored.length + page.length * slotBytes,
    }
  }
})
