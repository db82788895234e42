/** Commands that ask more than one node, against nodes on real sockets: a first one, and a second unit of its log. */
import fs from "node:fs"
import path from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Sandbox } from "../../compute-unit/Sandbox.ts"
import * as VerifierLocal from "../../identity/VerifierLocal.ts"
import * as Divergence from "../../messenger-unit/Divergence.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Equivocation from "../../scheduler-unit/Equivocation.ts"
import * as Caller from "../support/Caller.ts"
import * as CommandLine from "../support/CommandLine.ts"
import * as LogBook from "../support/LogBook.ts"
import * as SecondUnit from "../support/SecondUnit.ts"
import * as ServedNode from "../support/ServedNode.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"

const line = CommandLine.make("peers")
afterAll(line.remove)

const { ada } = UnitOver

/** Two nodes with one process; the second's unit is the one that it names, and lies if it has such a `sandbox`. */
const two = Effect.fnUntraced(function* (sandbox?: Sandbox["Service"]) {
  const node = yield* SmallNode.make()
  const second = yield* SecondUnit.make(node.scheduler, "second", [UnitOver.guest], sandbox)
  const url = yield* ServedNode.serve(node)
  const other = yield* ServedNode.serve(second)
  const process: Id.ProcessId = yield* SmallNode.spawn(node, ada, UnitOver.guest, {
    Compute: second.compute.address,
    Authority: node.compute.address,
  })
  return { node, second, process, url, other }
})

const ran = (...args: ReadonlyArray<string>) => Effect.promise(() => line.run(args))

describe("heddle ask --quorum", () => {
  it.live("prints the answer that the units attest, and who they are", () =>
    Effect.gen(function* () {
      const { second, process, url, other } = yield* two()
      yield* ran("keys", "new", "ada")
      const ask = ["ask", process, "Add", "--url", url]
      const asked = yield* ran(...ask, "--quorum", "1", "--unit-url", other, "--json")
      assert.strictEqual(asked.code, 0, asked.errors)
      const { value, units, attested } = JSON.parse(asked.out) as Record<string, unknown>
      assert.deepStrictEqual([value, units], [1, [second.compute.address]])
      assert.deepInclude(attested, { slot: 1 })
      assert.strictEqual((yield* ran(...ask, "--quorum", "1", "--unit-url", other)).out.trim(), "2")
      // The first node's own unit is none that the process names.
      const missing = yield* ran(...ask, "--quorum", "2", "--unit-url", other)
      assert.strictEqual(missing.code, 1)
      assert.include(missing.errors, "1 of 2 units agree on slot 3")
      assert.include(missing.errors, "none that the process names")
      const wrong = yield* ran(...ask, "--quorum", "1", "--unit-url", "nowhere")
      assert.strictEqual(wrong.code, 2)
    }),
  )
})

describe("heddle prove --against", () => {
  const proof = (name: string) => fs.readFileSync(path.join(line.folder, name), "utf8")
  const prove = (process: Id.ProcessId, url: string, other: string, file: string) =>
    ran("prove", process, "--url", url, "--against", other, "--out", file)

  it.live("says up to where two nodes agree, and finds the first turn in which their units do not", () =>
    Effect.gen(function* () {
      const honest = yield* two()
      yield* honest.second.compute.turn(honest.process, 0)
      const agreed = yield* prove(honest.process, honest.url, honest.other, "none.json")
      assert.strictEqual(agreed.out.trim(), "they agree up to slot 0, and on the turns up to slot 0")

      for (const states of [true, false]) {
        const { node, second, process, url, other } = yield* two(SecondUnit.lyingIn(3, states))
        for (const action of ["Get", "Get", "Add", "Get", "Get"])
          yield* SmallNode.send(node, ada, process, action)
        yield* Effect.all([node.compute.turn(process, 5), second.compute.turn(process, 5)])
        const found = yield* prove(process, url, other, "divergence.json")
        assert.strictEqual(found.code, 0, found.errors)
        assert.include(found.out, "differ, first in slot 3")
        const shown = Result.getOrThrow(
          Divergence.check(Result.getOrThrow(Divergence.decode(proof("divergence.json")))),
        )
        assert.deepStrictEqual(shown.units, [node.compute.address, second.compute.address])
        assert.isTrue(shown.from <= 3 && 3 <= shown.to)
      }
    }),
  )

  it.live("finds the first slot that a scheduler gave twice, as a file that anyone can check", () =>
    Effect.gen(function* () {
      // Two nodes on one key: what comes of putting a backup back.
      const nodes = [yield* SmallNode.make(), yield* SmallNode.make()] as const
      const [url, other] = [yield* ServedNode.serve(nodes[0]), yield* ServedNode.serve(nodes[1])]
      const module = yield* SmallNode.upload(nodes[0], UnitOver.guest)
      yield* SmallNode.upload(nodes[1], UnitOver.guest)
      const spawn = yield* Effect.promise(() => ada.spawn(module, nodes[0].scheduler.address))
      const same = yield* Effect.promise(() => ada.message(spawn.id, "Add"))
      yield* Effect.forEach(nodes, ({ messenger }) => messenger.send(spawn.bytes))
      const process = spawn.id
      const early = yield* prove(process, url, other, "early.json")
      yield* Effect.forEach(nodes, ({ messenger }) => messenger.send(same.bytes))
      for (const node of nodes) yield* SmallNode.send(node, ada, process, "Get")
      const found = yield* prove(process, url, other, "equivocation.json")
      assert.strictEqual(found.code, 0, found.errors)
      const file = Result.getOrThrow(Equivocation.decode(proof("equivocation.json")))
      const shown = yield* Equivocation.check(file, VerifierLocal.make())
      assert.strictEqual(shown.scheduler, nodes[0].scheduler.address)
      assert.include(found.out, `gave slot ${file.first.assignment.slot} twice`)
      // The clocks of the two differ too, so that the spawn can be the first.
      assert.isAtMost(file.first.assignment.slot, 2)
      assert.strictEqual(early.code, 0, early.errors)
    }),
  )

  it.live("writes what the node's own unit has kept against its scheduler", () =>
    Effect.gen(function* () {
      const liar = Caller.caller("lying scheduler").signer
      const [one, two] = [LogBook.make(liar), LogBook.make(liar)]
      const node = yield* SecondUnit.make(
        {
          ...one.service,
          batches: (from) => Stream.concat(Stream.take(one.service.batches(from), 2), two.service.batches(1)),
        },
        "second",
      )
      const url = yield* ServedNode.serve(node)
      const process = yield* UnitOver.spawn(one)
      yield* node.compute.turn(process, 0)
      const none = yield* ran("prove", process, "--url", url)
      assert.strictEqual(none.code, 1)
      assert.include(none.errors, "has kept nothing that a scheduler signed twice")
      two.write({ process, item: one.entries(process)[0]!.item })
      for (const said of yield* UnitOver.say(process, "Add")) one.write(said)
      yield* node.compute.turn(process, 1)
      for (const said of yield* UnitOver.say(process, "Get")) two.write(said)
      yield* node.compute.parked(process)
      const ps = yield* ran("ps", "--url", url)
      assert.include(ps.out, "parked: scheduler equivocated: ")
      const found = yield* ran("prove", process, "--url", url, "--out", "kept.json")
      assert.strictEqual(found.code, 0, found.errors)
      assert.include(found.out, `scheduler ${liar.address} gave slot 1 twice`)
      const file = Result.getOrThrow(Equivocation.decode(proof("kept.json")))
      assert.strictEqual((yield* Equivocation.check(file, VerifierLocal.make())).scheduler, liar.address)
    }),
  )

  it.live("says that it is no proof where the nodes have other schedulers", () =>
    Effect.gen(function* () {
      const node = yield* SmallNode.make()
      const process = yield* SmallNode.spawn(node, ada, UnitOver.guest)
      const url = yield* ServedNode.serve(node)
      const stranger = Caller.caller("stranger").signer
      const lying: SmallNode.SmallNode = {
        ...node,
        messenger: {
          ...node.messenger,
          receipt: (of, slot) =>
            Effect.map(node.messenger.receipt(of, slot), (one) => ({
              ...one,
              assignment: { ...one.assignment, head: Bytes.fromText("x".repeat(32)) },
              link: { ...one.link, owner: stranger.owner },
            })),
        },
      }
      const other = yield* ServedNode.serve(lying)
      const refused = yield* prove(process, url, other, "no.json")
      assert.strictEqual(refused.code, 1)
      assert.include(refused.errors, "that is no proof: no equivocation: the receipts have two owners")
      const alone = yield* ran("prove", process, "--url", url, "--against", "http://127.0.0.1:1")
      assert.include(alone.errors, "no answer from http://127.0.0.1:1")
    }),
  )
})
