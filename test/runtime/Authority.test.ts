import { describe, expect, it } from "vitest"
import * as fc from "fast-check"
import * as Result from "effect/Result"
import * as Authority from "../../runtime/Authority.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import * as Process from "../../runtime/Process.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { id, hash } = Unsigned
const [a, b, c] = [id("unit a"), id("unit b"), id("unit c")]
const process = Result.getOrThrow(Process.fromSpawn(Unsigned.spawn({ owner: "ada" })))
const bob = Unsigned.message(process.id, { owner: "bob" }).from

const tagged = (units: ReadonlyArray<string>, quorum?: string): Unsigned.Tags => [
  ...units.map((unit) => ["Authority", unit] as const),
  ...(quorum === undefined ? [] : [["Authority-Quorum", quorum] as const]),
]
const parse = (tags: Unsigned.Tags, otherwise: ReadonlyArray<string> = []) =>
  Authority.parse(
    tags.map(([name, value]) => ({ name, value })),
    otherwise.map((unit) => unit as typeof a), // ids of this file
  )
const refusal = (...given: Parameters<typeof parse>): string =>
  Result.match(parse(...given), { onFailure: ({ message }) => message, onSuccess: () => "it is taken" })

const says = ["Action", "Authority"] as const
const said = (owner: string, ...tags: Unsigned.Tags) =>
  Authority.read(process, Unsigned.message(process.id, { owner, tags }))

describe("a policy", () => {
  it("names units in their order, and takes more than half of them where it does not say how many", () => {
    const quorums = [[a], [a, b], [a, b, c]].map((units) => Result.getOrThrow(parse(tagged(units))))
    expect(quorums).toEqual([
      { units: [a], quorum: 1 },
      { units: [a, b], quorum: 2 },
      { units: [a, b, c], quorum: 2 },
    ])
    expect(Result.getOrThrow(parse([], [c, a]))).toEqual({ units: [c, a], quorum: 2 })
    expect(Result.getOrThrow(parse(tagged([b]), [c, a]))).toEqual({ units: [b], quorum: 1 })
  })

  it("is refused unless more than half of its units and at most all have to attest", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Limit.tagsMax - 1 }), fc.nat({ max: 200 }), (count, quorum) => {
        const units = Array.from({ length: count }, (_, i) => id(`unit ${i}`))
        const taken = Result.isSuccess(parse(tagged(units, String(quorum))))
        expect(taken).toBe(quorum > count / 2 && quorum <= count)
      }),
      {
        examples: [
          [4, 2],
          [4, 3],
          [3, 4],
          [1, 0],
        ],
      },
    )
    for (const text of ["02", "0x2", "2.0", "two", " 2"])
      expect(refusal(tagged([a, b, c], text))).toBe(
        'tag "Authority-Quorum": must be more than half of the 3 units named and at most all',
      )
  })

  it("is refused without a unit, with one that is none, and with one twice", () => {
    expect(refusal([])).toBe('tag "Authority": names no unit; it takes addresses, one a tag')
    expect(refusal(tagged([a, "somebody"]))).toBe('tag "Authority": takes addresses, each once')
    expect(refusal(tagged([a, b, a]))).toBe('tag "Authority": takes addresses, each once')
  })

  it("of a committee is reserved, and refused by that name at the spawn and later", () => {
    const words = '"committee 3/5" is reserved and not drawn in this version; name units by their addresses'
    expect(refusal(tagged(["committee 3/5"]))).toBe(`tag "Authority": ${words}`)
    const spawn = Process.fromSpawn(Unsigned.spawn({ tags: tagged(["committee 3/5"]) }))
    expect(Result.isFailure(spawn) && spawn.failure.message).toContain(words)
    expect(Result.isFailure(said("ada", says, ...tagged(["committee 3/5"])))).toBe(true)
  })

  it("believes who has enough of its units, each counted once and strangers not at all", () => {
    const policy = { units: [a, b, c], quorum: 2 }
    expect(Authority.believes(policy, [a, c])).toBe(true)
    expect(Authority.believes(policy, [b, a, c])).toBe(true)
    expect(Authority.believes(policy, [a, a, a])).toBe(false)
    expect(Authority.believes(policy, [a, id("x"), id("y")])).toBe(false)
    expect(Authority.believes(policy, [])).toBe(false)
  })

  it("is hashed with the slot since which it holds, its quorum and its units in their order", () => {
    const policy = { units: [a, b], quorum: 2, since: 7 }
    expect(Authority.hash(policy)).toEqual(
      Hash.tagged("heddle/authority/1", Bytes.u64(7), Bytes.u64(2), hash("unit a"), hash("unit b")),
    )
  })
})

describe("a word about the policy", () => {
  it("is the owner's, to the process itself", () => {
    expect(said("ada", says, ...tagged([a, b], "2"))).toEqual(Result.succeed({ units: [a, b], quorum: 2 }))
  })

  it("of anybody else is refused, whatever it says", () => {
    const refused = said("bob", says, ...tagged([a]))
    expect(Result.isFailure(refused) && refused.failure.message).toBe(
      `tag "Action": only the process's owner ${process.owner} says whom it believes, not ${bob}`,
    )
  })

  it("names its units: those of Compute are no default", () => {
    expect(Result.isFailure(said("ada", says))).toBe(true)
  })

  it("is no other message, no spawn, and nothing that was said elsewhere", () => {
    const nothing = Result.succeed(undefined)
    expect(said("ada", ["Action", "authority"], ...tagged([a]))).toEqual(nothing)
    expect(said("ada", ...tagged([a]))).toEqual(nothing)
    expect(Authority.read(process, Unsigned.spawn({ owner: "ada", tags: [says] }))).toEqual(nothing)
    for (const owner of ["ada", "bob"]) {
      const elsewhere = Unsigned.message(id("another process"), { owner, tags: [says, ...tagged([a])] })
      const carried = Unsigned.assigned(process.id, elsewhere.item)
      expect(Authority.read(process, carried)).toEqual(nothing)
    }
  })

  it("is the owner's when somebody else assigns it", () => {
    const word = Unsigned.message(process.id, { owner: "ada", tags: [says, ...tagged([a])] })
    const carried = Unsigned.assigned(process.id, word.item, { owner: "bob" })
    expect(Message.logged(carried).id).not.toBe(word.id)
    expect(Authority.read(process, carried)).toEqual(Result.succeed({ units: [a], quorum: 1 }))
  })
})
