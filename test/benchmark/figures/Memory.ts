/** Memory that a process costs a node while it has nothing to do. */
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
    yield* Effect.forEach(items, one, { concurrency: 32, discard: true })
  }).pipe(Effect.provide(connectionLayer(url)), Effect.runPromise)

export const figure: Figure = async ({ folder, quick, profile, progress }) => {
  const count = quick ? 200 : 1_000
  const source = await Bare.bundled(Bare.counterFile)
  await using node = await NodeProcess.start(`${folder}/data`, profile)
  const at = async (from: number, to: number) => {
    progress(`${to} processes`)
    await spawn(node.url, source, from, to)
    return node.memory()
  }
  const [one, many, twice] = [await at(0, 1), await at(1, count), await at(count, 2 * count)]
  const { memory } = await Bare.counter()
  const pages = (memory.own.size * pageBytes) / 1_024
  const row = (name: string, from: number, to: number, processes: number): Row =>
    against(name, kib((to - from) / processes / 1_024), "pages that its spawn wrote", pages)
  const mib = (bytes: number) => `${(bytes / 1_048_576).toFixed(0)} MiB`
  return {
    _tag: "Measured",
    rows: [
      row(`idle process, of 1 to ${count}`, one.resident, many.resident, count - 1),
      row(`idle process, of ${count} to ${2 * count}`, many.resident, twice.resident, count),
      ...(one.anonymous === undefined || twice.anonymous === undefined
        ? []
        : [row(`idle process, without the store's file`, one.anonymous, twice.anonymous, 2 * count - 1)]),
    ],
    reckoning: [
      `the node has ${mib(one.resident)} with 1 process, ${mib(many.resident)} with ${count}, ${mib(twice.resident)} with ${2 * count}; a process owns ${memory.own.size} pages of ${pageBytes} B over the image of its module`,
      `resident memory counts what the node has looked at of the store's file, which the system takes back when it needs it`,
    ],
  }
}
