/** The content of `spec/vectors/archive.json`: chapter 07. */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Reference from "./reference.ts"
import * as Archive from "./referenceArchive.ts"
import * as Log from "./referenceLog.ts"

const { base64, filler, flip, join, number, unhex, utf8 } = Reference
type Bytes = Reference.Bytes

const secrets = {
  scheduler: filler("archived scheduler", 32),
  compute: filler("archived compute unit", 32),
  archivist: filler("archivist", 32),
}
const scheduler = Reference.mlDsaKey(1044, secrets.scheduler)
const compute = Reference.mlDsaKey(1044, secrets.compute)
const archivist = Reference.mlDsaKey(1044, secrets.archivist)
const address = (key: { readonly owner: Bytes }): string => base64(sha256(key.owner))

/** What a case comes to: nothing more, a refusal of the decoder, or one of the checks. */
interface Case {
  readonly name: string
  readonly content: Bytes
  readonly fails?: string
}
interface Shown {
  readonly name: string
  readonly valid: boolean
  /** The reason of the refusal. */
  readonly fails?: string
  readonly content?: string
}

const shown = ({ name, content, fails }: Case): Shown => ({
  name,
  content: base64(content),
  ...(fails === undefined ? { valid: true } : { valid: false, fails }),
})

const [process, other] = [filler("process", 32), filler("other process", 32)]
const time = 1_700_000_000_000
const spawn: Archive.Entry = {
  process,
  slot: 0,
  timestamp: time,
  item: utf8("spawn"),
  previous: Log.zero32,
}
const second: Archive.Entry = { process, slot: 1, timestamp: time + 5, item: utf8("message") }
const third: Archive.Entry = { ...second, slot: 2, item: utf8("of a process"), proof: utf8("its proof") }
const another: Archive.Entry = { ...spawn, process: other, item: utf8("spawn of another") }
const late: Archive.Entry = { ...second, slot: 9, previous: filler("head 8", 32) }

const batches = () => {
  const make = (parts: ReadonlyArray<ReadonlyArray<Archive.Entry>>, run: object = {}, root = Log.zero32) =>
    Archive.batches(scheduler, root, { first: 0, parts, ...run })
  const one = make([[spawn]])
  const whole = make([[spawn, another], [second], [third]])
  const root = filler("root 6", 32)
  const before = Log.head({
    process,
    term: 0,
    slot: 0,
    timestamp: time,
    entryHash: Log.entryHash(spawn.item, new Uint8Array(0)),
    previous: Log.zero32,
  })
  // domain 28, type 2, owner 1,312, number 8, root 32, count 4, then the first signature
  const signature = 28 + 2 + 1_312 + 8 + 32 + 4
  const valid: ReadonlyArray<Case> = [
    { name: "one entry", content: one },
    { name: "three batches of two processes", content: whole },
    { name: "from batch 7 and slot 9 on", content: make([[late]], { first: 7 }, root) },
    { name: "an entry without a byte", content: make([[{ ...spawn, item: new Uint8Array(0) }]]) },
    { name: "the last number", content: make([[late]], { first: 2 ** 53 - 1 }, root) },
    {
      name: "an entry that does not follow the one before",
      content: make([[spawn, { ...second, previous: filler("other head", 32) }]]),
    },
  ]
  const invalid: ReadonlyArray<readonly [name: string, content: Bytes, fails: string]> = [
    ["nothing", new Uint8Array(0), "truncated"],
    ["its last byte is missing", one.slice(0, -1), "truncated"],
    ["a byte more", join(one, number(0, 1)), "trailing bytes"],
    ["another domain", make([[spawn]], { domain: "heddle/archive/batches/2" }), "not canonical"],
    ["no batch", make([]), "not canonical"],
    ["a batch without entries", make([[]]), "truncated"],
    ["no entries announced", make([[spawn]], { inEach: 0 }), "not canonical"],
    ["65,537 entries announced", make([[spawn]], { inEach: 65_537 }), "not canonical"],
    ["more entries announced than bytes are there", make([[spawn]], { inEach: 65_536 }), "truncated"],
    ["more batches announced than bytes are there", make([[spawn]], { count: 2 ** 32 - 1 }), "truncated"],
    ["fewer batches announced", make([[spawn], [second]], { count: 1 }), "trailing bytes"],
    ["signature type of batches of items", make([[spawn]], { type: 2_044 }), "not canonical"],
    ["signature type of a wallet", make([[spawn]], { type: 1 }), "not canonical"],
    ["batch 0 after a root", make([[spawn]], {}, root), "not canonical"],
    ["number 2^53", make([[late]], { first: 2n ** 53n }, root), "not canonical"],
    ["a number over 2^53 - 1", make([[late], [third]], { first: 2 ** 53 - 1 }, root), "not canonical"],
    ["a term of 2^53", make([[{ ...spawn, term: 2n ** 53n }]]), "not canonical"],
    ["a head that follows, given", make([[spawn, { ...second, previous: before }]]), "not canonical"],
    ["no head to follow", make([[second]]), "not canonical"],
    ["a head by 2", make([[{ ...spawn, flag: 2 }]]), "not canonical"],
    ["another signature", flip(one, signature), "bad signature"],
    ["another item", flip(one, -5), "bad signature"],
    ["another number", flip(whole, 28 + 2 + 1_312, 4), "bad signature"],
    ["another number of a later run", flip(make([[late]], { first: 7 }, root), 1_342, 8), "bad signature"],
    ["another previous root", flip(make([[late]], { first: 7 }, root), 1_350), "bad signature"],
    [
      "of another scheduler",
      Archive.batches(compute, Log.zero32, { first: 0, parts: [[spawn]] }),
      "other signer",
    ],
  ]
  return [...valid, ...invalid.map(([name, content, fails]) => ({ name, content, fails }))]
}

const message = filler("message", 32)
const bare: Log.Outcome = { slot: 0, message, fuelUsed: 0n, replies: [], views: [], outbox: [] }
const outbox: Log.Entry = { kind: "message", pair: 1, due: 0, item: utf8("an outbox item") }
const full: Log.Outcome = {
  ...bare,
  slot: 1,
  fuelUsed: 2n ** 63n,
  replies: [
    { to: message, value: "5" },
    { to: filler("earlier message", 32), error: "no" },
  ],
  views: [
    { name: "Größe", value: '"🧵"' },
    { name: "gone", value: null },
  ],
  outbox: [outbox, { ...outbox, kind: "spawn", pair: 0 }, { ...outbox, kind: "timer", pair: 0, due: time }],
}
const failed: Log.Outcome = { ...bare, slot: 2, error: { reason: "out of fuel", message: "too much" } }

const at = (slot: number): Log.Point => ({
  slot,
  head: filler(`head ${slot}`, 32),
  stateRoot: filler(`state ${slot}`, 32),
})
const engine = filler("engine", 32)
const first: Archive.Group = { engine, process, from: Log.origin, to: at(0), outcomes: [bare] }
const more: Archive.Group = { engine, process, from: at(0), to: at(2), outcomes: [full, failed] }
const left: Archive.Group = {
  engine,
  process: other,
  from: at(3),
  to: at(7),
  outcomes: undefined,
  outcomeRoot: filler("outcomes", 32),
}

const turns = () => {
  const make = (parts: ReadonlyArray<ReadonlyArray<Archive.Group>>, run: object = {}) =>
    Archive.turns(compute, { first: 0, parts, ...run })
  const one = make([[first]])
  const only = (outcome: Log.Outcome, change: Partial<Archive.Group> = {}) =>
    make([[{ ...first, outcomes: [outcome], ...change }]])
  const error = (reason: string) => ({ ...bare, error: { reason, message: "" } })
  // domain 26, type 2, owner 1,312, number 8, count 4, then the first signature
  const signature = 26 + 2 + 1_312 + 8 + 4
  const group = signature + 2_420 + 4
  const valid: ReadonlyArray<Case> = [
    { name: "one turn", content: one },
    {
      name: "everything that a turn can bring about",
      content: make([[{ ...more, outcomes: [full, failed] }]]),
    },
    { name: "two releases of two processes", content: make([[first, left], [more]], { first: 3 }) },
    { name: "outcomes left out", content: make([[left]]) },
  ]
  const invalid: ReadonlyArray<readonly [name: string, content: Bytes, fails: string]> = [
    ["nothing", new Uint8Array(0), "truncated"],
    ["its last byte is missing", one.slice(0, -1), "truncated"],
    ["a byte more", join(one, number(0, 1)), "trailing bytes"],
    ["another domain", make([[first]], { domain: "heddle/archive/turns/2" }), "not canonical"],
    ["batches", Archive.batches(compute, Log.zero32, { first: 0, parts: [[spawn]] }), "not canonical"],
    ["no release", make([]), "not canonical"],
    ["no groups announced", make([[first]], { inEach: 0 }), "not canonical"],
    ["65,537 groups announced", make([[first]], { inEach: 65_537 }), "not canonical"],
    ["more releases announced than bytes are there", make([[first]], { count: 2 ** 32 - 1 }), "truncated"],
    ["signature type of batches of items", make([[first]], { type: 2_044 }), "not canonical"],
    ["a number over 2^53 - 1", make([[first], [more]], { first: 2 ** 53 - 1 }), "not canonical"],
    ["no turn", make([[{ ...left, to: at(3) }]]), "not canonical"],
    ["backwards", make([[{ ...left, to: at(2) }]]), "not canonical"],
    ["65,537 turns", make([[{ ...left, to: at(3 + 65_537) }]]), "not canonical"],
    ["more turns than bytes are there", make([[{ ...more, to: at(60_000) }]]), "truncated"],
    ["outcomes by 2", make([[{ ...left, flag: 2 }]]), "not canonical"],
    ["a reason that no turn fails for", only(error("tired")), "not canonical"],
    ["a reason of no text", only(error("")), "not canonical"],
    ["an entry of kind 4", only({ ...bare, outbox: [outbox] }, { kind: 4 }), "not canonical"],
    ["1,025 entries announced", only({ ...bare, outbox: [outbox] }, { entries: 1_025 }), "not canonical"],
    [
      "a text that is not UTF-8",
      flip(only({ ...bare, replies: [{ to: message, value: "5" }] }), -9, 128),
      "not canonical",
    ],
    ["another signature", flip(one, signature), "bad signature"],
    ["another engine", flip(one, group), "bad signature"],
    ["another outcome", flip(one, -13), "bad signature"],
    ["another outcome root", flip(make([[left]]), -1), "bad signature"],
    ["of another unit", Archive.turns(scheduler, { first: 0, parts: [[first]] }), "other signer"],
  ]
  return [...valid, ...invalid.map(([name, content, fails]) => ({ name, content, fails }))]
}

const frames = (): ReadonlyArray<Shown & { readonly frame: string }> => {
  const content = utf8("warp ".repeat(40))
  const plain = Archive.frame(content)
  const eight = (size: bigint) => ({ descriptor: 0xe0, head: number(size, 8) })
  const window = (code: number) => ({
    descriptor: 0x80,
    head: join(number(code, 1), number(content.length, 4)),
  })
  const valid: ReadonlyArray<readonly [name: string, frame: Bytes, content: Bytes]> = [
    ["one raw block", plain, content],
    ["a size of one byte", Archive.frame(content, { descriptor: 0x20, head: number(200, 1) }), content],
    ["a size of eight bytes", Archive.frame(content, eight(200n)), content],
    ["a window of its own", Archive.frame(content, window(0x50)), content],
    ["the largest window", Archive.frame(content, window((27 - 10) << 3)), content],
    [
      "one byte repeated",
      Archive.frame(new Uint8Array(200).fill(7), { kind: 1 }),
      new Uint8Array(200).fill(7),
    ],
    ["compressed", unhex(compressed), content],
    ["with a checksum", unhex(checked), content],
    ["no content", Archive.frame(new Uint8Array(0)), new Uint8Array(0)],
  ]
  const invalid: ReadonlyArray<readonly [name: string, frame: Bytes, fails: string]> = [
    ["nothing", new Uint8Array(0), "truncated"],
    ["its head alone", plain.slice(0, 7), "truncated"],
    ["its last byte is missing", plain.slice(0, -1), "truncated"],
    ["no frame", content, "not a frame"],
    ["a frame that is skipped", join(unhex("502a4d18"), number(4, 4), number(0, 4)), "not a frame"],
    ["with a dictionary", Archive.frame(content, { descriptor: 0xa1, head: number(1, 5) }), "not a frame"],
    ["a reserved bit", Archive.frame(content, { descriptor: 0xa8 }), "not a frame"],
    ["no size", Archive.frame(content, { descriptor: 0, head: number(0x50, 1) }), "size"],
    ["a size over 64 MiB", Archive.frame(content, { head: number(64 * 2 ** 20 + 1, 4) }), "size"],
    ["a size of 2^64 - 1", Archive.frame(content, eight(2n ** 64n - 1n)), "size"],
    ["less content than it says", Archive.frame(content, { head: number(201, 4) }), "damaged"],
    ["more content than it says", Archive.frame(content, { head: number(199, 4) }), "damaged"],
    ["a window over 128 MiB", Archive.frame(content, window(((27 - 10) << 3) | 1)), "window"],
    ["two frames", join(plain, plain), "trailing bytes"],
    ["a byte more", join(plain, number(0, 1)), "trailing bytes"],
    ["a block of the reserved kind", Archive.frame(content, { kind: 3 }), "damaged"],
    ["another checksum", flip(unhex(checked), -1), "damaged"],
  ]
  return [
    ...valid.map(([name, frame, of]) => ({
      name,
      frame: base64(frame),
      valid: true,
      content: base64(of),
    })),
    ...invalid.map(([name, frame, fails]) => ({ name, frame: base64(frame), valid: false, fails })),
  ]
}

/** What libzstd 1.5.7 makes of the text, kept as it is: another version may make other bytes of it. */
const compressed = "28b52ffd20c865000028776172702001004050450b"
const checked = "28b52ffd24c865000028776172702001004050450b0795b396"

const pieces = (): ReadonlyArray<
  Shown & { readonly item: string; readonly tags?: ReadonlyArray<string> }
> => {
  const item = (tags: Archive.Tags, data: Bytes, target?: Bytes) => {
    const fields: Reference.Fields = {
      type: archivist.type,
      owner: archivist.owner,
      anchor: filler("anchor of a piece", 32),
      tags,
      data,
      ...(target === undefined ? {} : { target }),
    }
    return Reference.item(fields, archivist.sign("heddle/item/1", Reference.signingHash(fields)))
  }
  const content = Archive.batches(scheduler, Log.zero32, { first: 0, parts: [[spawn, another], [second]] })
  const releases = Archive.turns(compute, { first: 3, parts: [[first, left], [more]] })
  const batchRoots = Archive.roots([[spawn, another], [second]])
  const slots: Archive.Tags = [
    ["Process", base64(process)],
    ["Slots", "0-1"],
    ["Process", base64(other)],
    ["Slots", "0-0"],
  ]
  const batchHead: Archive.Tags = [
    ["Scheduler", address(scheduler)],
    ["First-Batch", "0"],
    ["Last-Batch", "1"],
    ["Previous-Root", base64(Log.zero32)],
    ["Root", base64(batchRoots[1]!)],
  ]
  const turnsHead: Archive.Tags = [
    ["Compute", address(compute)],
    ["First-Release", "3"],
    ["Last-Release", "4"],
  ]
  const source = utf8("export default {}")
  const data = Archive.frame(content)
  const named = (type: string, of: Bytes, rest: Archive.Tags) =>
    [Archive.partTags(type, Archive.frame(of), rest), Archive.frame(of), of] as const
  const index = (rest: Archive.Tags): Archive.Tags => [
    ["Data-Protocol", "heddle"],
    ["Variant", "heddle.1"],
    ["Type", "Index"],
    ["Of", base64(sha256(data))],
    ...rest,
  ]
  const snapshot = utf8("the bytes of a snapshot")
  const valid: ReadonlyArray<readonly [name: string, tags: Archive.Tags, data: Bytes, content?: Bytes]> = [
    ["batches", ...named("Batches", content, [...batchHead, ...slots])],
    ["batches without a range", ...named("Batches", content, batchHead)],
    [
      "turns",
      ...named("Turns", releases, [
        ...turnsHead,
        ["Process", base64(process)],
        ["Slots", "0-2"],
        ["Process", base64(other)],
        ["Slots", "4-7"],
      ]),
    ],
    [
      "a snapshot",
      ...named("Snapshot", snapshot, [
        ["Compute", address(compute)],
        ["Process", base64(process)],
        ["Slot", "1000"],
        ["State-Root", base64(filler("state 1000", 32))],
        ["Engine", base64(engine)],
      ]),
    ],
    [
      "a module",
      ...named("Module", source, [
        ["Module", base64(Log.tagged("heddle/module/1", utf8("javascript"), source))],
      ]),
    ],
    ["an engine", ...named("Engine", utf8("an engine"), [["Engine", base64(sha256(utf8("an engine")))]])],
    ["data", ...named("Data", utf8("some data"), [["Data-Hash", base64(sha256(utf8("some data")))]])],
    ["an index of batches", index([...batchHead, ...slots]), new Uint8Array(0)],
    ["an index of turns", index([...turnsHead, ...slots]), new Uint8Array(0)],
  ]
  const small = Archive.frame(source)
  const base = Archive.partTags("Batches", small, [...batchHead, ...slots])
  const bent = (name: string, value: string): Archive.Tags =>
    base.map(([key, was]) => [key, key === name ? value : was])
  const invalid: ReadonlyArray<
    readonly [name: string, tags: Archive.Tags, data: Bytes, fails: string, target?: Bytes]
  > = [
    ["no tags", [], small, "other protocol"],
    ["of AO", bent("Data-Protocol", "ao"), small, "other protocol"],
    ["of another variant", bent("Variant", "heddle.2"), small, "other protocol"],
    ["addressed to somebody", base, small, "other protocol", process],
    ["an unknown type", bent("Type", "Batch"), small, "unknown type"],
    ["of no type", base.filter(([name]) => name !== "Type"), small, "tags"],
    ["another compression", bent("Content-Type", "application/gzip"), small, "tags"],
    ["a part behind the last", bent("Part", "1"), small, "tags"],
    ["44 parts", bent("Parts", "44"), small, "tags"],
    ["a number spelled twice", bent("Part", "00"), small, "tags"],
    ["a number over 2^53 - 1", bent("Last-Batch", "9007199254740992"), small, "tags"],
    ["a number that is negative", bent("First-Batch", "-1"), small, "tags"],
    ["the last before the first", bent("First-Batch", "2"), small, "tags"],
    ["a root of 31 bytes", bent("Root", base64(filler("root", 31))), small, "tags"],
    ["a range backwards", bent("Slots", "1-0"), small, "tags"],
    ["a range of one number", bent("Slots", "1"), small, "tags"],
    ["a range of three numbers", bent("Slots", "0-1-2"), small, "tags"],
    ["a process without its range", base.slice(0, -1), small, "tags"],
    ["two tags swapped", [...base.slice(0, 5), base[6]!, base[5]!, ...base.slice(7)], small, "tags"],
    ["a tag more", [...base, ["Note", "hello"]], small, "tags"],
    [
      "a module with a range",
      [...Archive.partTags("Module", small, [["Module", base64(process)]]), ...slots],
      small,
      "tags",
    ],
    ["an index of no process", index(batchHead), new Uint8Array(0), "tags"],
    ["an index with data", index([...batchHead, ...slots]), small, "data"],
    ["a part without data", base, new Uint8Array(0), "data"],
    ["a first part that is not full", bent("Parts", "2"), small, "data"],
    ["data that is not the content named", base, Archive.frame(snapshot), "hash"],
    ["data that is not compressed", Archive.partTags("Batches", source, batchHead), source, "compression"],
  ]
  return [
    ...valid.map(([name, tags, bytes, of]) => ({
      name,
      tags: tags.map(([key, value]) => `${key}: ${value}`),
      item: base64(item(tags, bytes)),
      valid: true,
      ...(of === undefined ? {} : { content: base64(of) }),
    })),
    ...invalid.map(([name, tags, bytes, fails, target]) => ({
      name,
      item: base64(item(tags, bytes, target)),
      valid: false,
      fails,
    })),
  ]
}

export const archive = () => ({
  comment:
    "Contents and pieces of the archive (spec 07), bytes in base64url, secrets in hex. `fails` is the reason of the refusal: of " +
    "a decoder, or of the checks against the addresses of `scheduler` and `compute` (ML-DSA-44). Pieces are signed by `archivist`. " +
    "A frame's content is bounded by 64 MiB. Compressed bytes are read, never compared: two compressors need not agree.",
  secrets: Object.fromEntries(Object.entries(secrets).map(([name, seed]) => [name, Reference.hex(seed)])),
  scheduler: address(scheduler),
  compute: address(compute),
  batches: batches().map(shown),
  turns: turns().map(shown),
  frames: frames(),
  pieces: pieces(),
})
