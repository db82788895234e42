/** A caller for tests: signs items as the client does, from a seed, so that a failing run can be made again. */
import * as Effect from "effect/Effect"
import * as Identity from "../../identity/Identity.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import type { Signer } from "../../identity/Signer.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as Draft from "../../messenger-unit/Draft.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import type * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"

type Tags = Draft.Tags

export interface Caller {
  readonly identity: Identity.Identity
  readonly signer: Signer["Service"]
  readonly spawn: (module: Id.Id, scheduler: Id.Address, tags?: Tags) => Promise<Item.Item>
  readonly message: (
    process: Id.ProcessId,
    action: string,
    tags?: Tags,
    data?: string | Uint8Array,
  ) => Promise<Item.Item>
}

const pairs = (tags: Tags) => Draft.content({ tags }).tags

export const caller = (name: string): Caller => {
  const identity = Identity.fromSeed(Hash.sha256(Bytes.fromText(name)))
  const signer = SignerLocal.make(identity)
  return {
    identity,
    signer,
    spawn: (module, scheduler, tags = {}) =>
      Effect.runPromise(
        SignedItem.sign(signer, {
          tags: [
            ...Message.protocolTags("Process"),
            { name: "Module", value: module },
            { name: "Scheduler", value: scheduler },
            ...pairs(tags),
          ],
          data: Bytes.empty,
        }),
      ),
    message: (process, action, tags = {}, data = "") =>
      Effect.runPromise(
        SignedItem.sign(signer, {
          target: Id.toBytes(process),
          tags: [...Message.protocolTags("Message"), { name: "Action", value: action }, ...pairs(tags)],
          data: typeof data === "string" ? Bytes.fromText(data) : data,
        }),
      ),
  }
}
