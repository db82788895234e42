/**
 * Network: frames between nodes by address. It promises little: a frame arrives whole or not at all, in whatever
 * order, at most once each; what must arrive is sent again by who sent it.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Id from "./Id.ts"

/** A request that got no answer. Whether the other side saw it is not known. */
export class NetworkFailed extends Data.TaggedError("NetworkFailed")<{
  readonly address: Id.Address
  readonly reason: "unreachable" | "too large" | "timeout" | "refused"
  readonly detail: string
}> {
  override get message(): string {
    return `no answer from ${this.address} (${this.reason}): ${this.detail}`
  }
}

export interface Envelope {
  readonly from: Id.Address
  readonly protocol: string
  readonly body: Uint8Array
}

/** Answers the requests of one protocol. */
export type Handler = (envelope: Envelope) => Effect.Effect<Uint8Array>

export class Network extends Context.Service<
  Network,
  {
    /** Our own address. */
    readonly address: Id.Address
    /** Sends a request of at most `Limit.frameBytesMax` bytes and waits for its answer. */
    readonly request: (
      to: Id.Address,
      protocol: string,
      body: Uint8Array,
    ) => Effect.Effect<Uint8Array, NetworkFailed>
    /** Serves a protocol, such as `/heddle/scheduler/1`, for as long as the scope lives. */
    readonly serve: (protocol: string, handler: Handler) => Effect.Effect<void, never, Scope.Scope>
  }
>()("heddle/Network") {}
