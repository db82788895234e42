/**
 * Text, bytes, ids and errors, for the rest of the prelude.
 *
 * Bytes pass through the buffer that guest and intrinsics share (`Intrinsic.ts`): text becomes bytes at io[32..],
 * answers of intrinsics stand at io[0..].
 */
export function text({ buffer, limits, utf8, fromId, toId }) {
  const { parse, stringify } = JSON
  const { apply } = Reflect
  const { getPrototypeOf, getOwnPropertyDescriptor } = Object
  // oxlint-disable-next-line typescript/unbound-method -- `apply` binds them at each call
  const { slice, indexOf } = String.prototype
  const { fromCharCode } = String
  const { Error, TypeError, InternalError, String: toText } = globalThis
  const U8 = Uint8Array
  const TypedArray = getPrototypeOf(U8.prototype)
  const { set } = TypedArray
  // oxlint-disable-next-line typescript/unbound-method -- `apply` binds them at each call
  const getter = (name) => getOwnPropertyDescriptor(TypedArray, name).get
  const [kindOf, bufferOf, offsetOf, lengthOf] = [Symbol.toStringTag, "buffer", "byteOffset", "length"].map(
    getter,
  )

  const io = new U8(buffer)
  const quote = (value) => stringify(value)
  const dictionary = () => ({ __proto__: null })
  const list = () => ({ __proto__: null, length: 0 })
  const push = (to, value) => void (to[to.length++] = value)

  const copyInto = (bytes, from, at) => void apply(set, bytes, [from, at])
  /** A view on the buffer; it stays within the prelude. */
  const window = (at, length) => new U8(buffer, at, length)
  const answer32 = (at) => io[at] | (io[at + 1] << 8) | (io[at + 2] << 16) | (io[at + 3] << 24)
  /** Concatenated strings are trees until they are sliced; intrinsics read flat ones. */
  const flat = (text) => apply(slice, text, [0])
  /** Writes UTF-8 into the buffer, as much as fits; says how many bytes, and `answer32(4)` where it stopped. */
  const putText = (text, from, at) => {
    utf8(text, from, at)
    return answer32(0)
  }
  const eachChunk = (text, visit) => {
    const whole = flat(text)
    for (let from = 0; from < whole.length; from = answer32(4)) visit(putText(whole, from, 32))
  }
  const byteLength = (text) => {
    let total = 0
    eachChunk(text, (length) => (total += length))
    return total
  }
  const bytesOfText = (text) => {
    const bytes = new U8(byteLength(text))
    let at = 0
    eachChunk(text, (length) => {
      copyInto(bytes, window(32, length), at)
      at += length
    })
    return bytes
  }
  const putU32 = (value, at) => {
    for (let i = 0; i < 4; i++) io[at + i] = value >>> (8 * i)
    return at + 4
  }

  /** Puts the 32 bytes of an id at `at`; false unless the text is one, spelled canonically. */
  const putId = (text, at) => {
    if (typeof text !== "string" || text.length !== 43) return false
    fromId(flat(text), at)
    return io[0] === 1
  }
  const letters = list()
  for (let code = 0; code < 128; code++) push(letters, fromCharCode(code))
  /** Text of the id whose 32 bytes stand at `at`. */
  const idAt = (at) => {
    toId(at)
    let text = ""
    for (let i = 0; i < 43; i++) text += letters[io[i]]
    return text
  }
  const isBytes = (value) =>
    typeof value === "object" && value !== null && apply(kindOf, value, []) === "Uint8Array"
  /** Visits a Uint8Array as pieces of the buffer at io[32..]. No piece holds on to what the author has. */
  const eachPiece = (bytes, visit) => {
    const held = apply(bufferOf, bytes, [])
    const offset = apply(offsetOf, bytes, [])
    const length = apply(lengthOf, bytes, [])
    for (let done = 0, size; done < length; done += size) {
      size = length - done < limits.ioBytes - 32 ? length - done : limits.ioBytes - 32
      copyInto(io, new U8(held, offset + done, size), 32)
      visit(size)
    }
  }
  const bytesLength = (bytes) => apply(lengthOf, bytes, [])

  const messageOf = (error) => {
    try {
      return typeof error === "object" && error !== null && "message" in error
        ? toText(error.message)
        : toText(error)
    } catch {
      return "an error that has no text"
    }
  }
  /** Lines of a stack that are the author's. */
  const authorLines = (stack) => {
    let lines = ""
    for (let from = 0, to; from < stack.length; from = to + 1) {
      to = apply(indexOf, stack, ["\n", from])
      if (to < 0) to = stack.length
      const line = apply(slice, stack, [from, to])
      if (apply(indexOf, line, ["prelude.js:"]) < 0 && line !== "") lines += line + "\n"
    }
    return lines
  }
  /** As much of an error as an outcome keeps for ever. */
  const nameLengthMax = 100
  const messageLengthMax = 1_000
  const stackLengthMax = 8_000
  const cut = (text, length) => apply(slice, text, [0, length])
  const describe = (error) => {
    const message = cut(messageOf(error), messageLengthMax)
    let name = ""
    let stack = ""
    let kind = "threw"
    try {
      if (error instanceof Error) {
        if (typeof error.name === "string") name = cut(error.name, nameLengthMax)
        if (typeof error.stack === "string") stack = authorLines(cut(error.stack, stackLengthMax))
      }
      if (error instanceof InternalError && (message === "out of memory" || message === "stack overflow"))
        kind = message
    } catch {} // a hostile error has no name
    return (
      '"name":' +
      quote(name) +
      ',"message":' +
      quote(message) +
      ',"stack":' +
      quote(stack) +
      ',"kind":' +
      quote(kind)
    )
  }
  const callable = (value, what) => {
    if (typeof value !== "function") throw new TypeError(what + " is a function, not a " + typeof value)
    return value
  }
  const json = (value, what) => {
    let text
    try {
      text = stringify(value === undefined ? null : value)
    } catch (error) {
      if (error instanceof InternalError) throw error
      throw new TypeError(what + " can't be written as JSON: " + messageOf(error))
    }
    if (text === undefined) throw new TypeError(what + " can't be written as JSON: it is a " + typeof value)
    return text
  }

  return {
    io,
    dictionary,
    list,
    push,
    quote,
    flat,
    slice,
    parse,
    apply,
    toText,
    putText,
    answer32,
    putU32,
    eachChunk,
    byteLength,
    bytesOfText,
    isBytes,
    bytesLength,
    eachPiece,
    copyInto,
    window,
    putId,
    idAt,
    messageOf,
    authorLines,
    describe,
    callable,
    json,
  }
}
