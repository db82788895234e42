/**
 * Spelling: how JSON has ids, bytes, hashes and receipts, in the HTTP API and in files alike. Ids are 43 characters,
 * bytes are base64url, times are ms since 1970; of each there is one spelling, and the others are refused.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as RuntimeId from "./Id.ts"
import * as Merkle from "./Merkle.ts"

/** The canonical spelling of 32 bytes; the three others that a lenient reader would take are refused. */
export const Id = Schema.String.annotate({
  expected: "an id: 32 bytes as 43 characters of base64url",
  examples: ["n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"],
}).pipe(
  Schema.refine((text): text is RuntimeId.Id => RuntimeId.parse(text) !== undefined, {
    identifier: "Id",
    expected: "an id: 32 bytes as 43 characters of base64url",
    description: "32 bytes as 43 characters of base64url, in their one canonical spelling",
  }),
)

const base64url = Schema.String.annotate({
  description: "bytes as base64url without padding",
  contentEncoding: "base64url",
})

/** Bytes; Node's own decoder, because a log can carry megabytes. */
export const Base64Url = base64url.pipe(
  Schema.decodeTo(
    Schema.Uint8Array,
    SchemaTransformation.transformEffect<Uint8Array, string>({
      decode: (text, options) => {
        const bytes = Bytes.fromBase64Url(text)
        return bytes === undefined
          ? Effect.fail(
              new SchemaIssue.InvalidValue({ expected: "base64url without padding" }, text, options),
            )
          : Effect.succeed(bytes)
      },
      encode: (bytes) => Effect.succeed(Bytes.toBase64Url(bytes)),
    }),
  ),
)

/** A SHA-256 hash. A reader of proofs takes their shape as given, so it is checked here. */
export const Hash32 = Base64Url.check(
  Schema.makeFilter((bytes) =>
    bytes.length === Hash.length ? undefined : `a hash has ${Hash.length} bytes`,
  ),
)

export const time = Schema.Natural.annotate({ description: "ms since 1970" })
export const slot = Schema.Natural.annotate({ description: "place in the process's log, from 0" })

export const Assignment = Schema.Struct({
  process: Id,
  term: Schema.Natural,
  slot,
  timestamp: time,
  entryHash: Hash32,
  previous: Hash32,
  head: Hash32,
}).annotate({ identifier: "Assignment" })

export const signed = { signatureType: Schema.Natural, owner: Base64Url, signature: Base64Url }
export const place = {
  index: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Merkle.leavesMax - 1 })),
  path: Schema.Array(Hash32).check(
    Schema.makeFilter((path) =>
      path.length === Merkle.depth ? undefined : `a path has ${Merkle.depth} hashes`,
    ),
  ),
}

export const Receipt = Schema.Struct({
  link: Schema.Struct({ number: Schema.Natural, previousRoot: Hash32, root: Hash32, ...signed }),
  assignment: Assignment,
  ...place,
}).annotate({ identifier: "Receipt", description: "the scheduler's signed statement that a slot was given" })
