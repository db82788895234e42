/** The content of `spec/vectors/inadmissible.json`: 03 §12. */
import { ed25519 } from "@noble/curves/ed25519.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { key, type Receipt, receipts, stranger, written } from "./makeOrder.ts"
import * as Reference from "./reference.ts"
import * as Log from "./referenceLog.ts"

const { base64, filler, flip, utf8 } = Reference
type Bytes = Reference.Bytes
type Tags = ReadonlyArray<readonly [name: string, value: string]>

interface Entry {
  readonly term: number
  readonly timestamp: number
  readonly item: Bytes
  readonly proof: Bytes
}

const nothing = new Uint8Array(0)
const start = 1_700_000_000_000

const signedBy = (name: string, fields: Omit<Reference.Fields, "type" | "owner">): Bytes => {
  const secret = filler(name, 32)
  const whole = { ...fields, type: 2, owner: ed25519.getPublicKey(secret) }
  return Reference.item(whole, ed25519.sign(Reference.signingHash(whole), secret))
}
const protocol = (type: "Message" | "Process"): Tags => [
  ["Data-Protocol", "ao"],
  ["Type", type],
  ["Variant", "heddle.1"],
]
const address = (owner: Bytes) => base64(sha256(owner))
const spawnBy = (scheduler: Bytes, extra: Tags = []) =>
  signedBy("ada", {
    anchor: filler("spawn", 32),
    tags: [
      ...protocol("Process"),
      ["Module", base64(filler("module", 32))],
      ["Scheduler", address(scheduler)],
      ...extra,
    ],
    data: nothing,
  })
const spawn = spawnBy(key.owner, [["Cron-Interval", "10-seconds"]])
const process = Log.itemId(spawn)
const say = (name: string, data: string, target = process, tags: Tags = []) =>
  signedBy(name, {
    target,
    anchor: filler(`anchor of ${data}`, 32),
    tags: [...protocol("Message"), ...tags],
    data: utf8(data),
  })

const at = (timestamp: number, item: Bytes, proof = nothing, term = 0): Entry => ({
  term,
  timestamp: start + timestamp,
  item,
  proof,
})

const assignments = (entries: ReadonlyArray<Entry>) => {
  let previous = Log.zero32
  return entries.map(({ term, timestamp, item, proof }, slot) => {
    const made = { process, term, slot, timestamp, entryHash: Log.entryHash(item, proof), previous }
    previous = Log.head(made)
    return made
  })
}

/** A receipt of the last of some entries, alone in batch 7. */
const receiptOf = (entries: ReadonlyArray<Entry>, by = key, context?: string): Receipt =>
  receipts(7, filler("root before", 32), [assignments(entries).at(-1)!], by, context)[0]!

const file = (receipt: Receipt, entries: ReadonlyArray<Entry>) => ({
  format: "heddle/inadmissible/2",
  receipt: written(receipt),
  entries: entries.map(({ term, timestamp, item, proof }) => ({
    term,
    timestamp,
    item: base64(item),
    proof: base64(proof),
  })),
})

export const inadmissible = () => {
  const first = at(0, spawn)
  const good = say("ada", "good")
  const begun = [first, at(1, good)]
  const forged = [...begun, at(2, flip(say("ada", "forged"), -1))]
  const emitted = Log.outboxItem(filler("source", 32), filler("head", 32), 0, {
    target: process,
    tags: protocol("Message"),
    data: utf8("emitted"),
  })
  const policy = say("bob", "policy", process, [
    ["Action", "Authority"],
    ["Authority", address(key.owner)],
  ])
  const theft = say("bob", "move", process, [
    ["Action", "Scheduler"],
    ["Scheduler", address(stranger.owner)],
    ["Term", "1"],
  ])
  const shown = (name: string, entries: ReadonlyArray<Entry>, reason: string) => ({
    name,
    file: file(receiptOf(entries), entries),
    shows: { scheduler: address(key.owner), process: base64(process), slot: entries.length - 1, reason },
    valid: true,
  })
  const refused = (name: string, fails: string, made: object) => ({ name, file: made, fails, valid: false })
  const receipt = receiptOf(forged)
  const elsewhere = [at(0, spawnBy(stranger.owner)), ...forged.slice(1)]
  const handOver = at(
    1,
    say("ada", "move", process, [
      ["Action", "Scheduler"],
      ["Scheduler", address(stranger.owner)],
      ["Term", "1"],
    ]),
  )
  const laterSpawn = [at(0, spawn, nothing, 1)]
  const begins = [first, at(1, good, nothing, 1)]
  const moved = [first, handOver, at(2, flip(say("ada", "forged"), -1), nothing, 1)]
  const late = [first, at(1, good), at(0, good)]
  return {
    comment:
      "Proofs of an inadmissible slot (spec 03 §12), as files. The scheduler's key is ML-DSA-44 of `scheduler` in order.json. " +
      "`shows`: what a valid one does; `fails`: the reason for which another is refused.",
    proofs: [
      shown("forged signature", forged, "bad signature"),
      shown("message that has a slot", [...begun, at(2, good)], "repeat"),
      shown(
        "anchor used for other content",
        [
          ...begun,
          at(
            2,
            signedBy("ada", {
              target: process,
              anchor: filler("anchor of good", 32),
              tags: protocol("Message"),
              data: utf8("other"),
            }),
          ),
        ],
        "anchor reused",
      ),
      shown(
        "message for another process",
        [...begun, at(2, say("ada", "x", filler("other", 32)))],
        "other process",
      ),
      shown("emitted, without a proof", [...begun, at(2, emitted)], "no proof"),
      shown("cron, a ms early", [...begun, at(9_999, Log.cronItem(process, "10-seconds", 1))], "timer early"),
      shown("move of somebody else", [...begun, at(2, theft)], "bad move"),
      shown("policy of somebody else", [...begun, at(2, policy)], "bad authority"),
      refused("slot that is admitted", "admissible", file(receiptOf(begun), begun)),
      refused("receipt of another slot", "chain", file(receiptOf(begun), forged)),
      refused("entry left out", "chain", file(receipt, [forged[0]!, forged[2]!])),
      refused(
        "entry that is another",
        "chain",
        file(receipt, [first, at(1, say("ada", "other")), forged[2]!]),
      ),
      refused("time that is another", "chain", file(receipt, [first, at(2, good), forged[2]!])),
      refused("time that goes back", "chain", file(receiptOf(late), late)),
      refused("spawn of a later term", "no spawn", file(receiptOf(laterSpawn), laterSpawn)),
      refused("term that nothing begins", "chain", file(receiptOf(begins), begins)),
      refused("old scheduler after it moved", "other scheduler", file(receiptOf(moved), moved)),
      refused("no entries", "chain", file(receipt, [])),
      refused("head that does not follow", "receipt", file({ ...receipt, head: filler("head", 32) }, forged)),
      refused("signed for another use", "signature", file(receiptOf(forged, key, "heddle/item/1"), forged)),
      refused("signed by another scheduler", "other scheduler", file(receiptOf(forged, stranger), forged)),
      refused("spawn that is another's", "no spawn", file(receiptOf(elsewhere), elsewhere)),
      refused("first entry that is no spawn", "no spawn", file(receiptOf([at(0, good)]), [at(0, good)])),
      refused("another format", "not a proof", { ...file(receipt, forged), format: "heddle/inadmissible/1" }),
      refused("a field besides", "not a proof", { ...file(receipt, forged), reason: "bad signature" }),
      refused("no receipt", "not a proof", { format: "heddle/inadmissible/2", entries: [] }),
    ],
  }
}
