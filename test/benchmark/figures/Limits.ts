/** The limits themselves, and how much of the bare engine is left in a turn. */
import * as Bare from "../Bare.ts"
import * as BareEngine from "../BareEngine.ts"
import { against, bare, type Figure, perSecond } from "../Figure.ts"
import * as Meter from "../Meter.ts"

export const figure: Figure = async ({ folder, quick, progress }) => {
  const ms = Meter.limitMsOf(quick)
  progress("signatures")
  const signs = Bare.signs(ms)
  const verifies = Bare.verifies(ms)
  progress("durable writes")
  const alone = await Bare.commits(folder, ms, 1)
  const shared = await Bare.commits(folder, ms, Bare.writers)
  progress("HTTP")
  const roundTrips = await Bare.roundTrips(ms)
  progress("QuickJS")
  const published = BareEngine.calls("published", ms)
  const instrumented = BareEngine.calls("instrumented", ms)
  const turns = await Bare.turns(ms)
  const rooted = await Bare.rootedTurns(ms)
  const mb = (shared * Bare.writeBytes) / 1e6
  return {
    _tag: "Measured",
    rows: [
      bare("ML-DSA-65 sign, one thread", perSecond(signs)),
      bare("ML-DSA-65 verify, one thread", perSecond(verifies)),
      bare(`LMDB durable write of ${Bare.writeBytes} B, one by one`, perSecond(alone)),
      bare(`LMDB durable write of ${Bare.writeBytes} B, ${Bare.writers} writers`, perSecond(shared)),
      bare("fetch over loopback, one by one", perSecond(roundTrips)),
      bare("QuickJS call, as published", perSecond(published)),
      against("QuickJS call, instrumented", perSecond(instrumented), "as published", published),
      against("turn of the counter", perSecond(turns), "QuickJS call, as published", published),
      against("turn of the counter with its state root", perSecond(rooted), "turn of the counter", turns),
    ],
    reckoning: [
      `${Bare.writers} writers share a flush of ${(1_000 / alone).toFixed(1)} ms: ${mb.toFixed(0)} MB/s reach the disk`,
      "a turn adds to a call: the prelude, the comparison of memory with what it was, and copies of the pages that changed",
      `a state root adds the hashes of those pages and of the tree above them: ${(1_000 / rooted - 1_000 / turns).toFixed(2)} ms`,
    ],
  }
}
