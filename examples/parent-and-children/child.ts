/** Child: adds up a range of numbers for its parent, and for nobody else. */
import { on } from "heddle/guest"

let parent: string | undefined

on("Spawn", (message) => {
  parent = message.from
})

on("Sum", (message) => {
  if (message.from !== parent) throw new Error("I work for my parent only")
  let sum = 0
  for (let i = Number(message.tags["From"]); i <= Number(message.tags["To"]); i++) sum += i
  return sum
})
