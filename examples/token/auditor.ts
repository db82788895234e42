/** Auditor: spawned by a token, adds up the books that its parent sends and publishes the verdict. */
import { on, publish } from "heddle/guest"

interface Books {
  readonly supply: string
  readonly books: ReadonlyArray<readonly [account: string, balance: string]>
}

let parent: string | undefined

on("Spawn", (message) => {
  parent = message.from
})

on("Check", (message) => {
  if (message.from !== parent) throw new Error("only my parent's books are checked here")
  const { supply, books } = message.json() as Books
  const sum = books.reduce((total, [, balance]) => total + BigInt(balance), 0n)
  const verdict = { accounts: books.length, sum: sum.toString(), balanced: sum === BigInt(supply) }
  publish("verdict", verdict)
  return verdict
})
