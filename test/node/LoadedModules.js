/** Loaded before a program: writes the URL of every module that it loads into the file named in the environment. */
import fs from "node:fs"
import module from "node:module"

const file = process.env.LOADED_MODULES_FILE

module.registerHooks({
  resolve: (specifier, context, next) => {
    const resolved = next(specifier, context)
    fs.appendFileSync(file, `${resolved.url}\n`)
    return resolved
  },
})
