/**
 * Strain: what a machine that has too much to do fails at, now and then: it makes no signature, looks at none, loses a
 * sandbox with what ran in it. None of it is anybody's fault, so none of it may have a trace in what comes of it.
 */
import * as Effect from "effect/Effect"
import { type Sandbox, SandboxLost } from "../../compute-unit/Sandbox.ts"
import { type Signer, SigningFailed } from "../../identity/Signer.ts"
import { Overloaded, type Verifier } from "../../identity/Verifier.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Limit from "../../runtime/Limit.ts"
import type * as Luck from "./Luck.ts"

export class Strain {
  readonly #luck: Luck.Luck
  /** Share of what is asked for that fails. */
  share: number
  /** Who lost a sandbox last: three times in a row is a fault of its own. */
  #lost: Id.ProcessId | undefined

  constructor(luck: Luck.Luck, share: number) {
    this.#luck = luck
    this.share = share
  }

  /** The effect, or now and then a failure in its place. */
  #or<A, E, F>(effect: Effect.Effect<A, E>, failure: () => F): Effect.Effect<A, E | F> {
    return Effect.suspend((): Effect.Effect<A, E | F> =>
      this.#luck.chance(this.share) ? Effect.fail(failure()) : effect,
    )
  }

  signer(signer: Signer["Service"]): Signer["Service"] {
    const failure = () => new SigningFailed({ address: signer.address, reason: "queue full" })
    return { ...signer, sign: (context, bytes) => this.#or(signer.sign(context, bytes), failure) }
  }

  verifier(verifier: Verifier["Service"]): Verifier["Service"] {
    const failure = () => new Overloaded({ reason: "queue full", waitingMax: Limit.cryptoQueueMax })
    return {
      verify: (...claim) => this.#or(verifier.verify(...claim), failure),
      verifyItem: (item) => this.#or(verifier.verifyItem(item), failure),
    }
  }

  sandbox(sandbox: Sandbox["Service"]): Sandbox["Service"] {
    const orLost = <A, E>(
      process: Id.ProcessId,
      effect: Effect.Effect<A, E>,
    ): Effect.Effect<A, E | SandboxLost> =>
      Effect.suspend((): Effect.Effect<A, E | SandboxLost> => {
        const isLost = this.#lost !== process && this.#luck.chance(this.share)
        this.#lost = isLost ? process : undefined
        if (!isLost) return effect
        const lost = new SandboxLost({ process, detail: "its thread ended", own: false })
        return Effect.andThen(sandbox.close(process), Effect.fail(lost))
      })
    return {
      ...sandbox,
      run: (process, entries) => orLost(process, sandbox.run(process, entries)),
      take: (process) => orLost(process, sandbox.take(process)),
      restore: (opening, bytes, root) => orLost(opening.process, sandbox.restore(opening, bytes, root)),
    }
  }
}
