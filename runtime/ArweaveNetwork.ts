/** What a gateway can be asked about Arweave's network, and told: each one question, its answer read strictly. */
import * as Effect from "effect/Effect"
import * as Gateway from "./ArweaveGateway.ts"
import * as Transaction from "./ArweaveTransaction.ts"
import * as Bytes from "./Bytes.ts"
import type * as Id from "./Id.ts"

const failed = (gateway: string, reason: Gateway.GatewayFailed["reason"], detail: string) =>
  Effect.fail(new Gateway.GatewayFailed({ gateway, reason, detail }))

const json = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Bytes.toText(bytes) ?? "")
  } catch {
    return undefined
  }
}

const numberIn = (value: unknown, name: string): number | undefined => {
  const field: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
  return typeof field === "number" && Number.isSafeInteger(field) && field >= 0 ? field : undefined
}

export const height = (gateway: string): Gateway.Way<number> =>
  Effect.flatMap(Gateway.ask(gateway, { path: "/info" }), (answer) => {
    const height = numberIn(json(answer.bytes), "height")
    return answer.status !== 200 || height === undefined
      ? failed(gateway, "wrong answer", `its height: ${Gateway.said(answer)}`)
      : Effect.succeed(height)
  })

export const anchor = (gateway: string): Gateway.Way<Uint8Array> =>
  Effect.flatMap(Gateway.ask(gateway, { path: "/tx_anchor" }), (answer) => {
    const anchor = Bytes.fromBase64Url((Bytes.toText(answer.bytes) ?? "").trim())
    return answer.status !== 200 || anchor?.length !== 48
      ? failed(gateway, "wrong answer", `its anchor: ${Gateway.said(answer)}`)
      : Effect.succeed(anchor)
  })

export const price = (gateway: string, bytes: number): Gateway.Way<bigint> =>
  Effect.flatMap(Gateway.ask(gateway, { path: `/price/${bytes}` }), (answer) => {
    const text = (Bytes.toText(answer.bytes) ?? "").trim()
    return answer.status !== 200 || !/^\d{1,30}$/.test(text)
      ? failed(gateway, "wrong answer", `its price of ${bytes} bytes: ${Gateway.said(answer)}`)
      : Effect.succeed(BigInt(text))
  })

/** What one gateway knows of a transaction: the height of its block, that it waits for one, or nothing. */
export type Known = number | "pending" | "absent"

export const known = (gateway: string, id: Id.Id): Gateway.Way<Known> =>
  Effect.flatMap(Gateway.ask(gateway, { path: `/tx/${id}/status` }), (answer): Gateway.Way<Known> => {
    if (answer.status === 404) return Effect.succeed("absent")
    if (answer.status === 202 || Bytes.toText(answer.bytes)?.trim() === "Pending")
      return Effect.succeed("pending")
    const height = answer.status === 200 ? numberIn(json(answer.bytes), "block_height") : undefined
    return height === undefined
      ? failed(gateway, "wrong answer", `status of ${id}: ${Gateway.said(answer)}`)
      : Effect.succeed(height)
  })

export const post = (gateway: string, transaction: Transaction.Transaction): Gateway.Way<void> =>
  Effect.flatMap(Gateway.ask(gateway, { path: "/tx", json: Transaction.toJson(transaction) }), (answer) =>
    // 208: it has it already.
    answer.status === 200 || answer.status === 202 || answer.status === 208
      ? Effect.void
      : failed(gateway, "refused", `transaction ${transaction.id}: ${Gateway.said(answer)}`),
  )

export const postChunk = (gateway: string, id: Id.Id, from: number, chunk: string): Gateway.Way<void> =>
  Effect.flatMap(Gateway.ask(gateway, { path: "/chunk", json: chunk }), (answer) =>
    answer.status === 200 || answer.status === 208
      ? Effect.void
      : failed(gateway, "refused", `chunk of ${id} at byte ${from}: ${Gateway.said(answer)}`),
  )
