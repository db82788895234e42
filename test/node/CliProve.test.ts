/** Proofs against a scheduler at the command line: made of what a node shows, checked by the file alone. */
import fs from "node:fs"
import path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Divergence from "../../messenger-unit/Divergence.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Equivocation from "../../scheduler-unit/Equivocation.ts"
import * as Attested from "../support/Attested.ts"
import * as CommandLine from "../support/CommandLine.ts"
import * as LogBook from "../support/LogBook.ts"
import * as ServedNode from "../support/ServedNode.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"
import { hash, id } from "../support/Unsigned.ts"
import type { order } from "../vectors/makeOrder.ts"
import { own } from "../vectors/shared.ts"

const line = CommandLine.make("prove")
const { run, json, failure, write, folder } = line
afterAll(line.remove)

const nobody = "A".repeat(43)

/** A node that serves a log in which slot 2 says again what slot 1 said. */
const served = Effect.gen(function* () {
  const book = LogBook.make()
  const process = yield* UnitOver.spawn(book)
  const [once] = yield* UnitOver.say(process, "Add")
  book.write(once!)
  const [again] = book.write(once!)
  const node = yield* SmallNode.make()
  const { receipt, log } = book.service
  const url = yield* ServedNode.serve({ ...node, messenger: { ...node.messenger, receipt, log } })
  return { process, url, again: again!, scheduler: book.service.address }
})

describe("prove", () => {
  it.live("writes who gave which slot to what should not be there, and its check needs no node", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { process, url, again, scheduler } = yield* served
        const out = path.join(folder, "proof.json")
        const args = ["prove", process, "--slot", "2", "--out", out, "--url", url]
        const made = yield* Effect.promise(() => json(...args))
        const shown = { scheduler, process, slot: 2, reason: "repeat" }
        assert.deepInclude(made, { ...shown, file: out })
        assert.isTrue(fs.readFileSync(out, "utf8").startsWith('{"format":"heddle/inadmissible/2"'))
        const checked = yield* Effect.promise(() => json("prove", "check", out))
        assert.deepInclude(checked, { ...shown, format: "heddle/inadmissible/2" })
        const { out: words } = yield* Effect.promise(() => run(["prove", "check", out]))
        const message = String(checked["message"])
        assert.strictEqual(
          words,
          `scheduler ${scheduler}\ngave slot 2 of process ${process}\nto ${message}, which is inadmissible: repeat\n`,
        )
        const bent = write(
          "bent.json",
          fs
            .readFileSync(out, "utf8")
            .replace(Bytes.toBase64Url(again.assignment.head), Bytes.toBase64Url(new Uint8Array(32))),
        )
        const told = yield* Effect.promise(() => failure(1, ["prove", "check", bent]))
        assert.include(told, "no proof of an inadmissible slot: the receipt does not open its batch")
      }),
    ),
  )

  it.live("writes nothing of a slot that is as it should be, or that is not there", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { process, url } = yield* served
        const out = path.join(folder, "nothing.json")
        const fails = (...args: ReadonlyArray<string>) =>
          Effect.promise(() => failure(1, ["prove", ...args, "--out", out, "--url", url]))
        assert.include(yield* fails(process, "--slot", "1"), "slot 1 is as it should be")
        assert.include(yield* fails(process, "--slot", "9"), "no slot 9")
        assert.isFalse(fs.existsSync(out))
        const into = ["prove", process, "--slot", "2", "--out", path.join(folder, "no", "such"), "--url", url]
        assert.include(yield* Effect.promise(() => failure(1, into)), "can't be written")
        const two = ["prove", nobody, "--slot", "1", "--against", url]
        assert.include(yield* Effect.promise(() => failure(2, two)), "give one of them")
      }),
    ),
  )
})

describe("prove check", () => {
  const { receipts, equivocations } = own<ReturnType<typeof order>>("order.json")
  const named = new Map(receipts.map(({ name, receipt }) => [name, receipt]))
  const fileOf = (name: string) => {
    const { first, second } = equivocations.find((one) => one.name === name)!
    const proof = { format: Equivocation.format, first: named.get(first), second: named.get(second) }
    return write("equivocation.json", JSON.stringify(proof))
  }

  it("says which two heads a scheduler signed for one slot, or which two batches with one number", async () => {
    const slot = fileOf("one slot, two messages")
    const proof = Result.getOrThrow(Equivocation.decode(fs.readFileSync(slot, "utf8")))
    const heads = [proof.first, proof.second].map(({ assignment }) => Bytes.toHex(assignment.head))
    const { process } = proof.first.assignment
    assert.deepInclude(await json("prove", "check", slot), {
      format: "heddle/equivocation/1",
      kind: "slot",
      process,
      slot: 1,
    })
    const { out } = await run(["prove", "check", slot])
    assert.match(out, /^scheduler [\w-]{43}\nsigned two heads for slot 1 of process /)
    for (const head of heads) assert.include(out, head)
    const before = fileOf("a slot, and another head of the one before it")
    assert.deepInclude(await json("prove", "check", before), { kind: "slot", process, slot: 1 })
    for (const head of heads) assert.include((await run(["prove", "check", before])).out, head)
    const batch = fileOf("one batch number, two roots")
    assert.deepInclude(await json("prove", "check", batch), { kind: "batch", batch: 1 })
    assert.match(
      (await run(["prove", "check", batch])).out,
      /signed two batches with number 1:\n {2}root [0-9a-f]{64}/,
    )
  })

  it("says which units differ, and about which turns", async () => {
    const [a, b] = [Attested.unitOf("a"), Attested.unitOf("b")]
    const point = (slot: number, state: string) => ({ slot, head: hash(`${slot}`), stateRoot: hash(state) })
    const attestation = (state: string) => ({
      engine: hash("engine"),
      process: id("process"),
      term: 0,
      from: point(4, "before"),
      to: point(7, state),
      outcomeRoot: hash("outcomes"),
    })
    const [first, second] = [Attested.signed(a, attestation("one")), Attested.signed(b, attestation("two"))]
    const file = write("divergence.json", Divergence.encode({ first, second }))
    assert.deepInclude(await json("prove", "check", file), { format: Divergence.format, from: 5, to: 7 })
    const { out } = await run(["prove", "check", file])
    assert.include(out, `units ${a.address} and ${b.address}\nattest different results of slots 5 to 7`)
  })

  it("refuses what proves nothing, and says why", async () => {
    const none = fileOf("one receipt twice")
    assert.include(await failure(1, ["prove", "check", none]), "do not contradict each other")
    for (const text of ["", "[]", '{"format": "heddle/proof/1"}', "no JSON"])
      assert.include(
        await failure(1, ["prove", "check", write("other.json", text)]),
        "is no proof that is known",
      )
    assert.include(await failure(1, ["prove", "check", path.join(folder, "absent.json")]), "can't be read")
  })
})
