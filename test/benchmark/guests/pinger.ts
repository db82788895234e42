/** Pinger: asks another process n times, each time after it had the answer to the time before. */
import { ask, on } from "heddle/guest"

on("Start", async (message) => {
  const { other, times } = message.json() as { readonly other: string; readonly times: number }
  for (let i = 0; i < times; i++) await ask(other, { action: "Ping" })
  return times
})

on("Ping", () => null)
