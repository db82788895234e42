/**
 * For the debugger alone: evaluates what a person typed and says what came of it in words for a person. It runs on a
 * copy of the memory that is thrown away, so unlike the rest of the prelude it may call what the author overwrote.
 */
export function inspect({ apply, slice, quote, toText, messageOf, authorLines, callable }) {
  const { Error, SyntaxError, Map, Set, Date, RegExp, ArrayBuffer } = globalThis
  const { isArray, prototype: arrayPrototype } = Array
  const { getPrototypeOf, getOwnPropertyDescriptor, prototype: objectPrototype } = Object
  const { ownKeys } = Reflect
  const { eval: evaluateGlobally } = globalThis

  const depthMax = 4
  const entriesMax = 100
  const lettersMax = 10_000
  const lineMax = 76

  /** Evaluates where the module's own names are in sight. A bundle gives it; the first one is taken. */
  let evaluate
  const inspectWith = (given) => void (evaluate ??= callable(given, "what evaluates"))

  // ---- values as text

  /** Letters that may still be written: a large value is not formatted to be cut afterwards. */
  const budget = { left: 0 }
  const cut = (text, length) =>
    text.length > length ? apply(slice, text, [0, length]) + "... " + (text.length - length) + " more" : text
  const replaced = (text, from, to) => text.split(from).join(to)
  const isShort = (parts) => parts.every((part) => part.length <= 16 && !part.includes("\n"))
  /** Many short parts in lines of full length. */
  const filled = (parts) => {
    let text = ""
    let column = 0
    for (const [i, part] of parts.entries()) {
      if (i > 0) {
        const fits = column + part.length + 2 <= lineMax
        text += fits ? ", " : ",\n"
        column = fits ? column + 2 : 0
      }
      text += part
      column += part.length
    }
    return text
  }
  const enclosed = (head, opening, parts, closing) => {
    if (parts.length === 0) return head + opening + closing
    const line = parts.join(", ")
    const space = opening === "[" ? "" : " "
    if (head.length + line.length <= lineMax && !line.includes("\n"))
      return head + opening + space + line + space + closing
    const lines = opening === "[" && isShort(parts) ? filled(parts) : parts.join(",\n")
    return head + opening + "\n  " + replaced(lines, "\n", "\n  ") + "\n" + closing
  }

  /** Name of its class; empty for a plain object or array. */
  const className = (value) => {
    const prototype = getPrototypeOf(value)
    if (prototype === null) return "[no prototype]"
    if (prototype === objectPrototype || prototype === arrayPrototype) return ""
    const { constructor } = prototype
    return typeof constructor === "function" && typeof constructor.name === "string" ? constructor.name : ""
  }
  const functionText = (value) => {
    const source = toText(value)
    const name = value.name === "" ? "(anonymous)" : value.name
    return (apply(slice, source, [0, 6]) === "class " ? "class " : "function ") + name
  }
  const keyText = (key) => {
    if (typeof key === "symbol") return "[" + toText(key) + "]"
    return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key)
  }

  /** Some of the values that `step` gives, until it gives undefined, and how many are left out. */
  const some = (total, step) => {
    const parts = []
    for (let i = 0; i < total && i < entriesMax && budget.left > 0; i++) parts.push(step(i))
    if (parts.length < total) parts.push("... " + (total - parts.length) + " more")
    return parts
  }
  const fields = (value, keys, depth, path) =>
    some(keys.length, (i) => {
      const field = getOwnPropertyDescriptor(value, keys[i])
      const said = "get" in field ? "[accessor]" : format(field.value, depth + 1, path)
      return keyText(keys[i]) + ": " + said
    })
  const enumerable = (value, wanted) =>
    ownKeys(value).filter((key) => getOwnPropertyDescriptor(value, key)?.enumerable && wanted(key))
  const isIndex = (key) => typeof key === "string" && /^(0|[1-9]\d{0,9})$/.test(key)

  const listText = (value, head, depth, path) => {
    const parts = some(value.length, (i) => (i in value ? format(value[i], depth + 1, path) : "<empty>"))
    const more = fields(
      value,
      enumerable(value, (key) => !isIndex(key)),
      depth,
      path,
    )
    return enclosed(head, "[", parts.concat(more), "]")
  }
  const collectionText = (value, name, depth, path) => {
    const iterator = value.entries()
    const parts = some(value.size, () => {
      const [key, one] = iterator.next().value
      const said = format(key, depth + 1, path)
      return value instanceof Map ? said + " => " + format(one, depth + 1, path) : said
    })
    const kind = name || (value instanceof Map ? "Map" : "Set")
    return enclosed(kind + "(" + value.size + ") ", "{", parts, "}")
  }
  const objectText = (value, depth, path) => {
    if (value instanceof Error)
      return (toText(value) + "\n" + authorLines(toText(value.stack ?? ""))).trimEnd()
    if (value instanceof Date) return isNaN(value) ? "Invalid Date" : value.toISOString()
    if (value instanceof RegExp) return toText(value)
    const name = className(value)
    const head = name === "" ? "" : name + " "
    if (depth > depthMax) return "[" + (name === "" ? (isArray(value) ? "Array" : "Object") : name) + "]"
    if (isArray(value)) return listText(value, head, depth, path)
    if (ArrayBuffer.isView(value) && typeof value.length === "number")
      return listText(value, name + "(" + value.length + ") ", depth, path)
    if (value instanceof Map || value instanceof Set) return collectionText(value, name, depth, path)
    const keys = enumerable(value, () => true)
    return enclosed(head, "{", fields(value, keys, depth, path), "}")
  }
  const leafText = (value) => {
    switch (typeof value) {
      case "string":
        return cut(quote(value), lettersMax / 2)
      case "bigint":
        return toText(value) + "n"
      case "number":
        return value === 0 && 1 / value < 0 ? "-0" : toText(value)
      case "function":
        return functionText(value)
      default:
        return toText(value)
    }
  }
  /** `path` has the objects that `value` is in. */
  const format = (value, depth, path) => {
    if (budget.left <= 0) return "..."
    const whole = typeof value === "object" && value !== null
    if (whole && path.includes(value)) return "[circular]"
    const before = budget.left
    const said = whole ? objectText(value, depth, [...path, value]) : leafText(value)
    budget.left = before - said.length
    return said
  }

  // ---- evaluation

  const run = (code) => (evaluate === undefined ? evaluateGlobally(code) : evaluate(code))
  /** A text in braces is an object where it can be one, and a block where it can't. */
  const valueOf = (code) => {
    if (!/^\s*\{[^]*\}\s*$/.test(code)) return run(code)
    try {
      return run("(" + code + "\n)")
    } catch (error) {
      if (error instanceof SyntaxError) return run(code)
      throw error
    }
  }
  const nameOf = (error) => (typeof error.name === "string" && error.name !== "" ? error.name : "Error")

  const inspect = (code) => {
    budget.left = lettersMax
    let said
    try {
      said = format(valueOf(code), 0, [])
    } catch (error) {
      try {
        said =
          error instanceof Error
            ? "threw " + nameOf(error) + ": " + messageOf(error)
            : "threw " + format(error, 0, [])
      } catch {
        said = "threw a value that has no text"
      }
    }
    return replaced(cut(said, lettersMax), "\0", "\\0") // the host reads up to a zero
  }

  return { inspect, inspectWith }
}
