/**
 * Records the transcripts of this version: `node test/transcripts/record.ts`. Done once for a release, and before it
 * whenever the engine id changes; transcripts of earlier versions are never written again.
 */
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Engine from "../../compute-unit/Engine.ts"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import type { MessengerUnit } from "../../messenger-unit/MessengerUnit.ts"
import type * as Attestation from "../../runtime/Attestation.ts"
import type * as Id from "../../runtime/Id.ts"
import { version } from "../../node/Version.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as Scenes from "./Scenes.ts"
import * as Transcript from "./Transcript.ts"

type Messenger = MessengerUnit["Service"]

/** Every attestation of a process, in order. */
const attestations = Effect.fnUntraced(function* (
  messenger: Messenger,
  process: Id.ProcessId,
  slots: number,
) {
  const all: Array<Attestation.SignedAttestation> = []
  for (let slot = 0; slot < slots; slot = all.at(-1)!.attestation.to.slot + 1)
    all.push((yield* messenger.attestation(process, slot))!)
  return all
})

const record = Effect.fnUntraced(function* (messenger: Messenger, scene: Scenes.Played) {
  const { process, modules } = scene
  const entries = yield* messenger.log(process, 0, 1_000)
  yield* messenger.turn(process, entries.length - 1)
  const turns = yield* messenger.turns(process, 0, 1_000)
  const receipts = yield* Effect.forEach(entries, ({ assignment }) =>
    messenger.receipt(process, assignment.slot),
  )
  const sources = yield* Effect.forEach(modules, (id) =>
    Effect.map(messenger.module(id), (source) => [id, source!] as const),
  )
  return {
    process,
    entries,
    receipts,
    turns,
    attestations: yield* attestations(messenger, process, turns.length),
    modules: sources,
  }
})

const folder = Transcript.folderOf(version)
fs.rmSync(folder, { recursive: true, force: true })
fs.mkdirSync(folder, { recursive: true })
Transcript.saveEngine(folder, Engine.id(), Engine.load().artifact)
await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      // Guests that go to their depth limit need a thread's stack.
      const sandbox = yield* SandboxWorkers.make(1)
      const node = yield* SmallNode.make({ sandbox })
      for (const [name, play] of Object.entries(Scenes.scenes))
        for (const [part, scene] of Object.entries(yield* play(node))) {
          const transcript = yield* record(node.messenger, scene)
          const file = `${part === "" ? name : `${name}-${part}`}.json.zst`
          Transcript.save(path.join(folder, file), transcript)
          process.stdout.write(`${file}: ${transcript.turns.length} turns\n`)
        }
    }),
  ),
)
