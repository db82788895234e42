/**
 * Scheduler in force: whose it is to give the slots of a process says its log alone (spec 03 §10). A signature of anyone
 * else over a slot is good and gives nothing: whoever has taken a process over could sign for it a past of their own.
 */
import type { Group } from "./Followed.ts"
import * as Follower from "./Follower.ts"

/** Asserts that what is signed is signed by whose slots it was to give. `examined` are the entries of all groups. */
export const check = (
  groups: ReadonlyArray<Group>,
  examined: ReadonlyArray<Pick<Follower.Examined, "givenBy">>,
): void => {
  let at = 0
  for (const { entries, by } of groups) {
    // A group is of one term. In a log whose spawn was not admitted nothing has an effect, whoever signs it.
    const givenBy = examined[at]?.givenBy ?? by
    if (by !== givenBy && by !== undefined)
      throw new Follower.ChainBroken(
        entries[0]!.assignment.slot,
        `it is signed by ${by}, and was ${givenBy}'s to give`,
      )
    at += entries.length
  }
}
