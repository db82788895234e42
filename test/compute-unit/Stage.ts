/**
 * Stage: a process under test, without log, signatures or network: the script boots, and each message is one turn
 * whose slot, time, head and seed follow from the one before.
 */
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Id from "../../runtime/Id.ts"
import * as Engine from "../../compute-unit/Engine.ts"
import * as Turn from "../../compute-unit/Turn.ts"

/** The id that a name stands for in tests. */
export const id = (name: string): Id.Id => Id.fromBytes(Hash.sha256(Bytes.fromText(name)))

export const limits: Turn.Limits = { fuel: 200_000_000n, memoryPagesMax: 256 }

export const boot = (script: string, within: Turn.Limits = limits): Turn.BootImage => {
  const result = Turn.boot(Engine.load(), Bytes.fromText(script), within)
  if (result._tag === "ModuleInvalid") throw new Error(`${result.message} (${result.line}:${result.column})`)
  return result.image
}

export interface Sent {
  readonly action?: string
  readonly from?: string
  /** Whether `from` names a process. */
  readonly process?: boolean
  readonly tags?: ReadonlyArray<readonly [string, string]>
  readonly data?: string | Uint8Array
  /** ms after the last message. */
  readonly after?: number
}

export class Stage {
  readonly machine: Turn.Machine
  readonly memory: Turn.Memory
  readonly self: Id.Id
  limits: Turn.Limits
  slot = -1
  timestamp = Date.UTC(2030, 0, 2, 3, 4, 5)

  constructor(
    script: string | Turn.Memory,
    options: { machine?: Turn.Machine; name?: string; limits?: Turn.Limits } = {},
  ) {
    this.limits = options.limits ?? limits
    this.machine = options.machine ?? new Turn.Machine()
    this.memory = typeof script === "string" ? new Turn.Memory(boot(script, this.limits)) : script
    this.self = id(options.name ?? "process")
  }

  get root(): string {
    return Bytes.toHex(this.memory.root())
  }

  head(slot: number): Uint8Array {
    return Hash.sha256(Bytes.fromText(`${this.self} head ${slot}`))
  }

  input({ action = "", from = "ada", process = false, tags = [], data = "" }: Sent): Turn.TurnInput {
    const { slot, self, timestamp } = this
    const tagged = action === "" ? tags : [["Action", action] as const, ...tags]
    const bytes = typeof data === "string" ? Bytes.fromText(data) : data
    const who = { id: self, owner: id("ada"), module: id("module"), scheduler: id("scheduler") }
    return {
      slot,
      timestamp,
      head: Id.fromBytes(this.head(slot)),
      seed: Hash.sha256(Bytes.fromText(`${self} seed ${slot}`)),
      process: {
        ...who,
        tags: [
          ["Name", "test"],
          ["Name", "stage"],
        ],
      },
      message: {
        id: slot === 0 ? self : id(`${self} message ${slot}`),
        from: from === "self" ? self : id(from),
        fromProcess: process || from === "self",
        target: self,
        action,
        tags: tagged,
        data: bytes,
      },
    }
  }

  /** The next message as one turn; before the first, the process is spawned. */
  turn(sent: Sent | string = {}): Turn.TurnResult {
    if (this.slot < 0) this.spawn()
    return this.next(typeof sent === "string" ? { action: sent } : sent)
  }

  spawn(sent: Sent = {}): Turn.TurnResult {
    return this.next(sent)
  }

  next(sent: Sent): Turn.TurnResult {
    this.slot++
    this.timestamp += sent.after ?? 1
    return this.machine.turn(this.memory, this.input(sent), this.limits)
  }

  done(sent?: Sent | string): Turn.Done {
    const result = this.turn(sent)
    if (result._tag === "Failed") throw new Error(`${result.reason}: ${result.message}\n${result.stack}`)
    return result
  }

  failed(sent?: Sent | string): Turn.Failed {
    const result = this.turn(sent)
    if (result._tag === "Done")
      throw new Error(
        `done, with ${result.emission.outbox.length} outbox entries, ${JSON.stringify(result.emission.replies)}`,
      )
    return result
  }

  /** What the message is answered with in its own turn. */
  value(sent?: Sent | string): unknown {
    const { replies } = this.done(sent).emission
    const [reply] = replies
    if (replies.length !== 1 || reply === undefined || "error" in reply)
      throw new Error(JSON.stringify(replies))
    return JSON.parse(reply.value)
  }
}
