/** The command that shows which settings are in force and who set them. */
import * as Effect from "effect/Effect"
import * as Settings from "../Settings.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

export const config = (input: Caller.Input) =>
  Effect.gen(function* () {
    const { list } = yield* Caller.settings(input)
    yield* Screen.show(input.json, list, () =>
      Screen.table(
        ["setting", "value", "from", "what it is"].map((title) => ({ title })),
        list.map(({ name, value, source }) => [
          name,
          String(value),
          source,
          Settings.definitions[name].description,
        ]),
        (cell, column) => (column === 3 ? Screen.styled("dim", cell) : cell),
      ),
    )
  })
