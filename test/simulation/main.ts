/**
 * `npm run simulate`: worlds of many seeds, until one breaks a property.
 *
 *     npm run simulate                       100 fresh seeds
 *     npm run simulate -- --seeds 2000       so many
 *     npm run simulate -- --minutes 30       as many as the time allows
 *     npm run simulate -- --seed 4711        that one
 *     npm run simulate -- --seed 2 --planted "a repeat is not recognised"
 */
import { parseArgs } from "node:util"
import { bugs } from "./Planted.ts"
import { shrink } from "./Shrink.ts"
import * as World from "./World.ts"
import type { Operation } from "./Workload.ts"

const seedsDefault = 100
const shrinkTriesMax = 150

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    minutes: { type: "string" },
    planted: { type: "string" },
  },
})

const number = (name: "seed" | "seeds" | "minutes"): number | undefined => {
  const text = values[name]
  if (text === undefined) return undefined
  if (/^[0-9]{1,10}(\.[0-9]+)?$/.test(text)) return Number(text)
  console.error(`--${name} takes a number, not ${text}`)
  process.exit(2)
}

const planted = values.planted === undefined ? undefined : bugs.find(({ name }) => name === values.planted)
if (values.planted !== undefined && planted === undefined) {
  console.error(`--planted takes one of:\n${bugs.map(({ name }) => `  ${name}`).join("\n")}`)
  process.exit(2)
}

/** An operation in one line, its script as it was planned. */
const line = ({ number: name, at, by, kind, ...rest }: Operation): string =>
  `  ${name}  at ${at} ms, caller ${by}: ${kind} ${JSON.stringify(rest)}`

const fail = (
  { seed, operations, hash }: World.Report,
  broken: NonNullable<World.Report["broken"]>,
): never => {
  const { checker, detail } = broken
  console.log(`\nseed ${seed} breaks ${checker}: ${detail}\ntrace ${hash}\n`)
  console.log(`looking for the fewest of its ${operations.length} operations`)
  const run = (some: ReadonlyArray<Operation>) => World.run({ seed, operations: some, planted })
  const fewest = shrink(operations, shrinkTriesMax, (some) => run(some).broken?.checker === checker)
  const shrunk = run(fewest)
  console.log(`\nthe last events:\n${shrunk.last.map((event) => `  ${event}`).join("\n")}`)
  console.log(`\n${fewest.length} operations are enough:\n${fewest.map(line).join("\n")}`)
  console.log(`\n${checker}: ${shrunk.broken?.detail}`)
  console.log(`\nagain: npm run simulate -- --seed ${seed}${planted ? ` --planted "${planted.name}"` : ""}`)
  process.exit(1)
}

const only = number("seed")
const minutes = number("minutes")
const count = only === undefined ? (number("seeds") ?? (minutes === undefined ? seedsDefault : Infinity)) : 1
const begun = Date.now()
const end = minutes === undefined ? Infinity : begun + minutes * 60_000
const first = only ?? begun % 1_000_000_000
let [done, slots, starts] = [0, 0, 0]

const progress = () => {
  const seconds = Math.round((Date.now() - begun) / 1_000)
  return `${done} seeds from ${first} on in ${seconds} s: ${slots} slots, ${starts} starts of machines`
}
for (let seed = first; done < count && Date.now() < end; seed++) {
  const report = World.run({ seed, planted })
  if (report.broken !== undefined) fail(report, report.broken)
  done++
  slots += report.slots
  starts += report.starts
  if (only !== undefined) console.log(`seed ${seed}: ${report.steps} steps, trace ${report.hash}`)
  if (process.stdout.isTTY) process.stdout.write(`\r${progress()}`)
  else if (done % 100 === 0) console.log(progress())
}
console.log(`${process.stdout.isTTY ? "\r" : ""}${progress()}; every property holds`)
