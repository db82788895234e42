/**
 * Tally: a vote, in AssemblyScript. Each voter has one voice and may change it; the owner closes the vote. Every new voter
 * is counted by another process too, if the spawn names one by `Turnout`.
 */
import { failed, Message, messageAt, Output, said } from "./heddle"
import { quoted } from "./json"

export { alloc } from "./heddle"

class Choice {
  voters: Set<string> = new Set()
  constructor(readonly name: string) {}
}

// The state: ordinary variables. They are there in the next turn because memory is the state.
const choices = new Map<string, Choice>()
const choiceOf = new Map<string, Choice>()
let open = true

/** heddle calls this for each message. */
export function handle(at: usize, length: i32): u64 {
  const message = messageAt(at, length)
  if (message.slot == 0) return said("") // the spawn
  if (message.action == "Vote") return said(vote(message))
  if (message.action == "Close") return said(close(message))
  if (message.action == "Result") return said(new Output().reply(result()).toString())
  return said(failed("this tally knows Vote, Close and Result"))
}

function vote(message: Message): string {
  if (!open) return failed("the vote is closed")
  if (!message.tags.has("Choice")) return failed("a Vote has a Choice")
  const name = message.tags.get("Choice")
  const before = choiceOf.has(message.from) ? choiceOf.get(message.from) : null
  if (before !== null) before.voters.delete(message.from)
  if (!choices.has(name)) choices.set(name, new Choice(name))
  const choice = choices.get(name)
  choice.voters.add(message.from)
  choiceOf.set(message.from, choice)
  const output = new Output().reply(result()).publish("result", result())
  const counted = before === null && message.spawnTags.has("Turnout")
  if (counted) output.send(message.spawnTags.get("Turnout"), "Increment")
  return output.toString()
}

function close(message: Message): string {
  // Whoever sends a message can write any tag. Who sends it is proven.
  if (message.from != message.owner) return failed("only the owner closes the vote")
  open = false
  return new Output().reply(result()).publish("closed", "true").toString()
}

/** {"tea":2,"coffee":1}, in the order of the first votes */
function result(): string {
  const members: string[] = []
  const all = choices.values()
  for (let i = 0; i < all.length; i++) members.push(quoted(all[i].name) + ":" + all[i].voters.size.toString())
  return "{" + members.join(",") + "}"
}
