/**
 * Parent: splits a sum over children, asks them side by side and adds up what they answer. A child is a process of
 * its own, with its own log; the parent knows its id in the turn that spawns it.
 */
import { ask, on, process, publish, sleep, spawn } from "heddle/guest"

const children: Array<string> = []

on("Spawn", (message) => {
  const module = process.tags["Child-Module"]
  if (module === undefined) throw new TypeError("the spawn takes a Child-Module tag")
  const count = Number(message.tags["Children"] ?? 2)
  for (let i = 0; i < count; i++) children.push(spawn(module, { tags: { Name: `Child ${i + 1}` } }))
  publish("children", children)
})

on("Children", () => children)

/** Sums 1 to `To`, a share a child. */
on("Sum", async (message) => {
  const to = Number(message.tags["To"] ?? 0)
  const share = Math.ceil(to / children.length)
  const asks = children.map((child, i) =>
    ask(child, {
      action: "Sum",
      tags: { From: String(i * share + 1), To: String(Math.min((i + 1) * share, to)) },
    }),
  )
  const sums = (await Promise.all(asks)) as Array<number>
  return { sums, total: sums.reduce((total, sum) => total + sum, 0) }
})

/** Answers after a while: the turn ends, a timer brings the process back. */
on("Later", async (message) => {
  await sleep(Number(message.tags["Ms"] ?? 1_000))
  return "later"
})
