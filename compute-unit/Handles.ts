/**
 * Handles: where the host finds its way in guest memory. They are fixed at boot and equal for all processes of one
 * module; part of what decides a process's future, so its metadata commits to them.
 */
import * as Bytes from "../runtime/Bytes.ts"
import * as Hash from "../runtime/Hash.ts"

const names = [
  "runtime",
  "context",
  "io",
  "scratch",
  "turn",
  "end",
  "abandon",
  "describe",
  "exportState",
  "importState",
  "inspect",
] as const

/**
 * Addresses. `io` is the buffer shared with intrinsics; `scratch` 16 bytes for the context that a job ran in and for
 * the one argument of a call; the others are functions of the prelude.
 */
export type Handles = { readonly [Name in (typeof names)[number]]: number }

/** As the metadata commits to them; empty where no guest is driven by any. */
export const handleBytes = (handles: Handles | undefined): Uint8Array =>
  handles === undefined
    ? Bytes.empty
    : Hash.layout("handles", ...names.map((name) => Bytes.u32(handles[name])))
