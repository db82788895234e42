/**
 * JsonReader: JSON read in order, where a value that is passed on is passed on as it stands.
 *
 * To parse such a value and write it anew would change it: whole numbers over 2^53, the order of names, names that
 * stand twice, white space. So its text is taken as a piece of the whole. The whole is held against RFC 8259 first, to
 * the last character; what reads it then can rely on that.
 */

/** Arrays and objects within each other: deeper ones would take the stack of whoever reads them. */
export const nestingMax = 100

export class JsonInvalid extends Error {}

export type JsonKind = "object" | "array" | "text" | "number" | "boolean" | "null"

const invalid = (): never => {
  throw new JsonInvalid("the words are no JSON")
}

const quote = 0x22
const backslash = 0x5c
const escapes = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

export class JsonReader {
  readonly #text: string
  #at = 0

  /** Throws `JsonInvalid` unless `text` is one value of JSON. */
  constructor(text: string) {
    this.#text = text
    this.#space()
    this.#value(0)
    this.#space()
    if (this.#at < text.length) invalid()
    this.#at = 0
    this.#space()
  }

  /** Of the value that comes next. */
  get kind(): JsonKind {
    switch (this.#text[this.#at]) {
      case "{":
        return "object"
      case "[":
        return "array"
      case '"':
        return "text"
      case "t":
      case "f":
        return "boolean"
      case "n":
        return "null"
      default:
        return "number"
    }
  }

  /** Reads an object: `member` is called with each name, and reads the value that comes next. */
  object(member: (name: string) => void): void {
    this.#list("}", () => {
      const name = this.text()
      this.#space()
      this.#at++ // the colon
      this.#space()
      member(name)
    })
  }

  /** Reads an array: `element` is called for each value, and reads it. */
  array(element: (index: number) => void): void {
    this.#list("]", element)
  }

  text(): string {
    const json = this.raw()
    const inner = json.slice(1, -1)
    return inner.includes("\\") ? (JSON.parse(json) as string) : inner // a text, whose escapes have been checked
  }

  /** The text of any value. */
  raw(): string {
    const from = this.#at
    this.#value(0)
    return this.#text.slice(from, this.#at)
  }

  /** Reads the elements of what opens here and closes with `close`. */
  #list(close: "}" | "]", element: (index: number) => void): void {
    this.#at++
    this.#space()
    for (let index = 0; this.#text[this.#at] !== close; index++) {
      element(index)
      this.#space()
      if (this.#text[this.#at] === ",") this.#at++
      this.#space()
    }
    this.#at++
  }

  /** Passes over a value, and checks it. `depth` counts what it stands in. */
  #value(depth: number): void {
    switch (this.kind) {
      case "object":
      case "array":
        return this.#container(depth)
      case "text":
        return this.#string()
      case "boolean":
        return this.#word(this.#text[this.#at] === "t" ? "true" : "false")
      case "null":
        return this.#word("null")
      case "number":
        return this.#number()
    }
  }

  #container(depth: number): void {
    if (depth === nestingMax) throw new JsonInvalid(`the words are nested deeper than ${nestingMax}`)
    const text = this.#text
    const named = text[this.#at++] === "{"
    const close = named ? "}" : "]"
    this.#space()
    if (text[this.#at] === close) return void this.#at++
    for (;;) {
      if (named) {
        if (text.charCodeAt(this.#at) !== quote) invalid()
        this.#string()
        this.#space()
        this.#word(":")
        this.#space()
      }
      this.#value(depth + 1)
      this.#space()
      if (text[this.#at] !== ",") return this.#word(close)
      this.#at++
      this.#space()
    }
  }

  #string(): void {
    const text = this.#text
    let at = this.#at + 1
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === quote) break
      if (code === backslash) {
        escapes.lastIndex = at
        if (!escapes.test(text)) invalid()
        at = escapes.lastIndex
      } else if (code >= 0x20) at++
      else invalid() // a control character, or the end of the text, whose code is not a number
    }
    this.#at = at + 1
  }

  /** minus, whole part without leading zeros, fraction, exponent */
  #number(): void {
    const text = this.#text
    if (text[this.#at] === "-") this.#at++
    if (text[this.#at] === "0") this.#at++
    else this.#digits()
    if (text[this.#at] === ".") {
      this.#at++
      this.#digits()
    }
    if (text[this.#at] === "e" || text[this.#at] === "E") {
      this.#at++
      if (text[this.#at] === "+" || text[this.#at] === "-") this.#at++
      this.#digits()
    }
  }

  /** At least one. */
  #digits(): void {
    const from = this.#at
    for (let code = this.#code; code >= 0x30 && code <= 0x39; code = this.#code) this.#at++
    if (this.#at === from) invalid()
  }

  get #code(): number {
    return this.#text.charCodeAt(this.#at)
  }

  #word(word: string): void {
    if (!this.#text.startsWith(word, this.#at)) invalid()
    this.#at += word.length
  }

  #space(): void {
    for (let code = this.#code; code === 0x20 || (code >= 0x09 && code <= 0x0d); code = this.#code) {
      if (code === 0x0b || code === 0x0c) invalid()
      this.#at++
    }
  }
}
