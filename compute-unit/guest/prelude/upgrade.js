/**
 * The two halves of an upgrade: what the program before hands over, and what the one after it takes.
 *
 * Memory does not go over, and with it go all handlers that have not ended: whoever waits for one of them is told.
 * Numbers of waits go on, so that an answer that comes late for the program before ends no wait of the one after it.
 */
export function upgrade(kit) {
  const { limits, parse, json, callable, turn, open, references, begun, answer, reply, fail } = kit
  const { Error, TypeError } = globalThis

  let exporter
  let importer
  const onExport = (given) => {
    if (exporter !== undefined) throw new Error("onExport was called before")
    exporter = callable(given, "what exports")
  }
  const onImport = (given) => {
    if (importer !== undefined) throw new Error("onImport was called before")
    importer = callable(given, "what imports")
  }
  /** JSON would make a promise an empty object. */
  const atOnce = (value, what) => {
    if (typeof value === "object" && value !== null && typeof value.then === "function")
      throw new TypeError(what + " must not wait")
    return value
  }

  const upgraded = "Upgraded: the process goes on as another program"
  /**
   * Half of a turn's entries are left to the program after this one, so that nobody keeps it from coming by asking
   * too often: who asked last is answered in the outcome alone.
   */
  const answersMax = limits.entries / 2

  /** Runs the exporter, answers who waits, and leaves in `turn.state` what the program after this one goes on from. */
  const leave = (message) => {
    const origin = begun(message)
    let value = "null"
    try {
      if (exporter !== undefined) value = json(atOnce(exporter(), "the export"), "the export")
    } catch (error) {
      return fail(origin, error)
    }
    for (const id in open) {
      if (turn.entries >= answersMax) open[id].reference = undefined
      answer(open[id], undefined, upgraded)
    }
    turn.state =
      '{"references":' +
      references.newest +
      ',"entries":' +
      turn.entries +
      ',"dataBytes":' +
      turn.dataBytes +
      ',"views":' +
      turn.viewCount +
      ',"exported":' +
      (exporter !== undefined) +
      ',"value":' +
      value +
      "}"
  }

  /** Goes on from there, and answers the message that asked for it. */
  const arrive = (message, text) => {
    const state = parse(text)
    references.newest = state.references
    turn.entries = state.entries
    turn.dataBytes = state.dataBytes
    turn.viewCount = state.views
    const origin = begun(message)
    try {
      if (importer !== undefined) atOnce(importer(state.exported ? state.value : undefined), "the import")
      else if (state.exported)
        throw new Error("this program has no onImport for what the one before it exported")
      reply(origin, null)
    } catch (error) {
      fail(origin, error)
    }
  }

  return { onExport, onImport, leave, arrive }
}
