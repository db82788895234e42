/**
 * Counter: the smallest process that keeps something. `count` is an ordinary variable; it is there in the next turn
 * because a process's memory is its state.
 */
import { on, publish } from "heddle/guest"

let count = 0

on("Increment", (message) => {
  const by = Number(message.tags["By"] ?? 1)
  if (!Number.isSafeInteger(by)) throw new RangeError(`By takes a whole number, not ${message.tags["By"]}`)
  count += by
  publish("count", count)
  return count
})

on("Get", () => count)
