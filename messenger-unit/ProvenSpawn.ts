/**
 * Proven spawn: the process that a spawn makes, where its id is that of exactly these bytes. The id of a process is the
 * one thing that a reader has to know; what the spawn names, such as compute units, can be believed from there on.
 */
import * as Result from "effect/Result"
import * as ItemSignature from "../identity/ItemSignature.ts"
import type * as Id from "../runtime/Id.ts"
import * as Item from "../runtime/Item.ts"
import * as Message from "../runtime/Message.ts"
import * as OutboxItem from "../runtime/OutboxItem.ts"
import * as Process from "../runtime/Process.ts"
import * as SignatureType from "../runtime/SignatureType.ts"

/** The failure says what is wrong with the spawn. */
export const check = (process: Id.ProcessId, bytes: Uint8Array): Result.Result<Process.Process, string> => {
  const item = Item.decode(bytes)
  if (Result.isFailure(item)) return Result.fail(item.failure.message)
  const { id, type } = item.success
  if (id !== process) return Result.fail(`it is that of ${id}`)
  const stands =
    type.number === SignatureType.outbox.number
      ? OutboxItem.origin(item.success) !== undefined
      : ItemSignature.check(item.success) === true
  if (!stands) return Result.fail("its signature is not good")
  const made = Result.flatMap(Message.parse(item.success), Process.fromSpawn)
  return Result.mapError(made, ({ message }) => message)
}
