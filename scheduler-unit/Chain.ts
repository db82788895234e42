/**
 * Chain: whether a key may sign the next batch in a data folder. A batch number is given once per key: where the folder
 * shows that the next may have been given elsewhere, none is.
 *
 *     the chain ends with batch 4    and is another key's                      refused
 *     the chain ends with batch 4    this key's batch 9 is here as a foreign   refused: 5 to 9 were given
 *     there is no chain              foreign batches of other keys             batch 0
 */
import { Refused } from "../runtime/Admission.ts"
import type * as Batch from "../runtime/Batch.ts"
import * as Bytes from "../runtime/Bytes.ts"

const otherLog = new Refused({
  reason: "other scheduler",
  detail:
    "the data folder holds the log of another scheduler; start the node with that one's key, or in a folder of its own",
})

/** `last` ends the chain; `elsewhere` is the newest batch of the key that is here and not of the chain. */
export const refusal = (
  owner: Uint8Array,
  last: Batch.SignedLink | undefined,
  elsewhere: Batch.SignedLink | undefined,
): Refused | undefined => {
  if (last !== undefined && !Bytes.equal(last.owner, owner)) return otherLog
  if (elsewhere === undefined || elsewhere.number <= (last?.number ?? -1)) return undefined
  return new Refused({
    reason: "not restored",
    detail: `this scheduler signed batch ${elsewhere.number} elsewhere, and its log here ends before that; restore the whole scheduler into an empty folder, or start the node with a key of its own`,
  })
}
