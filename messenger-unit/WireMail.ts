/** What goes with outbox and inbox, as JSON: the forms of `Wire.ts` that only those calls have. */
import * as Schema from "effect/Schema"
import * as Spelling from "../runtime/Spelling.ts"
import * as Wire from "./Wire.ts"

export const Retry = Schema.Struct({ entry: Schema.optionalKey(Schema.Struct(Wire.emitted)) }).annotate({
  description: "the entry whose pair is tried again; every one where it is left out",
})

export const Retried = Schema.Struct({
  tried: Schema.Natural.annotate({ description: "entries tried: of each pair the one that goes first" }),
  delivered: Schema.Natural,
  waiting: Schema.Array(Wire.Undelivered),
}).annotate({ identifier: "Retried", description: "`waiting` are those that were not delivered at once" })

export const PersonKey = Schema.Struct({
  signatureType: Schema.Natural.annotate({ description: "1, 2, 3, 1044, 1065 or 1087" }),
  owner: Wire.Base64Url.annotate({ description: "the public key as base64url; its SHA-256 is the address" }),
}).annotate({ identifier: "PersonKey", description: "a key by which a person has an inbox" })

export const Letter = Schema.Struct({
  number: Schema.Natural.annotate({ description: "place in the inbox, from 0" }),
  at: Spelling.time,
  ...Wire.emitted,
  item: Wire.Base64Url,
  proof: Wire.Base64Url,
}).annotate({
  identifier: "Letter",
  description:
    "what a process said to a person: the whole outbox item with its proof, for the reader to check",
})
