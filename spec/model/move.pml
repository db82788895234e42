/*
 * Moving (spec 03 §10): a process goes from scheduler 0 to scheduler 1 by a hand-over, or to scheduler 2 by a takeover of
 * its owner through the archive, or both race. Scheduler 0 may be cut off, may crash, and may start from an old disk.
 *
 * The archive is one sequence that everyone reads in its order, some of it late. Position n says who schedules the process,
 * in which term, and how many slots are anchored, after the first n items that count; what does not count has no position.
 * Time is ticks: what has stood in the archive for a whole tick, every look shows.
 */

#define L 2 /* the lease in ticks */
#ifndef SLOTS
#define SLOTS 2
#endif
#define POSITIONS (2 * SLOTS + 3) /* the spawn's, a hand-over, a takeover, one a slot, of which a mutation loses some */

#ifdef MUTATE_WAITS_ONE_LEASE
#define WAIT L
#else
#define WAIT (2 * L)
#endif

/* The archive. */
byte last, seenByAll, seenSoon;      /* newest position; those that every look shows now, and from the next tick on */
byte term[POSITIONS], scheduler[POSITIONS], head[POSITIONS];
byte whose[SLOTS], termOf[SLOTS];    /* of an anchored slot: which content (0: none), and in which term it was given */

/* The schedulers: the slot that each gives next and the first that it has not sent to the archive (durable), the position
   that its newest look showed, ticks since that look. */
byte next[3], unsent[3], view[2], age[2];
bool moved, handing;                 /* of scheduler 0; durable, in memory */
byte life, anchoredAtStart;          /* of scheduler 0: 1 once it was started from an old disk; what every look shows then */
bool begun[3];

/* The hand-over and the takeover that were signed. */
bool handed, handoverAnchored;
byte handedHead;
bool said, takenOver;
byte takeoverTerm, namedHead, takenOverAt;
byte since;                          /* ticks since the takeover stands in the archive, as far as they matter */

/* What must never be. */
bool lost, twice, together, afterHandover, falselyAnchored;

#define content(x) (x == 0 -> 1 + life : 2 + x)
#define fresh(x) (age[x] <= L)

inline count(t, x, h) {
  lost = lost || h < head[last];
  term[last + 1] = t; scheduler[last + 1] = x; head[last + 1] = h; last++
}

/* A batch of one slot reaches the archive. It counts where its scheduler and its head are the newest there. */
inline anchor(x) {
  if
  :: scheduler[last] == x && head[last] == unsent[x] ->
       whose[unsent[x]] = content(x); termOf[unsent[x]] = term[last];
       count(term[last], x, unsent[x] + 1)
  :: else
  fi;
  unsent[x] = unsent[x] + 1
}

inline give(x, inTerm) {
  if
  :: next[x] < head[last] && termOf[next[x]] <= inTerm && (x != 0 || life == 0 || next[x] < anchoredAtStart) -> twice = true
  :: else
  fi;
  together = together || (x != 2 && begun[2]);
  afterHandover = afterHandover || (x == 0 && handed && life == 0);
  next[x] = next[x] + 1
}

/* A look shows some of what is in the archive, and all that has been there for long. Who saw the takeover looks no more. */
#define looks(x) \
  :: d_step { begun[x] && scheduler[view[x]] != 2 && age[x] > 0 -> \
       age[x] = 0; view[x] = (view[x] < seenByAll -> seenByAll : view[x]) } \
  :: d_step { begun[x] && scheduler[view[x]] != 2 && age[x] == 0 && view[x] < last -> view[x] = view[x] + 1 }

#ifdef MUTATE_IDLE_NEEDS_NO_LOOK
#define leased0 (fresh(0) || next[0] == head[view[0]])
#else
#define leased0 fresh(0)
#endif
#ifdef MUTATE_STARTS_FROM_OLD_DISK
#define caughtUp true
#else
#define caughtUp (next[0] >= head[view[0]])
#endif

active proctype scheduler0() {
  begun[0] = true;
end:
  do
  looks(0)
  :: d_step { !moved && !handing && leased0 && scheduler[view[0]] == 0 && caughtUp && next[0] < SLOTS -> give(0, 0) }
  :: d_step { unsent[0] < next[0] -> anchor(0) }
  :: d_step { life == 1 && fresh(0) && next[0] < head[view[0]] && scheduler[view[0]] == 0 ->
       next[0] = head[view[0]]; unsent[0] = next[0] }
#ifndef OLD_DISK
  /* hands the process over */
#ifdef MUTATE_HANDS_OVER_BEFORE_COMMIT
  :: d_step { life == 0 && !moved && !handed && scheduler[view[0]] == 0 -> handing = true; handed = true; handedHead = next[0] }
  :: d_step { handing -> handing = false; moved = true }
  :: d_step { handing -> handing = false }
#else
  :: d_step { life == 0 && !moved && !handed && scheduler[view[0]] == 0 -> moved = true }
  :: d_step { life == 0 && moved && !handed -> handed = true; handedHead = next[0] }
#endif
#else
  /* is started from a backup that has no slot */
  :: d_step { life == 0 && next[0] > 0 ->
       life = 1;
#ifdef LIMIT_START_KNOWS_ALL_THAT_IS_ANCHORED
       anchoredAtStart = head[last];
#else
       anchoredAtStart = head[seenByAll];
#endif
       next[0] = 0; unsent[0] = 0; moved = false; handing = false; view[0] = 0; age[0] = L + 1 }
#endif
  od
}

#ifndef OLD_DISK
active proctype scheduler1() {
end:
  do
  looks(1)
  :: d_step { handed && !begun[1] -> begun[1] = true; next[1] = handedHead; unsent[1] = handedHead }
  :: d_step { begun[1] && fresh(1) && scheduler[view[1]] != 2 && next[1] < SLOTS -> give(1, 1) }
  /* what it took over stands in the archive before the hand-over, and that before its own */
  :: d_step { handed && !handoverAnchored && scheduler[last] == 0 && term[last] == 0 && head[last] == handedHead ->
       handoverAnchored = true; count(1, 1, handedHead) }
  :: d_step { begun[1] && handoverAnchored && unsent[1] < next[1] -> anchor(1) }
  od
}
#endif

active proctype owner() {
end:
  do
  :: d_step { !said && !takenOver -> said = true; takeoverTerm = term[last] + 1; namedHead = head[last] }
  :: d_step { said && takeoverTerm == term[last] + 1 ->
       said = false; takenOver = true; takenOverAt = last + 1;
#ifdef MUTATE_CONTINUES_FROM_NAMED_HEAD
       count(takeoverTerm, 2, namedHead)
#else
       count(takeoverTerm, 2, head[last])
#endif
     }
  :: d_step { said && takeoverTerm != term[last] + 1 -> said = false }
  od
}

active proctype scheduler2() {
end:
  do
#ifdef MUTATE_WAITS_FOR_OLD_SCHEDULER
  :: d_step { takenOver && since >= WAIT && handed && !begun[2] ->
#else
  :: d_step { takenOver && since >= WAIT && !begun[2] ->
#endif
       begun[2] = true;
#ifdef MUTATE_BEGINS_AT_NAMED_HEAD
       next[2] = namedHead;
#else
       next[2] = head[takenOverAt];
#endif
       unsent[2] = next[2] }
  :: d_step { begun[2] && next[2] < SLOTS -> give(2, term[takenOverAt]) }
  :: d_step { begun[2] && unsent[2] < next[2] -> anchor(2) }
  od
}

/* A receipt says `anchored`, once for each slot. */
active proctype receipts() {
  byte slot;
end:
  do
#ifdef MUTATE_ANCHORED_IS_OWN_BATCH
  :: d_step { slot < unsent[0] && life == 0 ->
#else
  :: d_step { slot < head[view[0]] && slot < next[0] && life == 0 && whose[slot] == content(0) ->
#endif
       falselyAnchored = falselyAnchored || whose[slot] != content(0); slot++ }
  od
}

active proctype time() {
end:
  do
  :: d_step {
       seenByAll = seenSoon; seenSoon = last;
       age[0] = (age[0] > L -> age[0] : age[0] + 1);
       age[1] = (age[1] > L -> age[1] : age[1] + 1);
       since = ((takenOver && since < WAIT) -> since + 1 : since) }
  od
}

ltl r03_35_anchored_slot_stays { [] !lost }
ltl r03_36_anchored_slot_given_once { [] !twice }
ltl r03_37_old_term_is_silent { [] !together }
ltl r03_38_handed_over_is_over { [] !afterHandover }
ltl r03_39_anchored_receipt_holds { [] !falselyAnchored }
ltl r03_40_takeover_goes_on { [] (takenOver -> <> (head[last] == SLOTS)) } /* under weak fairness */
