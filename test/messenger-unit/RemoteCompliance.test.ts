/** The one suite of the seam, beside the units and away from them. */
import * as Effect from "effect/Effect"
import { messengerSuite } from "../compliance/messenger-unit.ts"
import * as ServedNode from "../support/ServedNode.ts"

messengerSuite("in the process of its units", ({ messenger }) => Effect.succeed(messenger))
messengerSuite("over HTTP", (node) => Effect.flatMap(ServedNode.serve(node), ServedNode.connect))
