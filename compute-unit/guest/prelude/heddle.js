/**
 * What the author calls: `heddle` and `console`.
 */
export function heddle(kit) {
  const { log, slice, apply, toText, list, dictionary, quote, flat, putText, byteLength } = kit
  const {
    limits,
    messageOf,
    authorLines,
    json,
    callable,
    Message,
    references,
    wait,
    library,
    onExport,
    onImport,
    inspectWith,
  } = kit
  const { turn, record, tag, protocolTags, addTags, room, emit, emitNamed, setSource, dataOf } = kit
  const { Error, TypeError, RangeError, Number: toNumber } = globalThis
  const { stringify } = JSON
  const { freeze, defineProperty } = Object
  const { isFinite, isSafeInteger } = Number
  const { ceil } = Math

  /** Who this process is; known from the spawn message on. */
  let self

  // ---- handlers

  const handlers = dictionary()
  let actions = ""
  let fallback
  const on = (action, handler) => {
    if (typeof action !== "string" || action === "")
      throw new TypeError("an action is a text that is not empty")
    const listed = action !== "Spawn" && action !== "Cron"
    if (listed && handlers[action] === undefined) actions = actions === "" ? action : actions + ", " + action
    handlers[action] = callable(handler, "a handler")
  }
  const onMessage = (handler) => void (fallback = callable(handler, "a handler"))
  /**
   * A handler, an error that says that there is none, or nothing for a spawn that nobody wants to see. Only slot 0 is
   * a spawn and only time sends `Cron`, so that no caller passes for either.
   */
  const handlerOf = ({ action, fromProcess, from }) => {
    const reserved = action === "Spawn" || (action === "Cron" && !(fromProcess && from === self?.id))
    const found = turn.slot === 0 ? handlers.Spawn : ((reserved ? undefined : handlers[action]) ?? fallback)
    if (found !== undefined || turn.slot === 0) return found
    const handled = actions === "" ? "this process handles none" : "this process handles: " + actions
    return new Error('no handler for action "' + action + '"; ' + handled)
  }

  // ---- messages, spawns, time

  const units = { __proto__: null, ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  const isNumeral = (character) => character === "." || (character >= "0" && character <= "9")
  const milliseconds = (duration) => {
    let value = duration
    if (typeof duration === "string") {
      let end = 0
      while (end < duration.length && isNumeral(duration[end])) end++
      value =
        end === 0 ? NaN : toNumber(apply(slice, duration, [0, end])) * units[apply(slice, duration, [end])]
    }
    if (
      typeof value !== "number" ||
      !isFinite(value) ||
      value < 0 ||
      !isSafeInteger(turn.timestamp + ceil(value))
    )
      throw new TypeError(
        '"' + messageOf(duration) + '" is not a duration: give ms, or "500ms", "30s", "2m", "1h", "1d"',
      )
    return ceil(value)
  }
  const setTimer = (n, duration) => {
    const tags = protocolTags("Message", "Timer")
    tag(tags, "X-Reference", n)
    emit("timer", self.id, tags, undefined, turn.timestamp + duration)
  }

  const send = (target, { action, tags: given, data } = {}) => {
    const tags = protocolTags("Message", action)
    addTags(tags, given)
    return emitNamed("message", target, tags, dataOf(data))
  }
  const ask = (target, { action, tags: given, data } = {}, { timeout } = {}) => {
    const duration = timeout === undefined ? undefined : milliseconds(timeout)
    const tags = protocolTags("Message", action)
    tag(tags, "Reference", references.newest + 1)
    addTags(tags, given)
    emit("message", target, tags, dataOf(data), 0)
    const n = ++references.newest
    if (duration !== undefined) setTimer(n, duration)
    return wait(n, "ask", target)
  }
  const sleep = (duration) => {
    const length = milliseconds(duration)
    room(0)
    const n = ++references.newest
    setTimer(n, length)
    return wait(n, "sleep", self.id)
  }
  const spawn = (module, { action, tags: given, data } = {}) => {
    room(0)
    const own = list()
    addTags(own, given)
    let named = false
    for (let i = 0; i < own.length; i += 2) if (own[i] === "Scheduler") named = true
    const tags = protocolTags("Process", action)
    tag(tags, "Module", module)
    if (!named) tag(tags, "Scheduler", self.scheduler)
    addTags(tags, given)
    return emitNamed("spawn", "", tags, dataOf(data))
  }
  const publish = (name, value) => {
    room(0)
    if (typeof name !== "string" || name === "")
      throw new TypeError("a view's name is a text that is not empty")
    if (turn.viewCount >= limits.views)
      throw new RangeError("a turn publishes at most " + limits.views + " views")
    const text = value === null || value === undefined ? null : json(value, 'view "' + name + '"')
    if (text !== null && byteLength(text) > limits.viewBytes)
      throw new RangeError("a view has at most " + limits.viewBytes + " bytes as JSON")
    turn.viewCount++
    record("views", '{"name":' + quote(name) + ',"value":' + (text === null ? "null" : quote(text)) + "}")
  }

  const process = {}
  for (const name of ["id", "owner", "module", "scheduler", "tags"]) {
    const get = () => {
      if (self === undefined) throw new Error("process." + name + " is not known while the module loads")
      return self[name]
    }
    defineProperty(process, name, { get, enumerable: true })
  }

  // ---- console

  const printed = (value) => {
    if (typeof value === "string") return value
    try {
      if (value instanceof Error) return toText(value) + "\n" + authorLines(toText(value.stack))
      return (typeof value === "object" ? stringify(value) : undefined) ?? toText(value)
    } catch {
      return "a value that has no text"
    }
  }
  const line =
    (level) =>
    (...values) => {
      let text = ""
      for (let i = 0; i < values.length; i++) text += (i === 0 ? "" : " ") + printed(values[i])
      log(level, 32, putText(flat(text), 0, 32))
    }
  const console = freeze({ debug: line(0), log: line(1), info: line(2), warn: line(3), error: line(4) })

  freeze(process)
  freeze(Message.prototype)
  const now = () => turn.timestamp
  const { hash, verify, toBase64Url, fromBase64Url } = library
  const { reply } = Message
  const api = {
    on,
    onMessage,
    send,
    ask,
    reply,
    spawn,
    sleep,
    publish,
    process,
    now,
    console,
    hash,
    verify,
    toBase64Url,
    fromBase64Url,
    onExport,
    onImport,
    inspectWith,
  }
  defineProperty(globalThis, "heddle", { value: freeze(api) })
  defineProperty(globalThis, "console", { value: console, writable: true, configurable: true })

  const setSelf = (process) => {
    const tags = dictionary()
    for (let i = 0; i < process.tags.length; i++) tags[process.tags[i][0]] ??= process.tags[i][1]
    process.tags = freeze(tags)
    self = process
    setSource(self.id)
  }
  return { setSelf, selfId: () => self?.id, handlerOf }
}
