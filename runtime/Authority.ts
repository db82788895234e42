/**
 * Authority: whose word about *other* processes one believes (spec 03 §4). The spawn names the first policy; after that
 * a message of the process's owner puts another in force from the next slot on.
 *
 *     slot 7: "Action: Authority", "Authority: A", "Authority: B", "Authority-Quorum: 2"
 *     a proof in slot 7 is counted by the policy before; from slot 8 on both A and B have to attest
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import * as Id from "./Id.ts"
import type * as Message from "./Message.ts"
import * as Tag from "./Tag.ts"

/** At least `quorum` of `units` have to attest. */
export interface Authority {
  readonly units: ReadonlyArray<Id.Address>
  readonly quorum: number
}

/** A policy with the first slot that it counts for. */
export interface InForce extends Authority {
  readonly since: number
}

export class AuthorityInvalid extends Data.TaggedError("AuthorityInvalid")<{
  readonly tag: string
  readonly detail: string
}> {
  override get message(): string {
    return `tag "${this.tag}": ${this.detail}`
  }
}

const fail = (tag: string, detail: string) => Result.fail(new AuthorityInvalid({ tag, detail }))

/** The form that is kept for a committee drawn by the ledger, as it would stand in the tag. */
const committee = /^committee\b/

/** Reads a policy from tags. `otherwise` are the units of one that names none. */
export const parse = (
  tags: ReadonlyArray<Tag.Tag>,
  otherwise: ReadonlyArray<Id.Address>,
): Result.Result<Authority, AuthorityInvalid> => {
  const named: Array<Id.Address> = []
  for (const { name, value } of tags) {
    if (name !== "Authority") continue
    if (committee.test(value))
      return fail(name, `"${value}" is reserved and not drawn in this version; name units by their addresses`)
    const unit = Id.parse(value)
    if (unit === undefined || named.includes(unit)) return fail(name, "takes addresses, each once")
    named.push(unit)
  }
  const units = named.length > 0 ? named : otherwise
  if (units.length === 0) return fail("Authority", "names no unit; it takes addresses, one a tag")
  const smallest = Math.floor(units.length / 2) + 1
  const quorum = Tag.count(Tag.value(tags, "Authority-Quorum") ?? String(smallest))
  if (quorum === undefined || quorum < smallest || quorum > units.length)
    return fail(
      "Authority-Quorum",
      `must be more than half of the ${units.length} units named and at most all`,
    )
  return Result.succeed({ units, quorum })
}

/** The policy that a message to a process puts in force; none where it is a message like any other. */
export const read = (
  { id, owner }: { readonly id: Id.ProcessId; readonly owner: Id.Address },
  message: Message.Message,
): Result.Result<Authority | undefined, AuthorityInvalid> => {
  // What its owner said to another process can be assigned to this one, and is no word about it.
  if (message.kind !== "Message" || message.target !== id || message.action !== "Authority")
    return Result.succeed(undefined)
  if (message.from !== owner)
    return fail("Action", `only the process's owner ${owner} says whom it believes, not ${message.from}`)
  return parse(message.item.tags, [])
}

/** Whether enough of the units that it takes are among those who attested. */
export const believes = ({ units, quorum }: Authority, attestors: ReadonlyArray<Id.Address>): boolean =>
  units.filter((unit) => attestors.includes(unit)).length >= quorum

/** As the metadata commits to it (spec 04 §4). */
export const hash = ({ since, quorum, units }: InForce): Uint8Array =>
  Hash.tagged("heddle/authority/1", Bytes.u64(since), Bytes.u64(quorum), ...units.map(Id.toBytes))
