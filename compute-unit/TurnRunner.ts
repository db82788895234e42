/**
 * TurnRunner: runs entries of a process in the sandbox, with the data that they refer to. However many processes run at
 * once, what they are told by reference is bounded.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as DataReference from "../runtime/DataReference.ts"
import type * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import { SchedulerUnit } from "../scheduler-unit/SchedulerUnit.ts"
import * as ReferencedData from "./ReferencedData.ts"
import { type EngineUnknown, type Entry, type Evaluated, Sandbox, type SandboxLost } from "./Sandbox.ts"

/** An entry as it is to be run, with the data that it refers to still to be brought. */
export type Ready = Omit<Entry, "data"> & { readonly data: DataReference.DataReference | undefined }

/** As `Sandbox.run`. */
export type TurnRunner = (
  process: Id.ProcessId,
  entries: ReadonlyArray<Ready>,
) => Effect.Effect<ReadonlyArray<Evaluated>, SandboxLost | EngineUnknown | ReferencedData.DataMissing>

export const make = Effect.gen(function* () {
  const scheduler = yield* SchedulerUnit
  const sandbox = yield* Sandbox
  const fetch = ReferencedData.make(scheduler.data)
  const inFlight = yield* Semaphore.make(Limit.dataInFlightBytesMax)

  const piece = (process: Id.ProcessId, [first, ...rest]: ReadonlyArray<Ready>) => {
    const { data, slot } = first!
    const run = (bytes: Uint8Array | undefined) =>
      sandbox.run(process, [
        { ...first!, data: bytes },
        ...rest.map((entry) => ({ ...entry, data: undefined })),
      ])
    return data === undefined
      ? run(undefined)
      : inFlight.withPermits(data.length)(Effect.flatMap(fetch(data, slot), run))
  }

  const runner: TurnRunner = (process, entries) =>
    Effect.map(
      Effect.forEach(
        ReferencedData.pieces(entries, ({ data }) => data !== undefined),
        (some) => piece(process, some),
      ),
      (done) => done.flat(),
    )
  return runner
})
