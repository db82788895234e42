/** A signature worker that dies of certain requests, as a native library might. */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { parentPort } from "node:worker_threads"
import * as Bytes from "../../runtime/Bytes.ts"
import * as SignatureFrame from "../../identity/SignatureFrame.ts"

// Heard before the real worker's own listener, which is added below.
parentPort!.on("message", (frame: Uint8Array) => {
  for (const request of SignatureFrame.decode(frame)) {
    if (request.kind !== "claim") continue
    const text = Bytes.toText(request.claim.bytes)
    if (text === "die always") process.exit(1)
    if (text?.startsWith("die once ") !== true) continue
    const marker = path.join(os.tmpdir(), `heddle-${text.replaceAll(" ", "-")}`)
    if (fs.existsSync(marker)) fs.rmSync(marker)
    else {
      fs.writeFileSync(marker, "")
      process.exit(1)
    }
  }
})

await import("../../identity/SignatureWorker.ts")
