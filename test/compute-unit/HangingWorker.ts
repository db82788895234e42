/** A sandbox thread that stands still, for good, when a message of its frame has the action `Hang`. */
import { parentPort } from "node:worker_threads"

const hang = (items: ReadonlyArray<{ readonly item: Uint8Array }>): boolean =>
  items.some(({ item }) => Buffer.from(item).includes("Hang"))

interface Frame {
  readonly body: { readonly entries?: ReadonlyArray<{ readonly item: Uint8Array }> }
}

// Heard before the real thread's own listener, which is added below.
parentPort!.on("message", (frames: ReadonlyArray<Frame>) => {
  if (frames.some(({ body }) => hang(body.entries ?? [])))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})

await import("../../compute-unit/SandboxWorker.ts")
