/**
 * Boot: from a module's script to its image. The clock stands at 0 and there is no message, so the image follows from
 * engine and script alone; it is made once a thread, kept, and shared.
 *
 * Every boot starts from the memory of an engine whose prelude has run and that has seen no script.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Limit from "../runtime/Limit.ts"
import { BootImage } from "./BootImage.ts"
import { Ended, spoken, Threw } from "./Ending.ts"
import * as Engine from "./Engine.ts"
import { Guest, type Limits } from "./Guest.ts"
import { Instance } from "./Instance.ts"
import { Memory } from "./Memory.ts"
import { Recent } from "./Recent.ts"

/** File name of the author's script in stacks. */
const moduleFile = "module.js"

/** Images that a thread keeps: an idle one costs some hundred kilobytes. */
const imagesMax = 256

export type BootResult =
  | { readonly _tag: "Booted"; readonly image: BootImage }
  | {
      readonly _tag: "ModuleInvalid"
      readonly message: string
      readonly file: string
      /** Counted from 1; 0 where the failure has no place in the script. */
      readonly line: number
      readonly column: number
    }

const invalid = (message: string, stack = ""): BootResult => {
  const [, line = "0", column = "0"] = /module\.js:(\d+):(\d+)/.exec(stack) ?? []
  return { _tag: "ModuleInvalid", message, file: moduleFile, line: Number(line), column: Number(column) }
}

/** Scripts may take all memory that there is while they load: what a process may take is seen from the image. */
const { memoryPagesMax } = Engine.caps

const imageOf = (guest: Guest, below?: BootImage): BootImage => {
  const { handles, globals, fuelUsed, channel, bytes } = guest
  return new BootImage({ handles, globals, fuelUsed, console: channel.console, memory: bytes }, below)
}

const startEngine = (): Memory => {
  const guest = new Guest(Engine.load(), Limit.memoryPagesMin)
  guest.arm({ fuel: Limit.fuelPerTurnMax, memoryPagesMax }, 0, Bytes.empty)
  guest.start()
  guest.disarm()
  return new Memory(imageOf(guest))
}

let started: Memory | undefined
let instance: Instance | undefined

const bootFresh = (source: Uint8Array, fuel: bigint): BootResult => {
  started ??= startEngine()
  const running = instance ?? new Instance(Engine.load(), started.wasmPages)
  const { guest } = running
  instance = undefined
  try {
    running.load(started)
    guest.arm({ fuel, memoryPagesMax }, 0, Bytes.empty)
    guest.run(source, moduleFile)
    guest.disarm()
  } catch (error) {
    if (error instanceof Threw) return invalid(spoken(error), error.stackText)
    if (error instanceof Ended) return invalid(`${error.reason} while the module loads: ${error.message}`)
    throw error
  }
  const image = imageOf(guest, started.boot)
  if (running.rollback()) instance = running
  return { _tag: "Booted", image }
}

const images = new Recent<string, BootImage>(imagesMax)

/** The image of a script. Limits decide only whether a process may use it, never what it is. */
export const boot = (source: Uint8Array, limits: Limits): BootResult => {
  if (source.length > Limit.moduleBytesMax)
    return invalid(`the module has ${source.length} bytes; at most ${Limit.moduleBytesMax} are allowed`)
  if (Bytes.toText(source) === undefined) return invalid("the module is not UTF-8")
  const key = Bytes.toHex(Hash.sha256(source))
  const found = images.get(key)
  const result: BootResult =
    found === undefined ? bootFresh(source, limits.fuel) : { _tag: "Booted", image: found }
  if (result._tag === "ModuleInvalid") return result
  images.set(key, result.image)
  const { fuelUsed, wasmPages } = result.image
  if (fuelUsed > limits.fuel)
    return invalid(`out of fuel while the module loads: more than ${limits.fuel} fuel`)
  if (wasmPages > limits.memoryPagesMax)
    return invalid(
      `the module takes ${wasmPages} pages of 64 KiB to load; its limit is ${limits.memoryPagesMax}`,
    )
  return result
}
