import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const report = process.env["HEDDLE_TEST_REPORT"]

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    // Examples import the package by its name, as their readers will.
    alias: [
      { find: /^heddle$/, replacement: source("./node/index.ts") },
      { find: /^heddle\/guest$/, replacement: source("./compute-unit/guest/index.js") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // lmdb is a native addon: a process of its own for each file, so that none shares its state.
    pool: "forks",
    maxWorkers: 2,
    // As `SandboxWorkers` sets it, for the other threads too: each of them strips types in WASM (nodejs/node#66366).
    execArgv: ["--no-wasm-code-gc"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: 0,
    // A file for programs, asked for by `.ci/run`, which counts the tests in it.
    reporters: report === undefined ? ["default"] : ["default", "json"],
    ...(report === undefined ? {} : { outputFile: { json: report } }),
  },
})
