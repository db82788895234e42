/** Commands that read from an archive: restore into a data folder, and fetch, which only checks. */
import fs from "node:fs"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Problem } from "../../archive-unit/ContentReader.ts"
import * as SandboxWorkers from "../../compute-unit/SandboxWorkers.ts"
import * as SignaturePool from "../../identity/SignaturePool.ts"
import { Signer } from "../../identity/Signer.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as VerifierPool from "../../identity/VerifierPool.ts"
import { Archive } from "../../runtime/Archive.ts"
import * as ArchiveArweave from "../../runtime/ArchiveArweave.ts"
import * as ArchiveFolder from "../../runtime/ArchiveFolder.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as StoreLmdb from "../../runtime/StoreLmdb.ts"
import * as Fetch from "../Fetch.ts"
import * as NodeKey from "../NodeKey.ts"
import * as Restore from "../Restore.ts"
import type { Checked } from "../RestoreCheck.ts"
import { AuditFailed } from "./AuditCommands.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

/** Not everything came back, or not as it was. */
export class RestoreIncomplete extends Data.TaggedError("RestoreIncomplete")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** There is no archive where one was named. */
export class ArchiveUnknown extends Data.TaggedError("ArchiveUnknown")<{ readonly folder: string }> {
  override get message(): string {
    return `there is no folder ${this.folder}`
  }
}

const isUrl = (from: string): boolean => /^https?:\/\//.test(from)

/** The archive that `--from` names. */
const archiveAt = Effect.fnUntraced(function* (from: string) {
  if (isUrl(from)) {
    const gateways = from.split(",").map((url) => url.trim().replace(/\/+$/, ""))
    return ArchiveArweave.make({ gateways, costMax: 0n })
  }
  // To look is not to make one.
  return fs.existsSync(from) ? yield* ArchiveFolder.make(from) : yield* new ArchiveUnknown({ folder: from })
})

const mega = (bytes: number): string => (bytes / 1e6).toFixed(1)

const downloaded = ({
  pieces,
  bytes,
  bytesAll,
}: {
  pieces: number
  bytes: number
  bytesAll: number
}): string =>
  pieces === 0 ? "looking" : `found ${pieces} pieces, downloaded ${mega(bytes)} of ${mega(bytesAll)} MB`

const inWords = (progress: Restore.Progress): string => {
  const { phase, checked, computed, slots } = progress
  const parts = [downloaded(progress)]
  if (checked > 0) parts.push(`checked ${checked} slots`)
  if (phase !== "log" && slots > 0)
    parts.push(`${phase === "running" ? "replayed" : "took"} ${computed} of ${slots} slots`)
  return parts.join(", ")
}

/** Tells a person what is wrong with a piece; a program finds all of them in the result. */
const complainOf = (asJson: boolean) => (problem: Problem) => {
  if (!asJson)
    Effect.runSync(
      Screen.complain(
        `${problem.content}, piece ${problem.location}: ${problem.reason}: ${Screen.plain(problem.detail)}`,
      ),
    )
}

export interface RestoreInput extends Caller.Input {
  readonly processes: ReadonlyArray<Id.ProcessId>
  readonly from: string
  readonly full: boolean
  readonly nodeKey: string | undefined
  readonly scheduler: Id.Address | undefined
}

const stateOf = ({ equal, computed, slots, detail }: Checked): string => {
  if (detail !== undefined) return Screen.short(detail, 60)
  if (equal === false) return "differs"
  if (equal === undefined) return computed < slots ? "not computed" : "nothing attested"
  return "equal"
}

const root = (of: Uint8Array | undefined): string => (of === undefined ? "" : Bytes.toHex(of).slice(0, 16))

const table = (processes: ReadonlyArray<Checked>): string =>
  Screen.table(
    ["process", "slots", "state root", "attested", "equal"].map((title) => ({
      title,
      right: title === "slots",
    })),
    processes.map((one) => [
      one.process,
      String(one.slots),
      root(one.stateRoot),
      one.attested === undefined ? "" : `${root(one.attested.stateRoot)} after ${one.attested.slot}`,
      stateOf(one),
    ]),
    (cell, column, row) => (column === 4 ? Screen.styled(row[4] === "equal" ? "green" : "red", cell) : cell),
  )

/** What did not come back, in words; undefined where all did. */
const lacking = ({ processes, missing, problems }: Restore.Report): string | undefined => {
  const differing = processes.filter(({ equal, detail }) => equal === false || detail !== undefined)
  const lines = [
    ...differing.map(
      ({ process, detail }) => `process ${process}: ${detail ?? "another state root than attested"}`,
    ),
    ...missing.map(({ what, id }) => `${what} ${id} is not in the archive`),
  ]
  if (lines.length === 0) return undefined
  const transactions = [...new Set(problems.map(({ transaction }) => transaction))]
  return [...lines, ...transactions.map((one) => `transaction ${one} has pieces that are of no use`)].join(
    "\n",
  )
}

export const restore = (input: RestoreInput) =>
  Effect.gen(function* () {
    const { settings } = yield* Caller.settings(input)
    const { data, sandboxWorkers, cryptoWorkers, memory } = settings
    const archive = yield* archiveAt(input.from)
    const identity = yield* input.nodeKey === undefined
      ? NodeKey.find(data)
      : NodeKey.adopt(data, input.nodeKey)
    const services = Layer.mergeAll(
      StoreLmdb.layer(data),
      Layer.succeed(Archive, archive),
      SandboxWorkers.layer(sandboxWorkers),
      VerifierPool.layer.pipe(Layer.provide(SignaturePool.layer({ size: cryptoWorkers }))),
    )
    const report = yield* Screen.progress("restoring", (say) =>
      Restore.run({
        scheduler: input.scheduler ?? (input.processes.length > 0 ? undefined : identity?.address),
        processes: input.processes,
        full: input.full,
        signer: identity && Signer.of(SignerLocal.make(identity)),
        residentBytesMax: memory * 1024 * 1024,
        onProblem: complainOf(input.json),
        onProgress: (progress) => say(inWords(progress)),
      }).pipe(Effect.scoped, Effect.provide(services)),
    )
    yield* Screen.show(input.json, report, () => table(report.processes))
    if (report.readOnly && !input.json)
      yield* Screen.note(
        `the key of scheduler ${report.scheduler} is not in ${data}: these processes can be read and take no messages`,
      )
    const detail = lacking(report)
    if (detail !== undefined) return yield* new RestoreIncomplete({ detail })
  })

export interface FetchInput {
  readonly json: boolean
  readonly process: Id.ProcessId
  readonly from: string
}

export const fetch = ({ json, process, from }: FetchInput) =>
  Effect.gen(function* () {
    const archive = yield* archiveAt(from)
    const problems: Array<Problem> = []
    const complain = complainOf(json)
    const report = yield* Screen.progress("fetching", (say) =>
      Fetch.verify(
        archive,
        process,
        (problem) => {
          problems.push(problem)
          complain(problem)
        },
        (progress) => say(`${downloaded(progress)}, verified ${progress.slots} slots`),
      ),
    )
    if (report.finding !== undefined) return yield* new AuditFailed({ ...report.finding, process })
    yield* Screen.show(json, { ...report, problems }, () => {
      const { slots, signatures, stateRoot } = report
      const verdict = Screen.styled("green", "verified")
      return `${verdict} ${slots} slots, ${signatures} signatures good\nstate root ${Bytes.toHex(stateRoot)}`
    })
  })
