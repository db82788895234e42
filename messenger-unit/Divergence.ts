/**
 * Divergence: the proof that one of two compute units is wrong (spec 04 §6): two signed attestations that contradict each
 * other, as a JSON file that anyone can check with nothing else at hand. Which of the two is wrong is said by running the turns.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as AttestationSignature from "../identity/AttestationSignature.ts"
import * as Attestation from "../runtime/Attestation.ts"
import type * as Id from "../runtime/Id.ts"
import * as Wire from "./Wire.ts"

export const format = "heddle/divergence/1"

export interface Proof {
  readonly first: Attestation.SignedAttestation
  readonly second: Attestation.SignedAttestation
}

/** What a good proof shows: of these units one is wrong about these turns. */
export interface Shown {
  readonly process: Id.ProcessId
  readonly units: readonly [Id.Address, Id.Address]
  readonly from: number
  readonly to: number
}

/** It shows nothing. `detail` names the first thing that does not hold. */
export class NotDivergence extends Data.TaggedError("NotDivergence")<{ readonly detail: string }> {
  override get message(): string {
    return `no divergence: ${this.detail}`
  }
}

const File = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal(format),
    first: Wire.SignedAttestation,
    second: Wire.SignedAttestation,
  }),
)

/** The proof as the text of a file. */
export const encode = ({ first, second }: Proof): string => Schema.encodeSync(File)({ format, first, second })

/** Reads a proof; the failure says where the text is not one. */
export const decode = (text: string): Result.Result<Proof, NotDivergence> =>
  Result.mapBoth(Schema.decodeUnknownResult(File)(text, { onExcessProperty: "error" }), {
    onSuccess: ({ first, second }) => ({ first, second }),
    onFailure: (error) => new NotDivergence({ detail: String(error) }),
  })

const unitOf = (signed: Attestation.SignedAttestation): Id.Address | undefined =>
  AttestationSignature.signer(signed, Attestation.rootOf(signed))

/** Checks a proof by itself: both signatures, and that the two contradict each other. One unit can do so alone. */
export const check = ({ first, second }: Proof): Result.Result<Shown, NotDivergence> => {
  const fail = (detail: string) => Result.fail(new NotDivergence({ detail }))
  const [one, other] = [unitOf(first), unitOf(second)]
  if (one === undefined) return fail("the signature of the first attestation is not good")
  if (other === undefined) return fail("the signature of the second attestation is not good")
  const { process, from, to } = first.attestation
  if (!Attestation.contradict(first.attestation, second.attestation))
    return fail("the attestations do not contradict each other")
  return Result.succeed({
    process,
    units: [one, other],
    from: from.slot + 1,
    to: to.slot,
  })
}
