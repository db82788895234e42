/**
 * Token: balances and transfers, with the tags of AO's token blueprint so that token tools work with it.
 *
 * Quantities are whole numbers of the smallest unit, as decimal text outside and BigInt inside. A turn that throws
 * leaves no trace, so a transfer happens as a whole or not at all.
 */
import { ask, type Message, on, process, publish, send, spawn } from "heddle/guest"

const balances = new Map<string, bigint>()
let ticker = "TKN"
let supply = 0n

const balanceOf = (account: string): bigint => balances.get(account) ?? 0n

const credit = (account: string, quantity: bigint): void => {
  const balance = balanceOf(account) + quantity
  if (balance === 0n) balances.delete(account)
  else balances.set(account, balance)
}

const quantityIn = (message: Message): bigint => {
  const text = message.tags["Quantity"] ?? ""
  if (!/^[1-9][0-9]{0,77}$/.test(text))
    throw new RangeError(`Quantity takes a whole number above 0, not "${text}"`)
  return BigInt(text)
}

const accountIn = (message: Message, tag: string): string => {
  const account = message.tags[tag] ?? ""
  if (!/^[A-Za-z0-9_-]{43}$/.test(account)) throw new TypeError(`${tag} takes an address of 43 characters`)
  return account
}

const publishSupply = (): void => publish("supply", supply.toString())

on("Spawn", (message) => {
  ticker = message.tags["Ticker"] ?? ticker
  supply = BigInt(message.tags["Supply"] ?? "0")
  credit(message.from, supply)
  publishSupply()
})

on("Info", () => ({
  Name: process.tags["Name"] ?? "Token",
  Ticker: ticker,
  Denomination: "0",
  Supply: supply.toString(),
}))

on("Balance", (message) => {
  const account = message.tags["Target"] ?? message.tags["Recipient"] ?? message.from
  return { Account: account, Balance: balanceOf(account).toString(), Ticker: ticker }
})

on("Balances", () =>
  Object.fromEntries([...balances].map(([account, balance]) => [account, balance.toString()])),
)

on("Transfer", (message) => {
  const recipient = accountIn(message, "Recipient")
  const quantity = quantityIn(message)
  const had = balanceOf(message.from)
  if (had < quantity)
    throw new RangeError(`Insufficient balance: ${message.from} has ${had}, not ${quantity}`)
  credit(message.from, -quantity)
  credit(recipient, quantity)
  if (message.tags["Cast"] === undefined) {
    const tags = { Quantity: quantity.toString(), Ticker: ticker }
    send(message.from, { action: "Debit-Notice", tags: { ...tags, Recipient: recipient } })
    send(recipient, { action: "Credit-Notice", tags: { ...tags, Sender: message.from } })
  }
  return { Quantity: quantity.toString(), Recipient: recipient, Balance: balanceOf(message.from).toString() }
})

on("Mint", (message) => {
  if (message.from !== process.owner) throw new Error("only the owner mints")
  const quantity = quantityIn(message)
  supply += quantity
  credit(message.from, quantity)
  publishSupply()
  return { Supply: supply.toString() }
})

/** Spawns an auditor from the module named in `Auditor-Module`, sends it the books in the same turn, awaits its word. */
on("Audit", async (message) => {
  const auditor = spawn(accountIn(message, "Auditor-Module"), { tags: { Name: `Auditor of ${ticker}` } })
  const books = [...balances].map(([account, balance]) => [account, balance.toString()])
  const verdict = await ask(auditor, { action: "Check", data: { supply: supply.toString(), books } })
  return { auditor, verdict }
})
