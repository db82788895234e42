/**
 * Sends what a file holds to a node, for its parent: as much as it is answered, or so much a second whatever it is
 * answered. With next to nothing of a client, since it takes its CPU from the node that it measures.
 *
 * A message that is refused is sent again later: its refusal says that it left nothing behind.
 */
import fs from "node:fs"
import net from "node:net"
import * as Meter from "./Meter.ts"

export type Request =
  /** So many at a time, until so many are answered. */
  | { readonly outstanding: number; readonly count: number }
  /** So many a second, for so long. */
  | { readonly perSecond: number; readonly seconds: number }

export interface Reply {
  readonly sent: number
  readonly answered: number
  /** Answers a second: of all, or, at a rate, of the last three quarters of the time, when all queues are full. */
  readonly goodput: number
  readonly refused: Readonly<Record<string, number>>
  /** Of answers, and of refusals, from when they were sent; 0 where there was none. */
  readonly answerMsMedian: number
  readonly refusalMsMedian: number
  readonly refusalMsP99: number
  /** CPU of this process for each message sent. */
  readonly cpuMs: number
  /** ms by which the last was sent late. */
  readonly lateMs: number
}

/** Connections at once: fewer than a node takes. */
const connectionsMax = 3_500

const [url = "", file = ""] = process.argv.slice(2)
const { hostname, port } = new URL(url)

const readItems = (): Array<Buffer> => {
  const all = fs.readFileSync(file)
  const items: Array<Buffer> = []
  for (let at = 0; at < all.length;) {
    const length = all.readUInt32LE(at)
    items.push(all.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return items
}

const items = readItems()

const requestOf = (item: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(
      `POST /v1/messages?wait=answer HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/octet-stream\r\nContent-Length: ${item.length}\r\n\r\n`,
    ),
    item,
  ])

interface Connection {
  readonly socket: net.Socket
  heard: string
  item: Buffer | undefined
  sentAt: number
}

type Done = (connection: Connection, status: string, body: string) => void

let connections = 0
const idle: Array<Connection> = []

const connect = (done: () => Done): Promise<Connection> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => resolve(connection)).setNoDelay(true)
    const connection: Connection = { socket, heard: "", item: undefined, sentAt: 0 }
    socket.on("data", (chunk: Buffer) => {
      connection.heard += chunk.toString("latin1")
      const head = connection.heard.indexOf("\r\n\r\n")
      if (head < 0) return
      const length = Number(/content-length: (\d+)/i.exec(connection.heard.slice(0, head))?.[1] ?? 0)
      if (connection.heard.length < head + 4 + length) return
      const body = connection.heard.slice(head + 4)
      const status = connection.heard.slice(9, 12)
      connection.heard = ""
      done()(connection, status, body)
    })
    socket.on("error", reject)
    socket.on("close", () => {
      // An answer that never comes is one that is lost: the parent hears of it by the end of this process.
      if (connection.item !== undefined) throw new Error("the node closed a connection and did not answer")
      const at = idle.indexOf(connection)
      if (at >= 0) idle.splice(at, 1)
      connections--
    })
  })

const run = async (request: Request): Promise<Reply> => {
  const refused: Record<string, number> = {}
  const answerMs: Array<number> = []
  const refusalMs: Array<number> = []
  let sent = 0
  let open = 0
  let inTime = 0
  let sending = true
  let lateMs = 0
  let countFrom = 0
  let finish = () => {}
  let goOn = () => {}
  const cpu = process.cpuUsage()
  const from = performance.now()

  const done: Done = (connection, status, body) => {
    const ms = performance.now() - connection.sentAt
    if (status === "200") {
      answerMs.push(ms)
      if (sending && performance.now() >= countFrom) inTime++
    } else if (status === "429") {
      refusalMs.push(ms)
      const { reason } = JSON.parse(body) as { readonly reason: string }
      refused[reason] = (refused[reason] ?? 0) + 1
      items.push(connection.item!)
    } else throw new Error(`the node answers ${status}: ${body}`)
    connection.item = undefined
    idle.push(connection)
    open--
    goOn()
    if (!sending && open === 0) finish()
  }
  handler = done

  const send = (connection: Connection) => {
    const item = items.shift()
    if (item === undefined) throw new Error("there are no messages left to send")
    connection.item = item
    connection.sentAt = performance.now()
    connection.socket.write(requestOf(item))
  }
  const sendOne = () => {
    sent++
    open++
    const free = idle.pop()
    if (free !== undefined) return send(free)
    if (connections >= connectionsMax)
      throw new Error(`${connections} connections are open, and none is free`)
    connections++
    void connect(() => handler).then(send)
  }

  if ("count" in request) {
    goOn = () => {
      while (open < request.outstanding && sent - refusalMs.length < request.count) sendOne()
      if (answerMs.length === request.count) finish()
    }
    await new Promise<void>((resolve) => {
      finish = resolve
      goOn()
    })
    goOn = () => {}
    sending = false
  } else {
    const { perSecond, seconds } = request
    countFrom = from + seconds * 250
    await new Promise<void>((resolve) => {
      const tick = () => {
        const ms = performance.now() - from
        const due = Math.min(Math.floor((ms * perSecond) / 1_000), perSecond * seconds)
        if (sent < due) lateMs = ms - ((sent + 1) * 1_000) / perSecond
        for (let left = due - sent; left > 0; left--) sendOne()
        if (ms >= seconds * 1_000) resolve()
        else setTimeout(tick, 1)
      }
      tick()
    })
    sending = false
  }
  const seconds = (performance.now() - Math.max(from, countFrom)) / 1_000
  if (open > 0) await new Promise<void>((resolve) => (finish = resolve))
  const { user, system } = process.cpuUsage(cpu)
  const quantile = (values: ReadonlyArray<number>, share: number) =>
    values.length === 0 ? 0 : Meter.quantile(values, share)
  return {
    sent,
    answered: answerMs.length,
    goodput: ("count" in request ? answerMs.length : inTime) / seconds,
    refused,
    answerMsMedian: quantile(answerMs, 0.5),
    refusalMsMedian: quantile(refusalMs, 0.5),
    refusalMsP99: quantile(refusalMs, 0.99),
    cpuMs: (user + system) / 1_000 / sent,
    lateMs,
  }
}

/** Of the run that is on. */
let handler: Done = () => {}

process.on("message", (request: Request) => void run(request).then((reply) => process.send?.(reply)))
process.on("disconnect", () => process.exit(0))
