/**
 * Embargo: nothing was seen outside that is not on the disk. Whatever leaves a machine is held, in that moment, against
 * what a crash would leave of it.
 */
import * as Bytes from "../../../runtime/Bytes.ts"
import type { Make, Place } from "../Checker.ts"
import type { Durable } from "../Durable.ts"
import * as Seen from "../Seen.ts"
import type { State } from "../Guest.ts"

const isDurable = (seen: Seen.Seen, { log, outcomes }: Durable): boolean => {
  switch (seen.kind) {
    case "accepted": {
      const { process, slot, head } = seen.accepted
      const entry = log.entry(process, slot)
      return entry !== undefined && Bytes.equal(entry.assignment.head, head)
    }
    case "receipt": {
      const { link, assignment } = seen.receipt
      const batch = log.batch(link.number)
      return (
        batch !== undefined &&
        Bytes.equal(batch.link.root, link.root) &&
        batch.entries.some((entry) => Bytes.equal(entry.assignment.head, assignment.head))
      )
    }
    case "batch":
      return log.batch(seen.batch.link.number) !== undefined
    case "answered": {
      const turn = outcomes.turn(seen.process, seen.slot)
      const { result } = seen.answered
      if ("reason" in result && result.reason === "parked") return true
      if (turn === undefined) return false
      if (turn.outcome.error !== undefined)
        return "error" in result && turn.outcome.error.message === result.error
      const reply = outcomes.reply(seen.process, turn.outcome.message)
      if (reply === undefined) return false
      return "value" in reply
        ? "value" in result && result.value === reply.value
        : "error" in result && result.error === reply.error
    }
    case "turn":
      return outcomes.turn(seen.process, seen.turn.outcome.slot) !== undefined
    case "view": {
      const { view, name } = seen
      if (view === undefined) return true
      const turn = outcomes.turn(seen.process, view.slot)
      return turn?.outcome.views.some((one) => one.name === name && one.value === view.value) ?? false
    }
    case "view proof": {
      const { assignment, attestation } = seen.proven
      const attested = outcomes.attested(seen.process, assignment.slot)
      return (
        attested !== undefined && Bytes.equal(attested.to.stateRoot, attestation.attestation.to.stateRoot)
      )
    }
    case "query": {
      const { result, slot } = seen.answer
      if (outcomes.turn(seen.process, slot) === undefined) return false
      if ("error" in result) return true
      const state = JSON.parse(result.value ?? "null") as State | null // what the guest's `Peek` answers
      return state === null || outcomes.turn(seen.process, state.slot) !== undefined
    }
    case "release":
      return outcomes.nextRelease() > seen.release.number
  }
}

/** A snapshot of a state that nobody attested would be gone on with. */
const checkSnapshots = ({ durable, name }: Place, fail: (detail: string) => never) => {
  const { log, outcomes, snapshots } = durable()
  for (const { process } of log.processes())
    for (const { slot, stateRoot, kept } of snapshots.list(process)) {
      const attested = outcomes.attested(process, slot)?.to
      if (kept && (attested?.slot !== slot || !Bytes.equal(attested.stateRoot, stateRoot)))
        fail(`${name} has a snapshot of process ${process} at slot ${slot}, which is not attested`)
    }
}

export const make: Make = ({ places }, fail) => ({
  name: "embargo",
  seen: (seen) => {
    const place = places.find(({ name }) => name === seen.machine)!
    if (!isDurable(seen, place.durable()))
      fail(`${seen.kind} ${Seen.shown(seen)} of ${seen.machine} was seen and is not durable`)
  },
  crashed: (place) => {
    checkSnapshots(place, fail)
  },
})
