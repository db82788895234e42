/**
 * What a turn has come to so far, and the outbox in particular.
 *
 * The content of each entry is written to the turn's output as it will be hashed, so that the host reads target,
 * tags and data from the bytes whose digest is in the entry's id:
 *
 *     16 "heddle/content/1" | u32 32 target | u32 0 (anchor) | u32 n tags | u32 n data
 */
export function outbox(kit) {
  const { limits, sha256, write, unwrite, digest, io, list, push, flat, putText, putU32, copyInto, window } =
    kit
  const {
    bytesOfText,
    byteLength,
    eachChunk,
    isBytes,
    bytesLength,
    eachPiece,
    putId,
    idAt,
    json,
    messageOf,
  } = kit
  const { TypeError, RangeError, Error, Uint8Array } = globalThis
  const { isArray } = Array
  const { keys } = Object

  /** The turn that runs. Records are JSON, joined by commas. */
  const turn = {
    __proto__: null,
    slot: -1,
    timestamp: 0,
    head: "",
    headSet: false,
    outbox: "",
    replies: "",
    views: "",
    failed: "",
    state: "",
    entries: 0,
    viewCount: 0,
    dataBytes: 0,
    outputBytes: 0,
  }
  const begin = ({ slot, timestamp, head }) => {
    turn.slot = slot
    turn.timestamp = timestamp
    turn.head = head
    turn.headSet = false
    turn.outbox = turn.replies = turn.views = turn.failed = turn.state = ""
    turn.entries = turn.viewCount = turn.dataBytes = turn.outputBytes = 0
  }
  const record = (kind, text) => void (turn[kind] = turn[kind] === "" ? text : turn[kind] + "," + text)

  // Tags are lists: name, value, name, value... Every list begins with the three of `protocolTags`.
  const tag = (tags, name, value) => {
    const kind = typeof value
    if (typeof name !== "string" || name === "")
      throw new TypeError("a tag's name is a text that is not empty")
    if (kind !== "string" && kind !== "number" && kind !== "boolean")
      throw new TypeError('tag "' + name + '" is a ' + kind + ", not a text")
    if (value === "") throw new TypeError('tag "' + name + '" is empty')
    push(tags, name)
    push(tags, "" + value)
  }
  const protocolTags = (type, action) => {
    const tags = list()
    push(tags, "Data-Protocol")
    push(tags, "ao")
    push(tags, "Type")
    push(tags, type)
    push(tags, "Variant")
    push(tags, "heddle.1")
    if (action !== undefined) tag(tags, "Action", action)
    return tags
  }
  /** Adds an author's tags, an object or an array of pairs. Those that stand there already are not theirs to set. */
  const addTags = (tags, given) => {
    if (given === undefined || given === null) return
    const fixed = tags.length
    const names = isArray(given) ? undefined : keys(given)
    const count = names === undefined ? given.length : names.length
    for (let i = 0; i < count; i++) {
      const name = names === undefined ? given[i][0] : names[i]
      for (let k = 0; k < fixed; k += 2)
        if (tags[k] === name) throw new TypeError('tag "' + name + '" is set by heddle')
      tag(tags, name, names === undefined ? given[i][1] : given[name])
    }
  }

  const tagsTooLong = () =>
    new RangeError("the tags of a message have at most " + limits.tagsBytes + " bytes")
  /** An avro string: its length as zigzag varint, then the text. */
  const putTagText = (text, at) => {
    if (text.length > limits.tagsBytes) throw tagsTooLong()
    const whole = flat(text)
    const length = putText(whole, 0, at + 1)
    if (length < 64) {
      io[at] = 2 * length
      return at + 1 + length
    }
    putText(whole, 0, at + 2)
    io[at] = (2 * length) | 128
    io[at + 1] = length >> 6
    return at + 2 + length
  }
  /** The first three tags as bytes, by type. */
  const protocolBytes = { __proto__: null }
  for (const type of ["Message", "Process"]) {
    const tags = protocolTags(type)
    let at = 64
    for (let i = 0; i < tags.length; i++) at = putTagText(tags[i], at)
    protocolBytes[type] = new Uint8Array(window(64, at - 64))
  }
  /** An avro array in one block: count, strings, 0. */
  const putTags = (tags, at) => {
    const count = tags.length / 2
    if (count > limits.tags)
      throw new RangeError("a message has at most " + limits.tags + " tags, not " + count)
    const from = at
    io[at++] = count < 64 ? 2 * count : (2 * count) | 128
    if (count >= 64) io[at++] = count >> 6
    const first = protocolBytes[tags[3]]
    copyInto(io, first, at)
    at += bytesLength(first)
    for (let i = 6; i < tags.length; i++) {
      at = putTagText(tags[i], at)
      if (at - from >= limits.tagsBytes) throw tagsTooLong()
    }
    io[at++] = 0
    return at
  }

  /** Refuses an entry that would break a limit of the turn. */
  const room = (length) => {
    if (turn.slot < 0) throw new Error("nothing can be sent or published while the module loads")
    if (turn.entries >= limits.entries)
      throw new RangeError("a turn emits at most " + limits.entries + " messages")
    if (length > limits.itemDataBytes)
      throw new RangeError("a message has at most " + limits.itemDataBytes + " bytes of data, not " + length)
    if (turn.dataBytes + length > limits.dataBytes)
      throw new RangeError("a turn emits at most " + limits.dataBytes + " bytes of data")
  }
  const contentDomain = bytesOfText("heddle/content/1")
  const contentDomainLength = contentDomain.length
  /**
   * Adds an entry; data is a text, bytes or undefined. Nothing is written before all of it is known to be good, and
   * where memory ends on the way, what was written is taken back: whoever catches that goes on with a whole outbox.
   */
  const emit = (kind, target, tags, data, due) => {
    const binary = isBytes(data)
    const length = data === undefined ? 0 : binary ? bytesLength(data) : byteLength(data)
    room(length)
    const from = 64
    io[from] = contentDomainLength
    copyInto(io, contentDomain, from + 1)
    let at = putU32(target === "" ? 0 : 32, from + 1 + contentDomainLength)
    if (target !== "") {
      if (!putId(target, at)) throw new TypeError('the target "' + messageOf(target) + '" is not an id')
      at += 32
    }
    at = putU32(0, at) + 4
    const tagsEnd = putTags(tags, at)
    putU32(tagsEnd - at, at - 4)
    const end = putU32(length, tagsEnd)
    write(from, end - from)
    const piece = (size) => write(32, size)
    try {
      if (binary) eachPiece(data, piece)
      else if (length > 0) eachChunk(data, piece)
      record("outbox", '{"kind":"' + kind + '","tags":' + tags.length / 2 + ',"due":' + due + "}")
    } catch (error) {
      unwrite(turn.outputBytes)
      throw error
    }
    turn.outputBytes += end - from + length
    turn.dataBytes += length
    turn.entries++
  }

  // The signature field of an outbox item: domain | source | head | u32 index | content hash.
  const outboxDomain = bytesOfText("heddle/outbox/1")
  const sourceAt = outboxDomain.length
  const headAt = sourceAt + 32
  const indexAt = headAt + 32
  const field = new Uint8Array(indexAt + 4 + 32)
  copyInto(field, outboxDomain, 0)
  const setField = (id, at) => {
    putId(id, 64)
    copyInto(field, window(64, 32), at)
  }
  const setSource = (id) => setField(id, sourceAt)
  /** `emit`, and the id that the entry will have. */
  const emitNamed = (kind, target, tags, data) => {
    const start = turn.outputBytes
    const index = turn.entries
    emit(kind, target, tags, data, 0)
    if (!turn.headSet) {
      setField(turn.head, headAt)
      turn.headSet = true
    }
    for (let i = 0; i < 4; i++) field[indexAt + i] = index >>> (8 * i)
    digest(start)
    copyInto(field, window(0, 32), indexAt + 4)
    copyInto(io, field, 64)
    sha256(64, indexAt + 36)
    return idAt(0)
  }
  const dataOf = (data) =>
    data === undefined || typeof data === "string" || isBytes(data) ? data : json(data, "the data")

  return { turn, begin, record, tag, protocolTags, addTags, room, emit, emitNamed, setSource, dataOf }
}
