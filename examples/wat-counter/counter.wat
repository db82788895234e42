;; Counter: the smallest process that keeps something, written by hand.
;;
;; heddle calls two functions for each message: `alloc`, to ask where the message shall be put, and `handle`, to have it
;; dealt with. The message comes as one JSON text, and what `handle` says is one JSON text too. Between messages memory
;; and globals stay as they are: they are the state, and there is no other.
(module
  ;; The first 2,048 bytes hold what this file needs: texts to look for, texts to say, and the answer that is put
  ;; together at 1,024. What comes in is put behind them.
  (memory (export "memory") 1)

  ;; The state.
  (global $count (mut i64) (i64.const 0))

  ;; Where the message ends; it begins at 2,048.
  (global $end (mut i32) (i32.const 2048))
  ;; Where the next piece of the answer goes; the answer begins at 1,024.
  (global $out (mut i32) (i32.const 1024))

  ;; What is looked for. A quote within a JSON text stands behind a backslash, so none of these can be found in
  ;; something that a sender made up.
  (data (i32.const 0)   "\"slot\":0,")               ;;  9 bytes
  (data (i32.const 32)  "\"action\":\"Increment\"")  ;; 20
  (data (i32.const 64)  "\"action\":\"Get\"")        ;; 14
  (data (i32.const 96)  "[\"By\",\"")                ;;  7

  ;; What is said.
  (data (i32.const 128) "{\"replies\":[{\"value\":")                             ;; 21
  (data (i32.const 160) "}],\"views\":[{\"name\":\"count\",\"value\":")          ;; 36
  (data (i32.const 224) "}]}")                                                   ;;  3
  (data (i32.const 256) "{\"error\":\"By takes a whole number of 1 to 9 digits\"}") ;; 52
  (data (i32.const 320) "{\"error\":\"this counter knows Increment and Get\"}")  ;; 48

  ;; Gives the place for a message of `length` bytes. Memory grows where it is too small for it.
  (func (export "alloc") (param $length i32) (result i32)
    (local $missing i32)
    (global.set $end (i32.add (i32.const 2048) (local.get $length)))
    ;; Pages of 65,536 bytes that are needed, less those there are.
    (local.set $missing
      (i32.sub
        (i32.shr_u (i32.add (global.get $end) (i32.const 65535)) (i32.const 16))
        (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        ;; A process has so much memory and not more. To trap fails the turn, and memory is what it was before.
        (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then (unreachable)))))
    (i32.const 2048))

  ;; Deals with a message. Gives address << 32 | length of what there is to say; 0 says nothing.
  (func (export "handle") (param $at i32) (param $length i32) (result i64)
    (local $by i64)
    (local $tag i32)
    ;; Slot 0 is the message that spawned the process.
    (if (call $find (i32.const 0) (i32.const 9)) (then (return (i64.const 0))))
    (if (call $find (i32.const 32) (i32.const 20))
      (then
        (local.set $by (i64.const 1))
        (local.set $tag (call $find (i32.const 96) (i32.const 7)))
        (if (local.get $tag) (then (local.set $by (call $number (local.get $tag)))))
        (global.set $count (i64.add (global.get $count) (local.get $by)))
        ;; An error fails the turn: what was changed is as it was before.
        (if (i64.lt_s (local.get $by) (i64.const 0))
          (then (return (call $text (i32.const 256) (i32.const 52)))))
        (return (call $answer))))
    (if (call $find (i32.const 64) (i32.const 14)) (then (return (call $answer))))
    (call $text (i32.const 320) (i32.const 48)))

  ;; {"replies":[{"value":41}],"views":[{"name":"count","value":41}]}
  (func $answer (result i64)
    (global.set $out (i32.const 1024))
    (call $say (i32.const 128) (i32.const 21))
    (call $sayNumber (global.get $count))
    (call $say (i32.const 160) (i32.const 36))
    (call $sayNumber (global.get $count))
    (call $say (i32.const 224) (i32.const 3))
    (call $text (i32.const 1024) (i32.sub (global.get $out) (i32.const 1024))))

  ;; address << 32 | length
  (func $text (param $at i32) (param $length i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
      (i64.extend_i32_u (local.get $length))))

  ;; Where the message goes on behind a text that is looked for; 0 where it does not have it.
  (func $find (param $text i32) (param $length i32) (result i32)
    (local $from i32)
    (local $n i32)
    (local.set $from (i32.const 2048))
    (block $nowhere
      (loop $next
        (br_if $nowhere (i32.gt_u (i32.add (local.get $from) (local.get $length)) (global.get $end)))
        (local.set $n (i32.const 0))
        (block $differs
          (loop $same
            (br_if $differs
              (i32.ne
                (i32.load8_u (i32.add (local.get $from) (local.get $n)))
                (i32.load8_u (i32.add (local.get $text) (local.get $n)))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $same (i32.lt_u (local.get $n) (local.get $length))))
          (return (i32.add (local.get $from) (local.get $length))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; The number whose digits stand there, up to the quote behind them; -1 where there is none of 1 to 9 digits.
  (func $number (param $at i32) (result i64)
    (local $from i32)
    (local $digit i32)
    (local $value i64)
    (local.set $from (local.get $at))
    (block $end
      (loop $next
        (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
        (br_if $end (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $value
          (i64.add
            (i64.mul (local.get $value) (i64.const 10))
            (i64.extend_i32_u (local.get $digit))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 34)) (then (return (i64.const -1)))) ;; "
    (if (i32.eq (local.get $at) (local.get $from)) (then (return (i64.const -1))))
    (if (i32.gt_u (i32.sub (local.get $at) (local.get $from)) (i32.const 9)) (then (return (i64.const -1))))
    (local.get $value))

  ;; Adds a text to the answer.
  (func $say (param $at i32) (param $length i32)
    (memory.copy (global.get $out) (local.get $at) (local.get $length))
    (global.set $out (i32.add (global.get $out) (local.get $length))))

  ;; Adds a number to the answer: first its higher digits, then the last.
  (func $sayNumber (param $value i64)
    (if (i64.ge_u (local.get $value) (i64.const 10))
      (then (call $sayNumber (i64.div_u (local.get $value) (i64.const 10)))))
    (i32.store8
      (global.get $out)
      (i32.wrap_i64 (i64.add (i64.rem_u (local.get $value) (i64.const 10)) (i64.const 48))))
    (global.set $out (i32.add (global.get $out) (i32.const 1)))))
