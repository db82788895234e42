/**
 * Boot: from a module to its image. The clock stands at 0 and there is no message, so the image follows from engine
 * and module alone; it is made once a thread, kept, and shared.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"
import * as Limit from "../runtime/Limit.ts"
import type { BootImage } from "./BootImage.ts"
import * as BootPlain from "./BootPlain.ts"
import * as BootScript from "./BootScript.ts"
import { Ended, spoken, Threw } from "./Ending.ts"
import { type Engine, ModuleRefused } from "./Engine.ts"
import type { Limits } from "./Guest.ts"
import { Recent } from "../runtime/Recent.ts"

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

const invalid = (message: string, file: string, stack = ""): BootResult => {
  const [, line = "0", column = "0"] = /module\.js:(\d+):(\d+)/.exec(stack) ?? []
  return { _tag: "ModuleInvalid", message, file, line: Number(line), column: Number(column) }
}

const fresh = (engine: Engine, module: Uint8Array, fuel: bigint): BootImage =>
  engine.kind === "script" ? BootScript.boot(engine, module, fuel) : BootPlain.boot(engine, module, fuel)

const images = new Recent<string, BootImage>(imagesMax)

/** The image of a module. Limits decide only whether a process may use it, never what it is. */
export const boot = (engine: Engine, module: Uint8Array, limits: Limits): BootResult => {
  const file = engine.kind === "script" ? BootScript.file : BootPlain.file
  const refuse = (message: string, stack?: string) => invalid(message, file, stack)
  if (module.length > Limit.moduleBytesMax)
    return refuse(`the module has ${module.length} bytes; at most ${Limit.moduleBytesMax} are allowed`)
  const key = `${Bytes.toHex(engine.id)} ${Bytes.toHex(Hash.sha256(module))}`
  let image = images.get(key)
  if (image === undefined) {
    try {
      image = fresh(engine, module, limits.fuel)
    } catch (error) {
      if (error instanceof ModuleRefused) return refuse(error.message)
      if (error instanceof Threw) return refuse(spoken(error), error.stackText)
      if (error instanceof Ended) return refuse(`${error.reason} while the module loads: ${error.message}`)
      throw error
    }
    images.set(key, image)
  }
  const { fuelUsed, wasmPages } = image
  if (fuelUsed > limits.fuel)
    return refuse(`out of fuel while the module loads: more than ${limits.fuel} fuel`)
  if (wasmPages > limits.memoryPagesMax)
    return refuse(
      `the module takes ${wasmPages} pages of 64 KiB to load; its limit is ${limits.memoryPagesMax}`,
    )
  return { _tag: "Booted", image }
}
