/** The content of `spec/vectors/frames.json`: chapter 06, from its text. */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Reference from "./reference.ts"
import * as Log from "./referenceLog.ts"

const { base64, filler, flip, hex, join, number, utf8 } = Reference
type Bytes = Reference.Bytes

const key = Reference.mlDsaKey(1044, filler("scheduler", 32))
const block = (bytes: Bytes): Bytes => join(number(bytes.length, 4), bytes)
const request = (call: number, from: number, question: Bytes): Bytes =>
  join(number(call, 2), number(from, 4), question)
const process = filler("process", 32)

const given = (item: Bytes, slot: number, previous: Bytes) => {
  const assignment = {
    process,
    term: 0,
    slot,
    timestamp: 1_700_000_000_000 + slot,
    entryHash: Log.entryHash(item, new Uint8Array(0)),
    previous,
  }
  const bytes = join(
    process,
    number(0, 8),
    number(slot, 8),
    number(assignment.timestamp, 8),
    previous,
    block(item),
    block(new Uint8Array(0)),
  )
  return { assignment, bytes }
}

const batch = () => {
  const first = given(utf8("spawn"), 0, Log.zero32)
  const second = given(utf8("message"), 1, Log.head(first.assignment))
  const entries = [first, second]
  const { root } = Reference.merkle(
    entries.map(({ assignment }) => Log.leaf(assignment)),
    0,
  )
  const signature = key.sign("heddle/batch/1", Log.link(0, Log.zero32, root))
  const bytes = join(
    number(0, 8),
    Log.zero32,
    number(key.type, 2),
    block(key.owner),
    block(signature),
    number(entries.length, 4),
    ...entries.map((one) => one.bytes),
  )
  return { bytes, root, heads: entries.map(({ assignment }) => Log.head(assignment)) }
}

export const frames = () => {
  const made = batch()
  const whole = join(number(1, 4), made.bytes)
  const part = (length: number, bytes: Bytes) =>
    join(number(0, 1), sha256(whole), number(length, 4), block(bytes))
  const refusal = (byte: number, text: string) => join(number(1, 1), number(byte, 1), block(utf8(text)))
  const log = request(4, 0, join(process, number(3, 8), number(100, 4)))
  const submit = request(0, 0, join(block(utf8("item")), block(utf8("proof"))))
  return {
    comment:
      "Frames of /heddle/scheduler/1. batch: how one stands in an answer of call 7, and what follows from it. " +
      "answers: an answer frame and what it says. invalid: questions that are none, with what is wrong.",
    requests: [
      { name: "submit", call: 0, from: 0, item: "item", proof: "proof", frame: hex(submit) },
      { name: "log", call: 4, from: 0, process: base64(process), first: 3, limit: 100, frame: hex(log) },
      { name: "batches from 7", call: 7, from: 0, first: 7, frame: hex(request(7, 0, number(7, 8))) },
      {
        name: "the same from its byte 33,554,368",
        call: 7,
        from: 33_554_368,
        first: 7,
        frame: hex(request(7, 33_554_368, number(7, 8))),
      },
    ],
    batch: {
      bytes: hex(made.bytes),
      scheduler: base64(sha256(key.owner)),
      root: hex(made.root),
      heads: made.heads.map(hex),
    },
    answers: [
      {
        name: "a page of one batch",
        frame: hex(part(whole.length, whole)),
        length: whole.length,
        part: hex(whole),
      },
      { name: "nothing yet", frame: hex(refusal(0, "later")), refusal: "later", text: "later" },
      { name: "too much at once", frame: hex(refusal(1, "1024")), refusal: "busy", text: "1024" },
      { name: "no question", frame: hex(refusal(2, "é")), refusal: "not understood", text: "é" },
      { name: "a fault", frame: hex(refusal(3, "")), refusal: "failed", text: "" },
    ],
    invalidAnswers: [
      { name: "no such refusal", frame: hex(refusal(4, "what")) },
      { name: "neither", frame: hex(join(number(2, 1), refusal(0, "x").subarray(1))) },
      { name: "text that is not UTF-8", frame: hex(flip(refusal(2, "é"), 6, 0x80)) },
      { name: "a part cut short", frame: hex(part(whole.length, whole).subarray(0, -1)) },
      { name: "bytes behind it", frame: hex(join(refusal(0, "later"), number(0, 1))) },
    ],
    invalid: [
      { name: "nothing", frame: "", why: "the frame ends early" },
      {
        name: "no such call",
        frame: hex(request(1_000, 0, number(7, 8))),
        why: "call 1000 is not part of /heddle/scheduler/1",
      },
      { name: "cut short", frame: hex(log.subarray(0, -1)), why: "the bytes end early" },
      { name: "a byte behind it", frame: hex(join(log, number(0, 1))), why: "1 bytes follow the value" },
      {
        name: "an item longer than the frame",
        frame: hex(request(0, 0, join(number(0xffff_ffff, 4), utf8("item")))),
        why: "the bytes end early",
      },
      {
        name: "a number over 2^53 - 1",
        frame: hex(request(7, 0, number(2n ** 53n, 8))),
        why: "9007199254740992 is over 2^53 - 1",
      },
    ],
  }
}
