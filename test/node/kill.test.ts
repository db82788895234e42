/** `kill -9` at any moment loses no acknowledged message, leaves no gap, and lets no message between processes count twice. */
import { assert, test } from "vitest"
import * as Killed from "./Killed.ts"

const kills = 50
const killsOfPairs = 16

// spec 03 §3
test(
  `${kills} kills under load, amid evictions and snapshots, lose no acknowledged message and leave no gap`,
  { timeout: 600_000 },
  async () => {
    const snapshots = await Killed.often(new URL("./KilledNode.ts", import.meta.url), kills, "snapshots")
    assert.isAbove(snapshots, 5 * kills, "processes were written down all the time")
  },
)

// spec 05 §3
test(
  `${killsOfPairs} kills amid messages between processes: each takes effect once, in order, and each timer fires once`,
  { timeout: 600_000 },
  async () => {
    const effects = await Killed.often(new URL("./KilledPairs.ts", import.meta.url), killsOfPairs, "effects")
    assert.isAbove(effects, 10 * killsOfPairs, "processes spoke to one another all the time")
  },
)
