/**
 * The program of the actors in a simulation. Each message is a script in JSON: what to do, step by step, and what others
 * are to do. It numbers what it sends to each, notes the numbers that it gets of each, and publishes what it noted.
 */
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"

export type Step =
  | readonly ["send" | "ask", target: Id.ProcessId, script: Script]
  | readonly ["ask within", target: Id.ProcessId, script: Script, ms: number]
  /** Makes a process and gives it a script in the same turn. */
  | readonly ["spawn", script: Script]
  | readonly ["sleep", ms: number]
  | readonly ["fail"]
export type Script = ReadonlyArray<Step>

/** What an actor publishes under `state`. */
export interface State {
  /** Messages and cron messages that it handled, and the slot of the last. */
  readonly turns: number
  readonly slot: number
  readonly crons: number
  /** Turns that failed and left something behind: 0. */
  readonly broken: number
  /** Numbers that came, by who sent them. */
  readonly got: Readonly<Record<string, ReadonlyArray<number>>>
  readonly version: string
}

const source = (version: string) => `
let state = { turns: 0, slot: 0, crons: 0, broken: 0, got: {}, version: "${version}" }
let sent = {}
const number = (target) => (sent[target] = (sent[target] ?? 0) + 1)
const come = (m) => {
  state.turns++
  state.slot = m.slot
  if (m.tags.N !== undefined) (state.got[m.from] ??= []).push(Number(m.tags.N))
  heddle.publish("state", state)
}
const content = (target, script) => ({ action: "Do", tags: { N: number(target) }, data: script })
const run = async (script) => {
  const done = []
  for (const [what, ...rest] of script) {
    if (what === "send") { heddle.send(rest[0], content(rest[0], rest[1])); done.push("sent") }
    else if (what === "sleep") { await heddle.sleep(rest[0]); done.push("slept") }
    else if (what === "fail") { state.broken++; throw new Error("as told") }
    else {
      const kid = what === "spawn"
      const target = kid ? heddle.spawn(heddle.process.module) : rest[0]
      const options = what === "ask within" ? { timeout: rest[2] } : {}
      try { done.push(await heddle.ask(target, content(target, rest[kid ? 0 : 1]), options)) }
      catch (error) { done.push("error: " + error.message) }
    }
  }
  return done
}
heddle.on("Spawn", (m) => { come(m) })
heddle.on("Do", (m) => { come(m); return run(m.json()) })
heddle.on("Cron", (m) => { state.crons++; come(m) })
heddle.on("Break", () => { state.broken++ })
heddle.on("Peek", () => state)
heddle.onExport(() => ({ state, sent }))
heddle.onImport((before) => { sent = before.sent; state = { ...before.state, version: "${version}" }; heddle.publish("state", state) })
`

/** Two programs that differ in their name, to upgrade from one to the other. */
export const programs: ReadonlyArray<Uint8Array> = ["one", "two"].map((version) =>
  Bytes.fromText(source(version)),
)
