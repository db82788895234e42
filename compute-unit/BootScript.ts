/**
 * BootScript: the image of a script. Every boot starts from the memory of an engine whose prelude has run and that has
 * seen no script.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Limit from "../runtime/Limit.ts"
import { BootImage, type Program } from "./BootImage.ts"
import { caps, ModuleRefused, type ScriptEngine } from "./Engine.ts"
import { GuestScript } from "./GuestScript.ts"
import { Instance } from "./Instance.ts"
import { Memory } from "./Memory.ts"

/** File name of the author's script in stacks. */
export const file = "module.js"

/** Scripts may take all memory that there is while they load: what a process may take is seen from the image. */
const { memoryPagesMax } = caps

/** An engine as it is before any script. */
interface Started {
  readonly program: Program
  readonly memory: Memory
  /** An instance in which scripts are tried, where one is at hand. */
  spare: { readonly instance: Instance; readonly guest: GuestScript } | undefined
}

const imageOf = (program: Program, guest: GuestScript, below?: BootImage): BootImage => {
  const { handles, globals, fuelUsed, channel, bytes } = guest
  return new BootImage(
    { program, handles, globals, fuelUsed, console: channel.console, memory: bytes },
    below,
  )
}

const startEngine = (engine: ScriptEngine): Started => {
  const program = { engine, instantiate: (pages: number) => new GuestScript(engine, pages) }
  const guest = new GuestScript(engine, Limit.memoryPagesMin)
  guest.arm({ fuel: Limit.fuelPerTurnMax, memoryPagesMax }, 0, Bytes.empty)
  guest.start()
  guest.disarm()
  return { program, memory: new Memory(imageOf(program, guest)), spare: undefined }
}

const started = new WeakMap<ScriptEngine, Started>()

const startedOf = (engine: ScriptEngine): Started => {
  const found = started.get(engine) ?? startEngine(engine)
  started.set(engine, found)
  return found
}

/** Runs a script in a fresh engine. Throws `Threw`, `Ended`, `ModuleRefused` or a host fault. */
export const boot = (engine: ScriptEngine, source: Uint8Array, fuel: bigint): BootImage => {
  if (Bytes.toText(source) === undefined) throw new ModuleRefused("the module is not UTF-8")
  const of = startedOf(engine)
  const { program, memory } = of
  const made = (): NonNullable<Started["spare"]> => {
    const guest = new GuestScript(engine, memory.wasmPages)
    return { guest, instance: new Instance(guest) }
  }
  const running = of.spare ?? made()
  of.spare = undefined
  const { guest, instance } = running
  instance.load(memory)
  guest.arm({ fuel, memoryPagesMax }, 0, Bytes.empty)
  guest.load(source, file)
  guest.fillHoles()
  guest.disarm()
  const image = imageOf(program, guest, memory.boot)
  if (instance.rollback()) of.spare = running
  return image
}
