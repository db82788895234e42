/** Commands that ask more than one node, against nodes on real sockets: a first one, and a second unit of its log. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Id from "../../runtime/Id.ts"
import * as CommandLine from "../support/CommandLine.ts"
import * as SecondUnit from "../support/SecondUnit.ts"
import * as ServedNode from "../support/ServedNode.ts"
import * as SmallNode from "../support/SmallNode.ts"
import * as UnitOver from "../support/UnitOver.ts"

const line = CommandLine.make("peers")
afterAll(line.remove)

const { ada } = UnitOver

/** Two nodes with one process whose units they are; `instead` is what the second runs in place of its program. */
const two = Effect.fnUntraced(function* (instead?: string) {
  const node = yield* SmallNode.make()
  const second = yield* SecondUnit.make(node.scheduler, "second", [UnitOver.guest], instead)
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
