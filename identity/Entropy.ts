/**
 * Entropy: the one door through which secrets, anchors and nonces get their randomness. It is the operating
 * system's unless a test or a simulation puts a seeded one in its place.
 */
import crypto from "node:crypto"
import * as Context from "effect/Context"

export interface Entropy {
  /** Fresh unpredictable bytes. */
  readonly bytes: (length: number) => Uint8Array
}

export const Entropy = Context.Reference<Entropy>("heddle/Entropy", {
  defaultValue: () => ({ bytes: (length) => new Uint8Array(crypto.randomBytes(length)) }),
})
