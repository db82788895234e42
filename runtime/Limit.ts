/**
 * Every bound in heddle with its reason. A queue, loop, frame or retry takes its bound from here, and a test
 * sends the limit and one more. Units come last in the name.
 */
import { assignmentsPerCommitMax, batchBytesMax } from "./LimitOfMessages.ts"

export * from "./LimitOfArchive.ts"
export * from "./LimitOfMessages.ts"

/** Key of a store: LMDB's pages of 4 KiB hold two of 1,978 bytes. */
export const keyBytesMax = 1_024

/** Bytes that commits may share one flush with: a few of the largest batches, while the next ones wait. */
export const flushBytesMax = 4 * batchBytesMax

/**
 * Messages that a scheduler has in hand, from their arrival to their slot. Over it, callers are refused `overloaded` at
 * once, before anything is decoded or verified, and keep what they hold.
 */
export const submitQueueMax = 16_384

/**
 * Messages of peers that a node has in hand, from their arrival until their turn is over. One peer alone gets half of
 * them: as many as fill a batch, and a second or two of work for two cores, so that nobody waits long for what is accepted.
 */
export const peerMessagesMax = 2_048

/** Queries and proofs of views that a compute unit has in hand: each holds its process open and one place of a sandbox. */
export const questionsMax = 2_048

/** Modules that a compute unit has in hand: each is loaded once to see that it does, which takes up to a turn's time. */
export const modulesInHandMax = 128

/** Uploads that a scheduler has in hand: they are written one after the other. */
export const uploadsInHandMax = 128

/** Milliseconds in which somebody may send at once what a rate allows in them: programs work in bursts. */
export const rateBurstMs = 10_000

/** Buckets of one rate. Those that are full are forgotten, so as many can be less than full: 1 MiB. */
export const rateBucketsMax = 16_384

/** The highest rate that can be set, in messages a second: beyond it there is none. */
export const ratePerSecondMax = 100_000

/** Verifications or signatures waiting for a worker: as many as messages can wait. */
export const cryptoQueueMax = 2 * submitQueueMax

/** Outbox entries of one turn: a spawn bomb ends here, with the memory of before. */
export const outboxEntriesPerTurnMax = 1_024

/** UTF-16 units of the reason for which a message is given up: as long as an error that a process is answered. */
export const dropReasonLengthMax = 1_000

/** Bytes of all outbox data of one turn, and of its output. */
export const outputBytesPerTurnMax = 10 * 1024 * 1024

/** Console lines and bytes kept of one turn: enough to read, too little to fill a disk. */
export const consoleLinesPerTurnMax = 1_000
export const consoleBytesPerTurnMax = 64 * 1024

/** Fuel of one turn where the spawn names none: 0.1 to 0.25 s of a 2020s core. */
export const fuelPerTurnDefault = 1_000_000_000n

/** The least that a turn can do anything with: reading a message and answering takes about a third of it. */
export const fuelPerTurnMin = 1_000_000n

/** Fuel of a module while it loads, whatever the process's limit: its image is shared by all processes of it. */
export const fuelPerBootMax = 1_000_000_000n

/** The most that a spawn may ask for in its `Compute-Limit` tag: ten default turns. */
export const fuelPerTurnMax = 10_000_000_000n

/** Fuel of one dry run: a tenth of a turn, because nobody pays for it. */
export const fuelPerQueryMax = 100_000_000n

/** Fuel held back so that a failed turn can still answer its asker (spec 04 §5). */
export const fuelReserve = 10_000_000n

/** Guest memory in pages of 64 KiB: 64 MiB by default, 256 MiB (one Merkle tree of 4 KiB pages) at most. */
export const memoryPagesDefault = 1_024
export const memoryPagesMax = 4_096

/** The engine's own image at start, in pages of 64 KiB. */
export const memoryPagesMin = 90

/** Guest code of one module. */
export const moduleBytesMax = 4 * 1024 * 1024

/** Units whose signatures one outbox proof may carry: a committee, with room. */
export const witnessesPerProofMax = 64

/** One outbox proof: 64 witnesses of the largest parameter set, and its hashes. A log keeps what nobody looks at. */
export const proofBytesMax = 512 * 1024

/**
 * Characters of a file that proves something against a scheduler: a log of a hundred thousand small messages, or of ten
 * of the largest. Who checks one has it in memory more than once.
 */
export const proofFileCharsMax = 128 * 1024 * 1024

/** Timers a process can have pending; they live in its metadata, which every batch hashes. */
export const timersPendingMax = 10_000

/** Views a process can publish, and the bytes of one as JSON: they are read over the network by strangers. */
export const viewsMax = 1_000
export const viewBytesMax = 256 * 1024

/** Cron entries in one spawn, and the shortest and longest interval, in ms. */
export const cronEntriesMax = 16
export const cronIntervalMsMin = 1_000
export const cronIntervalMsMax = 366 * 86_400_000

/** A compute unit holds an assignment that is further than this ahead of its own clock, in ms. */
export const clockAheadMsMax = 60_000

/** Messages a receiver of one process evaluates in one call of the sandbox: keeps a busy process interruptible. */
export const turnsPerRunMax = 256

/** Assignments in one answer of a log reader; a longer log is read in pages. */
export const logPageMax = 1_000

/** Log states that a scheduler keeps in memory: those of the processes used last. */
export const logStatesMax = 16_384

/** Owners that a scheduler knows to be stored; of the others it writes the key once more. */
export const ownersKnownMax = 65_536

/**
 * Batches, and commits, that stay in memory as they were written, for those who follow closely; and bytes that one is
 * written as: the larger cost little to read beside what is done with them.
 */
export const recentCommitsMax = 16
export const recentCommitBytesMax = 256 * 1024

/** Batches whose trees a scheduler keeps: receipts are asked for soon, and by everyone who is in the batch. */
export const batchTreesMax = 16

/** Cron messages that a scheduler submits at once, and the longest time that it sleeps without a look at its clock. */
export const cronsPerRoundMax = assignmentsPerCommitMax
export const cronSleepMsMax = 60_000

/** Verified facts that a verifier remembers: (type, owner, bytes, signature). */
export const verifiedMemoryMax = 65_536

/** Imported public keys kept ready per scheme: a few kilobytes each, as many as callers come back often. */
export const publicKeysMax = 4_096

/** Requests and bytes in one frame to a signature worker, and frames it may hold: about 4 ms of work each. */
export const cryptoFrameRequestsMax = 16
export const cryptoFrameBytesMax = 1024 * 1024
export const cryptoFramesInFlightMax = 2

/** Items up to this size are remembered as verified; hashing a larger one costs more than it saves. */
export const verifiedItemBytesMax = 64 * 1024

/** Milliseconds after which an outbox entry that could not be delivered is tried again: first and longest. */
export const deliveryRetryMsMin = 100
export const deliveryRetryMsMax = 60_000

/**
 * Messages of a pair that wait for those before them: how far ahead of the last one, which is how many of a pair too; how
 * many in all, and their bytes. Whoever sends more than this in disorder sends again.
 */
export const pairsAheadMax = 64
export const earlyMessagesMax = 4_096
export const earlyMessagesBytesMax = 64 * 1024 * 1024

/** Milliseconds that one of them waits: what comes later than this is not on its way any more. */
export const earlyMessageMsMax = 1_000

/** Outbox entries in delivery at once. */
export const deliveriesInFlightMax = 1_024

/** Lanes that a messenger has in memory, a kilobyte each: more than are on their way at once, to hold up no other. */
export const lanesMax = 16_384

/** Entries of one pair in memory, and bytes of all: a pair that is on the move needs the next few of its entries. */
export const parcelsPerLaneMax = 256
export const parcelBytesInMemoryMax = 256 * 1024 * 1024

/** Undelivered entries shown at once, more than anybody reads; and ms that who retries them waits to hear of them. */
export const outboxShownMax = 1_000
export const retryAnswerMsMax = 2_000

/** Letters and bytes in one person's inbox, after which outboxes fill; and keys of strangers that have one, 160 MB. */
export const inboxLettersMax = 10_000
export const inboxBytesMax = 256 * 1024 * 1024
export const inboxesMax = 65_536

/** Bytes of one network frame: one batch and its envelope. */
export const frameBytesMax = 2 * batchBytesMax

/** Times in a row that a sandbox may be lost under one process before this node stops following that process. */
export const hostFaultsMax = 3

/** Milliseconds in which any one turn has ended: a hundred times what the largest limit takes on a slow machine. */
export const turnMsMax = 120_000

/** Deliveries after which a messenger writes down how far it has come: so many may be sent again after a crash. */
export const deliveriesPerCursorMax = 256

/** Processes whose turns a compute unit commits at once; with at most `turnsPerRunMax` groups each they fit one tree. */
export const processesPerCommitMax = 128

/** Processes whose turns a compute unit runs at once: those of two commits, so that one is run while one is written. */
export const processesRunningMax = 2 * processesPerCommitMax

/**
 * Turns and fuel after which a process gets a snapshot (spec 04 §8): what a restart has to do over at most. Fuel
 * stands for time, since it is the same on every machine: a 2020s core does 4 to 10 thousand million of it in a second.
 */
export const snapshotTurns = 1_000
export const snapshotFuel = 5_000_000_000n

/** Snapshots of a process whose bytes are kept: the one that a restart begins from, and one to fall back on. */
export const snapshotsKeptMax = 2

/** Bytes of a snapshot that are written in one commit: no other commit waits long behind a large one. */
export const snapshotPartBytesMax = 1024 * 1024

/** Memory of processes that are open in sandboxes, in MiB: two and a half thousand small ones. */
export const residentMibDefault = 512

/** What an open process takes beside its own pages, in bytes: its page hashes, its log's state, what allocators round up. */
export const residentOverheadBytes = 80 * 1024

/** Processes evicted at once: their snapshots share a flush. */
export const evictionsAtOnceMax = 32

/** Times that a process may ask for an engine while it is opened, before its sandbox is taken to lose them. */
export const enginesPerOpenMax = 64

/** Bytes of request bodies that a server holds at once, whoever sent them: a dozen of the largest items, or five uploads of data. */
export const requestBytesInFlightMax = 128 * 1024 * 1024

/** Bytes of a request that carries no item, module or data: an entry of the outbox, or the longest key as text. */
export const smallRequestBytesMax = 16 * 1024

/** Bytes of large answers, such as snapshots, that a server holds for those who are slow to take them. */
export const responseBytesInFlightMax = 256 * 1024 * 1024

/** Bytes of items or turns in one page of an HTTP answer; a page that would be larger has fewer entries. */
export const pageBytesMax = batchBytesMax

/** Milliseconds of silence after which a followed stream says that it is alive: proxies cut at a minute. */
export const followSilenceMsMax = 15_000

/** Times that a client sends the same item again where no answer came: about six seconds in all. */
export const sendRetriesMax = 6

/** Times that a client uploads what one message refers to: it is driven out again only where others upload much. */
export const uploadsPerMessageMax = 3

/** Connections of a server at once; one more is closed at once, before it costs anything. */
export const connectionsMax = 4_096

/** Milliseconds that a stopping node gives the requests it has, before it cuts them. */
export const stopMsMax = 5_000

// Calls between units over a network (spec 06)

/** ms that a server holds a request while there is no answer: often enough to tell a peer that is silent from one that is gone. */
export const answerHeldMsMax = 10_000

/** ms after which an attempt is given up: a request that was held, and a frame of the largest size both ways on a slow line. */
export const answerMsMax = answerHeldMsMax + 20_000

/** ms after which a call that got no answer is made again: first and longest. */
export const askRetryMsMin = 100
export const askRetryMsMax = 5_000

/** Bytes of an answer in one frame, beside what says of which answer they are. */
export const answerPartBytesMax = frameBytesMax - 64

/** Bytes of a whole answer: the largest snapshot, and what names it. */
export const answerBytesMax = 352 * 1024 * 1024

/** Requests of one peer that a server has under way: each process that a unit runs can wait for data, with room. */
export const requestsPerPeerMax = 1_024

/** Bytes after which an answer of several batches, commits or turns has no further one: two such fit one frame. */
export const answerPageBytes = batchBytesMax

/** Batches, commits or releases in one answer: the commits of a second or so. */
export const answerPageMax = 256

/** Processes in one list of a scheduler's: what fits a whole answer at 48 bytes each, with room. */
export const processesListedMax = 4_000_000

/** ms between two looks for an attestation that a unit has not made yet, and ms after which a quorum is waited for no longer. */
export const quorumPollMs = 250
export const quorumWaitMsMax = 30_000

/** How long a messenger waits for another scheduler before it goes on with other things; and for the next try. */
export const elsewhereMsMax = 5_000
