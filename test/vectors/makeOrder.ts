/** The content of `spec/vectors/order.json`: chapter 03. */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Reference from "./reference.ts"
import * as Log from "./referenceLog.ts"

const { base64, filler, flip, hex, utf8 } = Reference
type Bytes = Reference.Bytes

export const key = Reference.mlDsaKey(1044, filler("scheduler", 32))
export const stranger = Reference.mlDsaKey(1044, filler("another scheduler", 32))

const shown = (of: Log.Assignment, head = Log.head(of)) => ({
  process: base64(of.process),
  term: of.term,
  slot: of.slot,
  timestamp: of.timestamp,
  entryHash: base64(of.entryHash),
  previous: base64(of.previous),
  head: base64(head),
})

/** Three entries of one process and one of another; the third has a proof and the time of the second. */
const entries = () => {
  const [process, other] = [filler("process", 32), filler("other process", 32)]
  const log = (
    process: Bytes,
    words: ReadonlyArray<readonly [item: string, proof: string, timestamp: number]>,
  ) => {
    let previous = Log.zero32
    return words.map(([text, proofText, timestamp], slot) => {
      const [item, proof] = [utf8(text), utf8(proofText)]
      const assignment = {
        process,
        term: 0,
        slot,
        timestamp,
        entryHash: Log.entryHash(item, proof),
        previous,
      }
      previous = Log.head(assignment)
      return { item, proof, assignment }
    })
  }
  return [
    ...log(process, [
      ["spawn", "", 1_700_000_000_000],
      ["message", "", 1_700_000_000_500],
      ["message of a process", "its proof", 1_700_000_000_500],
    ]),
    ...log(other, [["spawn of another", "", 1_700_000_000_500]]),
  ]
}

export interface Receipt {
  readonly link: {
    readonly number: number
    readonly previousRoot: Bytes
    readonly root: Bytes
    readonly type: number
    readonly owner: Bytes
    readonly signature: Bytes
  }
  readonly assignment: Log.Assignment
  readonly head: Bytes
  readonly index: number
  readonly path: ReadonlyArray<Bytes>
}

export const receipts = (
  number: number,
  previousRoot: Bytes,
  assignments: ReadonlyArray<Log.Assignment>,
  by = key,
  context = "heddle/batch/1",
): ReadonlyArray<Receipt> => {
  const leaves = assignments.map((one) => Log.leaf(one))
  const { root } = Reference.merkle(leaves, 0)
  const signature = by.sign(context, Log.link(number, previousRoot, root))
  return assignments.map((assignment, index) => ({
    link: { number, previousRoot, root, type: by.type, owner: by.owner, signature },
    assignment,
    head: Log.head(assignment),
    index,
    path: Reference.merkle(leaves, index).path,
  }))
}

export const written = ({ link, assignment, head, index, path }: Receipt) => ({
  link: {
    number: link.number,
    previousRoot: base64(link.previousRoot),
    root: base64(link.root),
    signatureType: link.type,
    owner: base64(link.owner),
    signature: base64(link.signature),
  },
  assignment: shown(assignment, head),
  index,
  path: path.map(base64),
})

/** Receipts by name; `holds` is whether one may be believed, and why not. */
const named = () => {
  const [spawn, message, emitted, other] = entries().map(({ assignment }) => assignment) as [
    Log.Assignment,
    Log.Assignment,
    Log.Assignment,
    Log.Assignment,
  ]
  const [first] = receipts(0, Log.zero32, [spawn]) as [Receipt]
  const [second, third, elsewhere] = receipts(1, first.link.root, [message, emitted, other]) as [
    Receipt,
    Receipt,
    Receipt,
  ]
  const alone = (number: number, assignment: Log.Assignment, by = key, context?: string) =>
    receipts(number, first.link.root, [assignment], by, context)[0]!
  const forkedMessage = { ...message, entryHash: Log.entryHash(utf8("another message"), new Uint8Array(0)) }
  const forgedHead = filler("forged head", 32)
  const forgedLeaf = Log.leaf(message, forgedHead)
  const forged = Reference.merkle([forgedLeaf], 0)
  const forgedLink = Log.link(4, first.link.root, forged.root)
  const good = {
    "first slot": first,
    "second slot": second,
    "third slot": third,
    "slot of another process": elsewhere,
    "second slot again, in batch 2": alone(2, message),
    "second slot forked, in batch 2": alone(2, forkedMessage),
    "second slot forked by its time alone, in batch 2": alone(2, {
      ...message,
      timestamp: message.timestamp + 1,
    }),
    "batch 1 again, with other assignments": alone(1, { ...other, slot: 1, previous: elsewhere.head }),
    "batch 1 again, after another batch": receipts(1, filler("another root", 32), [
      message,
      emitted,
      other,
    ])[2]!,
    "second slot of another term, in batch 2": alone(2, { ...message, term: 1 }),
    "second slot forked by another scheduler": alone(2, forkedMessage, stranger),
  }
  const bad: Readonly<Record<string, readonly [Receipt, string]>> = {
    "another slot": [{ ...second, assignment: { ...second.assignment, slot: 2 } }, "head"],
    "another time": [{ ...second, assignment: { ...second.assignment, timestamp: 1 } }, "head"],
    "another head": [{ ...second, head: forgedHead }, "head"],
    "another head, in the tree as well": [
      {
        ...second,
        head: forgedHead,
        index: 0,
        path: forged.path,
        link: {
          ...second.link,
          number: 4,
          root: forged.root,
          signature: key.sign("heddle/batch/1", forgedLink),
        },
      },
      "head",
    ],
    "another place": [{ ...second, index: 1 }, "path"],
    "a sibling another": [{ ...second, path: second.path.with(15, flip(second.path[15]!, 0)) }, "path"],
    "path of another leaf": [{ ...second, path: third.path }, "path"],
    "another root": [{ ...second, link: { ...second.link, root: flip(second.link.root, 31) } }, "path"],
    "another batch number": [{ ...second, link: { ...second.link, number: 2 } }, "signature"],
    "another previous root": [{ ...second, link: { ...second.link, previousRoot: Log.zero32 } }, "signature"],
    "signed by another": [
      { ...second, link: { ...second.link, signature: alone(1, message, stranger).link.signature } },
      "signature",
    ],
    "signed for another use": [alone(2, message, key, "heddle/item/1"), "signature"],
  }
  return { good, bad }
}

const equivocations = () => {
  const of = (name: string, first: string, second: string, kind?: "slot" | "batch") => ({
    name,
    first,
    second,
    ...(kind === undefined ? {} : { kind }),
    valid: kind !== undefined,
  })
  return [
    of("one slot, two messages", "second slot", "second slot forked, in batch 2", "slot"),
    of("one slot, two times", "second slot", "second slot forked by its time alone, in batch 2", "slot"),
    of(
      "a slot, and another head of the one before it",
      "third slot",
      "second slot forked, in batch 2",
      "slot",
    ),
    of("one batch number, two roots", "second slot", "batch 1 again, with other assignments", "batch"),
    of("one batch number, two roots before it", "second slot", "batch 1 again, after another batch", "batch"),
    of("one receipt twice", "second slot", "second slot"),
    of("two leaves of one batch", "second slot", "third slot"),
    of("one assignment in two batches", "second slot", "second slot again, in batch 2"),
    of("one slot of two terms", "second slot", "second slot of another term, in batch 2"),
    of("one slot, two schedulers", "second slot", "second slot forked by another scheduler"),
    of("two slots", "first slot", "third slot"),
  ]
}

/** One case a line of the table in 03 §4, at its boundary on both sides. */
const admission = () => {
  const unit = (name: string) => base64(filler(`unit ${name}`, 32))
  const source = filler("source", 32)
  const message = (type: "Message" | "Process", extra: Reference.Fields["tags"] = []) => ({
    tags: [["Data-Protocol", "ao"], ["Type", type], ["Variant", "heddle.1"], ...extra] as const,
    data: utf8("data"),
  })
  const spawnTags = [
    ["Module", base64(filler("module", 32))],
    ["Scheduler", base64(filler("scheduler address", 32))],
    ["Authority", unit("a")],
    ["Authority", unit("b")],
    ["Authority", unit("c")],
    ["Cron-Interval", "10-seconds"],
  ] as const
  const owner = filler("owner", 32)
  const signed = (fields: Omit<Reference.Fields, "type" | "owner">) =>
    Reference.item({ type: 2, owner, ...fields }, filler("signature", 64))
  const spawn = signed({ anchor: filler("anchor", 32), ...message("Process", spawnTags) })
  const process = Log.itemId(spawn)
  const said = signed({ anchor: filler("anchor", 32), target: process, ...message("Message") })
  const emit = (from: Bytes, fields: Omit<Reference.Fields, "type" | "owner">) =>
    Log.outboxItem(from, filler("head", 32), 0, fields)
  const emitted = emit(source, { target: process, ...message("Message") })
  const stood = emit(source, {
    target: process,
    ...message("Message", [
      ["Action", "Void"],
      ["Entry", base64(Log.itemId(emitted))],
      ["Content-Hash", base64(filler("content", 32))],
      ["Reason", "nobody is there"],
    ]),
  })
  const timer = emit(process, { target: process, ...message("Message") })
  const child = emit(source, message("Process", spawnTags))
  const unruly = signed({
    anchor: filler("anchor", 32),
    ...message("Process", [...spawnTags, ["Authority", unit("a")]]),
  })

  const spawnedAt = 1_700_000_000_000
  const nothing = { pairs: {}, cron: {}, authority: null }
  const empty = { spawn: null, nextSlot: 0, timestamp: 0, spawnedAt: 0, ...nothing }
  const log = { spawn: hex(spawn), nextSlot: 9, timestamp: spawnedAt, spawnedAt, ...nothing }
  const proven = (fields: object) => ({
    proven: {
      source: base64(source),
      kind: "message",
      pair: 1,
      due: 0,
      attestors: [unit("a"), unit("c")],
      ...fields,
    },
  })
  const own = { source: base64(process) }
  const cron = (count: number, name = "10-seconds") => Log.cronItem(process, name, count)
  const pairs = { ...log, pairs: { [base64(source)]: 4 } }
  const crons = { ...log, cron: { "10-seconds": 4 } }
  const two = { attestors: [unit("a"), unit("b")] }

  const changed = { ...log, authority: { units: [unit("d")], quorum: 1, since: 9 } }
  const believe = (tags: NonNullable<Reference.Fields["tags"]>, by = owner) =>
    Reference.item(
      {
        type: 2,
        owner: by,
        anchor: filler("anchor", 32),
        target: process,
        ...message("Message", [["Action", "Authority"], ...tags]),
      },
      filler("signature", 64),
    )
  const schedulerTag = spawnTags.find(([name]) => name === "Scheduler")![1]
  const move = (tags: NonNullable<Reference.Fields["tags"]>, by = owner) =>
    Reference.item(
      {
        type: 2,
        owner: by,
        anchor: filler("anchor", 32),
        target: process,
        ...message("Message", [["Action", "Scheduler"], ...tags]),
      },
      filler("signature", 64),
    )
  const to = (name: string, term: string) =>
    [
      ["Scheduler", unit(name)],
      ["Term", term],
    ] as const
  const moved = { ...log, term: 1, scheduler: base64(sha256(filler("other owner", 32))) }
  const ab = [
    ["Authority", unit("a")],
    ["Authority", unit("b")],
  ] as const

  const of = (
    line: number | string,
    name: string,
    decision: string,
    state: object,
    item: Bytes,
    {
      voucher = "signed",
      seen = null,
      at = spawnedAt,
      term,
      inForce,
      tenure,
    }: {
      voucher?: unknown
      seen?: string | null
      at?: number
      term?: number
      inForce?: object
      tenure?: object
    } = {},
  ) => ({
    line,
    name,
    state,
    item: hex(item),
    voucher,
    seen,
    timestamp: at,
    decision,
    ...(term === undefined ? {} : { term }),
    ...(inForce === undefined ? {} : { inForce }),
    ...(tenure === undefined ? {} : { tenure }),
    valid: decision === "admitted",
  })

  return [
    of(2, "message to a process that is not there", "unknown process", empty, said),
    of(3, "anchor used for other content", "anchor reused", log, said, { seen: "anchor reused" }),
    of(4, "message that has a slot", "repeat", log, said, { seen: "repeat" }),
    of(4, "spawn in a log that has one", "repeat", log, spawn),
    of(5, "spawn that names a unit twice", "bad spawn", empty, unruly),
    of("5d", "policy of somebody else", "bad authority", log, believe(ab, filler("another owner", 32))),
    of("5d", "policy without a unit", "bad authority", log, believe([])),
    of("5d", "policy of one unit twice", "bad authority", log, believe([ab[0], ab[0]])),
    of(
      "5d",
      "policy of half of its units",
      "bad authority",
      log,
      believe([...ab, ["Authority-Quorum", "1"]]),
    ),
    of(
      "5d",
      "policy of more units than it has",
      "bad authority",
      log,
      believe([...ab, ["Authority-Quorum", "3"]]),
    ),
    of("5d", "policy of a committee", "bad authority", log, believe([["Authority", "committee 3/5"]])),
    of("5e", "hand-over by somebody else", "bad move", log, move(to("d", "1"), filler("another owner", 32))),
    of("5e", "hand-over to nobody", "bad move", log, move([["Term", "1"]])),
    of("5e", "hand-over without a term", "bad move", log, move([["Scheduler", unit("d")]])),
    of("5e", "hand-over in the term that is", "bad move", log, move(to("d", "0"))),
    of("5e", "hand-over that leaves a term out", "bad move", log, move(to("d", "2"))),
    of(
      "5e",
      "hand-over to the scheduler that is",
      "bad move",
      log,
      move([
        ["Scheduler", schedulerTag],
        ["Term", "1"],
      ]),
    ),
    of(
      "5e",
      "takeover by the scheduler that is",
      "bad move",
      moved,
      move(to("d", "2"), filler("other owner", 32)),
      {
        term: 2,
      },
    ),
    of("5e", "takeover that leaves a term out", "bad move", log, move(to("d", "2")), { term: 2 }),
    of("5e", "takeover of the term after the next", "bad move", log, move(to("d", "1")), { term: 2 }),
    of("5e", "message in a term that nothing begins", "bad move", log, said, { term: 1 }),
    of(6, "hand-over by the owner", "admitted", log, move(to("d", "1")), {
      tenure: { term: 1, scheduler: unit("d") },
    }),
    of(
      6,
      "hand-over by the scheduler that is",
      "admitted",
      moved,
      move(to("d", "2"), filler("other owner", 32)),
      {
        tenure: { term: 2, scheduler: unit("d") },
      },
    ),
    of(6, "takeover by the owner", "admitted", log, move(to("d", "1")), {
      term: 1,
      tenure: { term: 1, scheduler: unit("d") },
    }),
    of(6, "spawn that a key signed", "admitted", empty, spawn, {
      inForce: { units: [unit("a"), unit("b"), unit("c")], quorum: 2, since: 0 },
    }),
    of(6, "policy of the owner", "admitted", log, believe(ab), {
      inForce: { units: two.attestors, quorum: 2, since: 10 },
    }),
    of(6, "policy of the owner, after another", "admitted", changed, believe([ab[0]]), {
      inForce: { units: [unit("a")], quorum: 1, since: 10 },
    }),
    of(6, "message that a key signed", "admitted", log, said),
    of(7, "emitted, without a proof", "no proof", log, emitted, { voucher: "none" }),
    of(7, "cron that the spawn does not name", "no proof", log, cron(1, "20-seconds"), {
      voucher: "none",
      at: spawnedAt + 60_000,
    }),
    of(8, "cron, the count admitted last", "cron out of order", crons, cron(4), {
      voucher: "none",
      at: spawnedAt + 60_000,
    }),
    of(9, "cron, a ms early", "timer early", log, cron(1), { voucher: "none", at: spawnedAt + 9_999 }),
    of(10, "cron, due", "admitted", log, cron(1), { voucher: "none", at: spawnedAt + 10_000 }),
    of(10, "cron, some counts missed", "admitted", crons, cron(6), {
      voucher: "none",
      at: spawnedAt + 60_000,
    }),
    of(11, "attested by one of the two units it takes", "not attested", log, emitted, {
      voucher: proven({ attestors: [unit("a")] }),
    }),
    of(11, "attested by one unit and by strangers", "not attested", log, emitted, {
      voucher: proven({ attestors: [unit("a"), unit("x"), unit("y")] }),
    }),
    of(11, "attested by units that it believed before", "not attested", changed, emitted, {
      voucher: proven({}),
    }),
    of(12, "message proven as a spawn", "bad proof", log, emitted, { voucher: proven({ kind: "spawn" }) }),
    of(12, "spawn proven as a message", "bad proof", empty, child, { voucher: proven({}) }),
    of(13, "timer of another process", "bad proof", log, timer, { voucher: proven({ kind: "timer" }) }),
    of(14, "timer, a ms early", "timer early", log, timer, {
      voucher: proven({ ...own, kind: "timer", due: spawnedAt + 5 }),
      at: spawnedAt + 4,
    }),
    of(15, "timer, due", "admitted", log, timer, {
      voucher: proven({ ...own, kind: "timer", due: spawnedAt + 5 }),
      at: spawnedAt + 5,
    }),
    of(15, "spawn by a process, attested by units that it names", "admitted", empty, child, {
      voucher: proven({ kind: "spawn", pair: 0 }),
    }),
    of(16, "void that names no message", "bad proof", pairs, emitted, {
      voucher: proven({ kind: "void", pair: 5 }),
    }),
    of(17, "pair number 0", "source forked", log, emitted, { voucher: proven({ pair: 0 }) }),
    of(17, "pair number 4 again", "source forked", pairs, emitted, { voucher: proven({ pair: 4 }) }),
    of(17, "void of pair number 4", "source forked", pairs, stood, {
      voucher: proven({ kind: "void", pair: 4 }),
    }),
    of(18, "pair number 2 first", "pair out of order", log, emitted, { voucher: proven({ pair: 2 }) }),
    of(18, "pair number 6 after 4", "pair out of order", pairs, emitted, { voucher: proven({ pair: 6 }) }),
    of(18, "void of pair number 6 after 4", "pair out of order", pairs, stood, {
      voucher: proven({ kind: "void", pair: 6 }),
    }),
    of(19, "pair number 1 first", "admitted", log, emitted, { voucher: proven({}) }),
    of(19, "attested by the unit that it believes now", "admitted", changed, emitted, {
      voucher: proven({ attestors: [unit("d")] }),
    }),
    of(19, "pair number 5 after 4", "admitted", pairs, emitted, { voucher: proven({ pair: 5, ...two }) }),
    of(19, "void of pair number 5 after 4", "admitted", pairs, stood, {
      voucher: proven({ kind: "void", pair: 5 }),
    }),
    of(4, "void of a message that was admitted", "repeat", pairs, stood, {
      voucher: proven({ kind: "void", pair: 4 }),
      seen: "repeat",
    }),
  ]
}

/** 04 §4: a policy as the metadata commits to it. */
const authorities = () =>
  [
    { units: ["a"], quorum: 1, since: 0 },
    { units: ["a", "b", "c"], quorum: 2, since: 10 },
    { units: ["c", "b", "a"], quorum: 2, since: 10 },
    { units: ["a", "b", "c"], quorum: 3, since: 10 },
    { units: ["a", "b", "c"], quorum: 2, since: 11 },
  ].map(({ units, quorum, since }) => {
    const named = units.map((unit) => filler(`unit ${unit}`, 32))
    const hash = Log.tagged(
      "heddle/authority/1",
      Reference.number(since, 8),
      Reference.number(quorum, 8),
      ...named,
    )
    return { units: named.map(base64), quorum, since, hash: hex(hash) }
  })

export const order = () => {
  const { good, bad } = named()
  return {
    comment:
      "Order (spec 03). `entries`: what is hashed, in hex, and the hashes. `receipts`: as JSON everywhere, the key is ML-DSA-44 " +
      "of `seed`; one that is not valid fails first at `fails`: the head, the path or the signature. `equivocations`: two of " +
      "the valid receipts by name. `admission`: state, candidate, timestamp and decision by the line of 03 §4; `term`, that of the " +
      "assignment where it is not the log's; `inForce`, whom the process believes after it; `tenure`, who schedules it then. `authorities`: policies as metadata hashes them (04 §4).",
    secrets: { scheduler: hex(key.seed), "another scheduler": hex(stranger.seed) },
    entries: entries().map(({ item, proof, assignment }) => ({
      item: hex(item),
      proof: hex(proof),
      assignment: shown(assignment),
      leaf: hex(Log.leaf(assignment)),
    })),
    receipts: [
      ...Object.entries(good).map(([name, receipt]) => ({ name, receipt: written(receipt), valid: true })),
      ...Object.entries(bad).map(([name, [receipt, fails]]) => ({
        name,
        receipt: written(receipt),
        fails,
        valid: false,
      })),
    ],
    equivocations: equivocations(),
    admission: admission(),
    authorities: authorities(),
  }
}
