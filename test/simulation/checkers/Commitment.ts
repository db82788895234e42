/**
 * Commitment: honest units attest the same of the same slots, and a replay from slot 0 comes to it again. A unit that
 * lies is found: what it attests contradicts the others where they start from the same.
 */
import * as Effect from "effect/Effect"
import * as Audit from "../../../compute-unit/Audit.ts"
import type * as LogSource from "../../../compute-unit/LogSource.ts"
import * as SandboxInline from "../../../compute-unit/SandboxInline.ts"
import * as Attestation from "../../../runtime/Attestation.ts"
import * as Batch from "../../../runtime/Batch.ts"
import * as Bytes from "../../../runtime/Bytes.ts"
import type * as Id from "../../../runtime/Id.ts"
import * as Module from "../../../runtime/Module.ts"
import * as Guest from "../Guest.ts"
import type { Make, Place } from "../Checker.ts"

/** Reads a disk as an audit reads a node. */
const sourceOf = ({ durable }: Place): LogSource.LogSource<never> => {
  const { log, outcomes, snapshots } = durable()
  return {
    log: (process, from, limit) => Effect.sync(() => log.entries(process, from, limit)),
    turns: (process, from, limit) => Effect.sync(() => outcomes.turns(process, from, limit)),
    receipt: (process, slot) =>
      Effect.sync(() => {
        const { batch, assignment, index } = log.entry(process, slot)!
        const { link, entries } = log.batch(batch)!
        return Batch.receipt(link, Batch.tree(entries.map((one) => one.assignment)), assignment, index)
      }),
    attestation: (process, slot) => Effect.sync(() => outcomes.attestation(process, slot)),
    module: (id) => Effect.sync(() => Guest.programs.find((program) => Module.id(program) === id)),
    data: () => Effect.undefined,
    snapshots: (process) => Effect.sync(() => snapshots.list(process)),
    snapshot: () => Effect.undefined,
    engineBytes: () => Effect.undefined,
  }
}

const attestations = ({ durable }: Place, process: Id.ProcessId): ReadonlyArray<Attestation.Attestation> => {
  const { outcomes } = durable()
  const found: Array<Attestation.Attestation> = []
  for (let slot = 0; ; slot = found.at(-1)!.to.slot + 1) {
    const next = outcomes.attested(process, slot)
    if (next === undefined) return found
    found.push(next)
  }
}

export const make: Make = ({ places, keys }, fail) => {
  const scheduler = places.find(({ schedules }) => schedules)!
  const sandbox = SandboxInline.make()

  const checkReplay = (process: Id.ProcessId) => {
    const { verifier } = keys
    const audited = Audit.run(sourceOf(scheduler), sandbox, process, { verifier })
    const { finding } = Effect.runSync(Effect.orDie(audited))
    if (finding !== undefined)
      fail(`process ${process} slot ${finding.slot}: ${finding.what}: ${finding.detail}`)
  }

  const compare = (place: Place, process: Id.ProcessId) => {
    const [ours, theirs] = [attestations(scheduler, process), attestations(place, process)]
    const different = theirs.findIndex(
      (one, i) => ours[i] && !Bytes.equal(Attestation.leafValue(one), Attestation.leafValue(ours[i])),
    )
    if (different < 0) return
    const where = `process ${process} at ${place.name}`
    if (place.lie === undefined) return fail(`${where}: attestation ${different} is another one`)
    const [our, their] = [ours[different]!, theirs[different]!]
    if (Bytes.equal(our.to.head, their.to.head) && !Attestation.contradict(our, their))
      fail(`${where}: another root of slot ${their.to.slot}, and no contradiction`)
  }

  return {
    name: "commitment",
    end: () => {
      for (const { process } of scheduler.durable().log.processes()) {
        for (const place of places) if (place !== scheduler) compare(place, process)
        checkReplay(process)
      }
    },
  }
}
