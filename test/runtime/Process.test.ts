import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Limit from "../../runtime/Limit.ts"
import * as Process from "../../runtime/Process.ts"
import * as Tag from "../../runtime/Tag.ts"
import { id, spawn, type Tags } from "../support/Unsigned.ts"

const read = (tags: Tags = []) => Process.fromSpawn(spawn({ tags }))
const made = (tags: Tags = []) => Result.getOrThrow(read(tags))
const refusal = (tags: Tags): string => {
  const found = read(tags)
  return Result.isFailure(found) ? found.failure.message : "it is taken"
}

const [a, b, c] = [id("a"), id("b"), id("c")]

describe("a spawn", () => {
  it("makes a process named by its id, owned by who sent it, with defaults for what it does not say", () => {
    const message = spawn()
    const process = Result.getOrThrow(Process.fromSpawn(message))
    assert.deepInclude(process, {
      id: message.id,
      owner: message.from,
      module: id("Module"),
      scheduler: id("Scheduler"),
      authority: { units: [id("Scheduler")], quorum: 1 },
      fuelPerTurnMax: Limit.fuelPerTurnDefault,
      memoryPagesMax: Limit.memoryPagesDefault,
      cron: [],
    })
    assert.strictEqual(Tag.value(process.tags, "Module"), id("Module"))
  })

  it("needs module and scheduler, each the one spelling of an id", () => {
    for (const name of ["Module", "Scheduler"]) {
      assert.include(refusal([[name, "x"]]), `tag "${name}"`)
      assert.include(refusal([[name, id("Module").slice(1)]]), `tag "${name}"`)
    }
  })

  it("pins the engine that it names, and refuses a name that is no id", () => {
    assert.isUndefined(made().engine)
    assert.strictEqual(made([["Engine", a]]).engine, a)
    for (const value of ["quickjs", a.slice(1), `${a} `])
      assert.include(refusal([["Engine", value]]), `tag "Engine": names no engine`)
  })

  it("believes its Authority, else its Compute, else its Scheduler; more than half of them", () => {
    const authority = (tags: Tags) => made(tags).authority
    assert.deepStrictEqual(authority([["Authority", a]]), { units: [a], quorum: 1 })
    assert.deepStrictEqual(
      authority([
        ["Compute", a],
        ["Compute", b],
      ]),
      { units: [a, b], quorum: 2 },
    )
    assert.deepStrictEqual(
      authority([
        ["Compute", a],
        ["Authority", b],
      ]),
      { units: [b], quorum: 1 },
    )
    assert.strictEqual(
      authority([
        ["Authority", a],
        ["Authority", b],
        ["Authority", c],
      ]).quorum,
      2,
    )
  })

  it("may ask for more than half of its units and at most all, in decimal digits", () => {
    const three: Tags = [a, b, c].map((unit) => ["Authority", unit] as const)
    const quorum = (text: string) => refusal([...three, ["Authority-Quorum", text]])
    for (const text of ["2", "3"]) {
      assert.strictEqual(quorum(text), "it is taken")
      assert.strictEqual(made([...three, ["Authority-Quorum", text]]).authority.quorum, Number(text))
    }
    for (const text of ["0", "1", "4", "-2", "2.5", "two", "02", "0x2", "2e0", " 2", "2.0"])
      assert.match(quorum(text), /tag "Authority-Quorum".*more than half of the 3/, text)
  })

  it("names each unit once, and units only", () => {
    for (const name of ["Authority", "Compute"]) {
      const twice: Tags = [
        [name, a],
        [name, a],
      ]
      assert.include(refusal(twice), `tag "${name}": takes addresses, each once`)
      assert.include(refusal([[name, "somebody"]]), `tag "${name}": takes addresses, each once`)
    }
  })

  it("is computed by its Compute units, else by its scheduler", () => {
    assert.deepStrictEqual(made().compute, [id("Scheduler")])
    const [one, two]: Tags = [
      ["Compute", a],
      ["Compute", b],
    ]
    assert.deepStrictEqual(made([one!, two!, ["Authority", c]]).compute, [a, b])
  })

  it(`takes fuel from ${Limit.fuelPerTurnMin} to ${Limit.fuelPerTurnMax}, in decimal digits`, () => {
    for (const fuel of [Limit.fuelPerTurnMin, Limit.fuelPerTurnMax])
      assert.strictEqual(made([["Compute-Limit", `${fuel}`]]).fuelPerTurnMax, fuel)
    const bad = [Limit.fuelPerTurnMin - 1n, Limit.fuelPerTurnMax + 1n, "0", "-1000000", "1000000.5", "1e7"]
    for (const text of [...bad, "01000000", "0xfffff1", "lots", "9".repeat(30)])
      assert.include(refusal([["Compute-Limit", `${text}`]]), 'tag "Compute-Limit"', `${text}`)
  })

  it(`takes pages from ${Limit.memoryPagesMin} to ${Limit.memoryPagesMax}`, () => {
    for (const pages of [Limit.memoryPagesMin, Limit.memoryPagesMax])
      assert.strictEqual(made([["Memory-Limit", `${pages}`]]).memoryPagesMax, pages)
    for (const text of [
      `${Limit.memoryPagesMin - 1}`,
      `${Limit.memoryPagesMax + 1}`,
      "0100",
      "0x100",
      "1e3",
      "100.0",
      "",
    ])
      if (text !== "") assert.include(refusal([["Memory-Limit", text]]), 'tag "Memory-Limit"', text)
  })

  it("reads intervals in AO's form and in no other", () => {
    const good = {
      "1-second": 1_000,
      "10-seconds": 10_000,
      "2-minute": 120_000,
      "1-hours": 3_600_000,
      "3-days": 259_200_000,
    }
    for (const [text, ms] of Object.entries(good)) assert.strictEqual(Process.intervalMs(text), ms, text)
    assert.strictEqual(Process.intervalMs("999999999-days"), 999_999_999 * 86_400_000)
    for (const text of [
      "0-seconds",
      "01-seconds",
      "1-week",
      "1 second",
      "second",
      "-1-second",
      "1.5-hours",
      "1-secondss",
      "1000000000-days",
      "500-milliseconds",
    ])
      assert.strictEqual(Process.intervalMs(text), undefined, text)
  })

  it("has crons named by their interval, in order, each once", () => {
    const cron = made([
      ["Cron-Interval", "1-hour"],
      ["Cron-Interval", "10-seconds"],
    ]).cron
    assert.deepStrictEqual(cron, [
      { name: "1-hour", intervalMs: 3_600_000 },
      { name: "10-seconds", intervalMs: 10_000 },
    ])
    assert.include(
      refusal([
        ["Cron-Interval", "1-hour"],
        ["Cron-Interval", "1-hour"],
      ]),
      "twice",
    )
    assert.include(refusal([["Cron-Interval", "now and then"]]), '"now and then" is not an interval')
  })

  it("takes intervals from a second to a year", () => {
    assert.strictEqual(made([["Cron-Interval", "366-days"]]).cron[0]!.intervalMs, Limit.cronIntervalMsMax)
    assert.strictEqual(made([["Cron-Interval", "1-second"]]).cron[0]!.intervalMs, Limit.cronIntervalMsMin)
    assert.include(refusal([["Cron-Interval", "367-days"]]), "at most a year")
  })

  it(`has at most ${Limit.cronEntriesMax} crons`, () => {
    const crons = (count: number): Tags =>
      Array.from({ length: count }, (_, i) => ["Cron-Interval", `${i + 1}-hours`] as const)
    assert.strictEqual(made(crons(Limit.cronEntriesMax)).cron.length, Limit.cronEntriesMax)
    assert.include(refusal(crons(Limit.cronEntriesMax + 1)), `at most ${Limit.cronEntriesMax}`)
  })
})
