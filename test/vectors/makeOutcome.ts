/** The content of `spec/vectors/outcome.json`: chapter 04, outcomes and attestations. */
import * as Reference from "./reference.ts"
import * as Log from "./referenceLog.ts"

const { base64, filler, hex, utf8 } = Reference

const message = filler("message", 32)
const item = Log.outboxItem(Log.all("33"), Log.all("44"), 0, {
  target: Log.all("55"),
  tags: [
    ["Data-Protocol", "ao"],
    ["Type", "Message"],
    ["Variant", "heddle.1"],
    ["Action", "Hi"],
  ],
  data: utf8("hello"),
})
const entry: Log.Entry = { kind: "message", pair: 1, due: 0, item }
const bare: Log.Outcome = { slot: 4, message, fuelUsed: 0n, replies: [], views: [], outbox: [] }
const [reply, view] = [
  { to: message, value: "5" },
  { name: "count", value: "5" },
]

const outcomes: Readonly<Record<string, Log.Outcome>> = {
  "the spec's example": {
    slot: 0,
    message: Log.itemId(item),
    fuelUsed: 1_000n,
    replies: [{ to: Log.itemId(item), value: "5" }],
    views: [view],
    outbox: [entry],
  },
  "nothing happened": bare,
  "fuel up to 2^63": { ...bare, fuelUsed: 2n ** 63n },
  "an error": { ...bare, error: { reason: "threw", message: "no" } },
  "an error without words": { ...bare, error: { reason: "threw", message: "" } },
  "out of fuel": { ...bare, error: { reason: "out of fuel", message: "no" } },
  inadmissible: { ...bare, error: { reason: "inadmissible", message: "no proof" } },
  "a reply": { ...bare, replies: [reply] },
  "a reply that is an error": { ...bare, replies: [{ to: message, error: "5" }] },
  "two replies": { ...bare, replies: [reply, { to: filler("earlier message", 32), value: "null" }] },
  "a view": { ...bare, views: [view] },
  "a view taken away": { ...bare, views: [{ name: "count", value: null }] },
  "a view of no text": { ...bare, views: [{ name: "count", value: "" }] },
  "views in another order": { ...bare, views: [view, { name: "a", value: "1" }] },
  "views in order": { ...bare, views: [{ name: "a", value: "1" }, view] },
  "text that is not ASCII": { ...bare, views: [{ name: "Größe", value: '"🧵"' }] },
  "a message sent": { ...bare, outbox: [entry] },
  "its pair number another": { ...bare, outbox: [{ ...entry, pair: 2 }] },
  "a spawn": { ...bare, outbox: [{ ...entry, kind: "spawn", pair: 0 }] },
  "a timer": { ...bare, outbox: [{ ...entry, kind: "timer", pair: 0, due: 1_700_000_000_000 }] },
  "a void": { ...bare, outbox: [{ ...entry, kind: "void" }] },
  "a slot that a void has": { ...bare, error: { reason: "void", message: "no" } },
  "three entries": { ...bare, outbox: [entry, { ...entry, kind: "spawn", pair: 0 }, { ...entry, pair: 2 }] },
}

const shown = (outcome: Log.Outcome) => ({
  slot: outcome.slot,
  message: base64(outcome.message),
  error: outcome.error ?? null,
  fuelUsed: String(outcome.fuelUsed),
  replies: outcome.replies.map(({ to, ...said }) => ({ to: base64(to), ...said })),
  views: outcome.views,
  outbox: outcome.outbox.map((one) => ({ ...one, item: hex(one.item) })),
})

const point = (slot: number): Log.Point => ({
  slot,
  head: filler(`head ${slot}`, 32),
  stateRoot: filler(`state ${slot}`, 32),
})

const attestation: Log.Attestation = {
  engine: filler("engine", 32),
  process: filler("process", 32),
  term: 0,
  from: point(3),
  to: point(5),
  outcomeRoot: filler("outcomes", 32),
}

const other = filler("other", 32)
/** Whether it contradicts the first of them. */
const attestations: ReadonlyArray<readonly [name: string, Log.Attestation, contradicts: boolean]> = [
  ["an attestation", attestation, false],
  ["from the beginning", { ...attestation, from: Log.origin }, false],
  ["another engine", { ...attestation, engine: other }, false],
  ["another process", { ...attestation, process: other }, false],
  ["from another slot", { ...attestation, from: { ...point(3), slot: 2 } }, false],
  ["from another head", { ...attestation, from: { ...point(3), head: other } }, false],
  ["from another state", { ...attestation, from: { ...point(3), stateRoot: other } }, false],
  ["to another head", { ...attestation, to: { ...point(5), head: other } }, false],
  ["to another state", { ...attestation, to: { ...point(5), stateRoot: other } }, true],
  ["to another slot of the same head", { ...attestation, to: { ...point(5), slot: 6 } }, true],
  ["other outcomes", { ...attestation, outcomeRoot: other }, true],
  ["another term", { ...attestation, term: 1 }, true],
]

const shownPoint = ({ slot, head, stateRoot }: Log.Point) => ({
  slot,
  head: base64(head),
  stateRoot: base64(stateRoot),
})

export const outcome = () => {
  const leaves = attestations.map(([, one]) => Log.attestationLeaf(one))
  const { root } = Reference.merkle(leaves, 0)
  return {
    comment:
      "Outcomes (spec 04 §3) and attestations (04 §6): what is hashed, with ids in base64url and items in hex, and the hashes in " +
      "hex; no two are equal. `contradicts`: whether an attestation contradicts the first. `root` is over all of them in order, " +
      "`signed` is what a unit signs for it.",
    outcomes: Object.entries(outcomes).map(([name, one]) => ({
      name,
      outcome: shown(one),
      entries: one.outbox.map((entry) => hex(Log.entryValue(entry))),
      outboxRoot: hex(Log.outboxRoot(one.outbox)),
      bodyHash: hex(Log.bodyHash(one)),
      hash: hex(Log.outcomeHash(one)),
    })),
    attestations: attestations.map(
      ([name, { engine, process, term, from, to, outcomeRoot }, contradicts], i) => ({
        name,
        attestation: {
          engine: base64(engine),
          process: base64(process),
          term,
          from: shownPoint(from),
          to: shownPoint(to),
          outcomeRoot: base64(outcomeRoot),
        },
        leaf: hex(leaves[i]!),
        contradicts,
      }),
    ),
    root: hex(root),
    signed: hex(Log.attestationsSigned(root)),
  }
}
