/**
 * Identity: a secret ML-DSA key with the public key and address that follow from it (spec 02 §1).
 *
 * The seed is the whole secret. It can be asked for by name and does not show when an identity is printed or
 * written as JSON.
 */
import * as Effect from "effect/Effect"
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Id from "../runtime/Id.ts"
import * as SignatureType from "../runtime/SignatureType.ts"
import { Entropy } from "./Entropy.ts"
import * as MlDsa from "./MlDsa.ts"

export class Identity {
  readonly type: SignatureType.SignatureType
  /** The raw public key. */
  readonly owner: Uint8Array
  readonly address: Id.Address
  readonly #seed: Uint8Array

  constructor(type: SignatureType.SignatureType, seed: Uint8Array) {
    this.type = type
    this.#seed = Bytes.copy(seed)
    this.owner = MlDsa.fromSeed(type, seed).owner
    this.address = Id.fromBytes(Hash.sha256(this.owner))
  }

  /** The 32 bytes that everything else follows from. */
  get seed(): Uint8Array {
    return this.#seed
  }
}

/** The parameter set where none is asked for: NIST category 3. */
export const typeDefault: SignatureType.SignatureType = SignatureType.mlDsa65

/** Asserts an ML-DSA type and 32 bytes. */
export const fromSeed = (seed: Uint8Array, type = typeDefault): Identity => new Identity(type, seed)

export const generate = (type = typeDefault): Effect.Effect<Identity> =>
  Effect.map(Entropy, (entropy) => fromSeed(entropy.bytes(MlDsa.seedBytes), type))
