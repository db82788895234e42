/**
 * Shop: awaits an answer from another process. The handler stops at `ask`; other turns run; when the token's reply
 * comes in a later turn it goes on, and only then is the customer answered.
 */
import { ask, on, process } from "heddle/guest"

interface Balance {
  readonly Balance: string
  readonly Ticker: string
}

on("Can-Afford", async (message) => {
  const token = process.tags["Token"] ?? ""
  const price = BigInt(message.tags["Price"] ?? "0")
  const { Balance, Ticker } = (await ask(token, {
    action: "Balance",
    tags: { Target: message.from },
  })) as Balance
  return { affordable: BigInt(Balance) >= price, balance: Balance, ticker: Ticker }
})
