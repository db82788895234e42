import * as Effect from "effect/Effect"
import { ComputeUnit } from "../../compute-unit/ComputeUnit.ts"
import * as ComputeUnitRemote from "../../compute-unit/ComputeUnitRemote.ts"
import * as ComputeUnitServer from "../../compute-unit/ComputeUnitServer.ts"
import { Network } from "../../runtime/Network.ts"
import { computeSuite } from "../compliance/compute-unit.ts"
import * as Line from "../support/Line.ts"
import { id } from "../support/Unsigned.ts"

computeSuite("in the process of its log", Effect.succeed)

for (const line of [Line.good, Line.bad(1), Line.bad(2)])
  computeSuite(line.name, (local) =>
    Effect.gen(function* () {
      const join = yield* line.join
      yield* ComputeUnitServer.make.pipe(
        Effect.provideService(ComputeUnit, local),
        Effect.provideService(Network, join(local.address)),
      )
      return yield* Effect.provideService(ComputeUnitRemote.make(local.address), Network, join(id("reader")))
    }),
  )
