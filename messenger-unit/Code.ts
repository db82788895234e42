/**
 * Code: guest code as a caller gives it, and its way to a node: a module that is there, bytes, or an author's file that
 * is made into a module first. What the node says of a place in the module is told as a place in the author's file.
 */
import { fileURLToPath } from "node:url"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { ModuleInvalid } from "../compute-unit/ComputeUnit.ts"
import { Refused } from "../runtime/Admission.ts"
import * as Bytes from "../runtime/Bytes.ts"
import * as Id from "../runtime/Id.ts"
import { MessengerUnit } from "./MessengerUnit.ts"

/** Where guest code comes from: a module that the node holds, JavaScript, or an author's file to be bundled. */
export type Code = string | Uint8Array | { readonly file: string | URL } | { readonly module: string }

/** Guest code that is not accepted, with its place in the author's file. Lines and columns count from 1; 0 is no place. */
export class SourceInvalid extends Data.TaggedError("SourceInvalid")<{
  readonly file: string
  readonly line: number
  readonly column: number
  readonly detail: string
}> {
  override get message(): string {
    const place = this.line === 0 ? this.file : `${this.file}:${this.line}:${this.column}`
    return `${place}: ${this.detail}`
  }
}

/** An author's file as one script, or as the WebAssembly module that it is. */
export interface Bundle {
  readonly source: Uint8Array
  /**
   * The author's file, line and column that a place comes from: one in the module, or, where the node has read the
   * module's own map, one in the author's files by the names that they have there.
   */
  readonly locate: (
    line: number,
    column: number,
    file: string,
  ) => Pick<SourceInvalid, "file" | "line" | "column"> | undefined
}

/** Makes a module of an author's file and what it imports; known to whoever assembles a client. */
export type Bundler = (file: string) => Effect.Effect<Bundle, SourceInvalid>

/** What is said of a module, said of the author's file that it was made of, if it was; any other error as it is. */
export const inAuthorsFile =
  (locate: Bundle["locate"] | undefined) =>
  <E>(error: E): E | SourceInvalid => {
    if (locate === undefined || !(error instanceof ModuleInvalid)) return error
    const { file, line, column, detail } = error
    return new SourceInvalid({ ...(locate(line, column, file) ?? { file, line, column }), detail })
  }

const stored = Effect.fnUntraced(function* (text: string) {
  const module = Id.parse(text)
  if (module !== undefined) return module
  return yield* new Refused({
    reason: "unknown module",
    detail: `"${text}" is no id of a module: it has 43 characters`,
  })
})

/** Guest code as bytes, wherever it is. */
export const read = Effect.fnUntraced(function* (code: Code, bundler: Bundler) {
  if (typeof code === "string") return { source: Bytes.fromText(code), locate: undefined }
  if (code instanceof Uint8Array) return { source: code, locate: undefined }
  if ("file" in code)
    return yield* bundler(typeof code.file === "string" ? code.file : fileURLToPath(code.file))
  const id = yield* stored(code.module)
  const source = yield* MessengerUnit.use((messenger) => messenger.module(id))
  if (source !== undefined) return { source, locate: undefined }
  return yield* new Refused({ reason: "unknown module", detail: `${id} is not stored here` })
})

/** Uploads guest code unless it is there; gives the module's id. */
export const addModule = Effect.fnUntraced(function* (code: Code, bundler: Bundler) {
  const messenger = yield* MessengerUnit
  if (typeof code === "object" && "module" in code) return yield* stored(code.module)
  const { source, locate } = yield* read(code, bundler)
  return yield* Effect.mapError(messenger.addModule(source), inAuthorsFile(locate))
})
