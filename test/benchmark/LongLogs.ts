/** LongLogs: data folders with a process that has a past, made in a process of its own so that nothing of it is warm. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

/** Makes the folder; gives the id of its one process, a counter with so many messages behind its spawn. */
export const make = async (folder: string, messages: number): Promise<string> => {
  const file = fileURLToPath(new URL("./LongLog.ts", import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [file, folder, String(messages)])
  return stdout
}
