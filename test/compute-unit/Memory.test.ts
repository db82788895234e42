import { describe, expect, it } from "vitest"
import * as Turn from "../../compute-unit/Turn.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import { boot, Stage } from "./Stage.ts"

const script = `
  let count = 0
  const kept = []
  heddle.on("Add", () => ++count)
  heddle.on("Keep", (m) => void kept.push("x".repeat(Number(m.data))))
  heddle.on("Grow", (m) => void kept.push(new Uint8Array(Number(m.data)).fill(7)))`

const lived = (name: string, machine = new Turn.Machine()): Stage => {
  const stage = new Stage(script, { name, machine })
  for (const sent of [
    { action: "Add" },
    { action: "Keep", data: "9000" },
    { action: "Grow", data: "700000" },
    { action: "Add" },
  ])
    stage.done(sent)
  return stage
}

const own = (memory: Turn.Memory) =>
  new Map([...memory.own].map(([index, page]) => [index, Bytes.copy(page)]))

describe("a memory that is packed", () => {
  it("has the pages, the root and the size that it had, and goes on from there", () => {
    const [packed, open] = [lived("a"), lived("a")]
    const [pages, bytes] = [own(packed.memory), packed.memory.ownBytes]
    for (let n = 0; n < 3; n++) {
      expect(packed.memory.pack()).toBe(true)
      expect(packed.memory.ownBytes).toBe(bytes)
      expect(packed.root).toBe(open.root)
      packed.memory.pack()
      expect(packed.value("Add")).toBe(open.value("Add"))
      packed.memory.pack()
      expect(packed.memory.difference()).toEqual(open.memory.difference())
      packed.memory.pack()
      expect(packed.memory.copy().difference()).toEqual(open.memory.difference())
    }
    expect(pages.size).toBeGreaterThan(30)
    expect(packed.root).toBe(open.root)
  })

  it("is the same where it stands in an instance meanwhile, alone or after another", () => {
    const machine = new Turn.Machine()
    const [a, b] = [lived("a", machine), lived("b", machine)]
    const [alone, other] = [lived("a"), lived("b")]
    for (let n = 0; n < 3; n++) {
      a.memory.pack()
      expect(a.value("Add")).toBe(alone.value("Add"))
      a.memory.pack()
      expect(b.value("Add")).toBe(other.value("Add"))
      b.memory.pack()
      expect(a.value("Add")).toBe(alone.value("Add"))
    }
    expect([a.root, b.root]).toEqual([alone.root, other.root])
  })

  it("waits packed while others run, and is what it was once somebody looks", () => {
    const machine = new Turn.Machine()
    const first = lived("first", machine)
    const [root, bytes] = [first.root, first.memory.ownBytes]
    const rest = Array.from({ length: 90 }, (_, i) => lived(`process ${i}`, machine))
    const waiting = rest.filter(({ memory }) => memory.kept.isPacked).length
    expect(first.memory.kept.isPacked).toBe(true)
    expect(waiting).toBeGreaterThan(0)
    expect(rest.at(-1)!.memory.kept.isPacked).toBe(false)
    // A process has some 200 pages of its own here, and 16,384 of all lie open.
    expect(bytes).toBeGreaterThan(180 * 4_096)
    expect(rest.reduce((sum, { memory }) => sum + memory.ownBytes, 0)).toBeGreaterThan(16_384 * 4_096)
    expect(first.root).toBe(root)
    expect(first.memory.kept.isPacked).toBe(false)
    expect(first.value("Add")).toBe(3)
  })
})

describe("pages of a memory's own", () => {
  it("are no part of what differs once they are the boot image's again", () => {
    const image = boot(script)
    const index = image.pages.findIndex((page) => page !== undefined)
    const fresh = new Turn.Memory(image)
    const same = new Turn.Memory(image, {
      wasmPages: image.wasmPages,
      globals: image.globals,
      pages: [
        [index, image.pages[index]!],
        [image.pages.indexOf(undefined), new Uint8Array(4_096)],
      ],
    })
    expect([same.own.size, same.ownBytes, same.difference().pages]).toEqual([2, 0, []])
    expect(same.root()).toEqual(fresh.root())
  })

  it("are copies: what they were made of may change, and what was given out does not", () => {
    const stage = lived("a")
    const difference = stage.memory.difference()
    const back = new Turn.Memory(stage.memory.boot, difference)
    const { root } = stage
    const before = structuredClone(difference)
    stage.done("Add")
    expect(difference).toEqual(before)
    for (const [, page] of difference.pages) page.fill(0)
    expect(Bytes.toHex(back.root())).toBe(root)
    expect(stage.root).not.toBe(root)
  })
})
