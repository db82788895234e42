/** FramedNouns: how the nouns that more than one unit speaks of stand in frames (spec 06 §2). */
import * as Admission from "./Admission.ts"
import type * as Assignment from "./Assignment.ts"
import type * as Attestation from "./Attestation.ts"
import type * as Batch from "./Batch.ts"
import * as Codec from "./Codec.ts"
import * as Merkle from "./Merkle.ts"
import { StoreFailed } from "./Store.ts"

const signed = { signatureType: Codec.u16, owner: Codec.block, signature: Codec.block }

/** A leaf's place in a tree, and the way from it to the root. */
export const place = { index: Codec.u16, path: Codec.exactly(Codec.hash, Merkle.depth) }

export const signature: Codec.Codec<Batch.Signed> = Codec.struct(signed)

export const assignment: Codec.Codec<Assignment.Assignment> = Codec.struct({
  process: Codec.id,
  term: Codec.count,
  slot: Codec.count,
  timestamp: Codec.count,
  entryHash: Codec.hash,
  previous: Codec.hash,
  head: Codec.hash,
})

export const link: Codec.Codec<Batch.SignedLink> = Codec.struct({
  number: Codec.count,
  previousRoot: Codec.hash,
  root: Codec.hash,
  ...signed,
})

export const receipt: Codec.Codec<Batch.Receipt> = Codec.struct({
  link,
  assignment,
  ...place,
})

const point: Codec.Codec<Attestation.Point> = Codec.struct({
  // Before slot 0 it is -1.
  slot: Codec.mapped(
    Codec.count,
    (slot: number) => slot + 1,
    (next) => next - 1,
  ),
  head: Codec.hash,
  stateRoot: Codec.hash,
})

export const attestation: Codec.Codec<Attestation.Attestation> = Codec.struct({
  engine: Codec.hash,
  process: Codec.id,
  term: Codec.count,
  from: point,
  to: point,
  outcomeRoot: Codec.hash,
})

export const signedAttestation: Codec.Codec<Attestation.SignedAttestation> = Codec.struct({
  attestation,
  ...place,
  ...signed,
})

export const refused: Codec.Codec<Admission.Refused> = Codec.mapped(
  Codec.struct({ reason: Codec.text, detail: Codec.text, retryMs: Codec.optional(Codec.count) }),
  ({ reason, detail, retryMs }: Admission.Refused) => ({ reason, detail, retryMs }),
  // A peer of a later version can have a reason that this one has not; whoever reads it reads its words.
  ({ reason, detail, retryMs }) =>
    new Admission.Refused({ reason: reason as Admission.Reason, detail, retryMs }),
)

export const storeFailed: Codec.Codec<StoreFailed> = Codec.mapped(
  Codec.struct({ reason: Codec.word(["full", "closed", "io"]), detail: Codec.text }),
  ({ reason, detail }: StoreFailed) => ({ reason, detail }),
  (fields) => new StoreFailed(fields),
)
