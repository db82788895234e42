/**
 * A process of its own on a data folder, for what one process can't try: reopening, being killed, a disk that is full.
 * Prints a JSON value a line.
 *
 *     hold <folder>             opens the store and keeps it until it is killed
 *     put <folder> <key> <text> commits one value
 *     get <folder> <key>        prints it
 *     fill <folder>             commits pairs of values until the store fails, waits for a line of input, goes on once
 *     count <folder>            checks what is there, then commits numbered batches for ever, several at a time
 */
import { once } from "node:events"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../../runtime/Bytes.ts"
import type { Put, Store } from "../../runtime/Store.ts"
import * as StoreLmdb from "../../runtime/StoreLmdb.ts"

const [command = "", folder = "", ...rest] = process.argv.slice(2)

const say = (value: unknown) => Effect.sync(() => void process.stdout.write(`${JSON.stringify(value)}\n`))

const hold = Effect.andThen(
  say("open"),
  Effect.promise(() => once(process.stdin.resume(), "end")), // a store alone keeps no process alive
)

const put = (store: Store["Service"]) =>
  store.commit([{ key: Bytes.fromText(rest[0]!), value: Bytes.fromText(rest[1]!) }])

const get = (store: Store["Service"]) => {
  const value = store.get(Bytes.fromText(rest[0]!))
  return say(value === undefined ? null : Bytes.toText(value))
}

const fill = Effect.fnUntraced(function* (store: Store["Service"]) {
  const pair = (n: number) => ["a", "z"].map((side) => Bytes.fromText(`${side}${String(n).padStart(6, "0")}`))
  const commit = (n: number) =>
    Effect.result(store.commit(pair(n).map((key) => ({ key, value: new Uint8Array(20_000).fill(n) }))))
  const whole = (n: number) => pair(n).map((key) => store.get(key)?.every((byte) => byte === (n & 0xff)))
  let n = 0
  let last = yield* commit(n)
  while (Result.isSuccess(last)) last = yield* commit(++n)
  const { reason, message } = last.failure
  const lost = Array.from({ length: n }, (_, i) => i).filter((i) => whole(i).some((good) => good !== true))
  yield* say({ committed: n, lost, reason, message, half: whole(n), again: (yield* commit(n))._tag })
  yield* Effect.promise(() => once(process.stdin, "data"))
  const after = yield* commit(n)
  yield* say({ after: after._tag, whole: whole(n) })
  process.stdin.destroy()
})

/** Batch n is these keys, with bytes that follow from n. */
const keysPerBatch = 12
const batch = (n: number): ReadonlyArray<Put & { readonly value: Uint8Array }> =>
  Array.from({ length: keysPerBatch }, (_, i) => ({
    key: Bytes.concat([Bytes.fromText("n"), new Uint8Array(Bytes.u32(n)).toReversed(), Bytes.u8(i)]),
    value: new Uint8Array(1 + ((n * 37 + i * 1_013) % 2_500)).fill(n + i),
  }))

const count = Effect.fnUntraced(function* (store: Store["Service"]) {
  const found = [...store.range({ from: Bytes.fromText("n"), to: Bytes.fromText("o") })]
  const there = found.length / keysPerBatch
  const torn = found.findIndex(([key, value], at) => {
    const expected = batch(Math.floor(at / keysPerBatch))[at % keysPerBatch]!
    return !Bytes.equal(key, expected.key) || !Bytes.equal(value, expected.value)
  })
  yield* say({ there, torn })
  let next = Math.floor(there)
  const writer = Effect.gen(function* () {
    const n = next++
    yield* store.commit(batch(n))
    yield* say({ acknowledged: n })
  })
  yield* Effect.all(
    Array.from({ length: 8 }, () => Effect.forever(writer)),
    { concurrency: "unbounded" },
  )
})

const commands = { hold: () => hold, put, get, fill, count }

const program = Effect.gen(function* () {
  const opened = yield* Effect.result(StoreLmdb.make(folder))
  if (Result.isFailure(opened)) {
    const { reason, message } = opened.failure
    return yield* say({ unavailable: reason, message })
  }
  yield* commands[command as keyof typeof commands](opened.success) // the tests spell them right
})

await Effect.runPromise(Effect.scoped(program))
