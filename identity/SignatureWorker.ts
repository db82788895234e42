/**
 * Signature worker: the thread on which signatures are made and checked. It answers each frame with a frame.
 *
 * It remembers true claims, so of a thousand items under one batch signature it verifies one signature.
 */
import { parentPort } from "node:worker_threads"
import * as Result from "effect/Result"
import * as Bytes from "../runtime/Bytes.ts"
import * as Item from "../runtime/Item.ts"
import * as Claim from "./Claim.ts"
import * as ItemSignature from "./ItemSignature.ts"
import * as MlDsa from "./MlDsa.ts"
import * as SignatureFrame from "./SignatureFrame.ts"
import * as VerifiedClaims from "./VerifiedClaims.ts"

const keys = new Map<number, MlDsa.SecretKey>()
const verified = VerifiedClaims.make()

const holds = (claim: Claim.Claim): boolean => {
  const name = Claim.name(claim)
  if (verified.has(name)) return true
  const good = Claim.holds(claim)
  if (good) verified.add(name)
  return good
}

const checkItem = (bytes: Uint8Array): SignatureFrame.Verdict => {
  const item = Result.getOrThrow(Item.decode(bytes)) // the bytes of an item that was read
  const claim = ItemSignature.claim(item)
  if (typeof claim === "string") return claim
  return holds(claim) || "bad signature"
}

const answer = (request: SignatureFrame.Request): Uint8Array => {
  if (request.kind === "item") return SignatureFrame.verdictBytes(checkItem(request.bytes))
  if (request.kind === "claim") return SignatureFrame.verdictBytes(holds(request.claim) || "bad signature")
  if (request.kind === "sign") return keys.get(request.key)!.sign(request.context, request.bytes)
  keys.set(request.key, MlDsa.fromSeed(request.type, request.seed))
  return Bytes.empty
}

parentPort!.on("message", (frame: Uint8Array) => {
  const answers = SignatureFrame.encodeAnswers(SignatureFrame.decode(frame).map(answer))
  parentPort!.postMessage(answers, [answers.buffer])
})

parentPort!.postMessage(Bytes.empty) // ready: everything above is loaded
