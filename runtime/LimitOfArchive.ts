/** Bounds of the archive (`Limit.ts`, spec 07). */
import * as Messages from "./LimitOfMessages.ts"

/** Contents of one type that a reader of an archive holds: the one that is read, the next, and one to look back. */
export const archiveContentsHeldMax = 3

/** Compressed bytes of one part of a content: with tags, owner and signature it is an item, with room. */
export const archivePartBytesMax = 8 * 1024 * 1024

/** A content before compression: four of the largest batches. A reader holds one content in memory at a time. */
export const archiveContentBytesMax = 4 * Messages.batchBytesMax

/** A snapshot as a content: 256 MiB of memory that nothing compresses, and every view and counter. */
export const archiveSnapshotBytesMax = 336 * 1024 * 1024

/** Parts of one content: the largest snapshot where compression only adds to it. */
export const archivePartsMax = 43

/** Window of a compressed content as a power of two: 128 MiB, the most that decompressors take unasked. */
export const archiveWindowLogMax = 27

/** Bytes of one piece of an archive: a part of 8 MiB with its tags and signature, and what carries it, are one item. */
export const archivePieceBytesMax = Messages.itemBytesMax - 8 * 1024

/** Bytes of one bundle: it is in memory three times while it is sent (as it is, carried, as chunks). */
export const archiveBundleBytesMax = 64 * 1024 * 1024

/** Pieces of one bundle: each is signed for at 5 ms a piece before the bundle can go. */
export const archivePiecesMax = 1_024

/** Bytes of one transaction's data: a bundle, and what carries its pieces. */
export const archiveTransactionBytesMax = archiveBundleBytesMax + archivePiecesMax * 8 * 1024

/** Bytes of all tags of one transaction, names and values (Arweave's rule). */
export const transactionTagsBytesMax = 2_048

/** Blocks after its anchor in which a transaction can be mined (Arweave's rule). */
export const anchorBlocksMax = 50

/** Blocks that a fork may take back: a transfer is given up only that much later, since two would be paid twice. */
export const forkBlocksMax = 10

/** Times that all gateways of an archive are asked the same, one after the other. */
export const gatewayRoundsMax = 4

/** Milliseconds of waiting between two such rounds: first and longest. */
export const gatewayRetryMsMin = 500
export const gatewayRetryMsMax = 30_000

/** Milliseconds in which a gateway answers, from the question to the last byte. */
export const gatewayAnswerMsMax = 60_000

/** Bytes of one answer of a gateway that is not data: a page of 100 results with 4,096 bytes of tags each, as JSON. */
export const gatewayAnswerBytesMax = 4 * 1024 * 1024

/** Results in one page of a gateway's index (what gateways allow). */
export const gatewayPageMax = 100

/** Pages of one search in one gateway's index: one that never ends is a wrong answer, and 200,000 results are enough. */
export const gatewayPagesMax = 2_000

/** Transactions whose verified heads an archive remembers, and transfers whose progress it does. */
export const archiveHeadsMax = 1_024

/** Bytes of a release with its outcomes as a content: with what is gathered before it, still one. */
export const archiveReleaseBytesMax = 48 * 1024 * 1024

/** What an item takes in a bundle beside itself (ANS-104 §2.2): size and id. */
export const bundleEntryBytes = 64

/** Bytes of items, proofs and outcomes after which a bundle is closed, and ms after which a smaller one is. */
export const archiveGatherBytes = 4 * 1024 * 1024
export const archiveGatherMs = 60_000

/** ms between two milliseconds in which a bundle is made: it takes a fifth of one thread, while it is not behind. */
export const archivePauseMs = 4

/** Bytes of bundles that wait in the store: over it no more are made, and the log itself is what waits. */
export const archiveWaitingBytesMax = 4 * archiveBundleBytesMax

/** ms between two looks at bundles that are sent and not confirmed: half of what a block of Arweave takes. */
export const archivePollMs = 60_000

/** ms after which an archive that failed is tried again: first and longest. */
export const archiveRetryMsMin = 1_000
export const archiveRetryMsMax = 60_000

/** Snapshots of a process after which its newest is archived: what a restore has to run at most, ten seconds or so. */
export const archiveSnapshotEvery = 10

/** Bytes of snapshots in one bundle; a process that finds no room has its turn with the next. */
export const archiveSnapshotsPerBundleBytes = 16 * 1024 * 1024

/** Characters of a transaction's head as JSON: key, signature, and tags of 2,048 bytes with all that JSON adds to them. */
export const gatewayHeadBytesMax = 16 * 1024
/**
 * ms that a scheduler assigns while its oldest batch is not confirmed in the archive: a transaction that is mined in the
 * tenth block after it takes 20 to 40 minutes to count, and one that gets lost is sent again and takes as long.
 */
export const leaseMs = 2 * 60 * 60 * 1_000

/** Blocks on a bundle, its own included, before it counts: as many as a fork may take back. */
export const archiveConfirmations = forkBlocksMax

/** The same while somebody waits for a bundle to be confirmed. */
export const archiveFlushPollMs = 1_000
