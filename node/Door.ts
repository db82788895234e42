/**
 * Door: what a node's server answers before it reads anything. Under four times the load that a node can carry three of
 * four messages are turned away, so that must cost a small part of what serving one does: no body is read, nothing is
 * routed, no fiber is made.
 *
 * A message that comes in has its place from here on; the scheduler takes that over with it, and gives it back. One that
 * never gets so far loses it with its connection.
 */
import * as http from "node:http"
import type * as Context from "effect/Context"
import type { Refused } from "../runtime/Admission.ts"
import type * as Gate from "../runtime/Gate.ts"
import * as Peer from "../runtime/Peer.ts"
import type { IntakeService } from "../scheduler-unit/Intake.ts"
import * as Meter from "./Meter.ts"

export interface Door {
  /** A server that hands on what is let in. */
  readonly server: (options: http.ServerOptions) => http.Server
  /** Whom a request comes from that was let in. */
  readonly peer: (request: object) => Peer.Peer | undefined
}

/** Whole seconds, as the header has it. */
export const retryAfter = ({ retryMs = 1 }: { readonly retryMs?: number | undefined }): string =>
  String(Math.ceil(retryMs / 1_000))

const turnAway = (response: http.ServerResponse, { reason, detail, retryMs }: Refused): void => {
  const body = JSON.stringify({ _tag: "Refused", reason, detail, retryMs })
  response.writeHead(429, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "retry-after": retryAfter({ retryMs }),
  })
  response.end(body)
}

/** `context` is where what is turned away is counted. */
export const make = (intake: IntakeService, context: Context.Context<never>): Door => {
  const peers = new WeakMap<object, Peer.Peer>()

  /** Why a request is turned away, if it is. */
  const refusal = (request: http.IncomingMessage, response: http.ServerResponse): Refused | undefined => {
    const name = Peer.ofAddress(request.socket.remoteAddress ?? "")
    if (request.method !== "POST") {
      peers.set(request, { name })
      return undefined
    }
    const now = Date.now()
    if (!request.url?.startsWith("/v1/messages")) {
      peers.set(request, { name })
      return intake.rated({ name }, now)
    }
    const place = intake.enter({ name }, now)
    if ("reason" in place) return place
    let mine: Gate.Place | undefined = place
    const handOver = () => {
      const theirs = mine
      mine = undefined
      return theirs
    }
    response.once("close", () => handOver()?.leave())
    peers.set(request, { name, place: handOver })
    return undefined
  }

  const server = (options: http.ServerOptions): http.Server => {
    const made = http.createServer(options)
    const emit = made.emit.bind(made) as (event: string, ...args: ReadonlyArray<unknown>) => boolean // any event of it
    made.emit = (event: string, ...args: ReadonlyArray<unknown>): boolean => {
      if (event !== "request" && event !== "checkContinue") return emit(event, ...args)
      const [request, response] = args as [http.IncomingMessage, http.ServerResponse] // of these two events
      const refused = refusal(request, response)
      if (refused === undefined) return emit(event, ...args)
      Meter.turnedAway(refused.reason, context)
      turnAway(response, refused)
      return true
    }
    return made
  }

  return { server, peer: (request) => peers.get(request) }
}
