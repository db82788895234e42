/**
 * Network inside one OS process: nodes that share a `Switchboard` reach each other by a function call. Frames are
 * copied, as a wire would, so that nobody changes bytes under another.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Bytes from "./Bytes.ts"
import type * as Id from "./Id.ts"
import * as Limit from "./Limit.ts"
import { type Handler, Network, NetworkFailed } from "./Network.ts"

/** Who can be reached, and what each serves. */
export type Switchboard = Map<Id.Address, Map<string, Handler>>

export const switchboard = (): Switchboard => new Map()

/** A place on the switchboard. Leaving the scope of `serve` takes the protocol away. */
export const make = (address: Id.Address, board: Switchboard): Network["Service"] => ({
  address,
  request: (to, protocol, body) =>
    Effect.suspend(() => {
      const fail = (reason: NetworkFailed["reason"], detail: string) =>
        Effect.fail(new NetworkFailed({ address: to, reason, detail }))
      if (body.length > Limit.frameBytesMax)
        return fail("too large", `${body.length} bytes; at most ${Limit.frameBytesMax} are allowed`)
      const protocols = board.get(to)
      if (protocols === undefined) return fail("unreachable", "no node has this address here")
      const handler = protocols.get(protocol)
      if (handler === undefined) return fail("refused", `it does not speak ${protocol}`)
      return handler({ from: address, protocol, body: Bytes.copy(body) }).pipe(Effect.map(Bytes.copy))
    }),
  serve: (protocol, handler) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const protocols = board.get(address) ?? new Map<string, Handler>()
        board.set(address, protocols.set(protocol, handler))
        return protocols
      }),
      (protocols) =>
        Effect.sync(() => {
          protocols.delete(protocol)
          if (protocols.size === 0) board.delete(address)
        }),
    ),
})

export const layer = (address: Id.Address, board: Switchboard) => Layer.succeed(Network, make(address, board))
