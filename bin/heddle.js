#!/usr/bin/env node
/**
 * The door. Plain JavaScript that any Node since 18 can read: it finds a Node that can run heddle, then the
 * command line, which is TypeScript in a checkout and JavaScript in the published package.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import module, { createRequire } from "node:module"
import { constants } from "node:os"
import { dirname, join } from "node:path"

/** `node:crypto` has ML-DSA and files of TypeScript run as they are from this version on. */
const majorMin = 24

/** In the environment of the second start: a Node that is too old as well must not start a third. */
const started = "HEDDLE_NODE_STARTED"

/** The Node that `npm install` puts into a checkout, if there is one. */
const findNode = () => {
  try {
    const home = dirname(createRequire(import.meta.url).resolve("node/package.json"))
    const binary = join(home, "bin", process.platform === "win32" ? "node.exe" : "node")
    return existsSync(binary) ? binary : undefined
  } catch {
    return undefined
  }
}

const runWith = (binary) => {
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  const env = { ...process.env, [started]: "1" }
  let child
  // Before the start: a signal that found no one listening would end this one and leave the other running.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // A terminal sends Ctrl-C to the whole process group: passed on, the child would get it twice.
    const heard = terminal && signal !== "SIGTERM"
    process.on(signal, () => heard || child.kill(signal))
  }
  child = spawn(binary, process.argv.slice(1), { stdio: "inherit", env })
  child.on("error", (error) => {
    process.stderr.write(`heddle: ${binary} does not start: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
  })
}

const major = Number(process.versions.node.split(".", 1)[0])

if (major >= majorMin) {
  // Stripped and compiled code is kept between runs: most of the start is spent there otherwise.
  module.enableCompileCache?.()
  const main = new URL("../node/cli/main.ts", import.meta.url)
  await import(existsSync(main) ? main.href : new URL("../node/cli/main.js", import.meta.url).href)
} else {
  const binary = process.env[started] === undefined ? findNode() : undefined
  if (binary === undefined) {
    process.stderr.write(
      `heddle needs Node ${majorMin} or later; this is Node ${process.versions.node}. ` +
        `Install it from https://nodejs.org, or run \`npm install\` in a checkout, which brings its own.\n`,
    )
    process.exitCode = 1
  } else {
    runWith(binary)
  }
}
