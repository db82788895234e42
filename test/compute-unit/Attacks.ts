/** All attacks of JavaScript guests. */
import type { Attack } from "./Attack.ts"
import * as AttacksOnLimits from "./AttacksOnLimits.ts"
import * as AttacksOnPrelude from "./AttacksOnPrelude.ts"

export const attacks: ReadonlyArray<Attack> = [...AttacksOnLimits.attacks, ...AttacksOnPrelude.attacks]
