/*
 * Delivery (spec 05 §1-3): a process A emits two messages to B and one to C; A's messenger carries them to the schedulers
 * of their targets over a network that loses, repeats and reorders, while either side crashes between any two steps.
 *
 *     release 0    B1 (to B, pair 1)    C1 (to C, pair 1)
 *     release 1    B2 (to B, pair 2)
 *     release 2    the void of B1, where A's owner drops it
 *
 * B may refuse B1 for good, and C may never be there. With -DMOVES there is neither drop nor refusal. Instead B is taken
 * over while its newest slots are not anchored (spec 03 §10), and so is A, whose second turn then emits B2x as pair 2.
 */

#define B1 0
#define C1 1
#define B2 2
#define B2x 3
#define VOID 4
#define ENTRIES 5
#define nothing 9

#define pairOf(entry) ((entry == B2 || entry == B2x) -> 2 : 1)
#define releaseOf(entry) (entry == VOID -> 2 : ((entry == B2 || entry == B2x) -> 1 : 0))
/* B1 and its void are repeats of each other (spec 03 §4). */
#define same(a, b) (a == b || (pairOf(a) == 1 && pairOf(b) == 1))

#ifndef FAULTS
#define FAULTS 2 /* crashes of either side, copies lost, copies that arrive again: so many in all */
#endif
byte faults;

/* Why an entry waits, and what a scheduler answers. */
mtype = { none, slot, refused, outOfOrder, forked, silent }

/* A and its messenger. Durable: the releases that are committed, the cursor, the table of what is kept, the term of B that
   the messenger knows of. */
byte turns, cursor, termSeen;
bool kept[ENTRIES];
bool drops, dropped; /* A's owner drops B1 if it can; it is dropped */
bool forkedPast;
/* In memory: the next release, the lane to B with entry + 1 in the order in which they were taken, and how it fares. */
byte received;
byte lane[2];
bool asVoid; /* B1 goes as its void */
byte asked = nothing;
bool done;
mtype waits = none;
bool laneC; /* C1 is in its lane; nothing else of C is a subject here */
#define second (forkedPast -> B2x : B2)
#define inLane(entry) (lane[0] == entry + 1 || lane[1] == entry + 1)

/* The network: copies on their way, and the answer to what was asked last. */
bool net[ENTRIES];
mtype reply = none;
byte replyTerm;

/* B's scheduler. Durable: its log, as far as it is of A, and how much of that is anchored. In memory: what was given a slot
   that is not committed. */
#define LOG 3
byte length, log[LOG], anchored, term;
byte hand = nothing;
bool poison; /* B refuses B1 for good */
bool cThere, cLogged;

/* What was seen from outside. */
bool escaped;  /* something was sent that no commit holds */
bool believed; /* in this term of B the messenger heard that B2x has a slot */

#ifdef MUTATE_RELEASES_BEFORE_COMMIT
bool running; /* a turn that is not committed is shown */
#define released (turns + running)
#else
#define released turns
#endif

/* Releases of which something is neither delivered nor kept. */
#define open0 (received > 0 && ((inLane(B1) && !kept[B1]) || (laneC && !kept[C1])))
#define open1 (received > 1 && ((inLane(B2) && !kept[B2]) || (inLane(B2x) && !kept[B2x])))
#define open2 (received > 2 && inLane(B1) && asVoid && !kept[VOID])
#ifdef MUTATE_CURSOR_PASSES_OPEN
#define oldestOpen received
#else
#define oldestOpen (open0 -> 0 : (open1 -> 1 : (open2 -> 2 : received)))
#endif

inline push(entry) {
  if
  :: lane[0] == 0 -> lane[0] = entry + 1
  :: else -> lane[1] = entry + 1
  fi
}

inline take(entry) {
  if
  :: kept[entry] || inLane(entry) -> skip
  :: else -> push(entry)
  fi
}

inline pop() { lane[0] = lane[1]; lane[1] = 0; done = false }

inline hear_no_more() { asked = nothing; reply = none; replyTerm = 0 }

inline start_again() {
#ifdef MUTATE_RELEASES_BEFORE_COMMIT
  running = false;
#endif
  received = cursor;
  lane[0] = 0; lane[1] = 0; laneC = kept[C1]; asVoid = kept[VOID];
  done = false; waits = none; hear_no_more();
  if :: kept[B1] -> push(B1) :: else fi;
  if :: kept[second] -> push(second) :: else fi
}

/* A's compute unit. Of a turn that is not committed nobody knows. */
active proctype A() {
#ifndef MOVES
  if :: drops = true :: skip fi;
#endif
end:
  do
#ifdef MUTATE_RELEASES_BEFORE_COMMIT
  :: d_step { turns < 2 && !running -> running = true }
  :: d_step { running -> running = false; turns++ }
#else
  :: d_step { turns < 2 -> turns++ }
#endif
#ifndef MOVES
  /* the slot of the drop */
  :: d_step { turns == 2 && drops && !dropped && inLane(B1) -> dropped = true; turns = 3 }
#endif
  od
}

active proctype messenger() {
end:
  do
  /* takes the next release */
  :: d_step { received == 0 && released > 0 -> take(B1); laneC = true; received = 1 }
  :: d_step { received == 1 && released > 1 -> take(second); received = 2 }
  :: d_step { received == 2 && released > 2 -> asVoid = inLane(B1); received = 3 }

  /* keeps what a lane has, in its order */
#ifdef MUTATE_KEEPS_LATER_FIRST
  :: d_step { lane[1] != 0 && !kept[lane[1] - 1] -> kept[lane[1] - 1] = true }
  :: d_step { lane[0] != 0 && lane[1] == 0 && !kept[lane[0] - 1] -> kept[lane[0] - 1] = true }
#else
  :: d_step { lane[0] != 0 && !kept[lane[0] - 1] -> kept[lane[0] - 1] = true }
  :: d_step { lane[1] != 0 && kept[lane[0] - 1] && !kept[lane[1] - 1] -> kept[lane[1] - 1] = true }
#endif
  :: d_step { asVoid && kept[B1] && !kept[VOID] -> kept[VOID] = true }
  :: d_step { laneC && !kept[C1] -> kept[C1] = true }

  /* writes the cursor down */
  :: d_step { cursor != oldestOpen -> cursor = oldestOpen }

  /* sends the first of the lane, and again where neither it nor its answer is on the way any more */
#ifdef MUTATE_LANES_WAIT_FOR_EACH_OTHER
  :: d_step { lane[0] != 0 && asked == nothing && waits == none && !done && (!laneC || cThere) ->
#else
  :: d_step { lane[0] != 0 && asked == nothing && waits == none && !done ->
#endif
       asked = (asVoid && lane[0] == B1 + 1 -> VOID : lane[0] - 1);
       net[asked] = true;
       escaped = escaped || releaseOf(asked) >= turns }
  :: d_step { asked != nothing && reply == none && !net[asked] && hand != asked -> net[asked] = true }

  /* hears the answer: one of an older term counts for nothing, one of a newer term tells of the move */
#ifdef MUTATE_BELIEVES_OLD_TERM
  :: d_step { reply == slot ->
#else
  :: d_step { reply != none && replyTerm < termSeen -> reply = none; replyTerm = 0 }
  :: d_step { reply == slot && replyTerm == termSeen ->
#endif
       done = true; believed = believed || (asked == B2x && replyTerm == term); hear_no_more() }
  :: d_step { reply != none && reply != slot && replyTerm == termSeen -> waits = reply; hear_no_more() }

  /* is done with what has a slot */
  :: d_step { done ->
       kept[lane[0] - 1] = false;
       if :: lane[0] == B1 + 1 -> kept[VOID] = false; asVoid = false :: else fi;
       pop() }

  /* what is held goes as its void */
#ifdef MUTATE_DROP_FORGETS
  :: d_step { waits != none && asVoid && kept[VOID] -> waits = none; asVoid = false; pop() }
#else
  :: d_step { waits != none && lane[0] == B1 + 1 && asVoid -> waits = none }
#endif
#ifdef MUTATE_HOLDS_SILENTLY
  :: d_step { waits == refused -> waits = silent }
#endif

  :: d_step { laneC && cThere -> cLogged = true; laneC = false; kept[C1] = false }

#ifdef MOVES
  /* B is in a new term: asks for the last pair number there, keeps what comes behind it */
  :: d_step { termSeen != term ->
       termSeen = term; believed = false;
#ifndef MUTATE_GOES_ON_AS_BEFORE
       lane[0] = 0; lane[1] = 0; done = false; waits = none; hear_no_more();
       kept[B1] = length < 1 && received > 0;
       kept[second] = length < 2 && received > 1;
       if :: kept[B1] -> push(B1) :: else fi;
       if :: kept[second] -> push(second) :: else fi;
#ifdef MUTATE_GOES_BACK_IN_MEMORY
       kept[B1] = false; kept[second] = false
#endif
#endif
     }
#endif

  :: d_step { faults < FAULTS -> faults++; start_again() }
  od
}

inline answer(entry, what) {
  if :: asked == entry && reply == none -> reply = what; replyTerm = term :: else fi
}

#define next (length + 1)
#ifdef MUTATE_ADMITS_ANY_PAIR
#define isNext(entry) (length < LOG)
#else
#define isNext(entry) (pairOf(entry) == next)
#endif
#ifdef MUTATE_FORK_IS_A_REPEAT
#define isRepeat(entry) true
#else
#define isRepeat(entry) same(entry, log[pairOf(entry) - 1])
#endif

inline decide(entry) {
  if
  :: isNext(entry) && !(entry == B1 && poison) -> hand = entry
  :: else ->
    if
    :: pairOf(entry) == next -> answer(entry, refused)
    :: pairOf(entry) > next -> answer(entry, outOfOrder)
    :: pairOf(entry) < next && isRepeat(entry) -> answer(entry, slot)
    :: else -> answer(entry, forked)
    fi
  fi
}

/* A copy arrives, and another one of it may arrive later; or it is lost. */
#define arrives(entry) \
  atomic { net[entry] && hand == nothing -> \
    if \
    :: net[entry] = false; decide(entry) \
    :: faults < FAULTS -> faults++; decide(entry) \
    :: faults < FAULTS -> faults++; net[entry] = false \
    fi }

/* B's scheduler decides in memory, commits, answers. */
active proctype B() {
#ifndef MOVES
  if :: poison = true :: poison = false fi;
#endif
end:
  do
  :: arrives(B1)
  :: arrives(B2)
#ifdef MOVES
  :: arrives(B2x)
#else
  :: arrives(VOID)
#endif
  :: d_step { hand != nothing -> log[length] = hand; length++; answer(hand, slot); hand = nothing }
  :: d_step { faults < FAULTS && (hand != nothing || reply != none) ->
       faults++; hand = nothing; reply = none; replyTerm = 0 }
  od
}

/* C may never be spawned. */
active proctype C() {
  if :: cThere = true :: skip fi
}

#ifdef MOVES
active proctype takeovers() {
end:
  do
  :: d_step { anchored < length -> anchored++ }
  /* of B: what is not anchored is void */
  :: d_step { term == 0 ->
       term = 1; length = anchored; hand = nothing;
       if :: length < 1 -> log[0] = 0 :: else fi;
       if :: length < 2 -> log[1] = 0 :: else fi }
  /* its old scheduler does not know of it yet, and gives a slot that is void */
  :: d_step { term == 1 && asked != nothing && net[asked] && reply == none && faults < FAULTS ->
       faults++; net[asked] = false; reply = slot; replyTerm = 0 }
  /* of A: its second turn is void, and another messenger begins at the first release */
  :: d_step { turns == 2 && !forkedPast ->
       forkedPast = true; turns = 1;
       cursor = 0; kept[B1] = false; kept[B2] = false; kept[C1] = false;
       termSeen = term; believed = false;
       start_again() }
  od
}
#endif

#define isPair1(at) (length <= at || log[at] == B1 || log[at] == VOID)
#define isPair2(at) (length <= at || log[at] == B2 || log[at] == B2x)
/* An entry that is released is at its target, kept, or before the cursor. */
#define safe(entry, release, arrived) (release >= turns || (arrived) || cursor <= release || kept[entry])
#define shown ((waits == refused && !dropped) || waits == forked) /* for good */

ltl r05_4_pair_order { [] (isPair1(0) && isPair2(1) && length <= 2) }
#ifndef MOVES
ltl r05_1_embargo { [] !escaped }
ltl r05_5_delivered_or_shown { ([] !dropped && <> cThere) -> <> [] (cLogged && (length >= 2 || shown)) }
ltl r05_16_void_takes_its_number { (<> dropped && <> cThere) -> <> (length >= 2) }
ltl r05_6_cursor { [] (safe(B1, 0, length >= 1) && safe(C1, 0, cLogged) && safe(B2, 1, length >= 2) && safe(VOID, 2, length >= 1)) }
ltl r05_6_kept_in_order { [] (!kept[B2] || kept[B1] || length >= 1) }
ltl r05_7_lanes_apart { <> (length >= 2 || poison || cThere) }
#else
ltl r05_5_follows_a_move { <> [] (length >= 2 || shown) }
ltl r03_27_fork_is_shown { [] (!believed || length < 2 || termSeen != term || log[1] == B2x) }
#endif
