/** Commands about the archive of the node: status and cost. */
import * as Effect from "effect/Effect"
import type * as ArchiveUnit from "../../archive-unit/ArchiveUnit.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Winston from "../../runtime/Winston.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

const idWidth = 12

/** A length of time as people say it. */
export const duration = (ms: number): string => {
  const seconds = Math.floor(ms / 1_000)
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60]
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}

export const facts = (rows: ReadonlyArray<readonly [name: string, value: string]>): string => {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${Screen.styled("dim", name.padEnd(width))}  ${value}`).join("\n")
}

const percent = ({ sent, total }: ArchiveUnit.Waiting): string =>
  total === 0 ? "" : `${Math.floor((100 * sent) / total)} %`

const text = (status: ArchiveUnit.Status): string => {
  const { batches, turns, waiting, spent, spendingLimit, problem } = status
  const reaches = [
    ["batches", batches],
    ["turns", turns],
  ] as const
  const parts = [
    Screen.table(
      ["", "made", "bundled", "confirmed"].map((title) => ({ title, right: title !== "" })),
      reaches.map(([name, { made, bundled, confirmed }]) => [
        name,
        ...[made, bundled, confirmed].map(String),
      ]),
    ),
    facts([
      ["archive", Screen.plain(status.archive)],
      ["behind", status.behindMs === 0 ? "nothing: all is confirmed" : duration(status.behindMs)],
      ["confirmed", `${status.bundles} bundles, ${status.bytes} bytes`],
      ...(spendingLimit === undefined
        ? []
        : [["spent", `${Winston.toAr(spent)} of ${Winston.toAr(spendingLimit)} AR`] as const]),
      ...(problem === undefined ? [] : [["waits", Screen.styled("red", Screen.plain(problem))] as const]),
    ]),
  ]
  if (waiting.length > 0)
    parts.push(
      Screen.table(
        ["bundle", "bytes", "state", "sent", "AR", "since", "transaction"].map((title) => ({
          title,
          right: title === "bytes" || title === "sent" || title === "AR",
        })),
        waiting.map((one) => [
          Screen.short(one.bundle, idWidth),
          String(one.bytes),
          one.state,
          percent(one),
          one.cost === undefined ? "" : Winston.toAr(one.cost),
          Screen.time(one.since),
          one.transfer ?? "",
        ]),
      ),
    )
  return parts.join("\n\n")
}

export const status = (input: Caller.Input) =>
  Effect.gen(function* () {
    const found = yield* Caller.connected(input, (messenger) => messenger.archive)
    yield* Screen.show(input.json, found, () => text(found))
  })

export const cost = (input: Caller.Input & { readonly process: Id.ProcessId }) =>
  Effect.gen(function* () {
    const found = yield* Caller.connected(input, (messenger) =>
      Screen.progress("measuring", () => messenger.archiveCost(input.process)),
    )
    const { slots, signedBytes, bytes, winston } = found
    yield* Screen.show(input.json, found, () =>
      facts([
        ["slots", String(slots)],
        ["bytes signed", String(signedBytes)],
        ["bytes stored", `${bytes}, about`],
        ["AR", winston === 0n ? "0: the archive is a folder" : `${Winston.toAr(winston)}, about`],
      ]),
    )
  })
