/**
 * Lease: whether a scheduler may assign, by how far its batches are confirmed in an archive (spec 03 §9). What it assigns
 * while it can't anchor could be given up by a takeover, so it stops in time.
 *
 *     now - (when the oldest batch was decided that is not confirmed) <= lease
 *
 * Who archives says when that was; the scheduler asks once a batch, before it signs. Nothing here waits or reads a clock.
 */
import * as Context from "effect/Context"
import { Refused } from "../runtime/Admission.ts"
import * as Limit from "../runtime/Limit.ts"

export interface LeaseService {
  /** Why nothing can be assigned at `now` (ms since 1970); undefined where it can. */
  readonly refusal: (now: number) => Refused | undefined
  /** Tells when the oldest batch was decided that is not confirmed; undefined where all are. */
  readonly unconfirmed: (since: number | undefined) => void
}

/** Without an archive that others can look into there is no lease, and nothing to wait for. */
const always: LeaseService = { refusal: () => undefined, unconfirmed: () => {} }

export const Lease = Context.Reference<LeaseService>("heddle/Lease", { defaultValue: () => always })

const time = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace("T", " ")
const refuse = (detail: string) => new Refused({ reason: "not anchored", detail })

/** A lease of so many ms. Until it is told how far the archive is, nothing can be assigned. */
export const make = (ms: number = Limit.leaseMs): LeaseService => {
  let oldest: number | undefined | "unknown" = "unknown"
  return {
    unconfirmed: (since) => void (oldest = since),
    refusal: (now) => {
      if (oldest === "unknown")
        return refuse("this scheduler does not know yet how far its archive is; send it again")
      if (oldest !== undefined && oldest - now > Limit.clockAheadMsMax)
        return refuse(
          `the clock of this scheduler is behind what it assigned at ${time(oldest)} UTC, so it can't tell how old that is; its operator sets the clock`,
        )
      if (oldest === undefined || now - oldest <= ms) return undefined
      return refuse(
        `what this scheduler assigned since ${time(oldest)} UTC is not confirmed in its archive, and it assigns for ${ms / 60_000} minutes without; send it again once it is, its operator sees what is wrong with: heddle archive status`,
      )
    },
  }
}
