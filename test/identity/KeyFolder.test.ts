import child from "node:child_process"
import crypto from "node:crypto"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Identity from "../../identity/Identity.ts"
import * as KeyFile from "../../identity/KeyFile.ts"
import * as KeyFolder from "../../identity/KeyFolder.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

/** scrypt's cost in these tests; one test uses the real one. */
const cheap = 2 ** 10

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "heddle-keys-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true })),
)

const passphrase = "correct horse"
const mode = (file: string) => fs.statSync(file).mode & 0o777

describe("KeyFolder", () => {
  it.live("gives back the identity that it made, of every type, sealed or not", () =>
    Effect.gen(function* () {
      const folder = path.join(yield* temporary, "not", "there", "yet")
      const keys = KeyFolder.at(folder, cheap)
      assert.deepStrictEqual(yield* keys.list(), [])
      let made = 0
      for (const type of [SignatureType.mlDsa44, SignatureType.mlDsa65, SignatureType.mlDsa87])
        for (const protection of [{ passphrase }, "unsealed"] as const) {
          const name = `k${made++}`
          const identity = yield* keys.create(name, protection, type)
          const opened = yield* keys.open(name, passphrase)
          assert.strictEqual(opened.address, identity.address)
          assert.deepStrictEqual(opened.seed, identity.seed)
          const sealed = protection !== "unsealed"
          const file = path.join(folder, `${name}.json`)
          assert.deepStrictEqual(yield* keys.show(name), {
            name,
            file,
            type,
            address: identity.address,
            sealed,
          })
          assert.strictEqual(mode(file), 0o600)
        }
      assert.strictEqual(mode(folder), 0o700)
      const listed = (yield* keys.list()).map(Result.getOrThrow)
      assert.deepStrictEqual(
        listed.map(({ name }) => name),
        ["k0", "k1", "k2", "k3", "k4", "k5"],
      )
      assert.strictEqual(fs.readdirSync(folder).length, made) // no leftovers
    }).pipe(Effect.scoped),
  )

  it.live("seals with the real cost", () =>
    Effect.gen(function* () {
      const keys = KeyFolder.at(yield* temporary)
      const { address } = yield* keys.create("ada", { passphrase })
      assert.include(fs.readFileSync((yield* keys.show("ada")).file, "utf8"), '"N": 131072')
      assert.strictEqual((yield* keys.open("ada", passphrase)).address, address)
    }).pipe(Effect.scoped),
  )

  it.live("tells a wrong passphrase from a damaged file", () =>
    Effect.gen(function* () {
      const keys = KeyFolder.at(yield* temporary, cheap)
      yield* keys.create("ada", { passphrase })
      for (const wrong of ["", "Correct horse", `${passphrase} `]) {
        const error = yield* Effect.flip(keys.open("ada", wrong))
        assert.strictEqual(error._tag, "WrongPassphrase")
        assert.match(error.message, /ada\.json/)
      }
    }).pipe(Effect.scoped),
  )

  it.live("takes a passphrase however the keyboard spells its letters", () =>
    Effect.gen(function* () {
      const keys = KeyFolder.at(yield* temporary, cheap)
      yield* keys.create("ada", { passphrase: "Gr\u00fc\u00dfe" })
      yield* keys.open("ada", "Gru\u0308\u00dfe")
    }).pipe(Effect.scoped),
  )

  it.live("refuses an empty passphrase, since a key in the clear must be asked for by name", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const error = yield* Effect.flip(KeyFolder.at(folder, cheap).create("ada", { passphrase: "" }))
      assert.strictEqual(error._tag, "PassphraseEmpty")
      assert.deepStrictEqual(fs.readdirSync(folder), [])
    }).pipe(Effect.scoped),
  )

  it.live("refuses a file that others may read until that is put right", () =>
    Effect.gen(function* () {
      const keys = KeyFolder.at(yield* temporary, cheap)
      const { address } = yield* keys.create("ada", "unsealed")
      const { file } = yield* keys.show("ada")
      for (const open of [0o640, 0o604, 0o620, 0o601, 0o777]) {
        fs.chmodSync(file, open)
        for (const error of [
          yield* Effect.flip(keys.open("ada", "")),
          yield* Effect.flip(keys.show("ada")),
        ]) {
          assert.strictEqual(error._tag, "KeyFileOpenToOthers")
          assert.include(error.message, `mode 0${open.toString(8)}`)
          assert.include(error.message, `chmod 600 ${file}`)
        }
      }
      fs.chmodSync(file, 0o400)
      assert.strictEqual((yield* keys.open("ada", "")).address, address)
    }).pipe(Effect.scoped),
  )

  it.live("says which keys there are where one is unknown", () =>
    Effect.gen(function* () {
      const keys = KeyFolder.at(yield* temporary, cheap)
      const none = yield* Effect.flip(keys.open("ada", ""))
      assert.strictEqual(
        none._tag === "KeyUnknown" && none.message,
        'no key is named "ada"; there is none yet',
      )
      for (const name of ["bob", "cy"]) yield* keys.create(name, "unsealed")
      const below = path.join(path.dirname((yield* keys.show("bob")).file), "below")
      yield* KeyFolder.at(below, cheap).create("dee", "unsealed")
      assert.strictEqual(
        (yield* Effect.flip(KeyFolder.at(below, cheap).open("../bob", "")))._tag,
        "KeyUnknown",
      )
      for (const name of ["ada", "below/dee", "bob.json", ""]) {
        const error = yield* Effect.flip(keys.open(name, ""))
        assert.deepStrictEqual(error._tag === "KeyUnknown" && error.known, ["bob", "cy"])
      }
    }).pipe(Effect.scoped),
  )

  it.live("takes names that are file names everywhere, and no others", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const keys = KeyFolder.at(folder, cheap)
      for (const name of ["", "../ada", "a/b", "Ada", ".ada", "-ada", "a b", "a.b", "a".repeat(65)]) {
        const error = yield* Effect.flip(keys.create(name, "unsealed"))
        assert.strictEqual(error._tag, "KeyNameInvalid", name)
      }
      for (const name of ["a", "0", "ada-2_x", "a".repeat(64)]) yield* keys.create(name, "unsealed")
      assert.strictEqual(fs.readdirSync(folder).length, 4)
    }).pipe(Effect.scoped),
  )

  it.live("never replaces a key, however many are made at once", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const keys = KeyFolder.at(folder, cheap)
      const many = Array.from({ length: 8 }, () => Effect.result(keys.create("ada", "unsealed")))
      const results = yield* Effect.all(many, { concurrency: "unbounded" })
      const made = results.filter(Result.isSuccess)
      assert.strictEqual(made.length, 1)
      for (const result of results)
        if (Result.isFailure(result)) assert.strictEqual(result.failure._tag, "KeyExists")
      assert.strictEqual((yield* keys.open("ada", "")).address, made[0]!.success.address)
      assert.deepStrictEqual(fs.readdirSync(folder), ["ada.json"])
    }).pipe(Effect.scoped),
  )

  it.live("says what the file system said where it does not do its part", () =>
    Effect.gen(function* () {
      const file = path.join(yield* temporary, "file")
      fs.writeFileSync(file, "")
      for (const folder of [file, path.join(file, "below")]) {
        const keys = KeyFolder.at(folder, cheap)
        for (const error of [
          yield* Effect.flip(keys.create("ada", "unsealed")),
          yield* Effect.flip(keys.open("ada", "")),
          yield* Effect.flip(keys.list()),
        ])
          assert.strictEqual(error._tag, "KeyFolderFailed")
      }
    }).pipe(Effect.scoped),
  )

  it.live("lists the good keys and, by name, what is wrong with the others", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const keys = KeyFolder.at(folder, cheap)
      for (const name of ["ada", "bob", "cy"]) yield* keys.create(name, "unsealed")
      fs.writeFileSync(path.join(folder, "ada.json"), "{")
      fs.chmodSync(path.join(folder, "bob.json"), 0o644)
      fs.writeFileSync(path.join(folder, "notes.txt"), "")
      fs.writeFileSync(path.join(folder, ".ada.json.0011"), "") // left by a power cut
      const listed = yield* keys.list()
      assert.deepStrictEqual(
        listed.map((each) => (Result.isFailure(each) ? each.failure._tag : each.success.name)),
        ["KeyFileDamaged", "KeyFileOpenToOthers", "cy"],
      )
    }).pipe(Effect.scoped),
  )

  it.live("leaves each key whole or not there when its process is killed", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const script = fileURLToPath(new URL("./MakeKeys.ts", import.meta.url))
      for (let round = 0; round < 4; round++) {
        const maker = child.spawn(process.execPath, [script, folder, `r${round}`], {
          stdio: ["ignore", "pipe", "inherit"],
        })
        yield* Effect.callback<void>((resume) => {
          maker.stdout.once("data", () => setTimeout(() => maker.kill("SIGKILL"), 3 + round * 7))
          maker.once("exit", () => resume(Effect.void))
        })
      }
      const keys = KeyFolder.at(folder)
      const names = (yield* keys.list()).map(Result.getOrThrow).map(({ name }) => name)
      assert.isAtLeast(names.length, 4)
      for (const name of names) yield* keys.open(name, "")
    }).pipe(Effect.scoped),
  )
})

describe("KeyFile", () => {
  const identity = Identity.fromSeed(new Uint8Array(32).fill(1), SignatureType.mlDsa44)
  const other = Identity.fromSeed(new Uint8Array(32).fill(2), SignatureType.mlDsa44)

  /** Every path to a value in a JSON object. */
  const paths = (json: object, prefix: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> =>
    Object.entries(json).flatMap(([name, value]) =>
      typeof value === "object" ? paths(value, [...prefix, name]) : [[...prefix, name]],
    )

  const changed = (text: string, at: ReadonlyArray<string>, change: (value: unknown) => unknown): string => {
    const json = JSON.parse(text)
    const parent = at.slice(0, -1).reduce((object, name) => object[name], json)
    parent[at.at(-1)!] = change(parent[at.at(-1)!])
    return JSON.stringify(json)
  }

  const tag = (text: string, given = passphrase) =>
    Effect.map(Effect.result(KeyFile.open("k.json", text, given)), (result) =>
      Result.isFailure(result) ? result.failure._tag : "opened",
    )

  for (const protection of [{ passphrase }, "unsealed"] as const)
    it.live(`names damage to any field, of a key ${protection === "unsealed" ? "unsealed" : "sealed"}`, () =>
      Effect.gen(function* () {
        const text = yield* KeyFile.seal(identity, protection, cheap)
        assert.strictEqual(yield* tag(text), "opened")
        const bent = (value: unknown) =>
          typeof value === "number"
            ? value + 1
            : `${String(value).startsWith("A") ? "B" : "A"}${String(value).slice(1)}`
        let damaged = 0
        for (const at of paths(JSON.parse(text)))
          for (const change of [bent, () => undefined, () => null, () => "", () => [1]]) {
            assert.strictEqual(yield* tag(changed(text, at, change)), "KeyFileDamaged", at.join("."))
            damaged += 1
          }
        assert.strictEqual(damaged, (protection === "unsealed" ? 6 : 13) * 5)
        for (const cut of ["", "null", "[]", "{}", text.slice(0, text.length / 2), `${text}x`])
          assert.strictEqual(yield* tag(cut), "KeyFileDamaged")
      }),
    )

  it.live("does not ask for more memory than a key file should, whatever the file says", () =>
    Effect.gen(function* () {
      const text = yield* KeyFile.seal(identity, { passphrase }, cheap)
      for (const N of [2 ** 21, 2 ** 30, 2 ** 9, 1000, 0, -1, 1.5, "1024"])
        assert.strictEqual(
          yield* tag(yield* resealed(changed(text, ["kdf", "N"], () => N))),
          "KeyFileDamaged",
          String(N),
        )
      for (const type of [1, 2065, 3001, "1044"])
        assert.strictEqual(yield* tag(changed(text, ["type"], () => type)), "KeyFileDamaged", String(type))
    }),
  )

  it.live("finds out a key put under another's header, though every checksum fits", () =>
    Effect.gen(function* () {
      // What someone does who can write the file but does not know the passphrase: a fresh checksum over a swap.
      const text = yield* KeyFile.seal(identity, { passphrase }, cheap)
      const swapped = changed(text, ["address"], () => other.address)
      assert.strictEqual(yield* tag(yield* resealed(swapped)), "KeyFileDamaged")
      const unsealed = yield* KeyFile.seal(identity, "unsealed")
      assert.strictEqual(
        yield* tag(yield* resealed(changed(unsealed, ["address"], () => other.address))),
        "KeyFileDamaged",
      )
      assert.strictEqual(yield* tag(yield* resealed(text)), "opened")
    }),
  )

  it.live("has a new salt and nonce each time, and nowhere the seed", () =>
    Effect.gen(function* () {
      const texts = [
        yield* KeyFile.seal(identity, { passphrase }, cheap),
        yield* KeyFile.seal(identity, { passphrase }, cheap),
      ]
      const fields = texts.map((text) => JSON.parse(text))
      for (const name of ["check", "nonce", "ciphertext", "tag"])
        assert.notStrictEqual(fields[0][name], fields[1][name])
      for (const text of texts) assert.notInclude(text, Buffer.from(identity.seed).toString("base64url"))
    }),
  )
})

/** The same fields with the checksum that fits them, as `KeyFile` documents it. */
const resealed = (text: string): Effect.Effect<string> =>
  Effect.sync(() => {
    const json = JSON.parse(text)
    const bytes = (field: string) => Buffer.from(field, "base64url")
    const number = (value: number, length: number) => {
      const out = Buffer.alloc(length)
      out.writeIntLE(Math.trunc(value) % 2 ** 31, 0, length)
      return out
    }
    const { kdf, check, nonce, ciphertext, tag, seed } = json
    const body =
      kdf.name === "none"
        ? [bytes(seed)]
        : [number(kdf.N, 4), ...[kdf.salt, check, nonce, ciphertext, tag].map(bytes)]
    const parts = [number(json.type, 2), bytes(json.address), Buffer.from(kdf.name), ...body]
    const layout = Buffer.concat([
      Buffer.from("\x0cheddle/key/1"),
      ...parts.flatMap((part) => [number(part.length, 4), part]),
    ])
    json.checksum = crypto.createHash("sha256").update(layout).digest("base64url")
    return JSON.stringify(json)
  })
