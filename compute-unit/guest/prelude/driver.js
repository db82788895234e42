/**
 * What the host calls to drive a turn. Each takes its input as JSON and leaves behind what `end` then tells.
 */
export function driver(kit) {
  const { limits, parse, quote, describe, reseed, turn, begin, takeWait, dispatch, settle, abandon } = kit
  const { setSelf, selfId, handlerOf, leave, arrive, inspect } = kit

  const enter = (text) => {
    const input = parse(text)
    begin(input)
    reseed(input.seed)
    if (input.process !== null) setSelf(input.process)
    return input
  }
  return {
    turn: (text) => {
      const { message } = enter(text)
      const found = turn.slot === 0 ? undefined : takeWait(message, selfId())
      if (found === undefined) dispatch(message, handlerOf(message))
      else if (found !== null) settle(found, message)
    },
    /** Everything that the turn came to; empty where it is too large to leave. */
    end: () => {
      const { outbox, replies, views, failed, state } = turn
      const text =
        '{"outbox":[' +
        outbox +
        '],"replies":[' +
        replies +
        '],"views":[' +
        views +
        '],"failed":[' +
        failed +
        "]" +
        (state === "" ? "" : ',"state":' + quote(state)) +
        "}"
      turn.outbox = turn.replies = turn.views = turn.failed = turn.state = ""
      return text.length > limits.outputBytes ? "" : text
    },
    /** After a failed turn, with the memory of before it. */
    abandon: (text) => {
      const { message, failed, error } = enter(text)
      abandon(message, failed, "TurnFailed: " + error, selfId())
    },
    describe: (error) => "{" + describe(error) + "}",
    /** The half of an upgrade that the program before runs. */
    exportState: (text) => leave(enter(text).message),
    /** The half that the program after it runs, in the memory of its boot. */
    importState: (text) => {
      const { message, state } = enter(text)
      arrive(message, state)
    },
    /** On a copy of the memory that is thrown away. */
    inspect: (code) => {
      begin(turn)
      return inspect(code)
    },
  }
}
