import child from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Identity from "../../identity/Identity.ts"
import * as SignatureFrame from "../../identity/SignatureFrame.ts"
import * as SignaturePool from "../../identity/SignaturePool.ts"
import * as SignedItem from "../../identity/SignedItem.ts"
import * as SignerLocal from "../../identity/SignerLocal.ts"
import * as SignerPool from "../../identity/SignerPool.ts"
import * as VerifierPool from "../../identity/VerifierPool.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Item from "../../runtime/Item.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as SignatureType from "../../runtime/SignatureType.ts"

const identity = Identity.fromSeed(new Uint8Array(32).fill(2), SignatureType.mlDsa44)
const { type, owner } = identity
const local = SignerLocal.make(identity)
const entry = new URL("./FragileWorker.ts", import.meta.url)

const items = (count: number) =>
  Effect.forEach(Array.from({ length: count }), (_, i) =>
    SignedItem.sign(local, { tags: [], data: Bytes.u32(i) }),
  )

describe("SignatureFrame", () => {
  it("comes back as written, requests and answers", () => {
    const requests: ReadonlyArray<SignatureFrame.Request> = [
      { kind: "item", bytes: Uint8Array.of(1, 2) },
      {
        kind: "claim",
        claim: { type, owner, context: "heddle/batch/1", bytes: Bytes.empty, signature: Bytes.u8(9) },
      },
      { kind: "sign", key: 3, context: "heddle/link/1", bytes: Bytes.u8(4) },
      { kind: "key", key: 4, type, seed: Bytes.u8(5) },
    ]
    assert.deepStrictEqual(SignatureFrame.decode(SignatureFrame.encode(requests)), requests)
    const answers = [Bytes.u8(1), Bytes.empty, Uint8Array.of(1, 2, 3)]
    assert.deepStrictEqual(SignatureFrame.decodeAnswers(SignatureFrame.encodeAnswers(answers)), answers)
  })

  it("has a byte for each verdict and asserts one", () => {
    for (const verdict of [
      true,
      "bad signature",
      "unknown signature type",
      "outbox item without proof",
    ] as const)
      assert.strictEqual(SignatureFrame.verdict(SignatureFrame.verdictBytes(verdict)), verdict)
    for (const bad of [Bytes.empty, Bytes.u8(9), Uint8Array.of(1, 1)])
      assert.throws(() => SignatureFrame.verdict(bad), RangeError)
  })
})

describe("SignaturePool", () => {
  it.live("lets as many wait as its limit, refuses the next as overloaded, and takes it later", () =>
    Effect.gen(function* () {
      const pool = yield* SignaturePool.make({ size: 1, waitingMax: 40 })
      const verifier = VerifierPool.make(pool)
      const many = yield* items(41)
      const results = yield* Effect.forEach(many, (item) => Effect.exit(verifier.verifyItem(item)), {
        concurrency: "unbounded",
      })
      assert.strictEqual(results.filter(Exit.isSuccess).length, 40)
      const last = yield* Effect.exit(verifier.verifyItem(many[40]!))
      assert.isTrue(Exit.isSuccess(last))
      const full = yield* Effect.flip(
        Effect.forEach(yield* items(41), verifier.verifyItem, { concurrency: "unbounded" }),
      )
      assert.strictEqual(full._tag, "Overloaded")
      assert.strictEqual(full._tag === "Overloaded" && full.waitingMax, 40)
    }).pipe(Effect.scoped),
  )

  it.live("asks once what all items under one signature claim, however many come at once", () =>
    Effect.gen(function* () {
      const pool = yield* SignaturePool.make({ size: 1 })
      const asked: Array<string> = []
      const verifier = VerifierPool.make({
        ...pool,
        ask: (request) => {
          asked.push(request.kind)
          return pool.ask(request)
        },
      })
      const contents = Array.from({ length: 40 }, (_, i) => ({ tags: [], data: Bytes.u32(i) }))
      const [first, second] = [
        yield* SignedItem.signMany(local, contents),
        yield* SignedItem.signMany(local, contents.slice(0, 3)),
      ]
      const verdicts = (of: ReadonlyArray<Item.Item>) =>
        Effect.forEach(of, (item) => Effect.isSuccess(verifier.verifyItem(item)), {
          concurrency: "unbounded",
        })
      const bent = first[7]!.bytes.slice()
      bent[bent.length - 1]! ^= 1
      const wrong = Result.getOrThrow(Item.decode(bent))
      assert.deepStrictEqual(
        yield* verdicts([...first, wrong, wrong]),
        [...first, wrong, wrong].map((item) => item !== wrong),
      )
      // The first of a run is nobody's neighbour yet.
      assert.deepStrictEqual(asked, ["item", "claim", "claim"])
      assert.isTrue((yield* verdicts([...first, ...second, ...first])).every(Boolean))
      assert.deepStrictEqual(asked.splice(0), ["item", "claim", "claim", "item", "claim"])
      // What is false is never remembered.
      assert.deepStrictEqual(yield* verdicts([wrong]), [false])
      assert.deepStrictEqual(asked, ["claim"])
    }).pipe(Effect.scoped),
  )

  it.live("makes out nothing itself of items whose signature or owner is not that of the one before", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const verifier = VerifierPool.make({
        addKey: () => 0,
        waitingMax: 1,
        ask: (request) =>
          Effect.sync(() => {
            asked.push(request.kind)
            return SignatureFrame.verdictBytes(true)
          }),
      })
      const contents = Array.from({ length: 20 }, (_, i) => ({ tags: [], data: Bytes.u32(i) }))
      const of = (key: typeof local) => SignedItem.signMany(key, contents)
      const other = SignerLocal.make(Identity.fromSeed(new Uint8Array(32).fill(3), SignatureType.mlDsa44))
      const [mine, again, theirs] = [yield* of(local), yield* of(local), yield* of(other)]
      const inTurns = contents.flatMap((_, i) => [mine[i]!, again[i]!, theirs[i]!])
      yield* Effect.forEach(inTurns, verifier.verifyItem, { discard: true })
      assert.deepStrictEqual(
        asked.splice(0),
        inTurns.map(() => "item"),
      )
      // Nobody's signature, whoever says that it is his.
      const [first, second] = mine
      const claimed = { ...second!, owner: theirs[0]!.owner }
      for (const item of [first!, claimed]) yield* verifier.verifyItem(item)
      assert.deepStrictEqual(asked, [])
      for (const item of [mine[2]!, mine[3]!]) yield* verifier.verifyItem(item)
      assert.deepStrictEqual(asked, ["claim"])
    }),
  )

  /** A pool that never answers but to items, and what it was asked of. */
  const silent = () => {
    const counted = { asked: 0, withdrawn: 0 }
    const answers: Array<() => void> = []
    const pool: SignaturePool.SignaturePool["Service"] = {
      addKey: () => 0,
      waitingMax: 1,
      ask: () =>
        Effect.callback<Uint8Array>((resume) => {
          counted.asked += 1
          answers.push(() => resume(Effect.succeed(SignatureFrame.verdictBytes(true))))
          return Effect.sync(() => void (counted.withdrawn += 1))
        }),
    }
    return { counted, answers, verifier: VerifierPool.make(pool) }
  }

  it.live("withdraws what nobody waits for any more, and asks anew: of an item, and of what many claim", () =>
    Effect.gen(function* () {
      const [plain] = yield* items(1)
      const run = yield* SignedItem.signMany(
        local,
        [0, 1].map((i) => ({ tags: [], data: Bytes.u32(i) })),
      )
      for (const isBatch of [false, true]) {
        const { counted, verifier } = silent()
        const start = (item: Item.Item) =>
          Effect.forkChild(verifier.verifyItem(item), { startImmediately: true })
        if (isBatch) yield* Effect.flatMap(start(run[0]!), Fiber.interrupt)
        const before = { ...counted }
        for (const times of [1, 2]) {
          yield* Effect.flatMap(start(isBatch ? run[1]! : plain!), Fiber.interrupt)
          const { asked, withdrawn } = counted
          assert.deepStrictEqual([asked - before.asked, withdrawn - before.withdrawn], [times, times])
        }
      }
    }),
  )

  it.live("answers who still waits, where who asked first does no more, from one request", () =>
    Effect.gen(function* () {
      const run = yield* SignedItem.signMany(
        local,
        [0, 1, 2].map((i) => ({ tags: [], data: Bytes.u32(i) })),
      )
      const { answers, counted, verifier } = silent()
      const [head, first, second] = yield* Effect.forEach(run, (item) =>
        Effect.forkChild(verifier.verifyItem(item), { startImmediately: true }),
      )
      yield* Fiber.interrupt(first!)
      assert.deepStrictEqual(counted, { asked: 2, withdrawn: 0 })
      for (const answer of answers) answer()
      yield* Fiber.join(head!)
      yield* Fiber.join(second!)
      yield* verifier.verifyItem(run[1]!)
      assert.deepStrictEqual(counted, { asked: 2, withdrawn: 0 })
    }),
  )

  it.live("tells all who asked together where no worker answers, and asks again later", () =>
    Effect.gen(function* () {
      const pool = yield* SignaturePool.make({ size: 1 })
      let busy = true
      const verifier = VerifierPool.make({
        ...pool,
        ask: (request) =>
          Effect.suspend(() =>
            busy ? Effect.fail(new SignaturePool.NoAnswer({ reason: "queue full" })) : pool.ask(request),
          ),
      })
      const all = yield* SignedItem.signMany(
        local,
        Array.from({ length: 3 }, (_, i) => ({ tags: [], data: Bytes.u32(i) })),
      )
      const results = yield* Effect.forEach(all, (item) => Effect.flip(verifier.verifyItem(item)), {
        concurrency: "unbounded",
      })
      assert.deepStrictEqual(
        results.map(({ _tag }) => _tag),
        all.map(() => "Overloaded"),
      )
      busy = false
      yield* Effect.forEach(all, verifier.verifyItem, { concurrency: "unbounded" })
    }).pipe(Effect.scoped),
  )

  it.live("does not keep the event loop waiting while it works", () =>
    Effect.gen(function* () {
      const verifier = VerifierPool.make(yield* SignaturePool.make({ size: 1 }))
      const many = yield* items(400)
      yield* verifier.verifyItem(many[0]!) // the worker is up
      let turns = 0
      const ticking = setInterval(() => (turns += 1), 1)
      yield* Effect.forEach(many, verifier.verifyItem, { concurrency: "unbounded", discard: true })
      clearInterval(ticking)
      // 400 checks are at least 40 ms of work; on this thread they would let no timer run between them.
      assert.isAbove(turns, 5)
    }).pipe(Effect.scoped),
  )

  it.live("signs before it checks what came earlier", () =>
    Effect.gen(function* () {
      const pool = yield* SignaturePool.make({ size: 1 })
      const [signer, verifier] = [SignerPool.make(pool, identity), VerifierPool.make(pool)]
      const order: Array<string> = []
      const checks = Effect.forEach(
        yield* items(300),
        (item) => Effect.tap(verifier.verifyItem(item), () => Effect.sync(() => order.push("check"))),
        { concurrency: "unbounded", discard: true },
      )
      const checking = yield* Effect.forkChild(checks, { startImmediately: true })
      yield* Effect.tap(signer.sign("heddle/batch/1", Bytes.u8(1)), () =>
        Effect.sync(() => order.push("sign")),
      )
      yield* Fiber.join(checking)
      assert.strictEqual(order.length, 301)
      const ahead = Limit.cryptoFrameRequestsMax * (Limit.cryptoFramesInFlightMax + 1)
      assert.isAtMost(order.indexOf("sign"), ahead)
    }).pipe(Effect.scoped),
  )

  it.live("replaces a worker that dies, and answers what it held", () =>
    Effect.gen(function* () {
      const pool = yield* SignaturePool.make({ size: 1, entry })
      const verifier = VerifierPool.make(pool)
      const many = yield* items(60)
      // The fragile worker dies the first time it sees this claim, in the middle of all the others.
      const once = verifier.verify(
        type,
        owner,
        "heddle/link/1",
        Bytes.fromText(`die once ${process.pid}`),
        owner,
      )
      const [verdict] = yield* Effect.all(
        [once, Effect.forEach(many, verifier.verifyItem, { concurrency: "unbounded", discard: true })],
        { concurrency: "unbounded" },
      )
      assert.isFalse(verdict)
      yield* verifier.verifyItem((yield* items(1))[0]!)
    }).pipe(Effect.scoped),
  )

  it.live("fails only the request that kills each worker it meets, and goes on", () =>
    Effect.gen(function* () {
      const pool = yield* SignaturePool.make({ size: 1, entry })
      const verifier = VerifierPool.make(pool)
      const many = yield* items(60)
      const deadly = verifier.verify(type, owner, "heddle/link/1", Bytes.fromText("die always"), owner)
      const [error] = yield* Effect.all(
        [
          Effect.flip(deadly),
          Effect.forEach(many, verifier.verifyItem, { concurrency: "unbounded", discard: true }),
        ],
        { concurrency: "unbounded" },
      )
      assert.strictEqual(error.reason, "worker died")
    }).pipe(Effect.scoped),
  )

  it.live("gives its keys to a worker that replaces another", () =>
    Effect.gen(function* () {
      const pool = yield* SignaturePool.make({ size: 1, entry })
      const [signer, verifier] = [SignerPool.make(pool, identity), VerifierPool.make(pool)]
      const deadly = verifier.verify(type, owner, "heddle/link/1", Bytes.fromText("die always"), owner)
      assert.strictEqual((yield* Effect.flip(deadly))._tag, "Overloaded")
      const signature = yield* signer.sign("heddle/batch/1", Bytes.u8(1))
      assert.isTrue(yield* verifier.verify(type, owner, "heddle/batch/1", Bytes.u8(1), signature))
    }).pipe(Effect.scoped),
  )

  it.live("fails a signature as worker died where workers can't start", () =>
    Effect.gen(function* () {
      const nowhere = new URL("./NoSuchWorker.ts", import.meta.url)
      const signer = SignerPool.make(yield* SignaturePool.make({ size: 2, entry: nowhere }), identity)
      const error = yield* Effect.flip(signer.sign("heddle/batch/1", Bytes.u8(1)))
      assert.strictEqual(error.reason, "worker died")
      assert.strictEqual(error.address, identity.address)
    }).pipe(Effect.scoped),
  )

  it.live("answers what still waits as stopped when its scope ends, and everything after", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const verifier = VerifierPool.make(yield* Scope.provide(SignaturePool.make({ size: 1 }), scope))
      const many = yield* items(100)
      const checking = yield* Effect.forkChild(
        Effect.forEach(many, (item) => Effect.exit(verifier.verifyItem(item)), { concurrency: "unbounded" }),
        { startImmediately: true },
      )
      yield* Scope.close(scope, Exit.void)
      const results = yield* Fiber.join(checking)
      assert.strictEqual(results.length, 100)
      assert.isTrue(results.some(Exit.isFailure))
      const after = yield* Effect.flip(verifier.verifyItem(many[0]!))
      assert.strictEqual(after._tag === "Overloaded" && after.reason, "stopped")
    }),
  )

  it.live("does not do what was interrupted before its turn", () =>
    Effect.gen(function* () {
      const verifier = VerifierPool.make(yield* SignaturePool.make({ size: 1, waitingMax: 100 }))
      const checking = yield* Effect.forkChild(
        Effect.forEach(yield* items(100), verifier.verifyItem, { concurrency: "unbounded", discard: true }),
        { startImmediately: true },
      )
      yield* Fiber.interrupt(checking)
      // All hundred places are free again as soon as they are looked at, none of them verified first.
      yield* Effect.forEach(yield* items(10), verifier.verifyItem, { discard: true })
    }).pipe(Effect.scoped),
  )

  it("lets its program end when nothing waits, and not before", () => {
    const script = fileURLToPath(new URL("./IdlePool.ts", import.meta.url))
    const { status, stdout } = child.spawnSync(process.execPath, [script], {
      encoding: "utf8",
      timeout: 30_000,
    })
    assert.strictEqual(stdout, "signed\n")
    assert.strictEqual(status, 0)
  })
})
