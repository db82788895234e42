/**
 * `heddle/guest`: what a process imports. The prelude made all of it before the author's script runs.
 */
export const {
  on,
  onMessage,
  send,
  ask,
  reply,
  spawn,
  sleep,
  publish,
  process,
  now,
  console,
  hash,
  verify,
  toBase64Url,
  fromBase64Url,
  onExport,
  onImport,
} = globalThis.heddle
