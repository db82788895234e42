/** Connection: a messenger at a URL, over connections that are kept open. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Layer from "effect/Layer"
import * as MessengerUnitRemote from "../messenger-unit/MessengerUnitRemote.ts"

/** An answer can take many turns, so waiting for one has no end of its own; whoever waits sets one. */
const transport = NodeHttpClient.layerUndiciOptions({ headersTimeout: 0, bodyTimeout: 0 })

export const layer = (url: string) => MessengerUnitRemote.layer(url).pipe(Layer.provide(transport))
