import { describe, expect, it } from "vitest"
import * as Result from "effect/Result"
import * as Process from "../../runtime/Process.ts"
import * as Upgrade from "../../runtime/Upgrade.ts"
import * as Unsigned from "../support/Unsigned.ts"

const spawn = Unsigned.spawn({ owner: "ada" })
const process = Result.getOrThrow(Process.fromSpawn(spawn))
const [module, engine] = [Unsigned.id("module"), Unsigned.id("engine")]

const read = (owner: string, ...tags: Unsigned.Tags) =>
  Upgrade.read(process, Unsigned.message(process.id, { owner, tags }))

describe("an upgrade", () => {
  it("is a message of the owner that says so and names a module, and an engine where it wants one", () => {
    const says = ["Action", "Upgrade"] as const
    expect(read("ada", says, ["Module", module])).toEqual({ module, engine: undefined })
    expect(read("ada", says, ["Module", module], ["Engine", engine])).toEqual({
      module,
      engine: Uint8Array.from(Unsigned.hash("engine")),
    })
    expect(read("ada", says, ["Module", module], ["Module", engine])?.module).toBe(module)
  })

  it("is nothing else", () => {
    const says = ["Action", "Upgrade"] as const
    expect(read("bob", says, ["Module", module])).toBeUndefined()
    expect(read("ada", ["Action", "upgrade"], ["Module", module])).toBeUndefined()
    expect(read("ada", ["Module", module])).toBeUndefined()
    expect(read("ada", says)).toBeUndefined()
    expect(read("ada", says, ["Module", "none"])).toBeUndefined()
    expect(read("ada", says, ["Module", module], ["Engine", "none"])).toBeUndefined()
    expect(read("ada", says, ["Module", module], ["Engine", `${engine}A`])).toBeUndefined()
    expect(Upgrade.read(process, spawn)).toBeUndefined()
  })
})
