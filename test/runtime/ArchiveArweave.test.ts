import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as Archive from "../../runtime/Archive.ts"
import * as ArchiveArweave from "../../runtime/ArchiveArweave.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Limit from "../../runtime/Limit.ts"
import { archiveSuite, collect, piece, store, type Subject, tagged } from "../compliance/archive.ts"
import * as NetworkFaulty from "../simulation/NetworkFaulty.ts"
import * as ArweaveGateway from "../support/ArweaveGateway.ts"
import { wallet } from "../support/ArweaveWallet.ts"
import * as ShortSleeps from "../support/ShortSleeps.ts"
import { id } from "../support/Unsigned.ts"

const costMax = 10n ** 12n

type Service = Archive.Archive["Service"]

/** An archive whose every call sleeps by the test's clock and luck. */
const withClock = (archive: Service, sleeps: ReturnType<typeof ShortSleeps.make>): Service => {
  const on = <A, E>(effect: Effect.Effect<A, E>) => Random.withSeed(sleeps.provide(effect), "archive")
  return {
    name: archive.name,
    price: (bytes) => on(archive.price(bytes)),
    prepare: (bundle) => on(archive.prepare(bundle)),
    upload: (...of) => on(archive.upload(...of)),
    holds: (transfer) => on(archive.holds(transfer)),
    status: (transfer) => on(archive.status(transfer)),
    height: on(archive.height),
    find: (query) => Stream.fromIterableEffect(on(Stream.runCollect(archive.find(query)))),
    read: (found) => on(archive.read(found)),
  }
}

/** A weave, gateways to it, and an archive through them. */
const network = (...options: ReadonlyArray<ArweaveGateway.Options>) =>
  Effect.gen(function* () {
    const weave = new ArweaveGateway.Weave()
    const gateways = yield* Effect.forEach(options.length === 0 ? [{}] : options, (one) =>
      ArweaveGateway.make(weave, one),
    )
    const urls = gateways.map(({ url }) => url)
    const sleeps = ShortSleeps.make(Limit.gatewayAnswerMsMax)
    const open = (more: Partial<ArchiveArweave.Options> = {}) =>
      withClock(ArchiveArweave.make({ gateways: urls, wallet, costMax, ...more }), sleeps)
    const archive = open()
    const subject: Subject = {
      archive,
      reopened: Effect.sync(open),
      mine: (blocks) => Effect.sync(() => weave.mine(blocks)),
      paid: () => weave.paid.size,
    }
    return { weave, gateways, gateway: gateways[0]!, urls, sleeps, open, archive, subject }
  })

const subjectOf = Effect.map(network({ pageMax: 2 }), ({ subject }) => subject)

archiveSuite("Arweave through one gateway", subjectOf)
archiveSuite(
  "Arweave through a gateway that unpacks nothing",
  Effect.map(network({ pageMax: 2, unpacks: false }), ({ subject }) => subject),
)

/** Asking again later is right after `ArchiveUnavailable`. */
const patient = (archive: Service): Service => {
  const again = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
    Effect.retry(effect, { times: 20, while: ({ _tag }) => _tag === "ArchiveUnavailable" })
  return {
    ...archive,
    price: (bytes) => again(archive.price(bytes)),
    prepare: (bundle) => again(archive.prepare(bundle)),
    upload: (...of) => again(archive.upload(...of)),
    status: (transfer) => again(archive.status(transfer)),
    height: again(archive.height),
    find: (query) => Stream.fromIterableEffect(again(Stream.runCollect(archive.find(query)))),
    read: (found) => again(archive.read(found)),
  }
}

const flip = (body: Buffer, at: number): Buffer => {
  const bent = Buffer.from(body)
  bent[at % bent.length]! ^= 1
  return bent
}

/** Paths whose answers are checked against a signature: elsewhere a gateway's word is all there is. */
const isProved = ({ path, method }: ArweaveGateway.Request): boolean =>
  method === "GET" && /^\/(tx\/[\w-]{43}$|chunk\/|[\w-]{43}$)/.test(path)

const faults = ["late", "drop before", "drop after", "429", "500", "cut"]

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** Every fifth request or so goes wrong, in one of seven ways. */
const fail = (gateway: ArweaveGateway.Gateway, next: () => number, counts: Map<string, number>): void => {
  const chosen = new Map<ArweaveGateway.Request, string>()
  gateway.before = async (request) => {
    if (next() >= 0.2) return undefined
    const fault = isProved(request) && next() < 0.5 ? "wrong" : faults[Math.floor(next() * faults.length)]!
    counts.set(fault, (counts.get(fault) ?? 0) + 1)
    chosen.set(request, fault)
    if (fault === "late") for (let n = next() * 20; n > 0; n--) await turn()
    if (fault === "drop before") return null
    if (fault === "429") return { ...ArweaveGateway.text(429, "slower"), headers: { "retry-after": "7" } }
    return fault === "500" ? ArweaveGateway.text(500, "not now") : undefined
  }
  gateway.after = (request, answer) => {
    const fault = chosen.get(request)
    if (fault === "drop after") return null
    if (fault === "cut") return { ...answer, cutAt: Math.floor(next() * answer.body.length) }
    if (fault === "wrong" && answer.status === 200)
      return { ...answer, body: flip(answer.body, Math.floor(next() * answer.body.length)) }
    return answer
  }
}

for (const seed of [1, 2, 3]) {
  const counts = new Map<string, number>()
  const next = NetworkFaulty.random(seed)
  archiveSuite(
    `Arweave through two gateways that fail, seed ${seed}`,
    Effect.map(network({ pageMax: 2 }, { unpacks: seed !== 2 }), ({ subject, gateways }) => {
      for (const gateway of gateways) fail(gateway, next, counts)
      return {
        ...subject,
        archive: patient(subject.archive),
        reopened: Effect.map(subject.reopened, patient),
      }
    }),
  )

  describe(`the faults of seed ${seed}`, () => {
    it("happened, each of them", () => {
      assert.deepStrictEqual([...counts.keys()].toSorted(), [...faults, "wrong"].toSorted())
    })
  })
}

const data = { tags: [tagged("Type", "Data")] }
const one = Archive.bundle([piece("one", [["Type", "Data"]], 300_000)])
const small = Archive.bundle([piece("small", [["Type", "Data"]])])
const posts = (gateway: ArweaveGateway.Gateway, path: string) =>
  gateway.requests.filter((request) => request.method === "POST" && request.path === path).length

describe("ArchiveArweave, paying", () => {
  for (const moment of ["before", "after"] as const)
    it.effect(`pays once where an upload is interrupted ${moment} any request is carried out`, () =>
      Effect.gen(function* () {
        const { weave, gateway, open } = yield* network()
        let interrupted = 0
        for (let n = 1; ; n++) {
          const first = open()
          const transfer = yield* first.prepare(one)
          const [payments, reached] = [weave.paid.size, yield* Deferred.make<void>()]
          const held = Promise.withResolvers<null>()
          let left = n
          const hold = () => {
            left -= 1
            if (left !== 0) return undefined
            Effect.runSync(Deferred.succeed(reached, undefined))
            return held.promise
          }
          if (moment === "before") gateway.before = hold
          else gateway.after = (_, answer) => hold() ?? answer
          let sent = 0
          const upload = yield* Effect.forkChild(
            first.upload(transfer, one.bytes, (progress) => void (sent = progress.sent)),
          )
          const ended = yield* Effect.raceFirst(
            Effect.as(Deferred.await(reached), false),
            Effect.as(Fiber.await(upload), true),
          )
          yield* Fiber.interrupt(upload)
          held.resolve(null)
          gateway.before = () => undefined
          gateway.after = (_, answer) => answer
          if (ended) break
          interrupted += 1
          // In the same run or after a restart, with what the caller has kept of the progress or without.
          const second = n % 2 === 0 ? first : open()
          yield* second.upload(transfer, one.bytes, undefined, ...(n % 3 === 0 ? [] : [sent]))
          weave.mine()
          assert.strictEqual(weave.paid.size, payments + 1)
          assert.strictEqual((yield* second.status(transfer))._tag, "confirmed")
          assert.strictEqual(weave.data(transfer.id)?.length, transfer.bytes)
        }
        assert.isAtLeast(interrupted, 5)
        assert.strictEqual((yield* collect(open(), data)).length, interrupted)
      }).pipe(Effect.scoped),
    )

  it.effect("does not send again the chunks that were taken before an upload was cut off", () =>
    Effect.gen(function* () {
      const { weave, gateway, archive, open } = yield* network()
      const bundle = Archive.bundle([piece("long", [["Type", "Data"]], 1_500_000)])
      const transfer = yield* archive.prepare(bundle)
      gateway.before = ({ path }) =>
        path === "/chunk" && posts(gateway, "/chunk") > 3 ? ArweaveGateway.text(400, "no") : undefined
      let sent = 0
      const error = yield* Effect.flip(
        archive.upload(transfer, bundle.bytes, (progress) => void (sent = progress.sent)),
      )
      assert.deepStrictEqual([error._tag, sent], ["ArchiveUnavailable", 3 * 256 * 1024])
      gateway.before = () => undefined
      gateway.requests.length = 0
      yield* open().upload(transfer, bundle.bytes, undefined, sent)
      assert.deepStrictEqual([posts(gateway, "/chunk"), posts(gateway, "/tx")], [3, 0])
      gateway.requests.length = 0
      yield* archive.upload(transfer, bundle.bytes)
      assert.strictEqual(posts(gateway, "/chunk"), 3)
      weave.mine()
      yield* archive.upload(transfer, bundle.bytes)
      assert.strictEqual(posts(gateway, "/chunk"), 3)
    }).pipe(Effect.scoped),
  )

  it.effect(
    "sends everything again where gateways have forgotten, and the chunks alone where they lost those",
    () =>
      Effect.gen(function* () {
        const { weave, gateway, archive } = yield* network()
        const transfer = yield* archive.prepare(one)
        yield* archive.upload(transfer, one.bytes)
        weave.forget()
        weave.loseChunks()
        assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "absent" })
        yield* archive.upload(transfer, one.bytes)
        weave.mine()
        assert.strictEqual(weave.data(transfer.id)?.length, transfer.bytes)
        weave.loseChunks()
        const [found] = yield* collect(archive, data)
        assert.strictEqual(found, undefined)
        gateway.requests.length = 0
        yield* archive.upload(transfer, one.bytes, undefined, 0)
        assert.deepStrictEqual([posts(gateway, "/tx"), posts(gateway, "/chunk")], [0, 2])
        assert.strictEqual((yield* collect(archive, data)).length, 1)
        assert.strictEqual(weave.paid.size, 1)
      }).pipe(Effect.scoped),
  )

  it.effect("sends chunks through another gateway when they are to be sent again", () =>
    Effect.gen(function* () {
      const { weave, archive, gateways } = yield* network({}, {})
      const transfer = yield* archive.prepare(one)
      gateways[0]!.before = ({ path }) => (path === "/chunk" ? ArweaveGateway.text(200, "{}") : undefined)
      yield* archive.upload(transfer, one.bytes)
      weave.mine()
      assert.strictEqual(weave.data(transfer.id), undefined)
      yield* archive.upload(transfer, one.bytes, undefined, 0)
      assert.strictEqual(weave.data(transfer.id)?.length, transfer.bytes)
      assert.deepStrictEqual(
        gateways.map((gateway) => posts(gateway, "/chunk")),
        [2, 2],
      )
    }).pipe(Effect.scoped),
  )

  it.effect("does not ask a gateway first that refused the chunk before", () =>
    Effect.gen(function* () {
      const { archive, gateways } = yield* network({}, {})
      const transfer = yield* archive.prepare(one)
      gateways[0]!.before = ({ path }) => (path === "/chunk" ? ArweaveGateway.text(400, "no") : undefined)
      yield* archive.upload(transfer, one.bytes)
      assert.deepStrictEqual(
        gateways.map((gateway) => posts(gateway, "/chunk")),
        [1, 2],
      )
    }).pipe(Effect.scoped),
  )

  it.effect("shows what a fork takes back as pending or absent, and confirmed when it is back", () =>
    Effect.gen(function* () {
      const { weave, archive, subject } = yield* network()
      const transfer = yield* store(subject, small)
      weave.mine(2)
      assert.deepStrictEqual(yield* archive.status(transfer), {
        _tag: "confirmed",
        height: weave.height - 2,
        confirmations: 3,
      })
      weave.fork(3, "waits")
      assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "pending" })
      weave.mine()
      assert.deepStrictEqual(yield* archive.status(transfer), {
        _tag: "confirmed",
        height: weave.height,
        confirmations: 1,
      })
      weave.fork(1, "is lost")
      assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "absent" })
      yield* archive.upload(transfer, small.bytes)
      weave.mine()
      assert.strictEqual((yield* archive.status(transfer))._tag, "confirmed")
      assert.strictEqual(weave.paid.size, 1)
    }).pipe(Effect.scoped),
  )

  for (const seed of [1, 2, 3, 4, 5])
    it.effect(`pays once through faults, crashes and forks, and is confirmed in the end: seed ${seed}`, () =>
      Effect.gen(function* () {
        const { weave, gateways, open } = yield* network({}, {})
        const [next, counts] = [NetworkFaulty.random(seed), new Map<string, number>()]
        let [archive, uploads, forks] = [open(), 0, 0]
        const transfer = yield* archive.prepare(one)
        for (const [index, gateway] of gateways.entries())
          fail(gateway, NetworkFaulty.random(100 * seed + index), counts)
        const seen = new Set<string>()
        for (let step = 0; step < 20; step++) {
          const luck = next()
          if (luck < 0.2) {
            forks += 1
            weave.fork(1 + Math.floor(next() * 3), luck < 0.1 ? "waits" : "is lost")
          } else if (luck < 0.3) weave.forget()
          else if (luck < 0.4) archive = open()
          else if (luck < 0.7) weave.mine(1)
          else {
            uploads += 1
            const exit = yield* Effect.result(archive.upload(transfer, one.bytes))
            seen.add(exit._tag === "Failure" ? exit.failure._tag : "uploaded")
          }
          const status = yield* Effect.result(archive.status(transfer))
          seen.add(status._tag === "Failure" ? status.failure._tag : status.success._tag)
        }
        assert.isFalse(seen.has("void"))
        assert.isAtLeast(seen.size, 2)
        assert.isAtLeast(Math.min(uploads, forks), 2)
        for (const gateway of gateways) {
          gateway.before = () => undefined
          gateway.after = (_, answer) => answer
        }
        yield* archive.upload(transfer, one.bytes, undefined, 0)
        weave.mine()
        assert.strictEqual((yield* archive.status(transfer))._tag, "confirmed")
        assert.strictEqual(weave.paid.size, 1)
        const [found] = yield* collect(archive, data)
        assert.isTrue(Bytes.equal(yield* archive.read(found!), one.pieces[0]!.bytes))
      }).pipe(Effect.scoped),
    )

  it.effect("gives a transfer up only when no block and no fork can take it any more", () =>
    Effect.gen(function* () {
      const { weave, archive } = yield* network()
      const transfer = yield* archive.prepare(small)
      weave.mine(Limit.anchorBlocksMax + Limit.forkBlocksMax)
      assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "absent" })
      const refused = yield* Effect.flip(archive.upload(transfer, small.bytes))
      assert.strictEqual(refused._tag, "ArchiveUnavailable")
      assert.include(refused.message, "anchor")
      weave.mine()
      assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "void" })
      const error = yield* Effect.flip(archive.upload(transfer, small.bytes))
      assert.strictEqual(error._tag, "TransferVoid")
      assert.include(error.message, transfer.id)
      const another = yield* archive.prepare(small)
      yield* archive.upload(another, small.bytes)
      weave.mine()
      assert.strictEqual((yield* archive.status(another))._tag, "confirmed")
      assert.strictEqual(weave.paid.size, 1)
    }).pipe(Effect.scoped),
  )

  it.effect("keeps what waits, however long, and what one gateway alone has heard of", () =>
    Effect.gen(function* () {
      const { weave, archive, gateways } = yield* network({}, {})
      const transfer = yield* archive.prepare(small)
      weave.mine(Limit.anchorBlocksMax + Limit.forkBlocksMax + 1)
      assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "void" })
      const [first, second] = [gateways[0]!, gateways[1]!]
      second.before = ({ path }) =>
        path.endsWith("/status") ? ArweaveGateway.text(202, "Pending") : undefined
      assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "absent" })
      first.before = second.before
      assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "pending" })
      first.before = () => undefined
      second.before = () => null
      assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "absent" })
      // A gateway that is ahead by itself does not make a transfer old, whatever the other leaves unsaid.
      second.before = () => undefined
      const young = yield* archive.prepare(small)
      first.before = ({ path }) =>
        path === "/info" ? ArweaveGateway.text(200, '{"height": 1000000}') : undefined
      assert.deepStrictEqual(yield* archive.status(young), { _tag: "absent" })
      second.before = ({ path }) => (path === "/info" ? null : undefined)
      assert.deepStrictEqual(yield* archive.status(young), { _tag: "absent" })
      first.before = second.before
      assert.strictEqual((yield* Effect.flip(archive.status(young)))._tag, "ArchiveUnavailable")
    }).pipe(Effect.scoped),
  )

  it.effect("takes the least of what gateways say about confirmations", () =>
    Effect.gen(function* () {
      const { weave, archive, subject, gateways } = yield* network({}, {}, {})
      const transfer = yield* store(subject, small)
      weave.mine(4)
      const says = (index: number, path: string, body: string) => {
        gateways[index]!.before = (request) =>
          request.path.endsWith(path) ? ArweaveGateway.text(200, body) : undefined
      }
      const confirmed = { _tag: "confirmed", height: weave.height - 4, confirmations: 5 } as const
      says(0, "/info", '{"height": 1000000}')
      assert.deepStrictEqual(yield* archive.status(transfer), confirmed)
      says(0, "/status", '{"block_height": 3}')
      assert.deepStrictEqual(yield* archive.status(transfer), confirmed)
      says(0, "/status", '{"block_height": 1000000}')
      assert.deepStrictEqual(yield* archive.status(transfer), { _tag: "pending" })
    }).pipe(Effect.scoped),
  )

  it.effect("pays no more than may be paid, nor what one gateway alone asks", () =>
    Effect.gen(function* () {
      const { weave, archive, gateways, open } = yield* network({}, {}, {})
      gateways[1]!.before = ({ path }) =>
        path.startsWith("/price") ? ArweaveGateway.text(200, "999999999999999") : undefined
      const transfer = yield* archive.prepare(small)
      assert.strictEqual(transfer.cost, weave.price(transfer.bytes))
      assert.strictEqual(yield* archive.price(100), weave.price(100))
      yield* open({ costMax: transfer.cost }).prepare(small)
      const error = yield* Effect.flip(open({ costMax: transfer.cost - 1n }).prepare(small))
      assert.strictEqual(error._tag === "ArchiveRefused" && error.reason, "too dear")
      const dear = yield* Effect.flip(open({ costMax: transfer.cost - 1n }).upload(transfer, small.bytes))
      assert.strictEqual(dear._tag, "ArchiveRefused")
      const poor = yield* Effect.flip(open({ wallet: undefined }).prepare(small))
      assert.strictEqual(poor._tag === "ArchiveRefused" && poor.reason, "no wallet")
      assert.strictEqual(weave.paid.size, 0)
    }).pipe(Effect.scoped),
  )
})

/** Bends a field of a JSON answer by one bit of the bytes that it encodes. */
const bendField =
  (field: string, at = 0) =>
  (answer: ArweaveGateway.Answer): ArweaveGateway.Answer => {
    if (answer.status !== 200) return answer
    const json = JSON.parse(answer.body.toString()) as Record<string, string>
    const bytes = Buffer.from(json[field] ?? "", "base64url")
    return ArweaveGateway.text(
      200,
      JSON.stringify({ ...json, [field]: flip(bytes, at + bytes.length).toString("base64url") }),
    )
  }

const cut = (answer: ArweaveGateway.Answer): ArweaveGateway.Answer => ({
  ...answer,
  body: answer.body.subarray(0, -1),
})

type Bend = (answer: ArweaveGateway.Answer) => ArweaveGateway.Answer

/** What a gateway can do wrong to each thing that it gives of a piece. */
const lies: ReadonlyArray<readonly [name: string, path: RegExp, bend: Bend]> = [
  ...["owner", "signature", "data_root", "last_tx"].flatMap((field) =>
    [0, -1].map((at) => [`a bit of ${field}`, /^\/tx\/[^/]+$/, bendField(field, at)] as const),
  ),
  ...[{ reward: "1" }, { data_size: "99" }, { tags: [] }, { id: id("another") }, { format: 1 }].map(
    (change) =>
      [
        `another ${Object.keys(change)[0]!}`,
        /^\/tx\/[^/]+$/,
        (answer: ArweaveGateway.Answer) =>
          ArweaveGateway.text(
            200,
            JSON.stringify({ ...(JSON.parse(answer.body.toString()) as object), ...change }),
          ),
      ] as const,
  ),
  ["a bit of a chunk", /^\/chunk\//, bendField("chunk")],
  ["the last bit of a chunk", /^\/chunk\//, bendField("chunk", -1)],
  ...[0, 40, 64, 95, -64, -32, -1].map(
    (at) => [`a bit of a path, at ${at}`, /^\/chunk\//, bendField("data_path", at)] as const,
  ),
  ["a chunk without path", /^\/chunk\//, () => ArweaveGateway.text(200, '{"chunk":"AAAA"}')],
  ["a chunk that is no JSON", /^\/chunk\//, cut],
  ["an offset of another", /\/offset$/, () => ArweaveGateway.text(200, '{"size":"1","offset":"7"}')],
  ["no transaction", /^\/tx\/[^/]+$/, () => ArweaveGateway.text(404, "Not Found.")],
  ["an endless answer", /^\/(tx|chunk)\//, () => ArweaveGateway.text(200, "x".repeat(5 * 1024 * 1024))],
]

describe("ArchiveArweave, reading", () => {
  it.effect("accepts no wrong byte, whatever it is wrong in, and names the gateway and the transaction", () =>
    Effect.gen(function* () {
      const { archive, subject, gateway, open } = yield* network()
      const { id: transaction } = yield* store(subject, one)
      const [found] = yield* collect(archive, data)
      let caught = 0
      for (const [name, path, bend] of lies) {
        gateway.after = (request, answer) => {
          if (request.path === `/${transaction}`) return { ...answer, body: flip(answer.body, 77) }
          return path.test(request.path) ? bend(answer) : answer
        }
        // Opened again each time: what was once proved is not asked for twice.
        const error = yield* Effect.flip(open().read(found!))
        assert.include(["PieceDamaged", "ArchiveUnavailable"], error._tag, name)
        assert.include(error.message, gateway.url, name)
        assert.include(error.message, transaction, name)
        caught += 1
      }
      assert.strictEqual(caught, lies.length)
      gateway.after = (_, answer) => answer
      assert.isTrue(Bytes.equal(yield* open().read(found!), one.pieces[0]!.bytes))
    }).pipe(Effect.scoped),
  )

  it.effect("takes no other transaction, however well it is signed", () =>
    Effect.gen(function* () {
      const { weave, subject, gateway, open } = yield* network()
      const { id: transaction } = yield* store(subject, one)
      const { id: other } = yield* store(subject, Archive.bundle([piece("other", [["Type", "Turns"]])]))
      const [found] = yield* collect(open(), data)
      gateway.after = ({ path }, answer) =>
        path === `/tx/${transaction}`
          ? ArweaveGateway.text(200, JSON.stringify(weave.transaction(other)))
          : answer
      const error = yield* Effect.flip(open().read(found!))
      assert.strictEqual(error._tag === "PieceDamaged" && error.reason, "wrong bytes")
      assert.include(error.message, other)
    }).pipe(Effect.scoped),
  )

  it.effect("takes an answer of the largest size, and not one byte more, announced or not", () =>
    Effect.gen(function* () {
      const { archive, gateway } = yield* network()
      const chunked = { "transfer-encoding": "chunked" }
      for (const headers of [{}, chunked]) {
        const price = (bytes: number) => () => ({ ...ArweaveGateway.text(200, "7".padEnd(bytes)), headers })
        gateway.before = price(Limit.gatewayAnswerBytesMax)
        assert.strictEqual(yield* archive.price(1), 7n)
        gateway.before = price(Limit.gatewayAnswerBytesMax + 1)
        const error = yield* Effect.flip(archive.price(1))
        assert.strictEqual(error.reason, "wrong answer")
        assert.include(error.message, `over ${Limit.gatewayAnswerBytesMax} bytes`)
      }
    }).pipe(Effect.scoped),
  )

  it.effect("reads from the next gateway what the first gives wrong, in every way", () =>
    Effect.gen(function* () {
      const { subject, gateways, open } = yield* network({}, {})
      yield* store(subject, one)
      const [found] = yield* collect(open(), data)
      let lied = 0
      for (const [name, path, bend] of lies) {
        gateways[0]!.after = (request, answer) => {
          if (!path.test(request.path)) return answer
          lied += 1
          return bend(answer)
        }
        assert.isTrue(Bytes.equal(yield* open().read(found!), one.pieces[0]!.bytes), name)
      }
      assert.isAtLeast(lied, lies.length)
    }).pipe(Effect.scoped),
  )

  it.effect("reads the data in one piece where there are no chunks, and proves it too", () =>
    Effect.gen(function* () {
      const { subject, gateway, open } = yield* network()
      const { id: transaction, bytes } = yield* store(subject, one)
      const [found] = yield* collect(open(), data)
      gateway.before = ({ path }) => (path.startsWith("/chunk") ? ArweaveGateway.text(404, "no") : undefined)
      assert.isTrue(Bytes.equal(yield* open().read(found!), one.pieces[0]!.bytes))
      const bends: ReadonlyArray<readonly [why: string, bend: (body: Buffer) => Buffer]> = [
        ["root", (body) => flip(body, 0)],
        ["root", (body) => flip(body, bytes - 1)],
        [`${bytes - 1} bytes of ${bytes}`, (body) => body.subarray(1)],
        [`over ${bytes} bytes`, (body) => Buffer.concat([body, Buffer.of(0)])],
        [`0 bytes of ${bytes}`, () => Buffer.alloc(0)],
      ]
      let caught = 0
      for (const [why, bend] of bends) {
        gateway.after = ({ path }, answer) =>
          path === `/${transaction}` ? { ...answer, body: bend(answer.body) } : answer
        const error = yield* Effect.flip(open().read(found!))
        for (const part of [gateway.url, transaction, why]) assert.include(error.message, part)
        caught += 1
      }
      assert.strictEqual(caught, 5)
    }).pipe(Effect.scoped),
  )

  it.effect("does not ask first for the next chunk where the last one was not", () =>
    Effect.gen(function* () {
      const { subject, gateways, open } = yield* network({}, {})
      yield* store(subject, one)
      const [found] = yield* collect(open(), data)
      for (const { requests } of gateways) requests.length = 0
      gateways[0]!.before = ({ path }) =>
        path.startsWith("/chunk") ? ArweaveGateway.text(404, "no") : undefined
      yield* open().read(found!)
      const chunks = gateways.map(({ requests }) => requests.filter(({ path }) => path.startsWith("/chunk")))
      assert.deepStrictEqual(
        chunks.map(({ length }) => length),
        [1, 2],
      )
    }).pipe(Effect.scoped),
  )

  it.effect("takes one chunk from each of two gateways that have half of them", () =>
    Effect.gen(function* () {
      const { subject, gateways, open } = yield* network({}, {})
      yield* store(subject, one)
      const [found] = yield* collect(open(), data)
      for (const [index, gateway] of gateways.entries())
        gateway.after = ({ path }, answer) => {
          if (/^\/[\w-]{43}$/.test(path)) return ArweaveGateway.text(404, "no")
          if (!path.startsWith("/chunk")) return answer
          const { chunk } = JSON.parse(answer.body.toString()) as { readonly chunk: string }
          return Buffer.from(chunk, "base64url").length > 200_000 === (index === 0)
            ? answer
            : ArweaveGateway.text(404, "no")
        }
      assert.isTrue(Bytes.equal(yield* open().read(found!), one.pieces[0]!.bytes))
    }).pipe(Effect.scoped),
  )

  it.effect("gives up on a gateway that is silent, and asks the next", () =>
    Effect.gen(function* () {
      const { subject, gateways, open, sleeps } = yield* network({}, {})
      yield* store(subject, small)
      const [found] = yield* collect(open(), data)
      const never = Promise.withResolvers<null>()
      gateways[0]!.before = () => {
        setImmediate(sleeps.expire)
        return never.promise
      }
      assert.isTrue(Bytes.equal(yield* open().read(found!), small.pieces[0]!.bytes))
      gateways[1]!.before = gateways[0]!.before
      for (const { requests } of gateways) requests.length = 0
      const error = yield* Effect.flip(open().read(found!))
      assert.strictEqual(error._tag === "ArchiveUnavailable" && error.reason, "no answer")
      assert.include(error.message, `${Limit.gatewayAnswerMsMax} ms`)
      // Once each: to be silent four times over would take minutes.
      assert.deepStrictEqual(
        gateways.map(({ requests }) => requests.length),
        [1, 1],
      )
      never.resolve(null)
    }).pipe(Effect.scoped),
  )

  it.effect("waits longer each time, by chance apart, and as long as it is told to, but not for ever", () =>
    Effect.gen(function* () {
      const { archive, gateway, sleeps } = yield* network()
      gateway.before = () => ArweaveGateway.text(503, "not now")
      const error = yield* Effect.flip(archive.height)
      assert.strictEqual(error.reason, "busy")
      assert.strictEqual(gateway.requests.length, Limit.gatewayRoundsMax)
      const [first, second, third] = sleeps.slept
      const within = (ms: number | undefined, round: number) => {
        const most = Limit.gatewayRetryMsMin * 2 ** round
        assert.isTrue(ms !== undefined && ms >= most / 2 && ms < most, `${ms} of ${most}`)
      }
      for (const [round, ms] of [first, second, third].entries()) within(ms, round)
      for (const [header, least] of [
        ["7", 7_000],
        ["999999", Limit.gatewayRetryMsMax],
        ["soon", 250],
      ] as const) {
        const before = sleeps.slept.length
        gateway.before = () => ({ ...ArweaveGateway.text(429, "slower"), headers: { "retry-after": header } })
        yield* Effect.flip(archive.height)
        assert.strictEqual(sleeps.slept.length, before + Limit.gatewayRoundsMax - 1)
        assert.isAtLeast(sleeps.slept[before]!, least)
        assert.isAtMost(sleeps.slept[before]!, Limit.gatewayRetryMsMax)
      }
    }).pipe(Effect.scoped),
  )
})

describe("ArchiveArweave, finding", () => {
  it.effect("finds what a gateway has unpacked without opening any transaction", () =>
    Effect.gen(function* () {
      const { archive, subject, gateway } = yield* network()
      yield* store(subject, one)
      gateway.requests.length = 0
      assert.strictEqual((yield* collect(archive, data)).length, 1)
      assert.deepStrictEqual([...new Set(gateway.requests.map(({ path }) => path))], ["/graphql"])
    }).pipe(Effect.scoped),
  )

  it.effect("finds by a transaction's own tags, and those that had no room there too", () =>
    Effect.gen(function* () {
      const { archive, subject } = yield* network({ unpacks: false })
      const processes = Array.from({ length: 60 }, (_, n) => id(`process ${n}`))
      const many = processes.map((process, n) =>
        piece(`${n}`, [
          ["Type", "Batches"],
          ["Process", process],
        ]),
      )
      yield* store(subject, Archive.bundle(many))
      yield* store(
        subject,
        Archive.bundle([
          piece("other", [
            ["Type", "Batches"],
            ["Process", id("other")],
          ]),
        ]),
      )
      for (const process of [processes[0]!, processes[59]!, id("other")]) {
        const found = yield* collect(archive, {
          tags: [tagged("Type", "Batches"), tagged("Process", process)],
        })
        assert.deepStrictEqual(
          found.map(({ tags }) => tags[2]!.value),
          [process],
        )
      }
      assert.deepStrictEqual(yield* collect(archive, { tags: [tagged("Process", id("none"))] }), [])
    }).pipe(Effect.scoped),
  )

  it.effect("finds what one gateway hides, or knows wrongly, with the help of another", () =>
    Effect.gen(function* () {
      const { archive, subject, gateways } = yield* network({}, {})
      yield* store(subject, small)
      yield* store(subject, one)
      const empty = { data: { transactions: { pageInfo: { hasNextPage: false }, edges: [] } } }
      gateways[0]!.before = ({ path }) =>
        path === "/graphql" ? ArweaveGateway.text(200, JSON.stringify(empty)) : undefined
      assert.strictEqual((yield* collect(archive, data)).length, 2)
      for (const body of [
        "[]",
        "{}",
        "no",
        '{"errors":[]}',
        '{"data":{"transactions":{"edges":[{}, null, 7]}}}',
      ]) {
        gateways[0]!.before = ({ path }) => (path === "/graphql" ? ArweaveGateway.text(200, body) : undefined)
        assert.strictEqual((yield* collect(archive, data)).length, 2, body)
      }
      gateways[1]!.before = () => null
      const error = yield* Effect.flip(
        collect(archive, { tags: [tagged("Type", "none")] }).pipe(
          Effect.andThen(Effect.suspend(() => ((gateways[0]!.before = () => null), collect(archive, data)))),
        ),
      )
      assert.strictEqual(error._tag, "ArchiveUnavailable")
    }).pipe(Effect.scoped),
  )

  it.effect("believes no index about what it was not asked for", () =>
    Effect.gen(function* () {
      const { archive, subject, gateway } = yield* network()
      yield* store(subject, Archive.bundle([piece("other", [["Type", "Turns"]]), ...one.pieces]))
      gateway.before = (request) => {
        if (request.path !== "/graphql" || !request.body.includes('"tags"')) return undefined
        const { query, variables } = JSON.parse(request.body) as { query: string; variables: object }
        Object.assign(request, { body: JSON.stringify({ query, variables: { ...variables, tags: [] } }) })
        return undefined
      }
      const found = yield* collect(archive, data)
      assert.deepStrictEqual(
        found.map(({ size }) => size),
        [one.pieces[0]!.bytes.length],
      )
    }).pipe(Effect.scoped),
  )

  it.effect("reads an index of as many pages as may be, and leaves one that has no end", () =>
    Effect.gen(function* () {
      const { archive, gateway } = yield* network()
      const endless = (last: number, cursor: (page: number) => string) => {
        gateway.requests.length = 0
        gateway.before = ({ body }) => {
          const { variables } = JSON.parse(body) as { readonly variables: { readonly after?: string } }
          const page = Number(variables.after ?? "0") + 1
          const edges = [{ cursor: cursor(page), node: null }]
          const transactions = { pageInfo: { hasNextPage: page < last }, edges }
          return ArweaveGateway.text(200, JSON.stringify({ data: { transactions } }))
        }
      }
      endless(Limit.gatewayPagesMax, String)
      assert.deepStrictEqual(yield* collect(archive, { tags: [] }), [])
      assert.strictEqual(gateway.requests.length, 2 * Limit.gatewayPagesMax)
      endless(Limit.gatewayPagesMax + 1, String)
      const error = yield* Effect.flip(collect(archive, { tags: [] }))
      assert.strictEqual(error.reason, "wrong answer")
      assert.include(error.message, "no end")
      endless(Limit.gatewayPagesMax, () => "1")
      assert.include((yield* Effect.flip(collect(archive, { tags: [] }))).message, "no end")
      assert.isAtMost(gateway.requests.length, 4)
    }).pipe(Effect.scoped),
  )

  it.effect("passes over transactions of strangers that are no bundle of ours", () =>
    Effect.gen(function* () {
      const { weave, archive, subject } = yield* network({ unpacks: false })
      const transfer = yield* archive.prepare(small)
      yield* archive.upload(transfer, small.bytes)
      weave.mine()
      weave.loseChunks()
      yield* store(subject, one)
      const found = yield* collect(archive, data)
      assert.deepStrictEqual(
        found.map(({ size }) => size),
        [one.pieces[0]!.bytes.length],
      )
    }).pipe(Effect.scoped),
  )
})
