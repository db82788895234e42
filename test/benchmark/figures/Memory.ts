/**
 * Memory that a process costs a node while it has nothing to do: in a node with room for all of them, and in one with
 * so little that nearly all are evicted.
 */
import * as Effect from "effect/Effect"
import { pageBytes } from "../../../compute-unit/BootImage.ts"
import * as SignedItem from "../../../identity/SignedItem.ts"
import { MessengerUnit } from "../../../messenger-unit/MessengerUnit.ts"
import { connectionLayer } from "../../../node/index.ts"
import * as Bytes from "../../../runtime/Bytes.ts"
import * as Hash from "../../../runtime/Hash.ts"
import * as Message from "../../../runtime/Message.ts"
import * as Caller from "../../support/Caller.ts"
import * as Bare from "../Bare.ts"
import { against, type Figure, kib, type Row } from "../Figure.ts"
import * as NodeProcess from "../NodeProcess.ts"
import type { Memory } from "../ServedNode.ts"

/** What the loader of AO takes for each process that it holds ready, in KiB: the memory of its module's instance. */
const loaderKib = 105 * 1_024
/** Times as many processes as that in the same memory. */
const goal = 1_000

/** MiB that open processes may take: all there can be here, and some two hundred. */
const rooms = { resident: 8_192, evicted: 16 } as const

type Measures = readonly [one: Memory, all: Memory]

/** Spawns processes of the counter and waits until all have run their first turn. */
const spawn = (url: string, source: Uint8Array, from: number, to: number): Promise<void> =>
  Effect.gen(function* () {
    const messenger = yield* MessengerUnit
    const { scheduler, compute } = yield* messenger.info
    const module = yield* messenger.addModule(source)
    const fields = Array.from({ length: to - from }, (_, i) => ({
      anchor: Hash.sha256(Bytes.fromText(`benchmark spawn ${from + i}`)),
      tags: [
        ...Message.protocolTags("Process"),
        { name: "Module", value: module },
        { name: "Scheduler", value: scheduler },
        { name: "Compute", value: compute },
      ],
      data: Bytes.empty,
    }))
    const items = yield* SignedItem.signMany(Caller.caller("benchmark memory").signer, fields)
    const one = ({ bytes }: { readonly bytes: Uint8Array }) =>
      Effect.flatMap(messenger.send(bytes), ({ process }) => messenger.turn(process, 0))
    yield* Effect.forEach(items, one, { concurrency: 256, discard: true })
  }).pipe(Effect.provide(connectionLayer(url)), Effect.runPromise)

export const figure: Figure = async ({ folder, quick, profile, progress }) => {
  const count = quick ? 50 : 10_000
  const source = await Bare.bundled(Bare.counterFile)
  /** The node with one process, and with all. */
  const measure = async (name: keyof typeof rooms): Promise<Measures> => {
    await using node = await NodeProcess.start(`${folder}/${name}`, profile, rooms[name])
    await spawn(node.url, source, 0, 1)
    const one = await node.memory()
    progress(`${count} processes, ${name}`)
    await spawn(node.url, source, 1, count)
    return [one, await node.memory()]
  }
  const [resident, evicted] = [await measure("resident"), await measure("evicted")]
  const { memory } = await Bare.counter()
  const pages = (memory.own.size * pageBytes) / 1_024
  const kibEach = (bytes: number, processes: number) => kib(bytes / processes / 1_024)
  const rowsOf = (name: keyof typeof rooms, [one, all]: Measures): ReadonlyArray<Row> => {
    const of = `${count} ${name} processes`
    const loader = "AO's loader, 105 MiB"
    return [
      against(`node with ${of}, RSS each`, kibEach(all.resident, count), loader, loaderKib, goal),
      ...(all.anonymous === undefined
        ? []
        : [
            against(
              `the same without the store's file`,
              kibEach(all.anonymous, count),
              loader,
              loaderKib,
              goal,
            ),
          ]),
      against(
        `one ${name} process more`,
        kibEach(all.resident - one.resident, count - 1),
        "pages that its spawn wrote",
        pages,
      ),
    ]
  }
  const mib = (bytes: number) => `${(bytes / 1_048_576).toFixed(0)} MiB`
  const said = (name: string, [one, all]: Measures) =>
    `${name}: the node has ${mib(one.resident)} with 1 process, ${mib(all.resident)} with ${count}`
  return {
    _tag: "Measured",
    rows: [...rowsOf("resident", resident), ...rowsOf("evicted", evicted)],
    reckoning: [
      said("room for all", resident),
      said(`room for ${rooms.evicted} MiB`, evicted),
      `a process owns ${memory.own.size} pages of ${pageBytes} B over the image of its module; resident memory counts what the node has looked at of the store's file, which the system takes back when it needs it`,
    ],
  }
}
