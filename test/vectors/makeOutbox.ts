/** The content of `spec/vectors/outbox.json`: chapter 05, outbox proofs and cron messages. */
import * as Reference from "./reference.ts"
import * as Log from "./referenceLog.ts"

const { base64, filler, flip, hex, join, number, utf8 } = Reference
type Bytes = Reference.Bytes

const units = ["first", "second"].map((name) => Reference.mlDsaKey(1044, filler(`${name} unit`, 32)))
const [source, target] = [filler("source", 32), filler("target", 32)]
const headOf = (slot: number) => filler(`head ${slot}`, 32)

const tags = (type: "Message" | "Process") =>
  [
    ["Data-Protocol", "ao"],
    ["Type", type],
    ["Variant", "heddle.1"],
  ] as const

interface Emitted {
  readonly item: Bytes
  readonly proof: Log.Proof
}

/** A turn at slot 6 of slots 5 to 7 attested, or to 6 where it is the last. */
const turn = (to: number): ReadonlyArray<Emitted> => {
  const item = (index: number, type: "Message" | "Process", to?: Bytes) =>
    Log.outboxItem(source, headOf(6), index, {
      ...(to === undefined ? {} : { target: to }),
      tags: [...tags(type), ...(index === 0 ? [["Reference", "5"] as const] : [])],
      data: utf8(`entry ${index}`),
    })
  const outbox: ReadonlyArray<Log.Entry> = [
    { kind: "message", pair: 3, due: 0, item: item(0, "Message", target) },
    { kind: "spawn", pair: 0, due: 0, item: item(1, "Process") },
    { kind: "timer", pair: 0, due: 1_700_000_000_000, item: item(2, "Message", source) },
    { kind: "void", pair: 2, due: 0, item: item(3, "Message", target) },
  ]
  const outcome = (slot: number): Log.Outcome => ({
    slot,
    message: filler(`message ${slot}`, 32),
    fuelUsed: 1_000n,
    replies: [],
    views: [],
    outbox: slot === 6 ? outbox : [],
  })
  const outcomes = Array.from({ length: to - 4 }, (_, i) => outcome(5 + i))
  const hashes = outcomes.map(Log.outcomeHash)
  const { root, path } = Reference.merkle(hashes, 1)
  const point = (slot: number): Log.Point => ({
    slot,
    head: headOf(slot),
    stateRoot: filler(`state ${slot}`, 32),
  })
  const attestation = {
    engine: filler("engine", 32),
    process: source,
    term: 0,
    from: point(4),
    to: point(to),
    outcomeRoot: root,
  }
  const leaves = [filler("another attestation", 32), Log.attestationLeaf(attestation)]
  const signed = Reference.merkle(leaves, 1)
  const witnesses = units.map(({ type, owner, sign }) => ({
    index: 1,
    path: signed.path,
    type,
    owner,
    signature: sign("heddle/attestation/1", Log.attestationsSigned(signed.root)),
  }))
  return outbox.map((entry, index) => ({
    item: entry.item,
    proof: {
      version: 1,
      slot: 6,
      index,
      kind: index,
      pair: entry.pair,
      due: entry.due,
      entryPath: Reference.merkle(outbox.map(Log.entryValue), index).path,
      bodyHash: Log.bodyHash(outcomes[1]!),
      outcomePath: path,
      attestation,
      witnesses,
    },
  }))
}

/** A void in the place of an item, or with other tags where they are given. */
const voidItem = (given: Bytes, content: Bytes, said?: ReadonlyArray<readonly [string, string]>) =>
  Log.outboxItem(source, headOf(9), 0, {
    target,
    tags: [
      ...tags("Message"),
      ["Action", "Void"],
      ...(said ?? [
        ["Entry", base64(Log.itemId(given))],
        ["Content-Hash", base64(content)],
        ["Reason", "nobody is there"],
      ]),
    ],
    data: new Uint8Array(0),
  })

/** The content hash of an outbox item ends its signature field. */
const contentOf = (item: Bytes): Bytes => item.slice(2 + 115 - 32, 2 + 115)

const repeats = (given: Bytes) => {
  const content = contentOf(given)
  const stands = voidItem(given, content)
  const unnamed = voidItem(given, content, [["Entry", base64(Log.itemId(given))]])
  // Only the kind is read of these proofs.
  const proof = (kind: number): Bytes => join(number(1, 1), number(9, 8), number(0, 4), number(kind, 1))
  const of = (name: string, item: Bytes, kind: number, key: Bytes, contentHash: Bytes) => ({
    name,
    item: hex(item),
    proof: base64(proof(kind)),
    repeatKey: hex(Log.tagged("heddle/repeat/1", Log.itemId(key), new Uint8Array(0))),
    contentHash: hex(contentHash),
  })
  return [
    of("a message", given, 0, given, content),
    of("a message", stands, 3, given, content),
    of("what a program gave the tags of a void", stands, 0, stands, contentOf(stands)),
    of("a void that names no content", unnamed, 3, unnamed, contentOf(unnamed)),
  ]
}

const drops = ([message, spawn, timer, empty]: readonly [Emitted, Emitted, Emitted, Emitted]) => {
  const block = (bytes: Bytes): Bytes => join(number(bytes.length, 4), bytes)
  const [item, proof] = [message.item, Log.proof(message.proof)]
  const said = (
    of: Bytes,
    data: Bytes,
    { reason = "nobody is there", entry = base64(Log.itemId(of)), to = source } = {},
  ) =>
    Reference.item(
      {
        type: 2,
        owner: filler("owner", 32),
        target: to,
        anchor: filler("anchor", 32),
        tags: [
          ...tags("Message"),
          ["Action", "Drop"],
          ["Entry", entry],
          ...(reason === "" ? [] : [["Reason", reason] as const]),
        ],
        data,
      },
      filler("signature", 64),
    )
  const both = (one: Bytes, other: Bytes): Bytes => join(block(one), block(other))
  const good = (name: string, drop: Bytes, reason: string) => ({
    name,
    item: hex(drop),
    shows: {
      entry: base64(Log.itemId(item)),
      contentHash: hex(contentOf(item)),
      target: base64(target),
      pair: 3,
      reference: "5",
      reason,
      attestors: units.map(({ owner }) => base64(owner)),
    },
    valid: true,
  })
  const bad = (name: string, fails: string, drop: Bytes) => ({ name, item: hex(drop), fails, valid: false })
  const of = ({ item: one, proof: its }: Emitted) => said(one, both(one, Log.proof(its)))
  return [
    good("a message", said(item, both(item, proof)), "nobody is there"),
    good("without a reason", said(item, both(item, proof), { reason: "" }), "dropped by the owner"),
    good(
      "a reason of 1,000 units",
      said(item, both(item, proof), { reason: "x".repeat(1_000) }),
      "x".repeat(1_000),
    ),
    bad("a reason of 1,001 units", "units", said(item, both(item, proof), { reason: "x".repeat(1_001) })),
    bad("a tag that is no id", "43 characters", said(item, both(item, proof), { entry: "entry" })),
    bad("the item alone", "behind its length", said(item, block(item))),
    bad("a byte more", "behind its length", said(item, join(both(item, proof), number(0, 1)))),
    bad("another item", "the tag names", said(timer.item, both(item, proof))),
    bad("no item", "no item", said(item, both(item.slice(1), proof))),
    bad("no proof", "can't be read", said(item, both(item, proof.slice(1)))),
    bad("the proof of another entry", "does not hold", said(item, both(item, Log.proof(timer.proof)))),
    bad("of another process", "its owner drops it there", said(item, both(item, proof), { to: target })),
    bad("a spawn", "only a message", of(spawn)),
    bad("a timer", "only a message", of(timer)),
    bad("a void", "only a message", of(empty)),
  ]
}

export const outbox = () => {
  const [message, spawn, timer, empty] = turn(7) as [Emitted, Emitted, Emitted, Emitted] // four entries
  const last = turn(6)[0]!
  const { proof } = message
  const { attestation, witnesses } = proof
  const [one, two] = witnesses as [Log.Witness, Log.Witness]
  const other = filler("other", 32)
  const attestors = (...of: ReadonlyArray<(typeof units)[number]>) => of.map(({ owner }) => base64(owner))
  const good = (name: string, { item, proof }: Emitted, by: ReadonlyArray<string>) => ({
    name,
    item: hex(item),
    proof: base64(Log.proof(proof)),
    shows: {
      source: base64(source),
      slot: proof.slot,
      kind: Log.kinds[proof.kind]!,
      pair: proof.pair,
      due: proof.due,
      attestors: by,
    },
    valid: true,
  })
  const bad = (name: string, fails: number | "decode", bytes: Bytes, item = message.item) => ({
    name,
    item: hex(item),
    proof: base64(bytes),
    fails,
    valid: false,
  })
  const bent = (change: Partial<Log.Proof>) => Log.proof({ ...proof, witnesses: [], ...change })
  const attesting = (change: Partial<Log.Attestation>) => bent({ attestation: { ...attestation, ...change } })
  const anchored = Log.outboxItem(source, headOf(6), 0, {
    target,
    anchor: filler("anchor", 32),
    tags: tags("Message"),
    data: utf8("entry 0"),
  })
  const whole = Log.proof({ ...proof, witnesses: [one] })
  return {
    comment:
      "Outbox proofs (spec 05 §2): item in hex, proof in base64url. valid: what it shows, with the owners of the keys whose " +
      "signatures are good, each once; else `fails` is the step of 05 §2, or `decode`. `repeats`: repeat key and content hash (03 §4), " +
      "in hex, of items beside their proofs; all that are named alike are repeats of each other. `drops`: messages that drop an " +
      "entry (05 §7), in hex, whose own signature is filler. valid: what they give up, with the owners as above; else why they " +
      "give up nothing. `cron`: cron messages (05 §5), in hex.",
    secrets: Object.fromEntries(units.map(({ seed }, i) => [`unit ${i}`, hex(seed)])),
    proofs: [
      good("message, two units", message, attestors(...units)),
      good("spawn", spawn, attestors(...units)),
      good("timer", timer, attestors(...units)),
      good("void", empty, attestors(...units)),
      good("at the last slot attested", last, attestors(...units)),
      good("no unit", { ...message, proof: { ...proof, witnesses: [] } }, []),
      good(
        "one unit twice",
        { ...message, proof: { ...proof, witnesses: [one, one] } },
        attestors(units[0]!),
      ),
      good(
        "one signature not good",
        { ...message, proof: { ...proof, witnesses: [{ ...one, signature: flip(one.signature, 9) }, two] } },
        attestors(units[1]!),
      ),
      good(
        "one witness at another place",
        { ...message, proof: { ...proof, witnesses: [one, { ...two, index: 0 }] } },
        attestors(units[0]!),
      ),
      good(
        "one witness of a type that is no key",
        { ...message, proof: { ...proof, witnesses: [{ ...one, type: 2044 }, two] } },
        attestors(units[1]!),
      ),
      good(
        "another engine, which nobody signed",
        { ...message, proof: { ...proof, attestation: { ...attestation, engine: other } } },
        [],
      ),
      bad("item with an anchor", 1, bent({}), anchored),
      bad("last byte of the item's data another", 1, bent({}), flip(message.item, -1)),
      bad("another process", 2, attesting({ process: target })),
      bad("another index", 3, bent({ index: 1 })),
      bad("proof of another entry", 3, Log.proof({ ...spawn.proof, witnesses: [] })),
      bad("slot before those attested", 4, bent({ slot: 4 })),
      bad("slot after those attested", 4, bent({ slot: 8 })),
      bad(
        "another head at the last slot",
        5,
        Log.proof({
          ...last.proof,
          witnesses: [],
          attestation: { ...last.proof.attestation, to: { ...last.proof.attestation.to, head: other } },
        }),
      ),
      bad(
        "slot 65,536 places after the first",
        6,
        bent({ slot: 70_000, attestation: { ...attestation, to: { ...attestation.to, slot: 80_000 } } }),
      ),
      bad("another slot of those attested", 7, bent({ slot: 5 })),
      bad("another kind", 7, bent({ kind: 1 })),
      bad("another pair number", 7, bent({ pair: 4 })),
      bad("another due time", 7, bent({ due: 1 })),
      bad("another body", 7, bent({ bodyHash: other })),
      bad("sibling of the entry another", 7, bent({ entryPath: proof.entryPath.with(15, other) })),
      bad("sibling of the outcome another", 7, bent({ outcomePath: proof.outcomePath.with(0, other) })),
      bad("another outcome root", 7, attesting({ outcomeRoot: other })),
      bad("nothing", "decode", new Uint8Array(0)),
      bad("a byte short", "decode", whole.slice(0, -1)),
      bad("a byte long", "decode", join(whole, number(0, 1))),
      bad("version 2", "decode", bent({ version: 2 })),
      bad("kind 4", "decode", bent({ kind: 4 })),
      bad(
        "pair number 2^53",
        "decode",
        join(bent({}).slice(0, 14), number(2n ** 53n, 8), bent({}).slice(22)),
      ),
      bad(
        "65 witnesses",
        "decode",
        bent({
          witnesses: Array.from({ length: 65 }, () => ({
            ...one,
            owner: number(0, 1),
            signature: number(0, 1),
          })),
        }),
      ),
    ],
    repeats: repeats(message.item),
    drops: drops([message, spawn, timer, empty]),
    cron: [
      { process: Log.all("33"), name: "10-seconds", count: 1 },
      { process: Log.all("33"), name: "10-seconds", count: 2 },
      { process: Log.all("33"), name: "1-hour", count: 360 },
      { process: target, name: "10-seconds", count: 0xffff_ffff },
    ].map(({ process, name, count }) => {
      const item = Log.cronItem(process, name, count)
      return { process: base64(process), name, count, item: hex(item), id: base64(Log.itemId(item)) }
    }),
  }
}
