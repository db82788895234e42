import { describe, expect, it } from "vitest"
import type * as Batch from "../../runtime/Batch.ts"
import * as Chain from "../../scheduler-unit/Chain.ts"
import { hash } from "../support/Unsigned.ts"

const [own, others] = [hash("own"), hash("another's")]

const link = (number: number, owner = own): Batch.SignedLink => ({
  number,
  previousRoot: hash("previous"),
  root: hash("root"),
  signatureType: 1065,
  owner,
  signature: hash("signature"),
})

describe("the next batch of a key in a data folder", () => {
  it("is signed where nothing is there, and after a batch of its own", () => {
    expect(Chain.refusal(own, undefined, undefined)).toBeUndefined()
    expect(Chain.refusal(own, link(4), undefined)).toBeUndefined()
  })

  it("is not signed where the chain is another key's", () => {
    const refused = Chain.refusal(own, link(4, others), undefined)
    expect(refused?.reason).toBe("other scheduler")
    expect(refused?.detail).toContain("start the node with that one's key, or in a folder of its own")
  })

  it("is not signed where the key gave its number elsewhere, so far as the folder shows", () => {
    for (const [last, elsewhere] of [
      [undefined, 0],
      [4, 5],
      [4, 9],
    ] as const) {
      const refused = Chain.refusal(own, last === undefined ? undefined : link(last), link(elsewhere))
      expect(refused?.reason).toBe("not restored")
      expect(refused?.detail).toContain(`signed batch ${elsewhere} elsewhere`)
    }
    expect(Chain.refusal(own, link(4), link(4))).toBeUndefined()
  })
})
