/** Our own vectors of chapter 06, read in place. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Codec from "../../runtime/Codec.ts"
import * as Exchange from "../../runtime/Exchange.ts"
import * as Id from "../../runtime/Id.ts"
import { Network } from "../../runtime/Network.ts"
import * as NetworkMemory from "../../runtime/NetworkMemory.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as SchedulerCalls from "../../scheduler-unit/SchedulerCalls.ts"
import { SchedulerUnit } from "../../scheduler-unit/SchedulerUnit.ts"
import * as SchedulerUnitServer from "../../scheduler-unit/SchedulerUnitServer.ts"
import * as LocalScheduler from "../support/LocalScheduler.ts"
import { id } from "../support/Unsigned.ts"
import type { frames } from "../vectors/makeFrames.ts"
import { own } from "../vectors/shared.ts"

const hex = (text: string): Uint8Array => Bytes.fromHex(text)!

describe("spec/vectors/frames.json", () => {
  const vectors = own<ReturnType<typeof frames>>("frames.json")

  it("has requests as they are written", () => {
    const [submit, log, batches, rest] = vectors.requests
    const [item, proof] = [Bytes.fromText(submit!.item!), Bytes.fromText(submit!.proof!)]
    const asked = { process: Id.parse(log!.process!)!, from: log!.first!, limit: log!.limit! }
    const written = [
      Exchange.request(SchedulerCalls.submit, { item, proof }, 0),
      Exchange.request(SchedulerCalls.log, asked, 0),
      Exchange.request(SchedulerCalls.batches, batches!.first!, batches!.from),
      Exchange.request(SchedulerCalls.batches, rest!.first!, rest!.from),
    ]
    assert.deepStrictEqual(
      written.map(Bytes.toHex),
      vectors.requests.map(({ frame }) => frame),
    )
  })

  it("has a batch whose hashes follow, and which is written as it was read", () => {
    const { bytes, scheduler, root, heads } = vectors.batch
    const batch = Result.getOrThrow(Codec.decode(SchedulerCalls.batch, hex(bytes)))
    assert.strictEqual(Bytes.toHex(batch.link.root), root)
    assert.deepStrictEqual(
      batch.entries.map(({ assignment }) => Bytes.toHex(assignment.head)),
      heads,
    )
    assert.strictEqual(batch.link.number, 0)
    assert.isDefined(Id.parse(scheduler))
    assert.strictEqual(Bytes.toHex(Codec.encode(SchedulerCalls.batch, batch)), bytes)
  })

  it("has answers that are read, and some that are none", () => {
    for (const { frame, refusal, text, part, length } of vectors.answers) {
      const read = Result.getOrThrow(Exchange.decodeReply(hex(frame)))
      assert.strictEqual(Bytes.toHex(Exchange.encodeReply(read)), frame)
      if ("refusal" in read)
        assert.deepStrictEqual(read, { refusal: refusal as typeof read.refusal, detail: text! })
      else assert.deepStrictEqual([Bytes.toHex(read.part), read.length], [part, length])
    }
    for (const { name, frame } of vectors.invalidAnswers)
      assert.isTrue(Result.isFailure(Exchange.decodeReply(hex(frame))), name)
    assert.deepStrictEqual([vectors.answers.length, vectors.invalidAnswers.length], [5, 5])
  })

  it.effect("has questions that are none, which a scheduler refuses by name", () =>
    Effect.gen(function* () {
      const board = NetworkMemory.switchboard()
      const unit = yield* LocalScheduler.start({ store: StoreMemory.make() })
      yield* SchedulerUnitServer.make.pipe(
        Effect.provideService(SchedulerUnit, unit),
        Effect.provideService(Network, NetworkMemory.make(unit.address, board)),
      )
      const reader = NetworkMemory.make(id("reader"), board)
      let checked = 0
      for (const { name, frame, why } of vectors.invalid) {
        const answer = yield* reader.request(unit.address, SchedulerCalls.protocol, hex(frame))
        const read = Result.getOrThrow(Exchange.decodeReply(answer))
        assert.deepStrictEqual(read, { refusal: "not understood", detail: why }, name)
        checked += 1
      }
      assert.strictEqual(checked, 6)
    }),
  )
})
