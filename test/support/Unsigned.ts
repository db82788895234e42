/** Messages with filler where a signature would be, for functions that ask for the verdict and not for the signature. */
import * as Result from "effect/Result"
import * as Assign from "../../runtime/Assign.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Message from "../../runtime/Message.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

/** Bytes that follow from a name. */
export const hash = (name: string): Uint8Array => Hash.sha256(Bytes.fromText(name))
export const id = (name: string): Id.Id => Id.fromBytes(hash(name))

export type Tags = ReadonlyArray<readonly [name: string, value: string]>

export interface Fields {
  readonly owner?: string
  readonly target?: Uint8Array | undefined
  /** None where it is `undefined`, which is not what clients do. */
  readonly anchor?: string | undefined
  readonly tags?: Tags
  readonly data?: string | Uint8Array
  /** Tells apart two signatures of one content. */
  readonly signature?: string
}

export const item = ({
  owner = "ada",
  target,
  anchor,
  tags = [],
  data = "",
  signature = "",
}: Fields): Item.Item => {
  const content = Result.getOrThrow(
    Item.content({
      type: SignatureType.ed25519,
      owner: hash(owner),
      target,
      anchor: anchor === undefined ? undefined : hash(anchor),
      tags: tags.map(([name, value]) => ({ name, value })),
      data: typeof data === "string" ? Bytes.fromText(data) : data,
    }),
  )
  const [left, right] = [Item.signingHash(content).subarray(0, 32), hash(`signature ${signature}`)]
  return Result.getOrThrow(Item.encode(content, Bytes.concat([left, right])))
}

const parsed = (of: Item.Item): Message.Message => Result.getOrThrow(Message.parse(of))

const protocol = (type: "Message" | "Process"): Tags =>
  Message.protocolTags(type).map(({ name, value }) => [name, value] as const)

/** A spawn by `owner` that names module and scheduler unless its tags do. */
export const spawn = ({ tags = [], ...fields }: Fields = {}): Message.Message => {
  const named = (name: string): Tags => (tags.some(([other]) => other === name) ? [] : [[name, id(name)]])
  return parsed(
    item({
      anchor: "spawn",
      ...fields,
      tags: [...protocol("Process"), ...named("Module"), ...named("Scheduler"), ...tags],
    }),
  )
}

let anchors = 0

/** A message to a process, with an anchor of its own unless it names one. */
export const message = (process: Id.ProcessId, { tags = [], ...fields }: Fields = {}): Message.Message =>
  parsed(
    item({
      anchor: `message ${anchors++}`,
      ...fields,
      target: Id.toBytes(process),
      tags: [...protocol("Message"), ...tags],
    }),
  )

/** An assign of `item` to a process, as it stands in the log. */
export const assign = (
  process: Id.ProcessId,
  of: Item.Item,
  { tags = [], ...fields }: Fields = {},
): Message.Message =>
  message(process, { owner: "bob", tags: [["Assign", of.id], ...tags], data: of.bytes, ...fields })

/** The message that an assign brings. */
export const assigned = (...args: Parameters<typeof assign>): Message.Message =>
  Result.getOrThrow(Assign.open(assign(...args)))
