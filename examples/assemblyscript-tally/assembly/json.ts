/**
 * As much JSON as a process needs: a reader that goes through a text once, and a writer of texts.
 *
 * heddle writes its JSON without white space, and it is well formed, so the reader looks for neither.
 */

const quote: i32 = 0x22
const backslash: i32 = 0x5c

export class Reader {
  private at: i32 = 0

  constructor(private readonly json: string) {}

  /** Goes into an object or array. */
  enter(): void {
    this.at++
  }

  /** Whether there is another element or member; if there is none, goes out. */
  more(): bool {
    const code = this.json.charCodeAt(this.at)
    if (code == 0x2c) this.at++ // ,
    if (code != 0x5d && code != 0x7d) return true // ] }
    this.at++
    return false
  }

  /** The name of a member; its value comes next. */
  name(): string {
    const name = this.text()
    this.at++ // :
    return name
  }

  text(): string {
    let from = ++this.at
    let text = ""
    while (true) {
      const code = this.json.charCodeAt(this.at)
      if (code == quote) break
      if (code != backslash) {
        this.at++
        continue
      }
      text += this.json.substring(from, this.at) + this.escape()
      from = this.at
    }
    return text + this.json.substring(from, this.at++)
  }

  /** Digits, null, true or false, as they stand there. */
  word(): string {
    const from = this.at
    while (true) {
      const code = this.json.charCodeAt(this.at)
      if (code == 0x2c || code == 0x5d || code == 0x7d) return this.json.substring(from, this.at)
      this.at++
    }
  }

  /** Passes over a value. */
  skip(): void {
    const code = this.json.charCodeAt(this.at)
    if (code == quote) this.text()
    else if (code == 0x5b) {
      for (this.enter(); this.more();) this.skip()
    } else if (code == 0x7b) {
      for (this.enter(); this.more();) {
        this.name()
        this.skip()
      }
    } else this.word()
  }

  private escape(): string {
    const code = this.json.charCodeAt(this.at + 1)
    this.at += 2
    if (code == 0x62) return "\b"
    if (code == 0x66) return "\f"
    if (code == 0x6e) return "\n"
    if (code == 0x72) return "\r"
    if (code == 0x74) return "\t"
    if (code != 0x75) return String.fromCharCode(code)
    this.at += 4
    return String.fromCharCode(i32(parseInt(this.json.substring(this.at - 4, this.at), 16)))
  }
}

/** A text as JSON. */
export function quoted(text: string): string {
  let json = '"'
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code == quote || code == backslash) json += "\\" + text.charAt(i)
    else if (code < 0x20) json += "\\u00" + (code < 16 ? "0" : "1") + (code % 16).toString(16)
    else json += text.charAt(i)
  }
  return json + '"'
}
