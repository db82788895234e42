import zlib from "node:zlib"
import * as fc from "fast-check"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import * as Evaluation from "../../compute-unit/Evaluation.ts"
import * as ProcessState from "../../compute-unit/ProcessState.ts"
import * as Snapshot from "../../compute-unit/Snapshot.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Life from "../support/Life.ts"
import { hash, id } from "../support/Unsigned.ts"

const page = fc.nat({ max: 255 }).map((byte) => new Uint8Array(4_096).fill(byte))
const bytes = (name: string) => Uint8Array.from(hash(name))
const counts = fc
  .dictionary(fc.string({ maxLength: 5 }), fc.nat({ max: 2 ** 40 }))
  .map((of) => new Map(Object.entries(of)))

const snapshots: fc.Arbitrary<Snapshot.Snapshot> = fc
  .record({
    slot: fc.nat(),
    term: fc.nat(),
    maps: fc.tuple(counts, counts, counts, counts),
    views: fc.dictionary(fc.string({ unit: "grapheme" }), fc.json()).map((of) => new Map(Object.entries(of))),
    memory: fc.option(fc.uniqueArray(fc.nat({ max: 1_599 }), { maxLength: 4 }), { nil: undefined }),
    filled: page,
  })
  .map(({ slot, term, maps: [sent, received, cron, timers], views, memory, filled }) => ({
    process: id("process"),
    slot,
    engine: bytes("engine"),
    // Any texts do for keys: what reads them does not look into them.
    metadata: {
      spawn: bytes("spawn"),
      module: id("module"),
      term,
      scheduler: id("scheduler"),
      sent,
      received,
      cron,
      timers,
      authority: { units: [id("unit a"), id("unit b")], quorum: 2, since: slot },
      views,
    } as unknown as Snapshot.Snapshot["metadata"],
    memory: memory && {
      wasmPages: 100,
      globals: Bytes.u64(5),
      pages: memory.toSorted((a, b) => a - b).map((index) => [index, filled] as const),
    },
  }))

describe("a snapshot", () => {
  it("comes back from its bytes as it was", () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        expect(Result.getOrThrow(Snapshot.decode(Snapshot.encode(snapshot)))).toEqual(snapshot)
      }),
      { numRuns: 50 },
    )
  })

  const counter = `let n = 0; const kept = []
    heddle.on("Add", (m) => { kept.push("x".repeat(3000)); heddle.publish("n", ++n); return n })
    heddle.on("Ask", async (m) => { const a = await heddle.ask(m.from, {}); return [a, n] })`

  /** A life of some turns, the state after each taken. */
  const lived = () => {
    const life = Life.make(counter)
    const machine = new Turn.Machine()
    const state = ProcessState.open(life.opening)
    const said = ["Add", { action: "Ask", source: id("bob"), pair: 1 }, "Add", "Add", "Nope"]
    const entries = life.all(...said)
    const steps = entries.map((entry) => {
      const { outcome } = Evaluation.evaluate(machine, state, entry)
      return { outcome, taken: ProcessState.take(state) }
    })
    return { life, entries, steps }
  }

  it("is gone on from at every slot as if nothing had been between", () => {
    const { life, entries, steps } = lived()
    for (const [at, { taken }] of steps.entries()) {
      const state = ProcessState.restore(life.opening, taken.bytes, taken.stateRoot)
      if (typeof state === "string") throw new Error(state)
      expect([state.slot, ProcessState.stateRoot(state)]).toEqual([at, taken.stateRoot])
      const machine = new Turn.Machine()
      for (const [i, entry] of entries.slice(at + 1).entries()) {
        expect(Evaluation.evaluate(machine, state, entry).outcome).toEqual(steps[at + 1 + i]!.outcome)
        expect(ProcessState.stateRoot(state)).toEqual(steps[at + 1 + i]!.taken.stateRoot)
      }
    }
    expect(new Set(steps.map(({ taken }) => Bytes.toHex(taken.stateRoot))).size).toBe(entries.length)
  })

  it("is refused by name when any of its bytes is another, compressed or not", () => {
    const { life, steps } = lived()
    const { bytes, stateRoot } = steps.at(-1)!.taken
    const plain = zlib.zstdDecompressSync(bytes)
    let refused = 0
    const tried = (bent: Uint8Array) => {
      const result = ProcessState.restore(life.opening, bent, stateRoot)
      if (typeof result !== "string") throw new Error("it was taken")
      expect(result).toMatch(
        /^it (ends early|can't be decompressed|is of process |leads to state root |has less memory|has other globals)|out of place|too many|no snapshot|not UTF-8|behind its end|over 2\^53/,
      )
      refused++
    }
    for (let at = 0; at < plain.length; at += 1 + Math.floor(plain.length / 400)) {
      const bent = Uint8Array.from(plain)
      bent[at]! ^= 1
      try {
        tried(new Uint8Array(zlib.zstdCompressSync(bent)))
      } catch (error) {
        if (!(error instanceof ProcessState.Unknown)) throw error // the engine's id was bent
        refused++
      }
    }
    for (let at = 0; at < bytes.length; at += 1 + Math.floor(bytes.length / 100)) {
      const bent = Uint8Array.from(bytes)
      bent[at]! ^= 4
      const whole = ((): Uint8Array | undefined => {
        try {
          return zlib.zstdDecompressSync(bent)
        } catch {
          return undefined
        }
      })()
      if (whole === undefined || !Bytes.equal(whole, plain)) tried(bent)
    }
    tried(bytes.subarray(0, bytes.length - 1))
    tried(new Uint8Array(0))
    expect(refused).toBeGreaterThan(400)
  })

  it("that unpacks to more than a process can have is refused before it is unpacked", () => {
    const bomb = zlib.zstdCompressSync(new Uint8Array(2 ** 30))
    expect(Snapshot.decode(bomb)).toEqual(Result.fail("it can't be decompressed"))
  })
})
