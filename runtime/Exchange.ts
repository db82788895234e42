/**
 * Exchange: calls between units over a `Network` (spec 06 §1). A call has a number, a question and an answer; how each
 * stands in a frame is one definition for both sides.
 *
 * A request waits at the server until there is an answer, but no longer than `Limit.answerHeldMsMax`: then it is told
 * `later` and asks again. So to follow is to ask for what comes after the last number that one has, and
 *
 * - nobody pushes: who is slow asks seldom, and the server holds nothing for it between two requests;
 * - a connection that breaks loses nothing: the next request names the same number.
 *
 * No failure of the way comes out of `ask`: it goes on until there is an answer, as a call in one process waits for its
 * commit. Whoever wants to wait less interrupts it, and asks the same again, which is safe for every call.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Bytes from "./Bytes.ts"
import * as Codec from "./Codec.ts"
import * as Hash from "./Hash.ts"
import type * as Id from "./Id.ts"
import * as Limit from "./Limit.ts"
import type { Network } from "./Network.ts"
import * as Peer from "./Peer.ts"

/** What can be asked, and how. `number` is unique in its protocol. */
export interface Call<Q, A> {
  readonly number: number
  readonly question: Codec.Codec<Q>
  readonly answer: Codec.Codec<A>
}

export const call = <Q, A>(number: number, question: Codec.Codec<Q>, answer: Codec.Codec<A>): Call<Q, A> => ({
  number,
  question,
  answer,
})

/** Why a server gives no answer. */
const refusals = ["later", "busy", "not understood", "failed"] as const

type Refusal = { readonly refusal: (typeof refusals)[number]; readonly detail: string }

/** A part of an answer, from the byte that was asked for: the whole of most. */
type Part = { readonly whole: Uint8Array; readonly length: number; readonly part: Uint8Array }

const part = Codec.struct({ whole: Codec.hash, length: Codec.u32, part: Codec.block })
const refused = Codec.struct({ refusal: Codec.word(refusals), detail: Codec.text })
const reply = Codec.either<Part, Refusal>(part, refused, (value): value is Refusal => "refusal" in value)

const head = Codec.struct({ number: Codec.u16, from: Codec.u32 })

/** The frame that asks for an answer from its byte `from` on. */
export const request = <Q, A>({ number, question }: Call<Q, A>, asked: Q, from: number): Uint8Array =>
  Bytes.concat([Codec.encode(head, { number, from }), Codec.encode(question, asked)])

export const encodeReply = (value: Part | Refusal): Uint8Array => Codec.encode(reply, value)
export const decodeReply = (bytes: Uint8Array): Result.Result<Part | Refusal, string> =>
  Codec.decode(reply, bytes)

/** One call as its server answers it: bytes of an answer for bytes of a question, or what is wrong with these. */
export interface Answering {
  readonly number: number
  readonly answer: (question: Uint8Array) => Result.Result<Effect.Effect<Uint8Array>, string>
}

export const answering = <Q, A>(
  { number, question, answer }: Call<Q, A>,
  handle: (question: Q) => Effect.Effect<A>,
): Answering => ({
  number,
  answer: (bytes) =>
    Result.map(Codec.decode(question, bytes), (asked) =>
      Effect.map(handle(asked), (value) => Codec.encode(answer, value)),
    ),
})

/** As much of an answer as one frame takes. */
const partOf = (whole: Uint8Array, from: number): Part => ({
  whole: Hash.sha256(whole),
  length: whole.length,
  part: whole.subarray(from, from + Limit.answerPartBytesMax),
})

/** Serves a protocol for as long as the scope lives. Each peer has so many requests under way, and no more. */
export const serve = (
  network: Network["Service"],
  protocol: string,
  calls: ReadonlyArray<Answering>,
): Effect.Effect<void, never, Scope.Scope> => {
  const byNumber = new Map(calls.map((one) => [one.number, one]))
  const underWay = new Map<Id.Address, number>()
  const refuse = (refusal: Refusal["refusal"], detail: string): Part | Refusal => ({ refusal, detail })

  const answer = (body: Uint8Array): Effect.Effect<Part | Refusal> => {
    if (body.length < head.bytesMin) return Effect.succeed(refuse("not understood", "the frame ends early"))
    const asked = Codec.decode(head, body.subarray(0, head.bytesMin))
    if (Result.isFailure(asked)) return Effect.succeed(refuse("not understood", asked.failure))
    const { number, from } = asked.success
    const one = byNumber.get(number)
    if (one === undefined)
      return Effect.succeed(refuse("not understood", `call ${number} is not part of ${protocol}`))
    const made = one.answer(body.subarray(head.bytesMin))
    if (Result.isFailure(made)) return Effect.succeed(refuse("not understood", made.failure))
    return made.success.pipe(
      Effect.timeoutOption(Duration.millis(Limit.answerHeldMsMax)),
      Effect.map(
        Option.match({
          onNone: () => refuse("later", "there is no answer yet; ask again"),
          onSome: (whole) => partOf(whole, from),
        }),
      ),
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError(`call ${number} of ${protocol} failed: ${String(defect)}`),
          refuse("failed", "it could not be answered; the server's log says why"),
        ),
      ),
    )
  }

  return network.serve(protocol, ({ from, body }) =>
    Effect.suspend(() => {
      const before = underWay.get(from) ?? 0
      if (before >= Limit.requestsPerPeerMax)
        return Effect.succeed(
          encodeReply(refuse("busy", `${before} requests are under way; at most as many are taken`)),
        )
      underWay.set(from, before + 1)
      const done = Effect.sync(() => {
        const now = underWay.get(from)! - 1
        if (now === 0) underWay.delete(from)
        else underWay.set(from, now)
      })
      return answer(body).pipe(
        Effect.ensuring(done),
        Effect.provideService(Peer.Peer, { name: from }),
        Effect.map(encodeReply),
      )
    }),
  )
}

/** An attempt that gave no answer: what became of it, in words. */
class NoAnswer extends Error {
  readonly soon: boolean
  constructor(detail: string, soon = false) {
    super(detail)
    this.soon = soon
  }
}

/** Where the calls of a protocol go. */
export interface Server {
  readonly network: Network["Service"]
  readonly address: Id.Address
  readonly protocol: string
}

/** One frame there and one back. */
const attempt = ({ network, address, protocol }: Server, frame: Uint8Array) =>
  network.request(address, protocol, frame).pipe(
    Effect.mapError((failed) => new NoAnswer(failed.message)),
    Effect.timeoutOrElse({
      duration: Limit.answerMsMax,
      orElse: () => Effect.fail(new NoAnswer(`no answer within ${Limit.answerMsMax} ms`)),
    }),
    Effect.flatMap((bytes) => {
      const read = decodeReply(bytes)
      if (Result.isFailure(read)) return Effect.fail(new NoAnswer(`what came is no answer: ${read.failure}`))
      const value = read.success
      return "refusal" in value
        ? Effect.fail(new NoAnswer(`${value.refusal}: ${value.detail}`, value.refusal === "later"))
        : Effect.succeed(value)
    }),
  )

/** All parts of an answer, put together. One that changes meanwhile is no answer. */
const whole = Effect.fnUntraced(function* <Q, A>(peer: Server, of: Call<Q, A>, asked: Q) {
  const first = yield* attempt(peer, request(of, asked, 0))
  const parts = [first.part]
  if (first.length > Limit.answerBytesMax)
    return yield* Effect.fail(
      new NoAnswer(`an answer of ${first.length} bytes; at most ${Limit.answerBytesMax} are taken`),
    )
  for (let at = first.part.length; at < first.length;) {
    const next = yield* attempt(peer, request(of, asked, at))
    if (next.part.length === 0 || !Bytes.equal(next.whole, first.whole))
      return yield* Effect.fail(new NoAnswer("the answer changed while its parts were fetched"))
    parts.push(next.part)
    at += next.part.length
  }
  const bytes = parts.length === 1 ? first.part : Bytes.concat(parts)
  if (!Bytes.equal(Hash.sha256(bytes), first.whole))
    return yield* Effect.fail(new NoAnswer("the parts are not those of the answer"))
  const answer = Codec.decode(of.answer, bytes)
  return Result.isFailure(answer)
    ? yield* Effect.fail(new NoAnswer(`what came is no answer: ${answer.failure}`))
    : answer.success
})

/**
 * Asks until there is an answer. `wrong` says why one can't be believed; then it is none. After a failure it asks again
 * after 100 ms, doubled each time up to 5 s, and says so in the log once. Asserts a question that fits a frame: who asks
 * has bounded what it is made of.
 */
export const ask = <Q, A>(
  peer: Server,
  of: Call<Q, A>,
  asked: Q,
  wrong: (answer: A) => Effect.Effect<string | undefined> = () => Effect.undefined,
): Effect.Effect<A> => {
  const believed = Effect.flatMap(whole(peer, of, asked), (answer) =>
    Effect.flatMap(wrong(answer), (why) =>
      why === undefined ? Effect.succeed(answer) : Effect.fail(new NoAnswer(why)),
    ),
  )
  const again = Effect.fnUntraced(function* (): Effect.fn.Return<A> {
    for (let failures = 0; ;) {
      const came = yield* Effect.result(believed)
      if (Result.isSuccess(came)) return came.success
      const { soon, message } = came.failure
      if (!soon && failures === 0)
        yield* Effect.logWarning(`${peer.protocol} of ${peer.address} is asked again: ${message}`)
      if (!soon) yield* Effect.sleep(Math.min(Limit.askRetryMsMin * 2 ** failures, Limit.askRetryMsMax))
      failures = soon ? 0 : failures + 1
    }
  })
  return Effect.suspend(() => {
    const { length } = request(of, asked, 0)
    return length > Limit.frameBytesMax
      ? Effect.die(
          new RangeError(`a question of ${length} bytes; at most ${Limit.frameBytesMax} fit a frame`),
        )
      : again()
  })
}
