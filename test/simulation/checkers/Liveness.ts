/**
 * Liveness: where everything is healed and time goes on, all that is pending completes: each operation is answered,
 * each slot computed at each unit, and the outbox is empty.
 */
import * as Effect from "effect/Effect"
import type { ProcessInfo } from "../../../messenger-unit/MessengerUnit.ts"
import type { Place } from "../Checker.ts"
import * as Client from "../Client.ts"
import type { Courier } from "../Courier.ts"
import * as SchedulerLying from "../SchedulerLying.ts"
import type { SimulatedNode } from "../SimulatedNode.ts"

export interface Healed {
  readonly seed: number
  readonly places: ReadonlyArray<Place>
  readonly client: Client.Client
  readonly courier: Courier
  /** Asks the node, and lets the world go on until it answers. */
  readonly ask: <A>(effect: (node: SimulatedNode) => Effect.Effect<A>) => A | undefined
}

export interface Liveness {
  /** What is still pending, in words; nothing where all is done. */
  readonly pending: () => string | undefined
}

export const make = ({ seed, places, client, courier, ask }: Healed): Liveness => {
  /** What a unit has still to compute. One that is told a lie goes as far as that goes. */
  const isBehind = ({ lie, durable, parked }: Place, process: ProcessInfo["process"]): boolean => {
    const entries = places[0]!.durable().entries(process)
    const at = SchedulerLying.slotOf(seed, process)
    const shown = lie === undefined || lie === "attests" ? entries : SchedulerLying.bend(entries, lie, at)
    if (lie === "breaks" && shown !== entries) return parked(process) === undefined
    return durable().outcomes.point(process).slot + 1 < shown.length
  }

  return {
    pending: () => {
      const found = ask(({ messenger }) => Effect.orDie(Effect.all([messenger.outbox, messenger.processes])))
      if (found === undefined) return "the node does not answer"
      const [outbox, processes] = found
      courier.bring(outbox.filter(({ reason }) => reason.startsWith("not attested")))
      if (!client.isDone) {
        const open = client.jobs.filter((job) => job.open > 0)
        return `operations ${open.map(({ operation }) => operation.number).join(", ")} are not done`
      }
      const late = processes.find(({ slots, computed }) => computed < slots)
      if (late !== undefined) return `process ${late.process} stays at slot ${late.computed}: ${late.parked}`
      const held = outbox.find((one) => one.target !== Client.nobody && !courier.hasBrought(one))
      if (held !== undefined)
        return `${held.kind} ${held.slot} ${held.index} of process ${held.source} is held: ${held.reason}`
      for (const place of places) {
        if (place.lie === "attests") continue
        const behind = processes.find(({ process }) => isBehind(place, process))
        if (behind === undefined) continue
        return `process ${behind.process} is behind at ${place.name}: ${place.parked(behind.process)}`
      }
      return undefined
    },
  }
}
