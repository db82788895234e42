/** heddle prove check: checks a proof by its file alone, whichever kind it says that it is. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Inadmissible from "../../compute-unit/Inadmissible.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Divergence from "../../messenger-unit/Divergence.ts"
import * as Batch from "../../runtime/Batch.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Equivocation from "../../scheduler-unit/Equivocation.ts"
import { readFile } from "./AoCommand.ts"
import * as ProofText from "./ProofText.ts"
import * as Screen from "./Screen.ts"

/** A file that says of itself no format of ours. */
export class ProofUnknown extends Data.TaggedError("ProofUnknown")<{ readonly file: string }> {
  override get message(): string {
    return `${this.file} is no proof that is known here: it should be JSON with a "format" of ${Equivocation.format}, ${Inadmissible.format} or ${Divergence.format}`
  }
}

/** What a file says that it is; the whole is read by whoever knows the format. */
const formatOf = (text: string): unknown => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && "format" in value ? value.format : undefined
  } catch {
    return undefined
  }
}

export const check = ({ json, file }: { readonly json: boolean; readonly file: string }) =>
  Effect.gen(function* () {
    const text = Bytes.toText(yield* readFile(file)) ?? ""
    const format = formatOf(text)
    const verifier = VerifierLocal.make()
    if (format === Inadmissible.format) {
      const proof = yield* Effect.fromResult(Inadmissible.decode(text))
      const shown = yield* Inadmissible.check(proof, verifier)
      return yield* Screen.show(json, { format, ...shown }, () => ProofText.inadmissible(shown))
    }
    if (format === Equivocation.format) {
      const proof = yield* Effect.fromResult(Equivocation.decode(text))
      const shown = yield* Equivocation.check(proof, verifier)
      const { assignment, link } = proof.first
      const place =
        shown.kind === "slot"
          ? { process: assignment.process, slot: Batch.slotGivenTwice(proof) }
          : { batch: link.number }
      return yield* Screen.show(json, { format, ...shown, ...place }, () =>
        ProofText.equivocation(proof, shown),
      )
    }
    if (format === Divergence.format) {
      const proof = yield* Effect.fromResult(Divergence.decode(text))
      const shown = yield* Effect.fromResult(Divergence.check(proof))
      return yield* Screen.show(json, { format, ...shown }, () => ProofText.divergence(shown))
    }
    return yield* new ProofUnknown({ file })
  })
