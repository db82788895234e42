/** The command that shows what processes said to a person, each letter checked here before it is said whom it is from. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as InboxReader from "../../messenger-unit/InboxReader.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import type * as Id from "../../runtime/Id.ts"
import * as Caller from "./Caller.ts"
import * as Screen from "./Screen.ts"

/** Letters of which it is not shown who wrote them. */
export class LettersNotProven extends Data.TaggedError("LettersNotProven")<{ readonly letters: number }> {
  override get message(): string {
    return `${this.letters} of the letters are not proven to be from whom they say; do not act on them`
  }
}

export interface InboxInput extends Caller.Input {
  readonly address: Id.Address | undefined
  readonly as: string | undefined
  readonly from: number
  readonly follow: boolean
}

const textWidth = 60
const pageLetters = 100

/** A letter as the JSON output has it; what it says only where it is seen to be so. */
const value = ({ number, at, letter, problem }: InboxReader.Received) => ({
  number,
  at,
  proven: letter !== undefined,
  problem,
  from: letter?.from,
  slot: letter?.slot,
  pair: letter?.pair,
  id: letter?.id,
  action: letter?.action,
  tags: letter?.tags,
  data: letter?.data,
  units: letter?.units,
})

const said = ({ action = "", data }: NonNullable<InboxReader.Received["letter"]>): string =>
  `${Screen.short(action, 24)}  ${Screen.short(Bytes.toText(data) ?? `${data.length} bytes`, textWidth)}`

const line = ({ number, at, letter, problem = "" }: InboxReader.Received): string => {
  const place = `${String(number).padStart(6)}  ${Screen.time(at)}`
  return letter === undefined
    ? `${place}  ${Screen.styled("red", Screen.short(problem, 2 * textWidth))}`
    : `${place}  From ${letter.from}  ${said(letter)}`
}

/** Reads letters; one's own inbox is opened where the node does not know the key yet. */
const read = Effect.fnUntraced(function* (input: InboxInput, address: Id.Address) {
  const letters = InboxReader.inbox(address, { from: input.from, limit: pageLetters }, Caller.retries)
  if (input.address !== undefined) return yield* letters
  return yield* Effect.catchTag(letters, "InboxUnknown", () =>
    Effect.andThen(Effect.flatMap(Caller.identity(input, input.as), InboxReader.openInbox), letters),
  )
})

const follow = Effect.fnUntraced(function* (
  input: InboxInput,
  address: Id.Address,
  first: ReadonlyArray<InboxReader.Received>,
) {
  let { from } = input
  for (
    let letters = first;
    ;
    letters = yield* InboxReader.inbox(address, { from, limit: pageLetters, wait: true })
  ) {
    for (const one of letters) yield* Screen.print(input.json ? Screen.json(value(one)) : line(one))
    from += letters.length
  }
})

const list = Effect.fnUntraced(function* (input: InboxInput, letters: ReadonlyArray<InboxReader.Received>) {
  yield* Screen.show(input.json, letters.map(value), () =>
    letters.length === 0 ? `no letter from ${input.from} on` : letters.map(line).join("\n"),
  )
  const proven = letters.filter(({ letter }) => letter !== undefined).length
  if (proven > 0 && !input.json)
    yield* Screen.note(
      `${proven} checked here: the turn that wrote it is signed by a compute unit that the process's own spawn names`,
    )
  if (letters.length === pageLetters && !input.json)
    yield* Screen.note(`more: --from ${input.from + pageLetters}`)
  const others = letters.length - proven
  if (others > 0) yield* new LettersNotProven({ letters: others })
})

export const inbox = (input: InboxInput) =>
  Effect.gen(function* () {
    if (input.address !== undefined && input.as !== undefined)
      return yield* new Caller.WrongUsage({
        detail: "an address or --as, not both: each says whose inbox it is",
        help: "heddle inbox --help",
      })
    const address = input.address ?? (yield* Caller.address(input, input.as))
    return yield* Caller.connected(input, () =>
      Effect.gen(function* () {
        const letters = yield* read(input, address)
        return yield* input.follow ? follow(input, address, letters) : list(input, letters)
      }),
    )
  })
