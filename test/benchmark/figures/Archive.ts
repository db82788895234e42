/**
 * What archiving costs who asks: the slowest of a hundred answers of a node that archives into a folder, held against
 * those of a node that archives nothing, in turns in one process. Both have the same store, threads and messages.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { ArchiveUnit } from "../../../archive-unit/ArchiveUnit.ts"
import * as ArchiveUnitLocal from "../../../archive-unit/ArchiveUnitLocal.ts"
import { MessengerUnit } from "../../../messenger-unit/MessengerUnit.ts"
import * as MessengerUnitLocal from "../../../messenger-unit/MessengerUnitLocal.ts"
import * as Archiving from "../../../node/Archiving.ts"
import * as Node from "../../../node/Node.ts"
import * as Caller from "../../support/Caller.ts"
import * as SmallNode from "../../support/SmallNode.ts"
import { against, type Figure, ms, type Row } from "../Figure.ts"
import * as Meter from "../Meter.ts"

/** Share of the time that archiving may cost. */
const costMax = 0.05
const share = 0.99

const caller = Caller.caller("benchmark archive")
const counter = "let n = 0; heddle.on('Add', () => { heddle.publish('n', ++n); return n })"

/** A node with a process, whose `ask` takes a signed message and gives the ms until its answer. */
const start = async (folder: string, archives: boolean) => {
  const { identity } = Caller.caller(`benchmark archive ${archives}`)
  const options = { dataFolder: `${folder}/data`, identity, sandboxWorkers: 1, cryptoWorkers: 1 }
  const archiving = { folder: `${folder}/archive` }
  const archive = archives
    ? ArchiveUnitLocal.layer(Archiving.unit(archiving)).pipe(Layer.provide(Archiving.layer(archiving)))
    : Layer.succeed(ArchiveUnit, SmallNode.noArchive)
  const runtime = ManagedRuntime.make(
    MessengerUnitLocal.layer("benchmark").pipe(
      Layer.provideMerge(archive),
      Layer.provideMerge(Node.units(options)),
    ),
  )
  const [messenger, unit] = await runtime.runPromise(Effect.all([MessengerUnit, ArchiveUnit]))
  const process = await runtime.runPromise(SmallNode.spawn({ messenger }, caller, counter))
  const sign = (count: number) =>
    Promise.all(Array.from({ length: count }, () => caller.message(process, "Add")))
  const asks = async (count: number, outstanding: number): Promise<ReadonlyArray<number>> => {
    const items = await sign(count)
    const times: Array<number> = []
    await Meter.drain(items, outstanding, async ({ bytes }) => {
      times.push(await Meter.timed(() => runtime.runPromise(messenger.ask(bytes))))
    })
    return times
  }
  return {
    asks,
    bundles: async () => {
      const { bundles, waiting } = await runtime.runPromise(unit.status)
      return bundles + waiting.length
    },
    [Symbol.asyncDispose]: () => runtime.dispose(),
  }
}

export const figure: Figure = async ({ folder, quick, progress }) => {
  const [rounds, count] = quick ? [1, 40] : [10, 250]
  await using plain = await start(`${folder}/plain`, false)
  await using archiving = await start(`${folder}/archiving`, true)
  progress("warming up")
  for (const node of [plain, archiving]) await node.asks(count, 4)
  const rows: Array<Row> = []
  const reckoning: Array<string> = []
  for (const outstanding of [1, 16]) {
    progress(`${rounds} rounds of ${count} asks, ${outstanding} outstanding`)
    const times = { plain: new Array<number>(), archiving: new Array<number>() }
    const cpu = { plain: 0, archiving: 0 }
    const before = await archiving.bundles()
    for (let round = 0; round < rounds; round++) {
      // Each goes first as often as the other.
      const order = round % 2 === 0 ? (["plain", "archiving"] as const) : (["archiving", "plain"] as const)
      for (const name of order) {
        const from = Meter.cpuMsOfAll()
        times[name].push(...(await { plain, archiving }[name].asks(count, outstanding)))
        cpu[name] += (Meter.cpuMsOfAll() - from) / (rounds * count)
      }
    }
    const [without, along] = [Meter.quantile(times.plain, share), Meter.quantile(times.archiving, share)]
    const middles = [Meter.median(times.plain), Meter.median(times.archiving)] as const
    rows.push(
      against(
        `p99 of ask, ${outstanding} at a time, archiving`,
        ms(along),
        "without",
        without,
        1 / (1 + costMax),
      ),
    )
    reckoning.push(
      `${outstanding} at a time: p99 costs ${(100 * (along / without - 1)).toFixed(1)} % more, the median ${(100 * (middles[1] / middles[0] - 1)).toFixed(1)} %, with ${(await archiving.bundles()) - before} bundles made meanwhile; wanted is at most ${100 * costMax} %`,
      `an ask takes ${cpu.plain.toFixed(2)} ms of CPU and ${cpu.archiving.toFixed(2)} with archiving, signing by its sender in both`,
    )
  }
  return { _tag: "Measured", rows, reckoning }
}
