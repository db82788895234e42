import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Admission from "../../runtime/Admission.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as DataReference from "../../runtime/DataReference.ts"
import * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import * as Message from "../../runtime/Message.ts"
import * as OutboxItem from "../../runtime/OutboxItem.ts"
import { hash, id, message, spawn, type Tags } from "../support/Unsigned.ts"

const process = id("process")
const bytes = Bytes.fromText("bytes")
const reference = DataReference.of(bytes)

const tags = (values: Record<string, string>): Tags => Object.entries(values)
const good = { "Data-Hash": reference.hash, "Data-Length": "5" }
const parse = (values: Record<string, string>, data = "") =>
  DataReference.parse(message(process, { tags: tags(values), data }))

interface Malformed {
  readonly what: string
  readonly values: Record<string, string>
  readonly data?: string
}

const malformed: ReadonlyArray<Malformed> = [
  { what: "no length", values: { "Data-Hash": reference.hash } },
  { what: "a hash of 42 characters", values: { ...good, "Data-Hash": reference.hash.slice(1) } },
  { what: "another spelling of the hash", values: { ...good, "Data-Hash": `${"A".repeat(42)}B` } },
  { what: "a hash in hexadecimal", values: { ...good, "Data-Hash": Bytes.toHex(hash("bytes")) } },
  { what: "no bytes", values: { ...good, "Data-Length": "0" } },
  {
    what: "one byte over the limit",
    values: { ...good, "Data-Length": String(Limit.referencedBytesMax + 1) },
  },
  { what: "a leading zero", values: { ...good, "Data-Length": "05" } },
  { what: "a sign", values: { ...good, "Data-Length": "+5" } },
  { what: "an exponent", values: { ...good, "Data-Length": "5e0" } },
  { what: "a space", values: { ...good, "Data-Length": "5 " } },
  { what: "more digits than a number has", values: { ...good, "Data-Length": "9".repeat(400) } },
  { what: "data besides", values: good, data: "x" },
  { what: "an archive that is no id", values: { ...good, "Data-Archive": "there" } },
]

describe("DataReference", () => {
  it("is hash and length, as the tags say", () => {
    assert.deepStrictEqual(Result.getOrThrow(parse(good)), reference)
    assert.deepStrictEqual(
      DataReference.tags(reference).map(({ name, value }) => [name, value]),
      Object.entries(good),
    )
    assert.deepStrictEqual(Result.getOrThrow(parse({ ...good, "Data-Archive": id("bundle") })), reference)
    const most = { ...good, "Data-Length": String(Limit.referencedBytesMax) }
    assert.strictEqual(Result.getOrThrow(parse(most))?.length, Limit.referencedBytesMax)
    const spawned = DataReference.parse(spawn({ tags: tags(good) }))
    assert.deepStrictEqual(Result.getOrThrow(spawned), reference)
  })

  it("is none where no hash is named, whatever else is", () => {
    assert.isUndefined(Result.getOrThrow(parse({})))
    assert.isUndefined(Result.getOrThrow(parse({ "Data-Length": "0", "Data-Archive": "there" }, "data")))
  })

  it("fits the bytes of its hash and length, and no others", () => {
    assert.isTrue(DataReference.fits(reference, bytes))
    assert.isFalse(DataReference.fits(reference, Bytes.fromText("other")))
    assert.isFalse(DataReference.fits({ ...reference, length: 6 }, bytes))
  })

  it.each(malformed)("is refused by name where it has $what", ({ values, data = "" }) => {
    const found = parse(values, data)
    assert.isTrue(Result.isFailure(found) && found.failure.detail.length > 10)
    const spawned = spawn()
    const log = Admission.admit(
      Admission.emptyLog,
      { message: spawned, voucher: { signed: true }, seen: undefined },
      1,
    )
    const state = { ...Result.getOrThrow(log), head: hash("head") }
    const said = message(spawned.id, { tags: tags(values), data })
    const admitted = Admission.admit(state, { message: said, voucher: { signed: true }, seen: undefined }, 2)
    assert.strictEqual(Result.isFailure(admitted) && admitted.failure.reason, "bad reference")
    const repeated = Admission.admit(
      state,
      { message: said, voucher: { signed: true }, seen: "anchor reused" },
      2,
    )
    assert.strictEqual(Result.isFailure(repeated) && repeated.failure.reason, "anchor reused")
  })

  it("of what a process emitted is one where it is well made, and nothing otherwise", () => {
    const emitted = (values: Record<string, string>) => {
      const origin = { source: id("source"), head: hash("head"), index: 0 }
      const all = [
        ...Message.protocolTags("Message"),
        ...Object.entries(values).map(([name, value]) => ({ name, value })),
      ]
      const item = OutboxItem.make(origin, { target: Id.toBytes(process), tags: all, data: Bytes.empty })
      return DataReference.parse(Result.getOrThrow(Message.parse(Result.getOrThrow(item))))
    }
    assert.deepStrictEqual(Result.getOrThrow(emitted(good)), reference)
    for (const { values, data } of malformed)
      if (data === undefined) assert.isUndefined(Result.getOrThrow(emitted(values)))
  })
})
