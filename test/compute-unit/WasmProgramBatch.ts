/** A batch of generated programs, run by a Node of its own: what each call gave and what it cost, one line each. */
import * as fc from "fast-check"
import { programOf } from "./WasmProgram.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { argumentBits, numbers, WasmProgramRun } from "./WasmProgramRun.ts"

const [count, seed] = process.argv.slice(2).map(Number)
if (count === undefined || seed === undefined) throw new Error("count and seed are missing")

for (const each of fc.sample(numbers, { numRuns: count, seed })) {
  const run = new WasmProgramRun(programOf(each).subject)
  for (const args of argumentBits.keys()) {
    const { ending, fuel } = run.call(0, args)
    const { memory, globals } = run.state
    console.log([ending, fuel, ...globals, Bytes.toHex(Hash.sha256(memory))].join(" | "))
  }
}
