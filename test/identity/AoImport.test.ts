/** A schedule of AO as a process that can be looked at: what is recorded comes out, and what does not fit is named. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AoSchedule from "../../identity/AoSchedule.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as AoAssignment from "../../runtime/AoAssignment.ts"
import * as Bundle from "../../runtime/Bundle.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Id from "../../runtime/Id.ts"
import type * as Item from "../../runtime/Item.ts"
import * as Caller from "../support/Caller.ts"
import { id } from "../support/Unsigned.ts"
import { describeShared } from "../vectors/shared.ts"

interface Recorded {
  readonly nonce: number
  readonly timestamp: number
  readonly hashChain: string
  readonly assignment: string
  readonly message?: string
  readonly valid: boolean
  readonly item: string
}

interface File {
  readonly process: string
  readonly entries: ReadonlyArray<Recorded>
}

const read = (file: unknown) => AoSchedule.read(JSON.stringify(file))

/** Where and what the first thing is that does not fit. */
const finding = (file: unknown): string => {
  const found = read(file)
  if (Result.isSuccess(found)) return "fits"
  const { slot, what, detail } = found.failure
  assert.isAbove(detail.length, 0)
  return `${slot ?? "file"} ${what}`
}

describeShared("a real AO schedule, imported", "ao-schedule.json", (file: File) => {
  const { process, entries } = file
  const schedule = Result.getOrThrow(read(file))

  it("has the process, the slots, the ids and the chain that were recorded, in their order", () => {
    assert.strictEqual(schedule.process, process)
    assert.strictEqual(schedule.signatures, 78)
    assert.deepStrictEqual(
      schedule.slots.map(({ slot, timestamp, chain, assignment, item }) => ({
        nonce: slot,
        timestamp,
        hashChain: Bytes.toBase64Url(chain),
        assignment,
        message: item?.id,
      })),
      entries.map(({ nonce, timestamp, hashChain, assignment, message }) => ({
        nonce,
        timestamp,
        hashChain,
        assignment,
        message,
      })),
    )
  })

  it("has the blocks, who spoke, and the ids of messages that stand elsewhere", () => {
    assert.deepStrictEqual([...new Set(schedule.slots.map(({ blockHeight }) => blockHeight))], [1_522_898])
    assert.strictEqual(schedule.scheduler, "mx8zvkz0jWNwAiBnBqkGcZqqfcFYptbrL4RIKMd4anc")
    assert.strictEqual(schedule.schedulerNamed, "_GQ33BkPtZrqxA84vM8Zk-N2aO0toNNu_C-l-rawrBA")
    const senders = schedule.slots.filter(({ item }) => item !== undefined).map(({ from }) => from)
    assert.strictEqual(senders.length, 16)
    assert.deepStrictEqual([...new Set(senders)], ["TZ7o7SIZ06ZEJ14lXwVtng1EtSx60QkPy-kh-kdAXog"])
    const elsewhere = schedule.slots.filter(({ item }) => item === undefined)
    assert.deepStrictEqual(new Set(elsewhere.map(({ message }) => message)).size, 1)
    assert.strictEqual(elsewhere[0]!.message, "clvz3ehb8NzG9zbW_U_oQ5-1eARbsuErxEdG4twiC-0")
  })

  it("names each field that is recorded as another than its bytes say", () => {
    const other = Id.fromBytes(new Uint8Array(32).fill(7))
    let flipped = 0
    for (const [place, entry] of entries.entries()) {
      for (const [name, value] of Object.entries(entry)) {
        if (name === "item") continue
        const bent = typeof value === "number" ? value + 1 : typeof value === "boolean" ? !value : other
        const bad = entries.with(place, { ...entry, [name]: bent })
        assert.strictEqual(finding({ process, entries: bad }), `${place} ${name}`)
        flipped += 1
      }
    }
    assert.strictEqual(flipped, 31 * 5 + 16)
    assert.strictEqual(finding({ process: other, entries }), "0 process")
    assert.strictEqual(finding({ process: "x", entries }), "file process")
  })

  it("finds a flipped bit wherever it stands in an item", () => {
    const found: Record<string, number> = {}
    let flipped = 0
    for (const place of [0, 3, 5, 30]) {
      const entry = entries[place]!
      const bytes = Bytes.fromBase64Url(entry.item)!
      // The fields of the wrapper, its bundle's table, and places all over the items inside.
      const inside = Array.from({ length: 8 }, (_, i) => 1_120 + Math.floor((i * (bytes.length - 1_121)) / 7))
      for (const at of [0, 2, 513, 514, 1_025, 1_026, 1_027, 1_060, ...inside]) {
        const bad = Bytes.copy(bytes)
        bad[at]! ^= 1
        const what = finding({
          process,
          entries: entries.with(place, { ...entry, item: Bytes.toBase64Url(bad) }),
        })
        assert.isTrue(what.startsWith(`${place} `), what)
        found[what.slice(what.indexOf(" ") + 1)] = (found[what.slice(what.indexOf(" ") + 1)] ?? 0) + 1
        flipped += 1
      }
    }
    assert.strictEqual(flipped, 4 * 16)
    assert.includeMembers(Object.keys(found), ["item", "nonce", "scheduler", "signature of the item"])
  })

  it("is not a schedule where an entry is missing, moved, twice or cut out at the beginning", () => {
    const at = (...places: ReadonlyArray<number>) => ({ process, entries: places.map((n) => entries[n]!) })
    assert.strictEqual(finding(at(0, 1, 2)), "fits")
    assert.strictEqual(finding(at(0, 2)), "1 nonce")
    assert.strictEqual(finding(at(0, 2, 1)), "1 nonce")
    assert.strictEqual(finding(at(0, 1, 1)), "2 nonce")
    assert.strictEqual(finding(at(1, 2)), "0 nonce")
  })

  it("gives any item in it by its id, whatever else is wrong", () => {
    const text = JSON.stringify({ process, entries: [{ item: "?" }, ...entries] })
    const { message, assignment } = entries[3]!
    const found = (name: string) => Result.getOrThrow(AoSchedule.find(text, Id.parse(name)!))?.id
    assert.strictEqual(found(message!), message)
    assert.strictEqual(found(assignment), assignment)
    assert.strictEqual(found(id("none")), undefined)
  })
})

const scheduler = Caller.caller("ao scheduler").signer
const ada = Caller.caller("ada").signer

const sign = (signer: typeof ada, tags: Record<string, string>, data = Bytes.empty): Item.Item =>
  Effect.runSync(
    Effect.orDie(
      SignedItem.sign(signer, { tags: Object.entries(tags).map(([name, value]) => ({ name, value })), data }),
    ),
  )

const spawn = sign(ada, { "Data-Protocol": "ao", Type: "Process" })
const message = sign(ada, { "Data-Protocol": "ao", Type: "Message" })

/** An entry of a schedule that is signed as it should be, whatever it says. */
const entry = (tags: Record<string, string>, carried: Item.Item | undefined, by = scheduler, holder = by) => {
  const assignment = sign(by, {
    Type: "Assignment",
    Process: spawn.id,
    Epoch: "0",
    "Block-Height": "0005",
    ...tags,
  })
  const items = carried === undefined ? [assignment] : [assignment, carried]
  const wrapper = sign(holder, { "Bundle-Format": "binary" }, Bundle.encode(items))
  return { assignment, json: { item: Bytes.toBase64Url(wrapper.bytes) } }
}

const chain0 = AoAssignment.firstChain(spawn.id)
const first = entry({ Nonce: "0", Timestamp: "10", "Hash-Chain": Bytes.toBase64Url(chain0) }, spawn)
const chain1 = Bytes.toBase64Url(AoAssignment.nextChain(chain0, first.assignment.id))
const second = { Nonce: "1", Timestamp: "11", "Hash-Chain": chain1, Message: message.id }

const after = (
  tags: Record<string, string>,
  ...rest: [(Item.Item | undefined)?, typeof ada?, typeof ada?]
) => {
  const [carried = message, by, holder] = rest
  return finding({
    process: spawn.id,
    entries: [first.json, entry({ ...second, ...tags }, carried, by, holder).json],
  })
}

describe("a scheduler of AO that signs what does not follow", () => {
  it("is told by name, for each thing that has to follow", () => {
    assert.strictEqual(after({}), "fits")
    assert.strictEqual(after({ "Hash-Chain": Bytes.toBase64Url(chain0) }), "1 hash chain")
    assert.strictEqual(after({ Process: id("other") }), "1 process")
    assert.strictEqual(after({ Nonce: "2" }), "1 nonce")
    assert.strictEqual(after({ Timestamp: "9" }), "1 timestamp")
    assert.strictEqual(after({ "Block-Height": "4" }), "1 blockHeight")
    assert.strictEqual(after({ Message: id("other") }), "1 message")
    assert.strictEqual(after({ Message: "x" }), "1 tag")
    assert.strictEqual(after({ Nonce: "one" }), "1 tag")
    assert.strictEqual(after({ Type: "Message" }), "1 tag")
    assert.strictEqual(after({}, message, ada), "1 scheduler")
    assert.strictEqual(after({}, message, scheduler, ada), "1 scheduler")
  })

  it("is told of a beginning that is not the spawn", () => {
    const begins = (tags: Record<string, string>, carried: Item.Item | undefined) => {
      const said = { Nonce: "0", Timestamp: "10", "Hash-Chain": Bytes.toBase64Url(chain0), ...tags }
      return finding({ process: spawn.id, entries: [entry(said, carried).json] })
    }
    assert.strictEqual(begins({}, spawn), "fits")
    assert.strictEqual(begins({}, message), "0 message")
    assert.strictEqual(begins({ Message: spawn.id }, undefined), "0 message")
    assert.strictEqual(begins({}, undefined), "0 message")
    assert.strictEqual(begins({ Epoch: "1" }, spawn), "0 epoch")
  })

  it("is told of a message or an assignment whose signature is not good", () => {
    const forged = (item: Item.Item, tag: string): Item.Item => {
      const bytes = Bytes.copy(item.bytes)
      bytes[Bytes.view(bytes).lastIndexOf(tag) + tag.length - 1]! ^= 2
      return { ...item, bytes }
    }
    assert.strictEqual(after({}, forged(message, "Message")), "1 signature of the message")
    const { assignment } = entry(second, message)
    const wrapper = sign(scheduler, {}, Bundle.encode([forged(assignment, "0005"), message]))
    const entries = [first.json, { item: Bytes.toBase64Url(wrapper.bytes) }]
    assert.strictEqual(finding({ process: spawn.id, entries }), "1 signature of the assignment")
  })
})

describe("a file that is no schedule", () => {
  it("is told what it lacks", () => {
    const file = (text: string) => {
      const found = AoSchedule.read(text)
      return Result.isFailure(found) ? found.failure.what : "fits"
    }
    assert.strictEqual(file(""), "file")
    assert.strictEqual(file("[]"), "file")
    assert.strictEqual(file('{"edges": []}'), "file")
    assert.strictEqual(file("{}"), "process")
    assert.strictEqual(file(JSON.stringify({ process: spawn.id })), "entries")
    assert.strictEqual(file(JSON.stringify({ process: spawn.id, entries: [] })), "entries")
    assert.strictEqual(file(JSON.stringify({ process: spawn.id, entries: [1] })), "entries")
    assert.strictEqual(file(JSON.stringify({ process: spawn.id, entries: [{}] })), "item")
    assert.strictEqual(file(JSON.stringify({ process: spawn.id, entries: [{ item: "AA" }] })), "item")
  })
})
