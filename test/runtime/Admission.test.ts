/** Admission by the table of spec 03 §4: each line at its boundary, and the order of the lines. */
import { assert, describe, it } from "@effect/vitest"
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Admission from "../../runtime/Admission.ts"
import * as Drop from "../../runtime/Drop.ts"
import * as Id from "../../runtime/Id.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import * as OutboxProof from "../../runtime/OutboxProof.ts"
import * as Emitted from "../support/Emitted.ts"
import * as Unsigned from "../support/Unsigned.ts"

const { id } = Unsigned
const [a, b, c] = [id("unit a"), id("unit b"), id("unit c")]
const spawnedAt = 1_000_000

const spawn = Unsigned.spawn({
  tags: [
    ["Authority", a],
    ["Authority", b],
    ["Authority", c],
    ["Cron-Interval", "10-seconds"],
    ["Cron-Interval", "1-minute"],
  ],
})
const process = spawn.process
const [source, stranger] = [id("source"), id("stranger")]

type Candidate = Admission.Candidate
const signed = { signed: true } as const
const none = { none: true } as const

const ask = (
  log: Admission.LogState,
  candidate: Partial<Candidate> & Pick<Candidate, "message">,
  at = spawnedAt,
) => Admission.admit(log, { voucher: signed, seen: undefined, ...candidate }, at)

const admitted = (...args: Parameters<typeof ask>): Admission.LogState => {
  const next = Result.getOrThrow(ask(...args))
  return { ...next, head: Unsigned.hash(`head ${next.nextSlot}`) }
}

const refusal = (...args: Parameters<typeof ask>): string => {
  const found = ask(...args)
  return Result.isFailure(found) ? found.failure.reason : "admitted"
}

const log = admitted(Admission.emptyLog, { message: spawn })

const proven = (fields: Partial<Admission.Proven>): { readonly proven: Admission.Proven } => ({
  proven: { source, kind: "message", pair: 1, due: 0, attestors: [a, b], ...fields },
})

/** An item that `source` emitted; which one does not matter, since its proof comes as a plain value. */
const emitted = (kind: "message" | "spawn" | "timer", target: Id.ProcessId = process, from = source) =>
  Emitted.emit(
    {
      source: from,
      slot: 1,
      emissions: [
        kind === "spawn"
          ? {
              kind,
              tags: [
                ["Module", id("Module")],
                ["Scheduler", id("Scheduler")],
                ["Authority", a],
              ],
            }
          : { kind, target },
      ],
    },
    [],
  )[0]!.message

const cron = (name: string, n: number, of = process) =>
  Result.getOrThrow(Message.parse(OutboxItem.cron(of, name, n)))

describe("a spawn", () => {
  it("makes slot 0 of the process that it names", () => {
    assert.deepInclude(log, { nextSlot: 1, timestamp: spawnedAt, spawnedAt, term: 0 })
    assert.strictEqual(log.process?.id, process)
  })

  it("is `repeat` in a log that has a slot 0, with whatever voucher", () => {
    assert.strictEqual(refusal(log, { message: spawn }), "repeat")
    assert.strictEqual(refusal(log, { message: spawn, voucher: none }), "repeat")
  })

  it("that breaks a rule is `bad spawn`", () => {
    const bad = Unsigned.spawn({ tags: [["Authority", "nobody"]] })
    assert.strictEqual(refusal(Admission.emptyLog, { message: bad }), "bad spawn")
    assert.strictEqual(
      refusal(Admission.emptyLog, { message: bad, voucher: proven({ kind: "spawn" }) }),
      "bad spawn",
    )
  })

  it("by a process is believed when the units that it names itself attest it", () => {
    const child = emitted("spawn")
    const voucher = (attestors: ReadonlyArray<Id.Address>) => proven({ kind: "spawn", pair: 0, attestors })
    assert.strictEqual(refusal(Admission.emptyLog, { message: child, voucher: voucher([a]) }), "admitted")
    assert.strictEqual(
      refusal(Admission.emptyLog, { message: child, voucher: voucher([b, c]) }),
      "not attested",
    )
    assert.strictEqual(refusal(Admission.emptyLog, { message: child, voucher: none }), "no proof")
  })

  it("proven as something else is `bad proof`, and so is something else proven as a spawn", () => {
    const child = emitted("spawn")
    for (const kind of ["message", "timer"] as const)
      assert.strictEqual(
        refusal(Admission.emptyLog, { message: child, voucher: proven({ kind, attestors: [a] }) }),
        "bad proof",
      )
    assert.strictEqual(
      refusal(log, { message: emitted("message"), voucher: proven({ kind: "spawn" }) }),
      "bad proof",
    )
  })
})

describe("a message that a key signed", () => {
  const message = Unsigned.message(process)

  it("is admitted once its process is there", () => {
    assert.strictEqual(refusal(Admission.emptyLog, { message }), "unknown process")
    const next = admitted(log, { message }, spawnedAt + 5)
    assert.deepInclude(next, { nextSlot: 2, timestamp: spawnedAt + 5, spawnedAt })
    assert.strictEqual(next.pairs, log.pairs)
    assert.strictEqual(next.cron, log.cron)
  })

  it("is refused as what it was seen as", () => {
    assert.strictEqual(refusal(log, { message, seen: "repeat" }), "repeat")
    assert.strictEqual(refusal(log, { message, seen: "anchor reused" }), "anchor reused")
    const found = ask(log, { message, seen: "anchor reused" })
    assert.include(Result.isFailure(found) ? found.failure.message : "", "take a new anchor")
  })
})

describe("a message that a process emitted", () => {
  const message = emitted("message")
  const pair = (last: number) => ({ ...log, pairs: HashMap.set(log.pairs, source, last) })

  it("without proof is `no proof`", () =>
    assert.strictEqual(refusal(log, { message, voucher: none }), "no proof"))

  it("is believed by two of the three units that the receiver names, counted once each", () => {
    const by = (...attestors: ReadonlyArray<Id.Address>) =>
      refusal(log, { message, voucher: proven({ attestors }) })
    assert.strictEqual(by(), "not attested")
    assert.strictEqual(by(a), "not attested")
    assert.strictEqual(by(a, a, a), "not attested")
    assert.strictEqual(by(a, stranger, id("others")), "not attested")
    assert.strictEqual(by(a, b), "admitted")
    assert.strictEqual(by(c, stranger, a), "admitted")
    assert.strictEqual(by(a, b, c), "admitted")
  })

  it("has the pair number after the last of its source, from 1 on; one that has been given is of another past", () => {
    const at = (state: Admission.LogState, number: number) =>
      refusal(state, { message, voucher: proven({ pair: number }) })
    assert.deepStrictEqual(
      [0, 1, 2].map((n) => at(log, n)),
      ["source forked", "admitted", "pair out of order"],
    )
    assert.deepStrictEqual(
      [6, 7, 8, 9].map((n) => at(pair(7), n)),
      ["source forked", "source forked", "admitted", "pair out of order"],
    )
    const next = admitted(pair(7), { message, voucher: proven({ pair: 8 }) })
    assert.deepStrictEqual(HashMap.toEntries(next.pairs), [[source, 8]])
    assert.strictEqual(HashMap.size(log.pairs), 0)
  })

  it("is counted by its source alone", () => {
    const state = { ...pair(7), pairs: HashMap.set(pair(7).pairs, stranger, 2) }
    const from = emitted("message", process, stranger)
    const next = admitted(state, { message: from, voucher: proven({ source: stranger, pair: 3 }) })
    assert.deepStrictEqual(
      new Map(next.pairs),
      new Map([
        [source, 7],
        [stranger, 3],
      ]),
    )
  })
})

describe("a void", () => {
  const [entry] = Emitted.emit({ source, slot: 1, emissions: [{ kind: "message", target: process }] }, [])
  const tags = [
    ["Entry", entry!.item.id],
    ["Content-Hash", id("content")],
  ] as const
  const of = (...some: Unsigned.Tags) =>
    Emitted.emit({ source, slot: 2, emissions: [{ kind: "void", target: process, tags: some }] }, [])[0]!
      .message
  const pair = (last: number) => ({ ...log, pairs: HashMap.set(log.pairs, source, last) })
  const at = (last: number, fields: Partial<Admission.Proven> = {}, message = of(...tags)) =>
    refusal(pair(last), { message, voucher: proven({ kind: "void", pair: 8, ...fields }) })

  it("takes the number of what it stands for, where that is the next", () => {
    assert.deepStrictEqual(
      [6, 7, 8].map((last) => at(last)),
      ["pair out of order", "admitted", "source forked"],
    )
    const next = admitted(pair(7), { message: of(...tags), voucher: proven({ kind: "void", pair: 8 }) })
    assert.deepStrictEqual(HashMap.toEntries(next.pairs), [[source, 8]])
  })

  it("needs attestors as a message does", () => assert.strictEqual(at(7, { attestors: [a] }), "not attested"))

  it("names what it stands for", () => {
    assert.strictEqual(at(7, {}, of()), "bad proof")
    assert.strictEqual(at(7, {}, of(tags[0])), "bad proof")
    assert.strictEqual(at(7, {}, of(tags[1])), "bad proof")
  })

  it("is the repeat of what it stands for", () =>
    assert.strictEqual(
      refusal(pair(8), { message: of(...tags), voucher: proven({ kind: "void", pair: 8 }), seen: "repeat" }),
      "repeat",
    ))
})

describe("a drop", () => {
  const [entry] = Emitted.emit(
    { source: process, slot: 1, emissions: [{ kind: "message", target: source }] },
    [],
  )
  const data = Drop.data(entry!.item.bytes, OutboxProof.encode(entry!.proof))
  const said = (owner: string) =>
    Unsigned.message(process, {
      owner,
      tags: [
        ["Action", "Drop"],
        ["Entry", entry!.item.id],
      ],
      data,
    })
  const [message, unit] = [said("ada"), id("Scheduler")]
  const { claims: _, ...dropped } = Result.getOrThrow(Drop.open(message))
  const good = Result.succeed({ ...dropped, attestors: [unit] })
  const by = (
    of: Message.Message,
    drop: NonNullable<Extract<Candidate["voucher"], { signed: true }>["drop"]>,
  ) => ask(log, { message: of, voucher: { signed: true, drop } })

  it("by the owner is admitted where a unit that runs the process attested what it gives up", () => {
    assert.isTrue(Result.isSuccess(by(message, good)))
    const unattested = by(message, Result.succeed({ ...dropped, attestors: [a, b, c] }))
    const nothing = by(message, Result.fail(new Drop.DropInvalid({ detail: "it is a timer" })))
    assert.deepStrictEqual(
      [unattested, nothing].map((found) => Result.isFailure(found) && found.failure.message),
      [`bad drop: its proof needs the word of one of ${unit}`, "bad drop: it is a timer"],
    )
  })

  it("by anybody else is a message like any other", () =>
    assert.isTrue(
      Result.isSuccess(by(said("eve"), Result.fail(new Drop.DropInvalid({ detail: "nothing" })))),
    ))
})

describe("a timer", () => {
  const message = emitted("timer", process, process)
  const at = (timestamp: number, fields: Partial<Admission.Proven> = {}) =>
    refusal(
      log,
      {
        message,
        voucher: proven({ kind: "timer", source: process, pair: 0, due: spawnedAt + 10, ...fields }),
      },
      timestamp,
    )

  it("is admitted when it is due and not a millisecond before", () => {
    assert.strictEqual(at(spawnedAt + 9), "timer early")
    assert.strictEqual(at(spawnedAt + 10), "admitted")
    assert.strictEqual(at(spawnedAt + 10_000), "admitted")
  })

  it("goes to the process that set it, and to no other", () => {
    assert.strictEqual(at(spawnedAt + 10, { source }), "bad proof")
  })

  it("needs attestors as a message does, and has no pair number", () => {
    assert.strictEqual(at(spawnedAt + 10, { attestors: [a] }), "not attested")
    const next = admitted(log, { message, voucher: proven({ kind: "timer", source: process, pair: 9 }) })
    assert.strictEqual(next.pairs, log.pairs)
  })
})

describe("a word about the policy", () => {
  const says = (owner: string, units: ReadonlyArray<Id.Address>, quorum?: number) =>
    Unsigned.message(process, {
      owner,
      tags: [
        ["Action", "Authority"],
        ...units.map((unit) => ["Authority", unit] as const),
        ...(quorum === undefined ? [] : [["Authority-Quorum", String(quorum)] as const]),
      ],
    })
  const by = (state: Admission.LogState, ...attestors: ReadonlyArray<Id.Address>) =>
    refusal(state, { message: emitted("message"), voucher: proven({ attestors }) })

  it("of the spawn holds from slot 0 on", () => {
    assert.deepStrictEqual(log.authority, { units: [a, b, c], quorum: 2, since: 0 })
  })

  it("of the owner is in force from the next slot on, and the one before it no longer", () => {
    const next = admitted(log, { message: says("ada", [stranger]) })
    assert.deepStrictEqual(next.authority, { units: [stranger], quorum: 1, since: 2 })
    assert.deepStrictEqual([by(log, a, b), by(log, stranger)], ["admitted", "not attested"])
    assert.deepStrictEqual([by(next, a, b), by(next, stranger)], ["not attested", "admitted"])
  })

  it("of an owner that is a process is counted by the policy before it", () => {
    const owned = emitted("spawn")
    const voucher = proven({ kind: "spawn", pair: 0, attestors: [a] })
    const state = admitted(Admission.emptyLog, { message: owned, voucher })
    const { message } = Emitted.emit(
      {
        source,
        slot: 2,
        emissions: [
          {
            kind: "message",
            target: owned.process,
            tags: [
              ["Action", "Authority"],
              ["Authority", b],
            ],
          },
        ],
      },
      [],
    )[0]!
    assert.strictEqual(refusal(state, { message, voucher: proven({ attestors: [b] }) }), "not attested")
    const next = admitted(state, { message, voucher: proven({ attestors: [a] }) })
    assert.deepStrictEqual(next.authority, { units: [b], quorum: 1, since: 2 })
  })

  it("that is not the owner's, or no policy, is `bad authority`, and what was in force stays", () => {
    for (const message of [says("bob", [a]), says("ada", []), says("ada", [a, b], 1), says("ada", [a, a])])
      assert.strictEqual(refusal(log, { message }), "bad authority")
    const other = admitted(log, { message: Unsigned.message(process, { owner: "ada" }) })
    assert.strictEqual(other.authority, log.authority)
  })
})

describe("a cron message", () => {
  const at = (name: string, n: number, timestamp: number, state = log) =>
    refusal(state, { message: cron(name, n), voucher: none }, timestamp)

  it("is admitted when it is due and not a millisecond before", () => {
    assert.strictEqual(at("10-seconds", 1, spawnedAt + 9_999), "timer early")
    assert.strictEqual(at("10-seconds", 1, spawnedAt + 10_000), "admitted")
    assert.strictEqual(at("1-minute", 2, spawnedAt + 119_999), "timer early")
    assert.strictEqual(at("1-minute", 2, spawnedAt + 120_000), "admitted")
  })

  it("has a count above the last of its name, and may skip some", () => {
    const late = spawnedAt + 100_000
    const next = admitted(log, { message: cron("10-seconds", 4), voucher: none }, late)
    assert.deepStrictEqual(HashMap.toEntries(next.cron), [["10-seconds", 4]])
    const found = [3, 4, 5, 9].map((n) => at("10-seconds", n, late, next))
    assert.deepStrictEqual(found, ["cron out of order", "cron out of order", "admitted", "admitted"])
    assert.strictEqual(at("1-minute", 1, late, next), "admitted")
  })

  it("is one that the spawn asked for, of this process", () => {
    assert.strictEqual(at("20-seconds", 1, spawnedAt + 20_000), "no proof")
    const other = cron("10-seconds", 1, stranger)
    assert.strictEqual(refusal(log, { message: other, voucher: none }, spawnedAt + 10_000), "no proof")
    assert.strictEqual(at("10-seconds", 1, Number.MAX_SAFE_INTEGER), "admitted")
  })

  it("is byte for byte the one that follows from the spawn", () => {
    const say = (tags: Unsigned.Tags, index = 1) => {
      const head = OutboxItem.origin(OutboxItem.cron(process, "10-seconds", 1))!.head
      const made = OutboxItem.make(
        { source: process, head, index },
        {
          target: Unsigned.hash("unused"),
          tags: [...Message.protocolTags("Message"), ...tags.map(([name, value]) => ({ name, value }))],
          data: new Uint8Array(0),
        },
      )
      const message = Result.getOrThrow(Message.parse(Result.getOrThrow(made)))
      return refusal(log, { message: { ...message, process }, voucher: none }, spawnedAt + 10_000_000)
    }
    const tags: Unsigned.Tags = [
      ["Action", "Cron"],
      ["Cron-Name", "10-seconds"],
      ["Cron-Count", "1"],
    ]
    assert.strictEqual(say(tags), "no proof", "another target")
    assert.strictEqual(say([["Action", "Pay"], ...tags.slice(1)]), "no proof")
    for (const count of ["0", "-1", "01", "1.0", "1e0", "4294967296", "many"])
      assert.strictEqual(say([...tags.slice(0, 2), ["Cron-Count", count]]), "no proof", count)
  })
})

describe("the order of the lines", () => {
  const timer = emitted("timer", process, process)
  /** Candidates that break a line and all after it, from the first line to the last. */
  const lines: ReadonlyArray<readonly [Admission.LogState, Candidate, string]> = [
    [
      Admission.emptyLog,
      { message: emitted("message"), voucher: none, seen: "anchor reused" },
      "unknown process",
    ],
    [log, { message: spawn, voucher: none, seen: "anchor reused" }, "anchor reused"],
    [
      log,
      { message: Unsigned.spawn({ tags: [["Authority", "x"]] }), voucher: none, seen: undefined },
      "repeat",
    ],
    [
      Admission.emptyLog,
      { message: Unsigned.spawn({ tags: [["Authority", "x"]] }), voucher: none, seen: undefined },
      "bad spawn",
    ],
    [
      log,
      {
        message: Unsigned.message(process, { owner: "bob", tags: [["Action", "Authority"]] }),
        voucher: none,
        seen: undefined,
      },
      "bad authority",
    ],
    [
      { ...log, cron: HashMap.set(log.cron, "10-seconds", 5) },
      { message: cron("10-seconds", 4), voucher: none, seen: undefined },
      "cron out of order",
    ],
    [
      log,
      { message: timer, voucher: proven({ kind: "spawn", attestors: [] }), seen: undefined },
      "not attested",
    ],
    [
      log,
      { message: timer, voucher: proven({ kind: "spawn", due: 2 * spawnedAt }), seen: undefined },
      "bad proof",
    ],
    [
      log,
      { message: timer, voucher: proven({ kind: "timer", due: 2 * spawnedAt }), seen: undefined },
      "bad proof",
    ],
  ]
  for (const [state, candidate, reason] of lines)
    it(`puts ${reason} first where more is wrong`, () =>
      assert.strictEqual(refusal(state, candidate), reason))
})

describe("any sequence of messages of one pair", () => {
  it("is admitted as 1, 2, 3... whatever comes in between", () => {
    const message = emitted("message")
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 60 }), (numbers) => {
        let state = log
        let last = 0
        for (const pair of numbers) {
          const found = ask(state, { message, voucher: proven({ pair }) })
          assert.strictEqual(Result.isSuccess(found), pair === last + 1)
          if (Result.isSuccess(found)) {
            last = pair
            state = { ...found.success, head: state.head }
          }
        }
        assert.strictEqual(state.nextSlot, 1 + last)
      }),
    )
  })
})

describe("an assigned item", () => {
  const takesAny = admitted(Admission.emptyLog, {
    message: Unsigned.spawn({ tags: [["Assignable", "any"]] }),
  })
  const said = (target: Id.Id | undefined) =>
    Unsigned.item({ target: target === undefined ? undefined : Id.toBytes(target), data: "said" })
  const to = (state: Admission.LogState, target: Id.Id | undefined) =>
    refusal(state, { message: Unsigned.assigned(state.process!.id, said(target)) })

  it("is taken where it was said to the process or to nobody", () => {
    assert.strictEqual(to(log, process), "admitted")
    assert.strictEqual(to(log, undefined), "admitted")
  })

  it("that was said to another process is taken only where the spawn says so", () => {
    assert.strictEqual(to(log, stranger), "not assignable")
    assert.strictEqual(to(takesAny, stranger), "admitted")
    const some = admitted(Admission.emptyLog, { message: Unsigned.spawn({ tags: [["Assignable", "Any"]] }) })
    assert.strictEqual(to(some, stranger), "not assignable")
  })

  it("spawns nothing, whatever it is", () => {
    const message = Unsigned.assigned(process, Unsigned.spawn({ owner: "eve" }).item)
    assert.strictEqual(refusal(Admission.emptyLog, { message }), "unknown process")
    assert.strictEqual(admitted(log, { message }).process, log.process)
  })

  it("that has a slot is a repeat before anything else is asked", () => {
    const message = Unsigned.assigned(process, said(stranger))
    assert.strictEqual(refusal(log, { message, seen: "repeat" }), "repeat")
    assert.strictEqual(refusal(log, { message, seen: "anchor reused" }), "anchor reused")
  })
})
