/**
 * Sandbox in the calling thread, for tests and simulation: the same host as in the threads. Not for a node: a guest
 * holds up everything, and the main thread's stack may end before a guest's depth limit does (a host fault).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Engine from "./Engine.ts"
import { Sandbox } from "./Sandbox.ts"
import * as SandboxHost from "./SandboxHost.ts"
import * as SandboxThread from "./SandboxThread.ts"

export const make = (): Sandbox["Service"] => {
  const handle = SandboxHost.make()
  return SandboxThread.sandboxOver(Engine.load(), {
    ask: (_, request) => Effect.sync(() => handle(request)),
    askAll: (request) => Effect.sync(() => [handle(request)]),
  })
}

export const layer = Layer.sync(Sandbox, make)
