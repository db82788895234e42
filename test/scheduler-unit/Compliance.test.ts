import * as Effect from "effect/Effect"
import { Verifier } from "../../identity/Verifier.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import { Network } from "../../runtime/Network.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as SchedulerUnitRemote from "../../scheduler-unit/SchedulerUnitRemote.ts"
import * as SchedulerUnitServer from "../../scheduler-unit/SchedulerUnitServer.ts"
import { schedulerSuite } from "../compliance/scheduler-unit.ts"
import * as Line from "../support/Line.ts"
import { id } from "../support/Unsigned.ts"

schedulerSuite("in the process of its log", Effect.succeed, { repeats: false })

for (const line of [Line.good, Line.bad(1), Line.bad(2)])
  schedulerSuite(
    line.name,
    (local) =>
      Effect.gen(function* () {
        const join = yield* line.join
        yield* SchedulerUnitServer.make.pipe(
          Effect.provideService(SchedulerUnit, local),
          Effect.provideService(Network, join(local.address)),
        )
        return yield* SchedulerUnitRemote.make(local.address).pipe(
          Effect.provideService(Network, join(id("reader"))),
          Effect.provideService(Verifier, VerifierLocal.make()),
        )
      }),
    line,
  )
