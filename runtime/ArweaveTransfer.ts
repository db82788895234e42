/**
 * Record of a transfer to Arweave: with the bundle's bytes, all that it takes to send the same transaction again.
 * RSA-PSS signatures have random salts, so those of the carriers are kept; the rest of the data is made anew.
 *
 *     block "heddle/archive/transfer/arweave/1" | block transaction JSON | u64 height that the anchor has at most
 *     | u32 n | n x carrier signature 512
 */
import * as Result from "effect/Result"
import { ArchiveRefused, type Transfer } from "./Archive.ts"
import * as Transaction from "./ArweaveTransaction.ts"
import * as Bytes from "./Bytes.ts"
import { arweave } from "./SignatureType.ts"

const domain = Bytes.fromText("heddle/archive/transfer/arweave/1")

export interface Record {
  readonly transaction: Transaction.Transaction
  readonly anchorHeight: number
  readonly signatures: ReadonlyArray<Uint8Array>
}

export const encode = ({ transaction, anchorHeight, signatures }: Record): Uint8Array =>
  Bytes.concat([
    Bytes.block(domain),
    Bytes.block(Bytes.fromText(Transaction.toJson(transaction))),
    Bytes.u64(anchorHeight),
    Bytes.u32(signatures.length),
    ...signatures,
  ])

const bad = (detail: string) => Result.fail(new ArchiveRefused({ reason: "transfer", detail }))

/** The record of `transfer`, or why it is none of this archive's. */
export const decode = (transfer: Transfer): Result.Result<Record, ArchiveRefused> => {
  const reader = new Bytes.Reader(transfer.record)
  try {
    if (!Bytes.equal(reader.block(), domain)) return bad("it is none to Arweave")
    const transaction = Transaction.fromJson(Bytes.toText(reader.block()) ?? "")
    if (Result.isFailure(transaction)) return bad(transaction.failure)
    const anchorHeight = reader.count()
    const signatures = Array.from({ length: reader.u32() }, () => reader.take(arweave.signatureBytes))
    if (reader.remaining > 0) return bad("bytes follow its record")
    const { id, reward, dataBytes } = transaction.success
    if (id !== transfer.id || reward !== transfer.cost || dataBytes !== transfer.bytes)
      return bad("it is not what its record says")
    return Result.succeed({ transaction: transaction.success, anchorHeight, signatures })
  } catch (error) {
    if (error instanceof Bytes.EndOfBytes || error instanceof RangeError) return bad("its record ends early")
    throw error
  }
}
