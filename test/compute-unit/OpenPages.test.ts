import { describe, expect, it } from "vitest"
import { OpenPages } from "../../compute-unit/OpenPages.ts"

/** A memory that notes when it is packed. */
class Noted {
  readonly self = new WeakRef(this)
  readonly name: string
  readonly log: Array<string>
  ready = true

  constructor(name: string, log: Array<string>) {
    this.name = name
    this.log = log
  }

  pack(): boolean {
    if (this.ready) this.log.push(this.name)
    return this.ready
  }
}

const stage = () => {
  const packed: Array<string> = []
  const made = ["a", "b", "c", "d"].map((name) => new Noted(name, packed))
  return { packed, open: new OpenPages(100), made: made as [Noted, Noted, Noted, Noted] }
}

describe("open pages", () => {
  it("are packed when there are too many, those that were used longest ago first", () => {
    const { packed, open, made } = stage()
    const [a, b, c, d] = made
    for (const one of [a, b, c]) open.use(one.self, 33)
    expect([packed, open.total]).toEqual([[], 99])
    open.use(a.self, 34)
    expect([packed, open.total]).toEqual([[], 100])
    open.use(d.self, 1)
    expect([packed, open.total]).toEqual([["b"], 68])
    open.use(c.self, 90)
    expect([packed, open.total]).toEqual([["b", "a"], 91])
  })

  it("of the one that is used stay open, however many they are", () => {
    const { packed, open, made } = stage()
    const [a, b] = made
    open.use(a.self, 50)
    open.use(b.self, 1_000)
    expect([packed, open.total]).toEqual([["a"], 1_000])
    open.use(b.self, 1_001)
    expect([packed, open.total]).toEqual([["a"], 1_001])
  })

  it("are asked again later where they can't be packed yet", () => {
    const { packed, open, made } = stage()
    const [a, b, c] = made
    a.ready = false
    open.use(a.self, 60)
    open.use(b.self, 60)
    expect([packed, open.total]).toEqual([[], 120])
    open.use(c.self, 30)
    expect([packed, open.total]).toEqual([["b"], 90])
    a.ready = true
    open.use(c.self, 50)
    expect([packed, open.total]).toEqual([["b", "a"], 50])
  })

  it("are counted no longer once they are taken off", () => {
    const { packed, open, made } = stage()
    const [a, b, c] = made
    open.use(a.self, 60)
    open.remove(a.self)
    open.remove(b.self)
    open.use(c.self, 100)
    expect([packed, open.total]).toEqual([[], 100])
  })
})
