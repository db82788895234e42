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
import * as Refusal from "../messenger-unit/Refusal.ts"
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

/** What a request asks for, as it is counted. */
const callOf = (url: string): "message" | Meter.Call => {
  if (url.startsWith("/v1/messages")) return "message"
  if (url.startsWith("/v1/data")) return "upload"
  return url.startsWith("/v1/modules") ? "module" : "query"
}

const turnAway = (response: http.ServerResponse, refused: Refused): void => {
  const body = JSON.stringify(Refusal.of(refused))
  response.writeHead(429, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "retry-after": Refusal.retryAfter(refused),
  })
  response.end(body)
}

/** `context` is where what is turned away is counted. */
export const make = (intake: IntakeService, context: Context.Context<never>): Door => {
  const peers = new WeakMap<object, Peer.Peer>()

  /** Takes a place for a message, which is given back with its connection unless it was handed over by then. */
  const enter = (name: string, response: http.ServerResponse): Peer.Peer | Refused => {
    const place = intake.enter({ name }, Date.now())
    if ("reason" in place) return place
    let mine: Gate.Place | undefined = place
    const handOver = () => {
      const theirs = mine
      mine = undefined
      return theirs
    }
    response.once("close", () => handOver()?.leave())
    return { name, place: handOver }
  }

  /** Whom a request is from, or why it is turned away. Reading is free. */
  const admit = (
    call: "message" | Meter.Call,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Peer.Peer | Refused => {
    const name = Peer.ofAddress(request.socket.remoteAddress ?? "")
    if (request.method !== "POST") return { name }
    return call === "message" ? enter(name, response) : (intake.rated({ name }, Date.now()) ?? { name })
  }

  const server = (options: http.ServerOptions): http.Server => {
    const made = http.createServer(options)
    const emit = made.emit.bind(made) as (event: string, ...args: ReadonlyArray<unknown>) => boolean // any event of it
    made.emit = (event: string, ...args: ReadonlyArray<unknown>): boolean => {
      if (event !== "request" && event !== "checkContinue") return emit(event, ...args)
      const [request, response] = args as [http.IncomingMessage, http.ServerResponse] // of these two events
      const call = callOf(request.url ?? "")
      const peer = admit(call, request, response)
      if ("reason" in peer) {
        Meter.turnedAway(call, peer.reason, context)
        turnAway(response, peer)
        return true
      }
      peers.set(request, peer)
      return emit(event, ...args)
    }
    return made
  }

  return { server, peer: (request) => peers.get(request) }
}
