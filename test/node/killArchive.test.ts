/** `kill -9` at any moment of archiving loses no batch, no outcome and no bundle, and makes none twice (spec 07 §11). */
import { spawn } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import readline from "node:readline"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { assert, test } from "vitest"
import * as BatchesContent from "../../archive-unit/BatchesContent.ts"
import * as Piece from "../../archive-unit/Piece.ts"
import * as TurnsContent from "../../archive-unit/TurnsContent.ts"
import * as Archive from "../../runtime/Archive.ts"

const kills = 24
const script = new URL("./KilledArchive.ts", import.meta.url).pathname

type Moment = "message" | "file written" | "file there"

/** What happens in the folder that a kill waits for, and how often, by the number of the kill. */
const momentOf = (kill: number): readonly [Moment, number] => [
  (["message", "file written", "file there"] as const)[kill % 3]!,
  1 + ((kill * 7) % 5),
]

interface Ran {
  readonly lines: ReadonlyArray<string>
  readonly errors: string
  readonly signal: string | null
}

const start = (folder: string, task: string, onLine: (line: string, kill: () => void) => void = () => {}) =>
  new Promise<Ran>((resolve) => {
    const child = spawn(process.execPath, [script, folder, task], { stdio: ["ignore", "pipe", "pipe"] })
    const lines: Array<string> = []
    let errors = ""
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()))
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line)
      onLine(line, () => child.kill("SIGKILL"))
    })
    child.on("close", (_, signal) => resolve({ lines, errors, signal }))
  })

const runAndKill = async (folder: string, kill: number): Promise<Ran> => {
  const [moment, times] = momentOf(kill)
  let left = times
  let end = () => {}
  const archive = path.join(folder, "archive")
  const watcher = fs.watch(archive, (_, name) => {
    const isPart = name?.startsWith(".") ?? false
    if (moment !== "message" && isPart === (moment === "file written") && --left === 0) end()
  })
  const ran = await start(folder, "load", (line, now) => {
    end = now
    if (left <= 0 || (moment === "message" && line === "ack" && --left === 0)) now()
  })
  watcher.close()
  return ran
}

/** All contents of a type in the archive, as often as they stand there. */
const contents = async (folder: string, type: string): Promise<ReadonlyArray<Uint8Array>> => {
  const parts: Array<ReadonlyArray<Piece.Part>> = []
  for (const name of fs.readdirSync(folder).filter((one) => one.endsWith(".bundle"))) {
    const bundle = Result.getOrThrow(
      Archive.readBundle(new Uint8Array(fs.readFileSync(path.join(folder, name)))),
    )
    assert.strictEqual(`${bundle.id}.bundle`, name)
    for (const item of bundle.pieces) {
      const piece = Result.getOrThrow(Piece.read(item))
      if (piece.kind === "part" && piece.head.type === type) parts.push([piece])
    }
  }
  return Promise.all(parts.map((all) => Effect.runPromise(Piece.content(all))))
}

const inOrder = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)
const upTo = (count: number) => Array.from({ length: count }, (_, number) => number)

test(`${kills} kills amid archiving lose nothing and make nothing twice`, { timeout: 600_000 }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "heddle-kill-archive-"))
  const archive = path.join(folder, "archive")
  fs.mkdirSync(archive)
  try {
    let acknowledged = 0
    for (let kill = 0; kill < kills; kill++) {
      const { lines, errors, signal } = await runAndKill(folder, kill)
      assert.strictEqual(signal, "SIGKILL", `kill ${kill}: ${errors}`)
      acknowledged += lines.filter((line) => line === "ack").length
    }
    const { lines, errors } = await start(folder, "finish")
    const [, batches, commits, bundles] = /^done (\d+) (\d+) (\d+)$/.exec(lines.at(-1) ?? "") ?? []
    assert.isDefined(bundles, errors)

    const found = await contents(archive, "Batches")
    const decoded = found.flatMap((bytes) => Result.getOrThrow(BatchesContent.decode(bytes)))
    assert.deepStrictEqual(inOrder(decoded.map(({ link }) => link.number)), upTo(Number(batches)))
    const slots = decoded.reduce((sum, { entries }) => sum + entries.length, 0)
    assert.isAtLeast(slots, acknowledged)
    const turns = await contents(archive, "Turns")
    const releases = turns.flatMap((bytes) => Result.getOrThrow(TurnsContent.decode(bytes)))
    // Commits stand together under fewer signatures; what they are about stands there once.
    assert.isAtMost(releases.length, Number(commits))
    const covered = releases.flatMap(({ groups }) =>
      groups.flatMap(({ attestation: { process, from, to } }) =>
        upTo(to.slot - from.slot).map((i) => `${process} ${from.slot + 1 + i}`),
      ),
    )
    const given = decoded.flatMap(({ entries }) =>
      entries.map(({ assignment }) => `${assignment.process} ${assignment.slot}`),
    )
    assert.deepStrictEqual(covered.toSorted(), given.toSorted())
    assert.strictEqual((await contents(archive, "Module")).length, 1)
    assert.strictEqual((await contents(archive, "Engine")).length, 1)
    const files = fs.readdirSync(archive).filter((name) => name.endsWith(".bundle"))
    assert.strictEqual(files.length, Number(bundles))
    assert.isAbove(files.length, kills, "it archived all the time")
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
