/** What knex calls of npm's `sqlite3`, on Node's own SQLite. */
"use strict"

const { DatabaseSync } = require("node:sqlite")

exports.OPEN_READWRITE = 2
exports.OPEN_CREATE = 4

const bindable = (value) => {
  if (typeof value === "boolean") return Number(value)
  if (value instanceof Date) return value.getTime()
  if (value === undefined) return null
  // What it does not know it writes as text.
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value) ? String(value) : value
}

exports.Database = class Database {
  constructor(file, _flags, opened) {
    try {
      this.database = new DatabaseSync(file)
      setImmediate(() => opened(null))
    } catch (error) {
      setImmediate(() => opened(error))
    }
  }

  /** Calls back with `this` as sqlite3 does: what was changed, and the last row's number. */
  call(sql, bindings, done, run) {
    let answer
    try {
      answer = run(this.database.prepare(sql), (bindings ?? []).map(bindable))
    } catch (error) {
      setImmediate(() => done.call(this, error))
      return
    }
    const { rows, changes, lastInsertRowid } = answer
    setImmediate(() => done.call({ changes, lastID: lastInsertRowid }, null, rows))
  }

  run(sql, bindings, done) {
    this.call(sql, bindings, done, (statement, values) => statement.run(...values))
  }

  all(sql, bindings, done) {
    this.call(sql, bindings, done, (statement, values) => ({ rows: statement.all(...values) }))
  }

  close(done) {
    this.database.close()
    setImmediate(() => done(null))
  }
}
