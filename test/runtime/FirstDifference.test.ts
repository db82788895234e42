import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FirstDifference from "../../runtime/FirstDifference.ts"

describe("the first difference of two chains", () => {
  it.effect("is found wherever it is, with few questions", () =>
    Effect.gen(function* () {
      for (const length of [1, 2, 3, 8, 100])
        for (let forked = 0; forked < length; forked++) {
          let asked = 0
          const found = yield* FirstDifference.find(0, length - 1, (place) =>
            Effect.sync(() => (asked++, place >= forked)),
          )
          assert.strictEqual(found, forked)
          assert.isAtMost(asked, Math.ceil(Math.log2(length)))
        }
    }),
  )
})
