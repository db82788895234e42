/** The command that sends the bundles of a folder to Arweave. */
import path from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as ArchiveArweave from "../../runtime/ArchiveArweave.ts"
import * as Winston from "../../runtime/Winston.ts"
import * as Archiving from "../Archiving.ts"
import * as Push from "../Push.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

/** Not all of the folder is on its way. */
export class PushIncomplete extends Data.TaggedError("PushIncomplete")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

export interface PushInput extends Caller.Input {
  readonly folder: string | undefined
}

const count = ({ bundles }: Push.Report, state: Push.Pushed["state"]): number =>
  bundles.filter((one) => one.state === state).length

const text = (report: Push.Report): string => {
  const { bundles, spent, spendingLimit } = report
  if (bundles.length === 0) return `no bundle in ${report.folder}`
  const table = Screen.table(
    ["bundle", "bytes", "state", "block", "AR", "transaction"].map((title) => ({
      title,
      right: title === "bytes" || title === "block" || title === "AR",
    })),
    bundles.map(({ bundle, bytes, state, height, cost, transaction }) => [
      Screen.short(bundle, 12),
      String(bytes),
      state,
      height === undefined ? "" : String(height),
      cost === undefined ? "" : Winston.toAr(cost),
      transaction ?? "",
    ]),
    (cell, column) => (column === 2 && cell.startsWith("damaged") ? Screen.styled("red", cell) : cell),
  )
  return `${table}\nspent ${Winston.toAr(spent)} of ${Winston.toAr(spendingLimit)} AR`
}

/** What is left to do, in words. */
const missing = (report: Push.Report): string | undefined => {
  const [waiting, damaged] = [count(report, "waiting"), count(report, "damaged")]
  const parts = [
    ...(waiting > 0
      ? [
          `${waiting} of ${report.bundles.length} bundles wait: they would take more than the spending limit of ${Winston.toAr(report.spendingLimit)} AR; raise it and push again`,
        ]
      : []),
    ...(damaged > 0
      ? [`${damaged} of ${report.bundles.length} files are not the bundles that they are named after`]
      : []),
  ]
  return parts.length === 0 ? undefined : parts.join("; ")
}

export const push = (input: PushInput) =>
  Effect.gen(function* () {
    const { settings } = yield* Caller.settings(input)
    const { gateways, wallet, spendingLimit } = yield* Archiving.onArweave(settings)
    const folder = input.folder === undefined ? settings.archive : path.resolve(input.folder)
    const archive = ArchiveArweave.make({ gateways, wallet, costMax: spendingLimit })
    const report = yield* Screen.progress("pushing", (say) =>
      Push.run({
        folder,
        archive,
        spendingLimit,
        onProgress: (index, of, { sent, total }) =>
          say(`bundle ${index + 1} of ${of}, ${Math.floor((100 * sent) / Math.max(1, total))} %`),
      }),
    )
    yield* Screen.show(input.json, report, () => text(report))
    const detail = missing(report)
    if (detail !== undefined) return yield* new PushIncomplete({ detail })
    if (!input.json && count(report, "confirmed") < report.bundles.length)
      yield* Screen.note("a bundle counts with 10 confirmations, in about 20 minutes; push again to see them")
  })
