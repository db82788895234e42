import { describe, expect, it } from "vitest"
import * as Followed from "../../compute-unit/Followed.ts"
import { Residents } from "../../compute-unit/Residents.ts"
import * as Limit from "../../runtime/Limit.ts"
import { id } from "../support/Unsigned.ts"

const of = (name: string) => Followed.make(id(name), 0)
const cost = Limit.residentOverheadBytes
const anyone = () => true

describe("Residents", () => {
  it("count what each takes as it was last said, and nothing of those that are gone", () => {
    const residents = new Residents()
    const [a, b] = [of("a"), of("b")]
    residents.set(a, 100)
    residents.set(b, 20)
    expect(residents.total).toBe(2 * cost + 120)
    residents.set(a, 50)
    residents.use(a)
    expect(residents.total).toBe(2 * cost + 70)
    residents.remove(a)
    residents.remove(a)
    residents.use(a)
    expect([residents.total, residents.size]).toEqual([cost + 20, 1])
  })

  it("name those used longest ago, of those who may go, as many as free what is wanted", () => {
    const residents = new Residents()
    const all = ["a", "b", "c", "d", "e"].map(of)
    const [a, b, c, d, e] = all as [Followed.Followed, ...Array<Followed.Followed>]
    for (const one of all) residents.set(one, 0)
    residents.use(b!)
    residents.set(a, 0)
    expect(residents.oldest(5 * cost, 9, anyone)).toEqual([c, d, e, b, a])
    expect(residents.oldest(2 * cost, 9, anyone)).toEqual([c, d])
    expect(residents.oldest(2 * cost + 1, 9, anyone)).toEqual([c, d, e])
    expect(residents.oldest(5 * cost, 2, anyone)).toEqual([c, d])
    expect(residents.oldest(2 * cost, 9, (one) => one !== d)).toEqual([c, e])
    expect(residents.oldest(0, 9, anyone)).toEqual([])
  })
})
