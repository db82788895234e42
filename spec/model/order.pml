/*
 * Order (spec 03 §3-5): one scheduler gives slots to what callers send, with a crash or a failed commit between any two
 * steps: decide, sign, commit, answer.
 *
 * Callers send four submissions to two processes, each as often as they like. Submissions 0 and 1 have equal content: the
 * same words, signed twice. What is durable survives a crash, what left the machine can't be
 * taken back, everything else is lost.
 */

#define SUBMISSIONS 4
#define CONTENTS 3
#define PROCESSES 2
#define BATCH 2   /* submissions in a batch, at most */
#define BATCHES 3 /* as many as there are contents: a batch that gives no slot has no number */
#define NUMBERS (BATCHES + FAILURES)

#define TWICE 100 /* a slot that no content has: it got two */

#define contentOf(submission) (submission == 0 -> 0 : submission - 1)
#define processOf(content) (content == 2 -> 1 : 0)

#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef FAILURES
#define FAILURES 1
#endif

/* Durable. A slot, a number or a content that is not there is 0; one that is there is itself + 1. */
byte slotOf[CONTENTS];
typedef Log { byte length; byte slots[SUBMISSIONS] };
Log log[PROCESSES];
byte batches;
typedef Batch { byte number; byte root; byte previous };
Batch batch[BATCHES];

/* What left the machine. */
byte told[CONTENTS];     /* the slot of the first `accepted` */
byte repeated[CONTENTS]; /* the slot that the newest repeat was answered with */
byte receipt[NUMBERS];   /* the root under the first signature for this number */

/* Callers. */
bool waiting[SUBMISSIONS];

/* The scheduler's memory. */
byte next[PROCESSES], newest, lastRoot;
byte taken; /* submissions in the batch */
byte given[BATCH], slot[BATCH];
byte root;  /* names the batch by what is in it */
byte crashes, failures;

#define fresh(content) (slotOf[content] == 0 && (taken == 0 || given[0] != content + 1))

inline clear() { taken = 0; root = 0; given[0] = 0; given[1] = 0; slot[0] = 0; slot[1] = 0 }

inline start() {
  d_step {
    clear();
    next[0] = log[0].length; next[1] = log[1].length;
    newest = batches;
    lastRoot = (batches > 0 -> batch[batches - 1].root : 0);
#ifdef MUTATE_SLOT_BEFORE_AFTER_START
    next[0] = (log[0].length > 0 -> log[0].length - 1 : 0);
#endif
  }
}

inline tell(content, which) {
  told[content] = (told[content] == 0 -> which : told[content])
}

inline answer_repeat(content) {
#ifdef MUTATE_REPEAT_GETS_NEWEST_SLOT
  repeated[content] = log[processOf(content)].length
#else
  repeated[content] = slotOf[content]
#endif
}

inline decide(content) {
  if
#ifdef MUTATE_FORGETS_WITHIN_BATCH
  :: slotOf[content] == 0 ->
#else
  :: fresh(content) ->
#endif
    next[processOf(content)] = next[processOf(content)] + 1;
    given[taken] = content + 1;
    slot[taken] = next[processOf(content)];
    root = root * 4 + content + 1;
    taken++
  :: slotOf[content] != 0 -> answer_repeat(content)
  :: else -> skip /* the repeat of one in this batch: its caller asks again */
  fi
}

inline sign() {
  newest = newest + 1;
#ifdef MUTATE_ANSWER_BEFORE_COMMIT
  tell(given[0] - 1, slot[0]);
#endif
}

inline commit() {
  d_step {
    batch[batches].number = newest;
    batch[batches].root = root;
#ifdef MUTATE_BATCH_NAMES_NO_OTHER
    batch[batches].previous = 0;
#else
    batch[batches].previous = lastRoot;
#endif
    batches++;
    i = 0;
    do
    :: i < taken ->
      p = processOf((given[i] - 1));
      log[p].slots[log[p].length] = slot[i];
      log[p].length = log[p].length + 1;
      slotOf[given[i] - 1] = (slotOf[given[i] - 1] == 0 -> slot[i] : TWICE);
      i++
    :: else -> break
    od;
    lastRoot = root;
    i = 0; p = 0
  }
}

inline answer() {
  d_step {
    receipt[newest - 1] = (receipt[newest - 1] == 0 -> root : receipt[newest - 1]);
    i = 0;
    do
    :: i < taken -> tell((given[i] - 1), slot[i]); i++
    :: else -> break
    od;
    i = 0; clear()
  }
}

/* A signature whose commit failed is destroyed with the slots it named; its number and those slots are given again. */
inline give_up() {
  d_step {
#ifndef MUTATE_KEEPS_SLOTS_OF_FAILED
    next[0] = log[0].length; next[1] = log[1].length;
#endif
#ifndef MUTATE_KEEPS_NUMBER_OF_FAILED
    newest = batches;
#endif
#ifdef MUTATE_KEEPS_SIGNATURE_OF_FAILED
    receipt[newest] = root;
#endif
    clear()
  }
}

#define crash crashes < CRASHES -> crashes++; goto restart

active proctype scheduler() {
  byte i, p;
restart:
  start();
idle:
end:
  do
  :: atomic { taken < BATCH && waiting[0] -> waiting[0] = false; decide(contentOf(0)) }
  :: atomic { taken < BATCH && waiting[1] -> waiting[1] = false; decide(contentOf(1)) }
  :: atomic { taken < BATCH && waiting[2] -> waiting[2] = false; decide(contentOf(2)) }
  :: atomic { taken < BATCH && waiting[3] -> waiting[3] = false; decide(contentOf(3)) }
  :: atomic { taken > 0 -> sign() }; break
  :: atomic { crash }
  od;
  if
  :: atomic { failures < FAILURES -> failures++; give_up() }; goto idle
  :: commit()
  :: atomic { crash }
  fi;
  if
  :: answer()
  :: atomic { crash }
  fi;
  goto idle
}

active proctype callers() {
end:
  do
  :: atomic { !waiting[0] -> waiting[0] = true }
  :: atomic { !waiting[1] -> waiting[1] = true }
  :: atomic { !waiting[2] -> waiting[2] = true }
  :: atomic { !waiting[3] -> waiting[3] = true }
  od
}

/* For each of the few that there are. */
#define eachContent(holds) (holds(0) && holds(1) && holds(2))
#define eachNumber(holds) (holds(0) && holds(1) && holds(2) && holds(NUMBERS - 1))
#define eachProcess(holds) (holds(0) && holds(1))

#define inPlace(p, n) (n >= log[p].length || log[p].slots[n] == n + 1)
#define gapless(p) (inPlace(p, 0) && inPlace(p, 1) && inPlace(p, 2) && inPlace(p, 3))
#define toldIsDurable(content) (told[content] == 0 || slotOf[content] != 0)
#define isBatch(at, n) (at < batches && batch[at].number == n + 1 && batch[at].root == receipt[n])
#define receiptIsCommitted(n) (receipt[n] == 0 || isBatch(0, n) || isBatch(1, n) || isBatch(2, n))
#define inChain(n, before) (n >= batches || (batch[n].number == n + 1 && batch[n].previous == before))
#define repeatedAsTold(content) (repeated[content] == 0 || repeated[content] == slotOf[content])
#define onlyOnce(content) (slotOf[content] != TWICE)

ltl r03_1_slots_once_without_gap { [] eachProcess(gapless) }
ltl r03_4_answer_after_commit { [] eachContent(toldIsDurable) }
ltl r03_5_no_signature_without_commit { [] eachNumber(receiptIsCommitted) }
ltl r03_6_one_chain { [] (inChain(0, 0) && inChain(1, batch[0].root) && inChain(2, batch[1].root)) }
ltl r03_8_repeat_has_its_slot { [] eachContent(repeatedAsTold) }
ltl r03_20_item_has_one_slot { [] eachContent(onlyOnce) }
