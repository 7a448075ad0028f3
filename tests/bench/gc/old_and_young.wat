;; A large old heap that changes all the time: what marking costs, and how long the program stands still for it. A table
;; of 2^size lists is filled by replacing one list after another, in an order that scatters them; each holds a payload.
(module
  (type $bytes (array (mut i8)))
  (type $cell (struct (field $next (mut (ref null $cell))) (field $key i32) (field $payload (ref $bytes)) (field $old anyref)))
  (type $table (array (mut (ref null $cell))))
  (func $put (param $table (ref $table)) (param $at i32) (param $key i32) (param $round i32)
    (local $list (ref null $cell))
    (local.set $list (array.get $table (local.get $table) (local.get $at)))
    ;; in every eighth round the lists begin anew
    (if (i32.eqz (i32.and (local.get $round) (i32.const 7))) (then (local.set $list (ref.null $cell))))
    (array.set $table (local.get $table) (local.get $at)
      (struct.new $cell (local.get $list) (local.get $key)
        (array.new $bytes (i32.and (local.get $key) (i32.const 127)) (i32.and (local.get $key) (i32.const 63)))
        (ref.i31 (local.get $key)))))
  (func $sum (param $list (ref null $cell)) (result i32)
    (local $sum i32)
    (block $end
      (loop $next
        (br_if $end (ref.is_null (local.get $list)))
        (if (i32.ne (i31.get_u (ref.cast (ref i31) (struct.get $cell $old (local.get $list))))
                    (struct.get $cell $key (local.get $list))) (then (unreachable)))
        (if (i32.ne (array.len (struct.get $cell $payload (local.get $list)))
                    (i32.and (struct.get $cell $key (local.get $list)) (i32.const 63))) (then (unreachable)))
        (local.set $sum (i32.add (local.get $sum) (struct.get $cell $key (local.get $list))))
        (local.set $list (struct.get $cell $next (local.get $list)))
        (br $next)))
    (local.get $sum))
  (func (export "run") (param $size i32)
    (local $table (ref $table)) (local $key i32) (local $at i32) (local $mask i32) (local $sum i32)
    (local.set $table (array.new_default $table (i32.shl (i32.const 1) (local.get $size))))
    (local.set $mask (i32.sub (i32.shl (i32.const 1) (local.get $size)) (i32.const 1)))
    (loop $again
      (call $put (local.get $table)
        (i32.and (i32.mul (local.get $key) (i32.const 0x9e3779b1)) (local.get $mask)) (local.get $key)
        (i32.shr_u (local.get $key) (local.get $size)))
      (br_if $again (i32.lt_u (local.tee $key (i32.add (local.get $key) (i32.const 1)))
                              (i32.shl (i32.const 32) (local.get $size)))))
    (local.set $at (local.get $mask))
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $sum (array.get $table (local.get $table) (local.get $at)))))
      (br_if $again (i32.ge_s (local.tee $at (i32.sub (local.get $at) (i32.const 1))) (i32.const 0))))))
