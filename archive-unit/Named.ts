/** Named: modules, engines and data of an archive, which are true by their own hash. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Verifier } from "../identity/Verifier.ts"
import type { Archive } from "../runtime/Archive.ts"
import * as Id from "../runtime/Id.ts"
import * as Catalog from "./Catalog.ts"
import * as ContentChecks from "./ContentChecks.ts"
import * as ContentReader from "./ContentReader.ts"
import type { Watch } from "./Contents.ts"

export const make = Effect.fnUntraced(function* (archive: Archive["Service"], { report, onBytes }: Watch) {
  const verifier = yield* Verifier
  /** The first copy that is what its name says; undefined where there is none. */
  const get = Effect.fnUntraced(
    function* (
      type: "Module" | "Engine" | "Data",
      tag: string,
      name: Id.Id,
      check: (bytes: Uint8Array) => Result.Result<Uint8Array, ContentChecks.ContentRefused>,
    ) {
      for (const listed of yield* Catalog.list(archive, type, [{ name: tag, values: [name] }])) {
        const bytes = yield* ContentReader.read(archive, listed, report, onBytes)
        if (typeof bytes === "string") continue
        const checked = check(bytes)
        if (Result.isSuccess(checked)) return checked.success
        report(ContentReader.problemOf(listed, "not true", checked.failure.message))
      }
      return undefined
    },
    Effect.provideService(Verifier, verifier),
  )
  return {
    module: (id: Id.Id) => get("Module", "Module", id, (bytes) => ContentChecks.module(id, bytes)),
    engine: (id: Uint8Array) =>
      get("Engine", "Engine", Id.fromBytes(id), (bytes) => ContentChecks.hashed("Engine", id, bytes)),
    data: (hash: Id.Id) =>
      get("Data", "Data-Hash", hash, (bytes) => ContentChecks.hashed("Data", Id.toBytes(hash), bytes)),
  }
})
