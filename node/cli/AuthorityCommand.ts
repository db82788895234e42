/** The command that shows whom a process believes, and lets its owner say whom it is to believe. */
import * as Effect from "effect/Effect"
import * as Client from "../../messenger-unit/Client.ts"
import type * as Authority from "../../runtime/Authority.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

export interface AuthorityInput extends Caller.Input {
  readonly as: string | undefined
  readonly process: Id.ProcessId
  readonly units: ReadonlyArray<Id.Address>
  readonly quorum: number | undefined
}

const policy = ({ units, quorum, since }: Authority.InForce): string =>
  [`${quorum} of ${units.length} from slot ${since} on`, ...units.map((unit) => `  ${unit}`)].join("\n")

export const authority = (input: AuthorityInput) =>
  Effect.gen(function* () {
    const { process, units, quorum } = input
    if (units.length === 0) {
      if (quorum !== undefined || input.as !== undefined)
        return yield* new Caller.WrongUsage({
          detail: "a new policy names all of its units: give each with --unit",
          help: "heddle authority --help",
        })
      const inForce = yield* Caller.connected(input, (messenger) => messenger.authority(process))
      return yield* Screen.show(input.json, inForce, () => policy(inForce))
    }
    const as = yield* Caller.identity(input, input.as)
    const changed = yield* Caller.connected(input, () =>
      Client.changeAuthority(process, { units, quorum }, { as, retries: Caller.retries }),
    )
    yield* Screen.show(
      input.json,
      changed,
      () => `${Screen.styled("green", "changed")} in slot ${changed.slot}: ${policy(changed)}`,
    )
  })
