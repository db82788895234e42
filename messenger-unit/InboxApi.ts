/** InboxApi: the calls about what processes say to persons, as the part of `MessengerApi` that they are. */
import * as Schema from "effect/Schema"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Limit from "../runtime/Limit.ts"
import * as Refusal from "./Refusal.ts"
import * as Wire from "./Wire.ts"
import * as WireMail from "./WireMail.ts"

const said = (summary: string, description: string) => OpenApi.annotations({ summary, description })

const limit = Schema.optionalKey(
  Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Limit.logPageMax })).annotate({
    description: `at most this many; 100 where it is left out, at most ${Limit.logPageMax}`,
  }),
)

export const inbox = HttpApiGroup.make("inbox")
  .add(
    HttpApiEndpoint.post("open", "/inbox", {
      payload: WireMail.PersonKey,
      success: Schema.Struct({ address: Wire.Id }),
      error: [Refusal.inboxRefused, Refusal.storeFailed, Refusal.tooLarge],
    }).annotateMerge(
      said(
        "Open an inbox",
        "Tells the node of a public key, so that what processes say to its address lands in an inbox. Whoever has signed a message here has one already.",
      ),
    ),
    HttpApiEndpoint.get("read", "/inbox/:address", {
      params: { address: Wire.Id },
      query: {
        from: Schema.optionalKey(Schema.Natural.annotate({ description: "the first letter; 0 by default" })),
        limit,
        wait: Schema.optionalKey(
          Schema.Literals(["", "true", "false"]).annotate({
            description: "whether to wait for one where there is none; the answer may still be empty then",
          }),
        ),
      },
      success: Schema.Array(WireMail.Letter),
      error: Refusal.unknownInbox,
    }).annotateMerge(
      said(
        "Read an inbox",
        "What processes said to a person, in the order in which it came. A page can be shorter than asked; only an empty one is the end. Each letter has the proof of who said it.",
      ),
    ),
  )
  .annotateMerge(OpenApi.annotations({ description: "What processes say to persons." }))
