/** What a reader believes of a view: a proof that holds, and none of which any part was changed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ViewProven } from "../../compute-unit/ComputeUnit.ts"
import type { Signer } from "../../identity/Signer.ts"
import * as ProvenView from "../../messenger-unit/ProvenView.ts"
import * as Assignment from "../../runtime/Assignment.ts"
import * as Attestation from "../../runtime/Attestation.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Merkle from "../../runtime/Merkle.ts"
import * as ViewProof from "../../runtime/ViewProof.ts"
import * as Caller from "../support/Caller.ts"
import * as SmallNode from "../support/SmallNode.ts"

const ada = Caller.caller("ada")

const source = `
heddle.on("Publish", (message) => {
  for (const name of ["b", "d", "f"]) heddle.publish(name, { is: name })
})
heddle.on("Spawn-Child", (message) => heddle.spawn(heddle.process.module))
heddle.on("Spawn", () => heddle.publish("born", true))
`

/** A process that publishes b, d and f, with its spawn and a proof of what is asked for. */
const published = Effect.fnUntraced(function* () {
  const node = yield* SmallNode.make()
  const process = yield* SmallNode.spawn(node, ada, source)
  const { slot } = yield* SmallNode.send(node, ada, process, "Publish")
  yield* node.compute.turn(process, slot)
  const [first] = yield* node.messenger.log(process, 0, 1)
  const proof = (name: string) => node.messenger.viewProof(process, name)
  return { node, process, slot, spawn: first!.item, proof }
})

type What = ProvenView.ProofInvalid["what"]

/** What is changed, by the path to it, and what the reader says is wrong. The longest path that fits counts. */
const refusals: Readonly<Record<string, What>> = {
  name: "view",
  value: "value",
  opening: "state root",
  "opening.leaves": "view",
  attestation: "signature",
  "attestation.attestation.process": "process",
  "attestation.owner": "unit",
  assignment: "assignment",
}

const expected = (path: string): What => {
  const fitting = Object.keys(refusals).filter((prefix) => path === prefix || path.startsWith(`${prefix}.`))
  return refusals[fitting.toSorted((a, b) => b.length - a.length)[0]!]!
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** The value with one bit, letter or count of it changed, at each place where it has one. */
const forgeries = function* (
  value: unknown,
  path: string,
): Generator<readonly [path: string, forged: unknown]> {
  if (value instanceof Uint8Array) {
    for (const at of new Set([0, value.length >> 1, value.length - 1])) {
      if (value.length === 0) continue
      const bytes = Bytes.copy(value)
      bytes[at]! ^= 1
      yield [path, bytes]
    }
    // A hash of another length does not come in at all.
    if (value.length !== Hash.length) yield [path, Bytes.concat([value, Uint8Array.of(0)])]
  } else if (typeof value === "number") {
    yield [path, value + 1]
    if (value > 0) yield [path, value - 1]
  } else if (typeof value === "string") {
    const id = Id.parse(value)
    yield [path, id === undefined ? `${value} ` : Id.fromBytes(Id.toBytes(id).map((byte) => byte ^ 1))]
  } else if (isRecord(value)) {
    for (const [name, field] of Object.entries(value))
      for (const [at, forged] of forgeries(field, path === "" ? name : `${path}.${name}`))
        yield [at, Array.isArray(value) ? value.with(Number(name), forged) : { ...value, [name]: forged }]
  }
}

const refused = (
  result: Result.Result<ProvenView.ProvenView, ProvenView.ProofInvalid>,
  path: string,
): What => {
  if (Result.isSuccess(result)) return assert.fail(`${path} was changed, and it is believed`)
  assert.isAbove(result.failure.detail.length, 10)
  return result.failure.what
}

/** Signs what an attestation says anew: what a unit that lies can do. */
const signedBy = (signer: Signer["Service"], proof: ViewProven, changes: Partial<Attestation.Attestation>) =>
  Effect.gen(function* () {
    const attestation = { ...proof.attestation.attestation, ...changes }
    const tree = Attestation.tree([attestation])
    const signature = yield* signer.sign("heddle/attestation/1", Attestation.signingBytes(tree.root))
    const { type, owner } = signer
    const signed = { attestation, index: 0, path: Merkle.path(tree, 0), owner, signature }
    return { ...proof, attestation: { ...signed, signatureType: type.number } }
  })

describe("a proven view", () => {
  it.live("is believed with its slot, time, state root and unit", () =>
    Effect.gen(function* () {
      const { node, process, slot, spawn, proof } = yield* published()
      const given = yield* proof("d")
      const shown = Result.getOrThrow(ProvenView.check(process, "d", spawn, given))
      const { attestation } = (yield* node.messenger.attestation(process, slot))!
      const [entry] = yield* node.messenger.log(process, slot, 1)
      assert.deepStrictEqual(shown, {
        value: '{"is":"d"}',
        slot,
        timestamp: entry!.assignment.timestamp,
        stateRoot: attestation.to.stateRoot,
        engine: node.compute.engine,
        unit: node.compute.address,
      })
    }),
  )

  it.live("is believed not to be there: before all others, between two, after all, where there is none", () =>
    Effect.gen(function* () {
      const { node, process, slot, spawn, proof } = yield* published()
      for (const name of ["", "a", "c", "e", "g", "bb"]) {
        const shown = Result.getOrThrow(ProvenView.check(process, name, spawn, yield* proof(name)))
        assert.deepInclude(shown, { value: undefined, slot }, name)
      }
      const bare = yield* SmallNode.spawn(node, ada, "0")
      yield* node.compute.turn(bare, 0)
      const [first] = yield* node.messenger.log(bare, 0, 1)
      const none = yield* node.messenger.viewProof(bare, "a")
      assert.deepInclude(Result.getOrThrow(ProvenView.check(bare, "a", first!.item, none)), {
        value: undefined,
      })
    }),
  )

  it.live("is believed of a process that another process spawned", () =>
    Effect.gen(function* () {
      const { node, process } = yield* published()
      const child = String(yield* SmallNode.ask(node, ada, process, "Spawn-Child")) as Id.ProcessId
      yield* node.compute.turn(child, 0)
      const [first] = yield* node.messenger.log(child, 0, 1)
      const proof = yield* node.messenger.viewProof(child, "born")
      const shown = Result.getOrThrow(ProvenView.check(child, "born", first!.item, proof))
      assert.deepInclude(shown, { value: "true", slot: 0 })
      const changed = Bytes.copy(first!.item)
      changed[changed.length - 1]! ^= 1
      assert.strictEqual(
        refused(ProvenView.check(child, "born", changed, proof), "the child's spawn"),
        "spawn",
      )
    }),
  )

  it.live("is refused by name where any part of it was changed", () =>
    Effect.gen(function* () {
      const { process, spawn, proof } = yield* published()
      let count = 0
      for (const name of ["d", "c", "g"]) {
        const given = yield* proof(name)
        Result.getOrThrow(ProvenView.check(process, name, spawn, given))
        for (const [path, forged] of forgeries(given, "")) {
          count++
          // As a stranger could send it: the shape is right, one value of it is not.
          const what = refused(ProvenView.check(process, name, spawn, forged as ViewProven), path)
          assert.strictEqual(what, expected(path), path)
        }
      }
      assert.isAbove(count, 500)
    }),
  )

  it.live("is refused where the value is left out, or one is given for what is not there", () =>
    Effect.gen(function* () {
      const { process, spawn, proof } = yield* published()
      const [there, absent] = [yield* proof("d"), yield* proof("c")]
      const check = (name: string, given: ViewProven) =>
        refused(ProvenView.check(process, name, spawn, given), name)
      assert.strictEqual(check("d", { ...there, value: null }), "value")
      assert.strictEqual(check("c", { ...absent, value: '{"is":"c"}' }), "value")
      assert.strictEqual(check("d", { ...absent, name: "d" }), "view")
      assert.strictEqual(check("c", { ...there, name: "c", value: null }), "view")
      const leaves = [...absent.opening.leaves]
      for (const fewer of [leaves.slice(0, 1), leaves.slice(1), leaves.toReversed(), []])
        assert.strictEqual(check("c", { ...absent, opening: { ...absent.opening, leaves: fewer } }), "view")
      const wide = yield* proof("a")
      const around = [wide.opening.leaves[0]!, (yield* proof("g")).opening.leaves[0]!]
      assert.strictEqual(check("c", { ...absent, opening: { ...absent.opening, leaves: around } }), "view")
    }),
  )

  it.live("is refused of another spawn than the one that the process's id stands for", () =>
    Effect.gen(function* () {
      const { node, process, spawn, proof } = yield* published()
      const given = yield* proof("d")
      const other = yield* SmallNode.spawn(node, ada, source)
      const [first] = yield* node.messenger.log(other, 0, 1)
      const changed = Bytes.copy(spawn)
      const item = Result.getOrThrow(Item.decode(spawn))
      changed[changed.length - item.data.length - 1]! ^= 1
      const check = (bytes: Uint8Array) => refused(ProvenView.check(process, "d", bytes, given), "spawn")
      for (const bytes of [first!.item, changed, Bytes.empty, spawn.subarray(1)])
        assert.strictEqual(check(bytes), "spawn")
      assert.strictEqual(
        refused(ProvenView.check(other, "d", first!.item, given), "the other process"),
        "process",
      )
    }),
  )

  it.live("is refused of a spawn that names whoever made the proof, whatever else fits", () =>
    Effect.gen(function* () {
      const { node, process, spawn, proof } = yield* published()
      const child = String(yield* SmallNode.ask(node, ada, process, "Spawn-Child")) as Id.ProcessId
      yield* node.compute.turn(child, 0)
      const [first] = yield* node.messenger.log(child, 0, 1)
      const compute = { name: "Compute", value: ada.identity.address }
      /** The item with another unit named in it, and the signature field that it had. */
      const renamed = (bytes: Uint8Array) => {
        const item = Result.getOrThrow(Item.decode(bytes))
        const content = Result.getOrThrow(Item.content({ ...item, tags: [...item.tags, compute] }))
        const { bytes: changed, id } = Result.getOrThrow(Item.encode(content, item.signature))
        assert.strictEqual(id, item.id)
        return changed
      }
      const own = yield* Effect.promise(() =>
        ada.spawn(Id.fromBytes(new Uint8Array(32)), node.scheduler.address, { Compute: compute.value }),
      )
      for (const [victim, name, forged] of [
        [process, "d", own.bytes],
        [process, "d", renamed(spawn)],
        [child, "born", renamed(first!.item)],
      ] as const) {
        const given = victim === process ? yield* proof(name) : yield* node.messenger.viewProof(child, name)
        const opening = {
          ...given.opening,
          metadata: { ...given.opening.metadata, spawn: Hash.sha256(forged) },
        }
        const { to } = given.attestation.attestation
        const rooted = { to: { ...to, stateRoot: ViewProof.rootOf(opening) } }
        const lie = yield* signedBy(ada.signer, { ...given, opening }, rooted)
        assert.strictEqual(refused(ProvenView.check(victim, name, forged, lie), "a lie"), "spawn")
      }
    }),
  )

  it.live("is refused where who signed it is no unit of the process, or one that contradicts itself", () =>
    Effect.gen(function* () {
      const { node, process, spawn, proof } = yield* published()
      const given = yield* proof("d")
      const check = (lie: ViewProven) => refused(ProvenView.check(process, "d", spawn, lie), "a lie")
      const honest = yield* signedBy(node.signer, given, {})
      Result.getOrThrow(ProvenView.check(process, "d", spawn, honest))
      assert.strictEqual(check(yield* signedBy(ada.signer, given, {})), "unit")
      const borrowed = yield* signedBy(ada.signer, given, {})
      const { owner } = node.signer
      assert.strictEqual(check({ ...borrowed, attestation: { ...borrowed.attestation, owner } }), "signature")

      const engine = new Uint8Array(32).fill(7)
      assert.strictEqual(check(yield* signedBy(node.signer, given, { engine })), "engine")
      const opening = { ...given.opening, metadata: { ...given.opening.metadata, spawn: new Uint8Array(32) } }
      const { to } = given.attestation.attestation
      const rooted = { to: { ...to, stateRoot: ViewProof.rootOf(opening) } }
      assert.strictEqual(check(yield* signedBy(node.signer, { ...given, opening }, rooted)), "spawn")
      for (const changed of [{ head: new Uint8Array(32) }, { slot: to.slot + 1 }])
        assert.strictEqual(
          check(yield* signedBy(node.signer, given, { to: { ...to, ...changed } })),
          "assignment",
        )
      assert.strictEqual(check(yield* signedBy(node.signer, given, { term: 1 })), "assignment")
      const elsewhere = Assignment.make({ ...given.assignment, process: Id.fromBytes(new Uint8Array(32)) })
      const moved = { to: { ...to, head: elsewhere.head } }
      assert.strictEqual(
        check(yield* signedBy(node.signer, { ...given, assignment: elsewhere }, moved)),
        "assignment",
      )
      const value = "no JSON"
      const hash = Hash.sha256(Bytes.fromText(value))
      const tree = Merkle.tree([ViewProof.viewValue("d", hash)])
      const leaves = [{ index: 0, name: "d", value: hash, path: Merkle.path(tree, 0) }]
      const unread = { ...given.opening, views: 1, viewsRoot: tree.root, leaves }
      const attested = { to: { ...to, stateRoot: ViewProof.rootOf(unread) } }
      const lie = yield* signedBy(node.signer, { ...given, opening: unread, value }, attested)
      assert.strictEqual(check(lie), "value")
    }),
  )

  it.live("is refused where it is older than the reader allows, or of a time that has not come", () =>
    Effect.gen(function* () {
      const { process, spawn, proof } = yield* published()
      const given = yield* proof("d")
      const { timestamp } = given.assignment
      const check = (now: number, maxMs: number) =>
        ProvenView.check(process, "d", spawn, given, { now, maxMs })
      Result.getOrThrow(check(timestamp + 1_000, 1_000))
      Result.getOrThrow(check(timestamp - Limit.clockAheadMsMax, 0))
      assert.strictEqual(refused(check(timestamp + 1_001, 1_000), "age"), "age")
      assert.strictEqual(refused(check(timestamp - Limit.clockAheadMsMax - 1, 1_000), "age"), "age")
    }),
  )
})
