/**
 * The main job, end to end: a node, two identities, a token that is spawned, paid with and asked, a process that it
 * spawns, one that waits for its answer; then the node is stopped, started again from disk, and every log is replayed
 * from slot 0 in a fresh sandbox. Exit code 0 only if all state roots come out equal.
 */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { type Client, createIdentity, start } from "heddle"

const token = (name: string) => ({ file: path.join(import.meta.dirname, "token", name) })
const dataFolder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-demo-"))
const started = performance.now()
const say = (text: string) =>
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`)

/** Names for what would otherwise be 43 characters. */
const names = new Map<string, string>()
const nameOf = (id: string): string => names.get(id) ?? `${id.slice(0, 8)}…`
const named = <A extends string>(name: string, id: A): A => {
  names.set(id, name)
  return id
}

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): void => {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]!.length)))
  const line = (cells: ReadonlyArray<string>) =>
    `  ${cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd()}`
  console.log([line(head), line(widths.map((width) => "─".repeat(width))), ...rows.map(line)].join("\n"))
}

const clip = (text: string): string => (text.length <= 60 ? text : `${text.slice(0, 59)}…`)

/** One row a turn: who, slot, action, outcome, fuel. */
const rowsOf = async (heddle: Client, process: string): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
  const [entries, turns] = await Promise.all([heddle.log(process), heddle.turns(process)])
  return turns.map(({ outcome }, i) => {
    const { from, action, slot } = entries[i]!
    const reply = outcome.replies[0]
    const answer = reply === undefined ? "" : "error" in reply ? reply.error : reply.value
    const text = (outcome.error?.message ?? answer).replaceAll(/[A-Za-z0-9_-]{43}/g, nameOf)
    const did = outcome.error !== undefined ? `✗ ${text}` : `✓ ${text === "null" ? "" : text}`
    const sent = outcome.outbox.length > 0 ? ` (${outcome.outbox.length} out)` : ""
    return [
      nameOf(process),
      String(slot),
      nameOf(from),
      action ?? "Spawn",
      clip(did.trimEnd()) + sent,
      outcome.fuelUsed.toLocaleString("en"),
    ]
  })
}

say(`starting a node on ${dataFolder}`)
const [ada, grace] = [await createIdentity(), await createIdentity()]
named("Ada", ada.address)
named("Grace", grace.address)

let processes: ReadonlyArray<{
  readonly process: string
  readonly stateRoot: Uint8Array
  readonly slots: number
}> = []
{
  await using heddle = await start({ dataFolder, as: ada })
  say("two ML-DSA-65 identities, Ada and Grace")

  const pid = named(
    "token",
    await heddle.spawn(token("token.ts"), { name: "token", tags: { Ticker: "WARP", Supply: "1000" } }),
  )
  say(`Ada spawned the token, ${pid}`)
  await heddle.ask(pid, "Transfer", { tags: { Recipient: grace.address, Quantity: "300", Cast: "yes" } })
  await heddle.ask(pid, "Transfer", {
    as: grace,
    tags: { Recipient: ada.address, Quantity: "50", Cast: "yes" },
  })
  await heddle
    .ask(pid, "Transfer", { as: grace, tags: { Recipient: ada.address, Quantity: "999", Cast: "yes" } })
    .catch(() => {})
  say("signed transfers from both, one of them too large")

  const auditor = await heddle.addModule(token("auditor.ts"))
  const audited = await heddle.ask(pid, "Audit", { tags: { "Auditor-Module": auditor } })
  const { auditor: child, verdict } = audited as { readonly auditor: string; readonly verdict: unknown }
  named("auditor", child)
  say(`the token spawned an auditor and sent it the books: ${JSON.stringify(verdict)}`)

  const shop = named("shop", await heddle.spawn(token("shop.ts"), { name: "shop", tags: { Token: pid } }))
  const afford = await heddle.ask(shop, "Can-Afford", { as: grace, tags: { Price: "200" } })
  say(`the shop awaited the token's answer: ${JSON.stringify(afford)}`)

  console.log()
  const rows = await Promise.all([pid, child, shop].map((process) => rowsOf(heddle, process)))
  table(["process", "slot", "who", "action", "outcome", "fuel"], rows.flat())
  console.log()
  processes = await heddle.processes()
}

say("node stopped; starting it again from disk and replaying every log from slot 0 in a fresh sandbox")
let equal = true
{
  await using heddle = await start({ dataFolder, as: ada })
  const again = await heddle.processes()
  const rows: Array<ReadonlyArray<string>> = []
  for (const { process, stateRoot, slots } of processes) {
    const report = await heddle.replay(process)
    const restored = again.find((one) => one.process === process)
    const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("hex")
    const same =
      report.finding === undefined &&
      report.slots === slots &&
      hex(report.stateRoot) === hex(stateRoot) &&
      hex(restored?.stateRoot) === hex(stateRoot)
    equal &&= same
    rows.push([
      nameOf(process),
      String(slots),
      `${hex(stateRoot).slice(0, 16)}…`,
      `${hex(report.stateRoot).slice(0, 16)}…`,
      same ? "✓ equal" : `✗ ${report.finding?.detail ?? "differs"}`,
    ])
  }
  console.log()
  table(["process", "slots", "root before", "root replayed", ""], rows)
  console.log()
}
fs.rmSync(dataFolder, { recursive: true, force: true })
say(equal && processes.length === 3 ? "all state roots are equal" : "state roots differ")
process.exitCode = equal && processes.length === 3 ? 0 : 1
