/** What somebody types at the debugger, and what is made of it. */
import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import * as DebugLine from "../../node/cli/DebugLine.ts"

const read = (line: string): DebugLine.Command => Result.getOrThrow(DebugLine.parse(line))

const refused = (line: string): string =>
  Result.match(DebugLine.parse(line), {
    onSuccess: (command) => assert.fail(`${line} is read as ${command.name}`),
    onFailure: (why) => why,
  })

describe("a line typed at the debugger", () => {
  it.each([
    ["next", { name: "next", count: 1 }],
    ["n 3", { name: "next", count: 3 }],
    ["  b  12 ", { name: "back", count: 12 }],
    ["go 0", { name: "go", slot: 0 }],
    ["g 7", { name: "go", slot: 7 }],
    ["find Increment", { name: "find", action: "Increment" }],
    ["f two words", { name: "find", action: "two words" }],
    ["e a + b  // c", { name: "eval", expression: "a + b  // c" }],
    ["before count", { name: "before", expression: "count" }],
    ["v", { name: "views", view: undefined }],
    ["views a name", { name: "views", view: "a name" }],
    ["d 3", { name: "diff", from: 3, to: undefined }],
    ["diff 3 12", { name: "diff", from: 3, to: 12 }],
    ["w", { name: "where" }],
    ["m", { name: "message" }],
    ["o", { name: "outcome" }],
    ["c", { name: "console" }],
    ["p", { name: "pages" }],
    ["l", { name: "list" }],
    ["h", { name: "help" }],
    ["q", { name: "quit" }],
  ] as const)("is read by name or by letter: %s", (line, command) => {
    assert.deepStrictEqual(read(line), command)
  })

  it.each([
    ["nxt", "did you mean next?"],
    ["ev", "did you mean eval?"],
    ["EVAL 1", "did you mean eval?"],
    ["pagse", "did you mean pages?"],
    ["step", "help shows them all"],
    ["x".repeat(10_000), "help shows them all"],
  ])("that is no command is told the nearest one: %.20s", (line, says) => assert.include(refused(line), says))

  it.each([
    ["next two", "a number of turns"],
    ["back 0", "a number of turns"],
    ["go", "the number of a slot"],
    ["go -1", "the number of a slot"],
    ["go 1e3", "the number of a slot"],
    ["go 9999999999999999", "the number of a slot"],
    ["find", "takes an action"],
    ["eval", "an expression"],
    ["before ", "an expression"],
    ["diff", "one slot or two"],
    ["diff 1 x", "one slot or two"],
    ["diff 1 2 3", "one slot or two"],
    ["where now", "takes nothing"],
    ["quit now", "takes nothing"],
  ])("that lacks something is told what: %s", (line, says) => assert.include(refused(line), says))

  it("has a letter of its own for each command that has one", () => {
    const letters = DebugLine.names
      .map((name) => DebugLine.definitions[name].letter)
      .filter((one) => one !== "")
    assert.strictEqual(new Set(letters).size, letters.length)
    assert.notExists(letters.find((letter) => DebugLine.names.some((name) => name === letter)))
  })
})
