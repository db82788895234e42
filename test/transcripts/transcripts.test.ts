/** Every log that a released version wrote leads this version to the outcomes and state roots recorded then. */
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import * as Audit from "../../compute-unit/Audit.ts"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { version } from "../../node/Version.ts"
import * as Transcript from "./Transcript.ts"

const versions = fs.readdirSync(import.meta.dirname).filter((name) => /^\d+\.\d+\.\d+/.test(name))

const files = versions.flatMap((of) =>
  fs
    .readdirSync(Transcript.folderOf(of))
    .filter((name) => name.endsWith(".json.zst"))
    .map((name) => [of, name] as const),
)

const audit = (
  of: string,
  change: (transcript: Transcript.Transcript) => Transcript.Transcript,
  name: string,
) => {
  const folder = Transcript.folderOf(of)
  const transcript = change(Transcript.load(path.join(folder, name)))
  const source = Transcript.source(transcript, folder)
  const checks = { verifier: VerifierLocal.make() }
  const run = Effect.flatMap(SandboxWorkers.make(1), (sandbox) =>
    Audit.run(source, sandbox, transcript.process, checks),
  )
  return Effect.runPromise(Effect.map(Effect.scoped(run), (report) => ({ report, transcript })))
}

describe("a transcript", () => {
  it("is there of this version, several of them", () => {
    expect(versions).toContain(version)
    expect(files.length).toBeGreaterThanOrEqual(7)
  })

  it.each(files)("of %s, %s, is verified from slot 0 to the root attested last", async (of, name) => {
    const { report, transcript } = await audit(of, (same) => same, name)
    expect(report.finding).toBeUndefined()
    expect(report.slots).toBe(transcript.turns.length)
    const { stateRoot } = transcript.attestations.at(-1)!.attestation.to
    expect(Bytes.toHex(report.stateRoot)).toBe(Bytes.toHex(stateRoot))
  })

  it("in which one outcome is another is found out, by its slot", async () => {
    const bend = (transcript: Transcript.Transcript): Transcript.Transcript => ({
      ...transcript,
      turns: transcript.turns.map((turn, slot) =>
        slot === 3 ? { ...turn, outcome: { ...turn.outcome, fuelUsed: turn.outcome.fuelUsed + 1n } } : turn,
      ),
    })
    const { report } = await audit(version, bend, "counter.json.zst")
    expect(report.finding).toMatchObject({ slot: 3, what: "outcome" })
  })
})
