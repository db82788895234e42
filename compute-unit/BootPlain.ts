/**
 * BootPlain: from a plain module to its image: held against what an engine asks of it (spec 04 §10), passed, linked, and
 * its start function run.
 */
import v8 from "node:v8"
import * as Bytes from "../runtime/Bytes.ts"
import { BootImage, type Program } from "./BootImage.ts"
import { HostFault } from "./Ending.ts"
import { caps, ModuleRefused, type PlainEngine } from "./Engine.ts"
import { type Compiled, GuestPlain } from "./GuestPlain.ts"
import * as Instrumentation from "./Instrumentation.ts"
import * as PlainModule from "./PlainModule.ts"

/** What the file is called where an error has no place in it. */
export const file = "module.wasm"

const compile = (bytes: Uint8Array): WebAssembly.Module => {
  try {
    return new WebAssembly.Module(bytes)
  } catch (error) {
    // A valid module within the caps: it is the host that has not enough of something for it.
    throw new HostFault(error instanceof Error ? error.message : "a module does not compile")
  }
}

// Small functions that are inlined keep their values in the caller's frame, and which are is up to what ran before: so would
// it be whether the native stack ends before the words do. Off as a whole (`--no-wasm-inlining`) V8 crashes once it runs.
v8.setFlagsFromString("--wasm-inlining-max-size=0")

const compiled = (bytes: Uint8Array): Compiled => {
  PlainModule.examine(bytes)
  const passed = Instrumentation.instrument(bytes, {
    authored: true,
    frameWordsMax: caps.plainFrameWordsMax,
    chargeValues: true,
  })
  if (passed._tag === "Refused") throw PlainModule.refusal(passed.refusal, passed.detail)
  PlainModule.checkImports(passed)
  PlainModule.checkExports(passed)
  return { module: compile(passed.bytes), globals: passed.globals }
}

const link = (program: Compiled): GuestPlain => {
  try {
    return new GuestPlain(program)
  } catch (error) {
    // In fixed words: the host's differ between its versions.
    if (error instanceof WebAssembly.RuntimeError) throw new ModuleRefused("its data or elements do not fit")
    throw error
  }
}

/** Links a module and runs its start function. Throws `ModuleRefused`, `Ended` or a host fault. */
export const boot = (engine: PlainEngine, bytes: Uint8Array, fuel: bigint): BootImage => {
  const module = compiled(bytes)
  const program: Program = { engine, instantiate: (pages) => new GuestPlain(module, pages) }
  const guest = link(module)
  guest.arm({ fuel, memoryPagesMax: caps.memoryPagesMax }, 0, Bytes.empty)
  guest.start()
  guest.disarm()
  const { globals, fuelUsed, channel, bytes: memory, handles } = guest
  return new BootImage({ program, handles, globals, fuelUsed, console: channel.console, memory })
}
