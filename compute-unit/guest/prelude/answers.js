/**
 * Messages and what becomes of them: each is answered at most once, and what is asked or slept for waits here until
 * its answer comes, in whatever later turn that is.
 */
export function answers(kit) {
  const {
    limits,
    read,
    parse,
    slice,
    apply,
    dictionary,
    quote,
    describe,
    json,
    copyInto,
    window,
    bytesOfText,
  } = kit
  const { turn, record, tag, protocolTags, emit } = kit
  const { Promise, Error, TypeError, Uint8Array } = globalThis

  /** The message for which the turn runs: the one it brings, or the one whose continuation it resumes. */
  let current
  /** Messages whose handlers have not ended, by id. */
  const open = dictionary()
  /** What is waited for, by the number that the answer will bear. */
  const waiting = dictionary()
  /** Number of the newest wait: it stands in the message, and comes back in the answer. None is given twice. */
  const references = { __proto__: null, newest: 0 }

  const tagOf = (tags, name) => {
    for (let i = 0; i < tags.length; i++) if (tags[i][0] === name) return tags[i][1]
    return undefined
  }

  /** What heddle's own `ask` sets is a number; what is far longer would not fit the tags of a reply. */
  const referenceOf = (message) => {
    const reference = message.fromProcess ? tagOf(message.tags, "Reference") : undefined
    return reference === undefined || reference.length > 64 ? undefined : reference
  }
  const originOf = (message) => ({
    __proto__: null,
    id: message.id,
    from: message.from,
    reference: referenceOf(message),
    answered: false,
  })
  const answer = (origin, text, error) => {
    if (origin.answered) return false
    if (origin.reference !== undefined) {
      const tags = protocolTags("Message", "Reply")
      tag(tags, "X-Reference", origin.reference)
      if (error !== undefined) tag(tags, "Error", apply(slice, error, [0, 1_000]))
      emit("message", origin.from, tags, text, 0)
    }
    record(
      "replies",
      '{"to":' +
        quote(origin.id) +
        "," +
        (error === undefined ? '"value"' : '"error"') +
        ":" +
        quote(text ?? error) +
        "}",
    )
    origin.answered = true
    delete open[origin.id]
    return true
  }
  /** Answers with a value; false where an answer was given before. */
  const reply = (origin, value) =>
    !origin.answered && answer(origin, json(value, "the reply to " + origin.id))
  const fail = (origin, error) => {
    delete open[origin.id]
    record("failed", '{"origin":' + quote(origin.id) + "," + describe(error) + "}")
  }
  /** Runs a handler to its end, in this turn or later ones. */
  const run = async (origin, handler, message) => {
    open[origin.id] = origin
    try {
      const value = await handler(message)
      delete open[origin.id]
      reply(origin, value)
    } catch (error) {
      fail(origin, error)
    }
  }

  class Message {
    id
    from
    target
    action
    tags = dictionary()
    tagList
    data
    slot = turn.slot
    timestamp = turn.timestamp
    #origin
    #bytes

    constructor(message, origin) {
      this.id = message.id
      this.from = message.from
      this.target = message.target
      this.action = message.action
      this.tagList = message.tags
      for (let i = 0; i < message.tags.length; i++) this.tags[message.tags[i][0]] ??= message.tags[i][1]
      this.#origin = origin
      if (message.data === null) this.#bytes = inputBytes(message.length)
      else this.data = message.data
    }

    bytes() {
      return this.#bytes === undefined ? bytesOfText(this.data) : new Uint8Array(this.#bytes)
    }

    json() {
      if (this.data === undefined) throw new TypeError("the data of message " + this.id + " is not text")
      return parse(this.data)
    }

    reply(value) {
      return reply(this.#origin, value)
    }

    static reply(message, value) {
      if (typeof message !== "object" || message === null || !(#origin in message))
        throw new TypeError("reply(message, value) takes a message that a handler was given")
      return reply(message.#origin, value)
    }
  }
  const inputBytes = (length) => {
    const bytes = new Uint8Array(length)
    for (let at = 0, size; at < length; at += size) {
      size = length - at < limits.ioBytes - 32 ? length - at : limits.ioBytes - 32
      read(at, 32, size)
      copyInto(bytes, window(32, size), at)
    }
    return bytes
  }

  /** Makes a message the one for which the turn runs. */
  const begun = (message) => (current = originOf(message))
  const dispatch = (message, handler) => {
    const origin = begun(message)
    if (typeof handler === "function") void run(origin, handler, new Message(message, origin))
    else if (handler !== undefined) fail(origin, handler)
  }

  // ---- waiting

  const wait = (n, kind, target) =>
    new Promise((resolve, reject) => {
      waiting[n] = { __proto__: null, kind, target, resolve, reject, origin: current }
    })
  /** The wait that a message ends, taken out; `null` where it ends none; `undefined` where it is not of that kind. */
  const takeWait = (message, self) => {
    if (!message.fromProcess) return undefined
    const timer = message.action === "Timer" && message.from === self
    if (!timer && message.action !== "Reply") return undefined
    const reference = tagOf(message.tags, "X-Reference")
    const found = reference === undefined ? undefined : waiting[reference]
    // Only who was asked can answer, and only time ends a sleep.
    if (found === undefined || (!timer && (found.kind !== "ask" || found.target !== message.from)))
      return null
    delete waiting[reference]
    return found
  }
  const settle = ({ kind, resolve, reject, origin }, message) => {
    current = origin
    if (message.action === "Timer") return kind === "sleep" ? resolve() : reject(new Error("ask timed out"))
    const error = tagOf(message.tags, "Error")
    if (error !== undefined) return reject(new Error(error))
    let value
    try {
      value = message.data === "" ? null : parse(message.data ?? "not text")
    } catch {
      return reject(new TypeError("the reply of " + message.from + " is not JSON"))
    }
    return resolve(value)
  }
  /** Answers with an error whoever would wait in vain for what a failed turn was doing. */
  const abandon = (message, failed, error, self) => {
    const wait = turn.slot === 0 ? undefined : takeWait(message, self)
    if (wait === undefined) answer(originOf(message), undefined, error)
    else if (wait !== null && wait.origin !== undefined) answer(wait.origin, undefined, error)
    for (let i = 0; i < failed.length; i++)
      if (open[failed[i]] !== undefined) answer(open[failed[i]], undefined, error)
  }

  return { Message, open, references, begun, answer, reply, fail, dispatch, wait, takeWait, settle, abandon }
}
