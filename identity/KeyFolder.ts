/**
 * Key folder: the key files of one user or node, one file a name, on the file system (spec 02 §6).
 *
 * A file is there whole or not at all and never overwritten: it is written beside its place, flushed, and
 * linked in. Folders are made with mode 0700, files with 0600; a file that others may read is refused until
 * that is put right.
 */
import fs from "node:fs/promises"
import path from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import type * as SignatureType from "../runtime/SignatureType.ts"
import { Entropy } from "./Entropy.ts"
import * as Identity from "./Identity.ts"
import * as KeyFile from "./KeyFile.ts"

export class KeyUnknown extends Data.TaggedError("KeyUnknown")<{
  readonly name: string
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    const known = this.known.length === 0 ? "there is none yet" : `there is ${this.known.join(", ")}`
    return `no key is named "${this.name}"; ${known}`
  }
}

export class KeyExists extends Data.TaggedError("KeyExists")<{
  readonly name: string
  readonly file: string
}> {
  override get message(): string {
    return `a key named "${this.name}" stands in ${this.file}; choose another name`
  }
}

export class KeyNameInvalid extends Data.TaggedError("KeyNameInvalid")<{ readonly name: string }> {
  override get message(): string {
    return `"${this.name}" is no name for a key: 1 to 64 of a-z, 0-9, "-" and "_", a letter or digit first`
  }
}

export class PassphraseEmpty extends Data.TaggedError("PassphraseEmpty")<{ readonly name: string }> {
  override get message(): string {
    return `the passphrase for "${this.name}" is empty; give one, or ask for an unsealed key by name`
  }
}

export class KeyFileOpenToOthers extends Data.TaggedError("KeyFileOpenToOthers")<{
  readonly file: string
  readonly mode: string
}> {
  override get message(): string {
    return `key file ${this.file} has mode ${this.mode}: others may read it; chmod 600 ${this.file}`
  }
}

/** The file system did not do its part: no space, no right, not a folder. */
export class KeyFolderFailed extends Data.TaggedError("KeyFolderFailed")<{
  readonly folder: string
  readonly detail: string
}> {
  override get message(): string {
    return `key folder ${this.folder}: ${this.detail}`
  }
}

/** A key by what its file says without a passphrase. */
export interface Described extends KeyFile.Description {
  readonly name: string
  readonly file: string
}

/** One line of a listing: a bad file is shown with what is wrong and hides no other. */
export type Listed = Result.Result<Described, KeyFile.KeyFileDamaged | KeyFileOpenToOthers>

export interface KeyFolder {
  /** Makes a new identity under `name`; never replaces one. */
  readonly create: (
    name: string,
    protection: KeyFile.Protection,
    type?: SignatureType.SignatureType,
  ) => Effect.Effect<Identity.Identity, KeyNameInvalid | PassphraseEmpty | KeyExists | KeyFolderFailed>
  readonly open: (
    name: string,
    passphrase: string,
  ) => Effect.Effect<
    Identity.Identity,
    KeyUnknown | KeyFile.WrongPassphrase | KeyFile.KeyFileDamaged | KeyFileOpenToOthers | KeyFolderFailed
  >
  readonly show: (
    name: string,
  ) => Effect.Effect<Described, KeyUnknown | KeyFile.KeyFileDamaged | KeyFileOpenToOthers | KeyFolderFailed>
  /** Every key in order of name; none where there is no folder yet. */
  readonly list: () => Effect.Effect<ReadonlyArray<Listed>, KeyFolderFailed>
}

const namePattern = /^[a-z0-9][a-z0-9_-]{0,63}$/
const extension = ".json"

/** A key file has a few hundred bytes; what is longer is something else. */
const fileBytesMax = 16 * 1024

/** On Windows modes say nothing (the user's profile protects the file) and folders can't be flushed. */
const posix = process.platform !== "win32"

const code = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)

/** Writes `text` to `file`: whole, flushed, mode 0600. False, and nothing changed, where a file stands. */
const writeNew = async (file: string, text: string, suffix: string): Promise<boolean> => {
  const folder = path.dirname(file)
  await fs.mkdir(folder, { recursive: true, mode: 0o700 })
  const beside = path.join(folder, `.${path.basename(file)}.${suffix}`)
  try {
    await fs.writeFile(beside, text, { flag: "wx", mode: 0o600, flush: true })
    // Unlike rename, link fails where a file stands.
    const linked = await fs.link(beside, file).then(
      () => true,
      (error: unknown) => (code(error) === "EEXIST" ? false : Promise.reject(error)),
    )
    if (linked && posix) await flushFolder(folder)
    return linked
  } finally {
    await fs.rm(beside, { force: true })
  }
}

/** Makes a new name in the folder survive a power cut. */
const flushFolder = async (folder: string): Promise<void> => {
  const handle = await fs.open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const readBounded = async (file: string): Promise<{ readonly text: string; readonly mode: number }> => {
  const handle = await fs.open(file)
  try {
    const { mode } = await handle.stat()
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(fileBytesMax))
    return { text: buffer.toString("utf8", 0, bytesRead), mode }
  } finally {
    await handle.close()
  }
}

/** The keys in `folder`, which need not be there yet. `cost` is scrypt's N; only tests make it cheaper. */
export const at = (folder: string, cost?: number): KeyFolder => {
  const fileOf = (name: string): string => path.join(folder, name + extension)

  const failed = (error: unknown) => new KeyFolderFailed({ folder, detail: String(error) })

  const names = Effect.tryPromise({
    try: () =>
      fs.readdir(folder).catch((error: unknown) => (code(error) === "ENOENT" ? [] : Promise.reject(error))),
    catch: failed,
  }).pipe(
    Effect.map((files) =>
      files
        .filter((file) => file.endsWith(extension) && namePattern.test(file.slice(0, -extension.length)))
        .map((file) => file.slice(0, -extension.length))
        .toSorted(),
    ),
  )

  const read = Effect.fnUntraced(function* (name: string) {
    const unknown = Effect.flatMap(names, (known) => Effect.fail(new KeyUnknown({ name, known })))
    if (!namePattern.test(name)) return yield* unknown
    const file = fileOf(name)
    const found = yield* Effect.tryPromise({ try: () => readBounded(file), catch: (error) => error }).pipe(
      Effect.catch((error) => (code(error) === "ENOENT" ? unknown : Effect.fail(failed(error)))),
    )
    if (posix && (found.mode & 0o077) !== 0)
      return yield* new KeyFileOpenToOthers({ file, mode: (found.mode & 0o777).toString(8).padStart(4, "0") })
    return { file, text: found.text }
  })

  const create: KeyFolder["create"] = Effect.fnUntraced(function* (name, protection, type) {
    if (!namePattern.test(name)) return yield* new KeyNameInvalid({ name })
    if (protection !== "unsealed" && protection.passphrase === "") return yield* new PassphraseEmpty({ name })
    const identity = yield* Identity.generate(type)
    const text = yield* KeyFile.seal(identity, protection, cost)
    const suffix = Bytes.toHex((yield* Entropy).bytes(8))
    const file = fileOf(name)
    const written = yield* Effect.tryPromise({ try: () => writeNew(file, text, suffix), catch: failed })
    return written ? identity : yield* new KeyExists({ name, file })
  })

  const open: KeyFolder["open"] = Effect.fnUntraced(function* (name, passphrase) {
    const { file, text } = yield* read(name)
    return yield* KeyFile.open(file, text, passphrase)
  })

  const show: KeyFolder["show"] = Effect.fnUntraced(function* (name) {
    const { file, text } = yield* read(name)
    return { name, file, ...(yield* KeyFile.describe(file, text)) }
  })

  const list: KeyFolder["list"] = Effect.fnUntraced(function* () {
    const shown = yield* Effect.forEach(yield* names, (name) =>
      show(name).pipe(
        Effect.map(Result.succeed),
        Effect.catchTags({
          KeyFileDamaged: (error) => Effect.succeed(Result.fail(error)),
          KeyFileOpenToOthers: (error) => Effect.succeed(Result.fail(error)),
          KeyUnknown: () => Effect.succeed(undefined), // removed since the folder was read
        }),
      ),
    )
    return shown.filter((key) => key !== undefined)
  })

  return { create, open, show, list }
}
