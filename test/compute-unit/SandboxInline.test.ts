import * as Effect from "effect/Effect"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import { sandboxSuite } from "../compliance/sandbox.ts"

sandboxSuite("inline", Effect.sync(SandboxInline.make))
