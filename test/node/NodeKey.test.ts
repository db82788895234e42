import fs from "node:fs"
import path from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeKey from "../../node/NodeKey.ts"
import * as Folder from "../support/Folder.ts"

it.effect("a node makes its key on its first start and keeps it for itself", () =>
  Effect.gen(function* () {
    const folder = path.join(yield* Folder.make, "data")
    const made = yield* NodeKey.open(folder)
    const file = path.join(folder, "keys", "node.json")
    assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600)
    assert.strictEqual(fs.statSync(path.dirname(file)).mode & 0o777, 0o700)
    assert.strictEqual((yield* NodeKey.open(folder)).address, made.address)
    fs.chmodSync(file, 0o644)
    assert.deepInclude(yield* Effect.flip(NodeKey.open(folder)), { _tag: "KeyFileOpenToOthers" })
  }),
)

it.effect("starts at the same moment agree on one key", () =>
  Effect.gen(function* () {
    const folder = yield* Folder.make
    const starts = Array.from({ length: 8 }, () => NodeKey.open(folder))
    const keys = yield* Effect.all(starts, { concurrency: "unbounded" })
    assert.strictEqual(new Set(keys.map(({ address }) => address)).size, 1)
  }),
)
