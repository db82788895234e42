/** Bare: what the machine, and each library alone, can do: the limits that figures are held against. */
import { fork } from "node:child_process"
import { once } from "node:events"
import path from "node:path"
import { fileURLToPath } from "node:url"
import * as lmdb from "lmdb"
import * as Bundle from "../../compute-unit/Bundle.ts"
import * as Engine from "../../compute-unit/Engine.ts"
import * as Turn from "../../compute-unit/Turn.ts"
import * as MlDsa from "../../identity/MlDsa.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"
import * as Meter from "./Meter.ts"

const seeded = (name: string): Uint8Array => Hash.sha256(Bytes.fromText(`benchmark ${name}`))

// ---- signatures

const key = MlDsa.fromSeed(SignatureType.mlDsa65, seeded("key"))
const type = SignatureType.mlDsa65
/** What a signature is over: the hash of an item, 48 bytes. */
const message = (i: number): Uint8Array => Bytes.concat([seeded("message"), Bytes.u32(i), new Uint8Array(12)])

/** ML-DSA-65 signatures a second on one thread. */
export const signs = (ms: number): number => Meter.rate(ms, (i) => key.sign("heddle/item/1", message(i)))

/** ML-DSA-65 verifications a second on one thread. */
export const verifies = (ms: number): number => {
  const signed = Array.from(
    { length: 64 },
    (_, i) => [message(i), key.sign("heddle/item/1", message(i))] as const,
  )
  return Meter.rate(ms, (i) => {
    const [bytes, signature] = signed[i % signed.length]!
    if (!MlDsa.verify(type, key.owner, "heddle/item/1", bytes, signature))
      throw new Error("a good signature is not good")
  })
}

// ---- hashes

/** SHA-256 hashes a second of so many bytes on one thread. */
export const hashes = (ms: number, bytes: number): number => {
  const hashed = new Uint8Array(bytes).fill(1)
  return Meter.rate(ms, () => void Hash.sha256(hashed))
}

// ---- durable writes

/** Bytes of one write: about what is kept of one signed message. */
export const writeBytes = 4_096

/** Writers of the group commit. */
export const writers = 64

/** Stores opened so far: lmdb can't open one path twice in a process. */
let opened = 0

/** Durable LMDB writes a second where `side` writers share commits. */
export const commits = async (folder: string, ms: number, side: number): Promise<number> => {
  // With its flushes one after another, as the store has them, a write is durable when it is answered.
  const db = lmdb.open<Buffer, Uint8Array>({
    path: path.join(folder, `bare-${opened++}.mdb`),
    encoding: "binary",
    keyEncoding: "binary",
    noSubdir: true,
    overlappingSync: false,
  })
  const value = Buffer.concat(
    Array.from({ length: writeBytes / Hash.length }, (_, i) => seeded(`value ${i}`)),
  )
  const rate = await Meter.rateOfMany(ms, side, (i) => db.put(seeded(`put ${i}`), value))
  await db.close()
  return rate
}

// ---- HTTP

/** Bytes of a request: a signed item without data. */
const requestBytes = 5_500

/** Round trips a second, one after another, to a server in another process that only answers. */
export const roundTrips = async (ms: number): Promise<number> => {
  const server = fork(fileURLToPath(new URL("./EchoServer.ts", import.meta.url)), { execArgv: [] })
  const [port] = (await once(server, "message")) as [number]
  const url = `http://127.0.0.1:${port}/`
  const body = Buffer.alloc(requestBytes, 1)
  const rate = await Meter.rateOfMany(ms, 1, async () => (await fetch(url, { method: "POST", body })).json())
  server.disconnect()
  await once(server, "exit")
  return rate
}

// ---- turns

const limits: Turn.Limits = { fuel: Limit.fuelPerTurnDefault, memoryPagesMax: Limit.memoryPagesDefault }

export const counterFile = fileURLToPath(new URL("../../examples/counter/counter.ts", import.meta.url))

/** An author's file as a module. */
export const bundled = async (file: string): Promise<Uint8Array> => {
  const done = await Bundle.bundle(file)
  if (done._tag === "BundleFailed") throw new Error(done.message)
  return done.source
}

const self = Id.fromBytes(seeded("process"))
const info = { id: self, owner: self, module: self, scheduler: self, tags: [] }

const input = (slot: number): Turn.TurnInput => ({
  slot,
  timestamp: Date.UTC(2030, 0, 1) + slot,
  head: self,
  seed: seeded("turn"),
  process: info,
  message: {
    id: slot === 0 ? self : Id.fromBytes(Bytes.concat([Bytes.u32(slot), seeded("message").subarray(4)])),
    from: self,
    fromProcess: false,
    target: self,
    action: slot === 0 ? "" : "Increment",
    tags: slot === 0 ? [] : [["Action", "Increment"]],
    data: Bytes.empty,
  },
})

/** The counter after its spawn, and what runs its next turns. */
export const counter = async () => {
  const booted = Turn.boot(Engine.load(), await bundled(counterFile), limits)
  if (booted._tag === "ModuleInvalid") throw new Error(booted.message)
  const machine = new Turn.Machine()
  const memory = new Turn.Memory(booted.image)
  let slot = 0
  const next = () => {
    const result = machine.turn(memory, input(slot++), limits)
    if (result._tag === "Failed") throw new Error(`${result.reason}: ${result.message}`)
  }
  next()
  return { memory, next }
}

/** Turns of the counter a second: an engine instance and a handler, no log, no root, no commit. */
export const turns = async (ms: number): Promise<number> => {
  const { next } = await counter()
  return Meter.rate(ms, next)
}

/** As `turns`, with the root of the memory after each. */
export const rootedTurns = async (ms: number): Promise<number> => {
  const { memory, next } = await counter()
  return Meter.rate(ms, () => {
    next()
    memory.root()
  })
}

// ---- all of it

/** What each part of a message's way costs alone, in ms. */
export interface Parts {
  readonly sign: number
  readonly verify: number
  readonly commit: number
  readonly turn: number
  readonly http: number
}

/** Measures every part. */
export const parts = async (folder: string, ms: number): Promise<Parts> => ({
  sign: 1_000 / signs(ms),
  verify: 1_000 / verifies(ms),
  commit: 1_000 / (await commits(folder, ms, 1)),
  turn: 1_000 / (await turns(ms)),
  http: 1_000 / (await roundTrips(ms)),
})

/** The cheaper of each part: measured before and after a figure, a limit misses what disturbed one of the two. */
export const cheapest = (a: Parts, b: Parts): Parts => ({
  sign: Math.min(a.sign, b.sign),
  verify: Math.min(a.verify, b.verify),
  commit: Math.min(a.commit, b.commit),
  turn: Math.min(a.turn, b.turn),
  http: Math.min(a.http, b.http),
})
