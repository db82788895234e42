/**
 * Proven view: what a reader has to see before it believes what a messenger says that a process publishes.
 *
 * The one thing that the reader knows is the process's id. It stands for the signed spawn, which names the compute
 * units; one of them signed the state root after a slot; the state root commits to the views, the head to the time. So
 * who carries the proof, and who made it, need not be believed: only a unit that the process's own spawn names.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import type { ViewProven } from "../compute-unit/ComputeUnit.ts"
import * as AttestationSignature from "../identity/AttestationSignature.ts"
import * as Assignment from "../runtime/Assignment.ts"
import * as Address from "../runtime/Address.ts"
import * as Attestation from "../runtime/Attestation.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as Limit from "../runtime/Limit.ts"
import type * as Process from "../runtime/Process.ts"
import * as ViewProof from "../runtime/ViewProof.ts"
import * as ProvenSpawn from "./ProvenSpawn.ts"

/** What was seen to hold. */
export interface ProvenView {
  /** JSON text; `undefined` where it is proven that nothing is published under the name. */
  readonly value: string | undefined
  /** The process is meant as it was after this slot, at this time (ms since 1970). */
  readonly slot: number
  readonly timestamp: number
  readonly stateRoot: Uint8Array
  readonly engine: Uint8Array
  /** The compute unit whose word it is. */
  readonly unit: Id.Address
}

/** A proof that does not show what it is to show: nothing that came with it is to be used. */
export class ProofInvalid extends Data.TaggedError("ProofInvalid")<{
  /** The part that does not hold. */
  readonly what:
    | "spawn"
    | "process"
    | "engine"
    | "unit"
    | "signature"
    | "state root"
    | "view"
    | "value"
    | "assignment"
    | "age"
  readonly detail: string
}> {
  override get message(): string {
    return `the proof does not hold, ${this.what}: ${this.detail}`
  }
}

/** How old the newest attested slot may be, by whose clock. */
export interface Age {
  readonly now: number
  readonly maxMs: number
}

const invalid = (what: ProofInvalid["what"], detail: string) =>
  Result.fail(new ProofInvalid({ what, detail }))

const holds = Result.void

/** The process that a spawn makes, where its id is that of exactly these bytes. */
export const spawned = (process: Id.ProcessId, bytes: Uint8Array) =>
  Result.mapError(ProvenSpawn.check(process, bytes), (detail) => new ProofInvalid({ what: "spawn", detail }))

/** The unit whose good signature an attestation has, where the process names it. */
export const checkUnit = (
  { compute }: Process.Process,
  signed: Attestation.SignedAttestation,
): Result.Result<Id.Address, ProofInvalid> => {
  const unit = Address.of(signed.owner).text
  if (!compute.includes(unit)) return invalid("unit", `${unit} is none that the process names`)
  return AttestationSignature.signer(signed, Attestation.rootOf(signed)) === undefined
    ? invalid("signature", `that of ${unit} is not good`)
    : Result.succeed(unit)
}

const checkState = (
  spawn: Uint8Array,
  { opening, attestation: { attestation } }: ViewProven,
): Result.Result<void, ProofInvalid> => {
  if (!Bytes.equal(ViewProof.rootOf(opening), attestation.to.stateRoot))
    return invalid("state root", "what is opened is another state than the one attested")
  if (!Bytes.equal(opening.engine, attestation.engine))
    return invalid("engine", "the state is of another engine than the one attested")
  return Bytes.equal(opening.metadata.spawn, Hash.sha256(spawn))
    ? holds
    : invalid("spawn", "it is not the one that the state commits to")
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const checkView = (
  name: string,
  { name: named, value, opening }: ViewProven,
): Result.Result<void, ProofInvalid> => {
  if (named !== name) return invalid("view", `it is of ${JSON.stringify(named)}`)
  const shown = ViewProof.shows(opening, name)
  if (shown === undefined) return invalid("view", "the state is not opened at it")
  if (shown === null)
    return value === null ? holds : invalid("value", "the state shows that nothing is published")
  if (value === null || !Bytes.equal(Hash.sha256(Bytes.fromText(value)), shown))
    return invalid("value", "it is not the one that the state commits to")
  return isJson(value) ? holds : invalid("value", "it is no JSON")
}

const checkTime = (
  process: Id.ProcessId,
  { assignment, attestation: { attestation } }: ViewProven,
  age: Age | undefined,
): Result.Result<void, ProofInvalid> => {
  const { slot, term, timestamp } = assignment
  const { to } = attestation
  if (assignment.process !== process || slot !== to.slot || term !== attestation.term)
    return invalid("assignment", "it is of another slot than the one attested")
  const { head } = Assignment.make(assignment)
  if (!Bytes.equal(head, to.head) || !Bytes.equal(assignment.head, head))
    return invalid("assignment", "it does not lead to the head attested")
  if (age === undefined) return holds
  if (age.now - timestamp > age.maxMs)
    return invalid("age", `it is ${age.now - timestamp} ms old; at most ${age.maxMs} are allowed`)
  return timestamp - age.now > Limit.clockAheadMsMax
    ? invalid("age", `its time is ${timestamp - age.now} ms ahead of this clock`)
    : holds
}

/**
 * What `proof` shows of a view to whoever knows the process's id; `spawn` is the item of slot 0. That hashes are 32 bytes
 * long and paths 16 of them is checked where a proof is read (`Wire.ts`).
 */
export const check = (
  process: Id.ProcessId,
  name: string,
  spawn: Uint8Array,
  proof: ViewProven,
  age?: Age,
): Result.Result<ProvenView, ProofInvalid> =>
  Result.gen(function* () {
    const made = yield* spawned(process, spawn)
    const { attestation } = proof.attestation
    if (attestation.process !== process) yield* invalid("process", `it is about ${attestation.process}`)
    const unit = yield* checkUnit(made, proof.attestation)
    yield* checkState(spawn, proof)
    yield* checkView(name, proof)
    yield* checkTime(process, proof, age)
    return {
      value: proof.value ?? undefined,
      slot: attestation.to.slot,
      timestamp: proof.assignment.timestamp,
      stateRoot: attestation.to.stateRoot,
      engine: attestation.engine,
      unit,
    }
  })
