/** heddle prove --slot: writes the file that shows to anyone that a slot should not be in a log. */
import * as Effect from "effect/Effect"
import * as Inadmissible from "../../compute-unit/Inadmissible.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Caller from "./Caller.ts"
import * as ProofText from "./ProofText.ts"
import { type ProveAgainstInput, writing } from "./ProveAgainst.ts"
import * as Screen from "./Screen.ts"

export const prove = (input: ProveAgainstInput & { readonly slot: number }) =>
  Effect.gen(function* () {
    const { process, slot } = input
    if (input.against !== undefined)
      return yield* new Caller.WrongUsage({
        detail: "--slot is about the log of one node, and --against compares two: give one of them",
        help: "heddle prove --help",
      })
    const proof = yield* Caller.connected(input, (messenger) =>
      Screen.progress("reading the log", () => Inadmissible.gather(messenger, process, slot)),
    )
    const shown = yield* Inadmissible.check(proof, VerifierLocal.make())
    const file = yield* writing(input)("inadmissible", yield* Effect.fromResult(Inadmissible.encode(proof)))
    yield* Screen.show(input.json, { ...shown, file }, () => `${ProofText.inadmissible(shown)}\n${file}`)
  })
