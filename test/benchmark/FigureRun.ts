/** Runs one figure for its parent: progress and the result go back as messages. */
import { figures, type Name, type Result, type Setting } from "./Figure.ts"

export interface Request extends Omit<Setting, "progress"> {
  readonly name: Name
}

export type Said = { readonly progress: string } | { readonly result: Result }

const say = (said: Said) => process.send?.(said)

const run = async ({ name, ...setting }: Request): Promise<void> => {
  const { figure } = await figures[name]()
  say({ result: await figure({ ...setting, progress: (progress) => say({ progress }) }) })
  process.disconnect()
}

// What is thrown ends the process, which tells the parent that the figure is broken.
process.once("message", (request: Request) => void run(request))
process.on("disconnect", () => process.exit())
