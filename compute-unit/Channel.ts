/**
 * Channel: the bytes that pass between a turn and its host beside its message and its result: data that is no text on
 * the way in; content of the outbox and console lines on the way out. It is made anew for each turn.
 */
import * as Limit from "../runtime/Limit.ts"

export const levels = ["debug", "log", "info", "warn", "error"] as const

const noBytes = new Uint8Array(0)
const decoder = new TextDecoder()

export class Channel {
  readonly input: Uint8Array
  readonly console: Array<readonly [level: string, text: string]> = []
  #consoleBytes = 0
  #output = noBytes
  #length = 0

  constructor(input: Uint8Array) {
    this.input = input
  }

  get output(): Uint8Array {
    return this.#output.subarray(0, this.#length)
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#output.length) {
      const larger = new Uint8Array(Math.max(1_024, 2 * length))
      larger.set(this.output)
      this.#output = larger
    }
    this.#output.set(bytes, this.#length)
    this.#length = length
  }

  /** Takes back what was appended after the first `length` bytes; `length` is at most what is there. */
  cut(length: number): void {
    this.#length = length
  }

  /** Keeps a line while there is room, then says once that there is no more. */
  log(level: string, text: Uint8Array): void {
    if (
      this.console.length > Limit.consoleLinesPerTurnMax ||
      this.#consoleBytes > Limit.consoleBytesPerTurnMax
    )
      return
    this.#consoleBytes += text.length
    const full =
      this.console.length === Limit.consoleLinesPerTurnMax ||
      this.#consoleBytes > Limit.consoleBytesPerTurnMax
    this.console.push(
      full ? ["warn", "console cut: this turn wrote more than is kept"] : [level, decoder.decode(text)],
    )
  }
}
