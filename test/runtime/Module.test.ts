import { describe, expect, it } from "vitest"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Module from "../../runtime/Module.ts"
import * as StoreMemory from "../../runtime/StoreMemory.ts"
import * as Effect from "effect/Effect"

const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
const script = Bytes.fromText(`heddle.on("Get", () => 1)`)

describe("a module", () => {
  it("has the id of the worked example", () => {
    expect(Module.id(script)).toBe("IU0exAoyiv3TdQs-x96qpZHZSaXYVV2HtKWl8YbeYEE")
  })

  it("is WebAssembly where it begins as that does, and a script where it does not", () => {
    expect(Module.format(wasm)).toBe("webassembly")
    for (const bytes of [
      script,
      new Uint8Array(0),
      wasm.subarray(0, 3),
      wasm.with(0, 1),
      Bytes.fromText("asm"),
    ])
      expect(Module.format(bytes)).toBe("javascript")
    expect(Module.id(wasm)).toBe(
      Id.fromBytes(Hash.tagged("heddle/module/1", Bytes.fromText("webassembly"), wasm)),
    )
  })

  it("comes back from the store by its id", () => {
    const store = StoreMemory.make()
    Effect.runSync(store.commit([Module.put(wasm), Module.put(script)]))
    for (const bytes of [wasm, script]) expect(Module.get(store, Module.id(bytes))).toEqual(bytes)
    expect(Module.get(store, Module.id(script.with(0, 65)))).toBeUndefined()
  })
})
