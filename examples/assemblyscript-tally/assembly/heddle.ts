/** What passes between this process and heddle: the message that comes in, and what is said about it. */
import { quoted, Reader } from "./json"

/** A message, and what this process may need to know beside it. */
export class Message {
  slot: i32 = 0
  /** Proven: the address of a key, or the id of a process. */
  from: string = ""
  action: string = ""
  tags: Map<string, string> = new Map()
  /** Whoever spawned this process. */
  owner: string = ""
  /** The tags of the spawn. */
  spawnTags: Map<string, string> = new Map()

  constructor(json: string) {
    const reader = new Reader(json)
    for (reader.enter(); reader.more();) {
      const name = reader.name()
      if (name == "slot") this.slot = I32.parseInt(reader.word())
      else if (name == "process") this.readProcess(reader)
      else if (name == "message") this.readMessage(reader)
      else reader.skip()
    }
  }

  private readProcess(reader: Reader): void {
    for (reader.enter(); reader.more();) {
      const name = reader.name()
      if (name == "owner") this.owner = reader.text()
      else if (name == "tags") this.spawnTags = readTags(reader)
      else reader.skip()
    }
  }

  private readMessage(reader: Reader): void {
    for (reader.enter(); reader.more();) {
      const name = reader.name()
      if (name == "from") this.from = reader.text()
      else if (name == "action") this.action = reader.text()
      else if (name == "tags") this.tags = readTags(reader)
      else reader.skip()
    }
  }
}

/** The first value of each name. */
function readTags(reader: Reader): Map<string, string> {
  const tags = new Map<string, string>()
  for (reader.enter(); reader.more();) {
    reader.enter()
    const name = reader.text()
    reader.more()
    const value = reader.text()
    reader.more()
    if (!tags.has(name)) tags.set(name, value)
  }
  return tags
}

/** What is said at the end of a turn. Values are JSON. */
export class Output {
  private replies: string[] = []
  private views: string[] = []
  private outbox: string[] = []

  /** Answers the message of the turn. */
  reply(value: string): this {
    this.replies.push('{"value":' + value + "}")
    return this
  }

  publish(name: string, value: string): this {
    this.views.push('{"name":' + quoted(name) + ',"value":' + value + "}")
    return this
  }

  send(target: string, action: string): this {
    const to = '{"kind":"message","target":' + quoted(target)
    this.outbox.push(to + ',"action":' + quoted(action) + "}")
    return this
  }

  toString(): string {
    const lists = '{"replies":[' + this.replies.join(",") + '],"views":[' + this.views.join(",")
    return lists + '],"outbox":[' + this.outbox.join(",") + "]}"
  }
}

/** Fails the turn: memory is what it was before, and whoever sent the message reads the words. */
export function failed(words: string): string {
  return '{"error":' + quoted(words) + "}"
}

// Held in globals, where the garbage collector sees them: the host knows addresses only.
let input: ArrayBuffer = new ArrayBuffer(0)
let output: ArrayBuffer = new ArrayBuffer(0)

/** heddle asks for the place where it may put a message of so many bytes. */
export function alloc(length: i32): usize {
  input = new ArrayBuffer(length)
  return changetype<usize>(input)
}

export function messageAt(at: usize, length: i32): Message {
  return new Message(String.UTF8.decodeUnsafe(at, length))
}

/** Address << 32 | length of what is said. */
export function said(words: string): u64 {
  output = String.UTF8.encode(words)
  return (u64(changetype<usize>(output)) << 32) | output.byteLength
}

// What this file, heddle.ts, declares and does not have is imported from "heddle".
declare function log(level: i32, at: usize, length: i32): void

/** A line of the console: `heddle console` shows it. Levels: debug, log, info, warn, error. */
export function print(level: i32, text: string): void {
  const bytes = String.UTF8.encode(text)
  log(level, changetype<usize>(bytes), bytes.byteLength)
}

/** Called where the language throws: an index that is not there, a failed assertion, `throw`. Says where, and traps. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const what = message === null ? "abort" : message
  const where = file === null ? "?" : file
  print(4, what + " at " + where + ":" + line.toString() + ":" + column.toString())
  unreachable()
}
