/**
 * Chat room: remembers who joined and the last things said. People follow the log or read the `messages` view; who
 * joined with `Notify: yes`, as processes do, is sent every message.
 */
import { now, on, publish, send } from "heddle/guest"

interface Said {
  readonly from: string
  readonly name: string
  readonly text: string
  readonly at: number
}

const keptMax = 100
const members = new Map<string, { readonly name: string; readonly notify: boolean }>()
const messages: Array<Said> = []

on("Join", (message) => {
  const name = (message.tags["Name"] ?? "").trim().slice(0, 40)
  if (name === "") throw new TypeError("Join takes a Name")
  for (const [address, member] of members)
    if (member.name === name && address !== message.from) throw new Error(`${name} is taken`)
  members.set(message.from, { name, notify: message.tags["Notify"] === "yes" })
  publish(
    "members",
    [...members.values()].map((member) => member.name),
  )
  return { members: members.size }
})

on("Leave", (message) => {
  members.delete(message.from)
  publish(
    "members",
    [...members.values()].map((member) => member.name),
  )
})

on("Say", (message) => {
  const member = members.get(message.from)
  if (member === undefined) throw new Error("join first")
  const said = {
    from: message.from,
    name: member.name,
    text: (message.data ?? "").slice(0, 2_000),
    at: now(),
  }
  messages.push(said)
  if (messages.length > keptMax) messages.shift()
  publish("messages", messages)
  for (const [address, { notify }] of members)
    if (notify && address !== message.from) send(address, { action: "Said", data: said })
  return { said: messages.length }
})

on("History", (message) => messages.slice(-Number(message.tags["Last"] ?? keptMax)))
