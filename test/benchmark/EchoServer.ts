/** A server that reads what it is sent and answers a few hundred bytes. Tells its parent the port; ends with it. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const answer = JSON.stringify({ answer: "x".repeat(300) })

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.setHeader("content-type", "application/json")
    response.end(answer)
  })
})

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo // it listens on a port
  process.send?.(port)
})

process.on("disconnect", () => process.exit(0))
