/** Bounds of what is said and logged (`Limit.ts`): items, data that they refer to, batches. */

/** Item as a whole. Larger data travels by reference; ten mebibytes keep one item within one turn's memory. */
export const itemBytesMax = 10 * 1024 * 1024

/** Data that a client puts into an item: what is left beside the largest signature, owner and tags, with room. */
export const inlineDataBytesMax = itemBytesMax - 16 * 1024

/**
 * Data that a message refers to: it fits twice into a process's memory by default, as it comes and as the author's code
 * asks for it, beside what the engine takes itself. The archive takes more as one content.
 */
export const referencedBytesMax = 24 * 1024 * 1024

/**
 * Bytes and number of uploads that a scheduler keeps though no message refers to them yet: whoever uploads sends the
 * message next, so this is what strangers can fill, and eight of the largest can be on their way at once.
 */
export const unreferencedBytesMax = 8 * referencedBytesMax
export const unreferencedMax = 1_024

/** Bytes of one upload that are written in one commit: no message waits long behind a large one. */
export const dataPartBytesMax = 1024 * 1024

/** Referenced bytes that a reader of logs keeps by their hash: what many processes are told at once is read once. */
export const dataCacheBytesMax = 2 * referencedBytesMax

/** Referenced bytes that a compute unit hands to its sandboxes at once. */
export const dataInFlightBytesMax = 4 * referencedBytesMax

/** Tags of one item (ANS-104 §2.1). */
export const tagsMax = 128

/** Bytes of all tags of one item as encoded: arbundles' rule, which gateways apply. */
export const tagsBytesMax = 4_096

/** Assignments in one batch: places of one Merkle tree (spec 01 §6). */
export const assignmentsPerBatchMax = 65_536

/** Assignments that a scheduler commits at once: what one batch gives one process fits one page of its log. */
export const assignmentsPerCommitMax = 1_000

/** Item bytes in one batch: one store transaction and, later, one network frame must fit in memory many times. */
export const batchBytesMax = 16 * 1024 * 1024
