/**
 * What counting costs: the engine with its counters against the engine as published, over different kinds of work.
 * Both run in one thread, in turns, and are measured by its CPU time.
 */
import * as BareEngine from "../BareEngine.ts"
import { against, type Figure, perSecond, type Row } from "../Figure.ts"
import * as Meter from "../Meter.ts"

/** The most that counting may cost, in times of the time without it. */
const factorMax = 1.4

const of = (body: string): BareEngine.Work => ({
  script: `const work = () => { ${body} }; (text) => String(work())`,
  words: "{}",
})

const works: Readonly<Record<string, BareEngine.Work>> = {
  "messages as JSON": BareEngine.answer,
  arithmetic: of(`let n = 0; for (let i = 0; i < 20000; i++) n = (n * 31 + i) % 65521; return n`),
  "floating point": of(
    `let x = 0.5; for (let i = 1; i < 10000; i++) x = Math.sqrt(x * x + 1 / i) + Math.sin(x); return x`,
  ),
  properties: of(
    `const o = { a: 1, b: { c: 2 } }; let n = 0; for (let i = 0; i < 10000; i++) { o.b.c += o.a; n += o.b.c } return n`,
  ),
  calls: of(`const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(17)`),
  strings: of(`let s = ""; for (let i = 0; i < 2000; i++) s += i.toString(36); return s.length`),
  maps: of(`const m = new Map(); for (let i = 0; i < 3000; i++) m.set("k" + (i % 300), i); return m.size`),
  "typed arrays": of(
    `const a = new Uint8Array(65536); for (let i = 0; i < 200; i++) { a.fill(i); a.copyWithin(1, 0) } return a[9]`,
  ),
  sort: of(
    `const a = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 1009); a.sort((x, y) => x - y); return a[5]`,
  ),
  "regular expressions": of(
    `let n = 0; for (let i = 0; i < 200; i++) n += "a1b22c333".replace(/[0-9]+/g, "-").length; return n`,
  ),
}

export const figure: Figure = async ({ quick, progress }) => {
  const [rounds, msEach] = quick ? [2, 10] : [7, 150]
  const rows: Array<Row> = []
  for (const [name, work] of Object.entries(works)) {
    progress(name)
    const [published, instrumented] = [
      BareEngine.caller("published", work),
      BareEngine.caller("instrumented", work),
    ]
    const kinds = {
      published: () => Meter.cpuRate(msEach, published),
      instrumented: () => Meter.cpuRate(msEach, instrumented),
    }
    await Meter.inTurns(2, kinds) // warms them up
    const rates = await Meter.inTurns(rounds, kinds)
    const [fast, slow] = [Math.max(...rates.published), Math.max(...rates.instrumented)]
    rows.push(against(`${name}, instrumented`, perSecond(slow), "as published", fast, 1 / factorMax))
  }
  const factors = rows.map(({ ratio }) => 1 / ratio!)
  const mean = factors.reduce((product, factor) => product * factor, 1) ** (1 / factors.length)
  return {
    _tag: "Measured",
    rows,
    reckoning: [
      `fuel, depth and NaN cost ${mean.toFixed(2)} times the time in the mean (geometric), ${Math.max(...factors).toFixed(2)} at most; wanted is at most ${factorMax}`,
      "rates are of a second of CPU, the best of rounds in turns: what other programs take is in neither",
    ],
  }
}
