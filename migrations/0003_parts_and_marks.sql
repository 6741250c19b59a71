-- Version 3: attempts of one round share an id and differ in their part, and R2 is a sum. An imported payment may be named by what
-- is no hash, and its HTLCs be locked to hashes of their own.
--
-- No new column has a CHECK: SQLite would read the whole table for each, however many payments it holds. Triggers refuse the same.

-- 1: payment_hash is the set id of an AMP payment. No preimage proves it; each of its HTLCs is proven by its own hash.
ALTER TABLE payments ADD COLUMN amp INTEGER NOT NULL DEFAULT 0;

-- The hash that the HTLC is locked to, where it is not the payment's.
ALTER TABLE attempts ADD COLUMN htlc_hash BLOB;

-- 1: payment_hash is a set id, also when no payment of it is stored: never payable, whatever the operator says.
ALTER TABLE hash_guards ADD COLUMN amp INTEGER NOT NULL DEFAULT 0;

-- A later import knows of what version 2 stored as a plain payment that it is none.
CREATE TRIGGER payments_amp_immutable BEFORE UPDATE OF amp ON payments WHEN NEW.amp IS NOT OLD.amp AND NOT (NEW.amp IS 1 AND NEW.provenance = 2)
BEGIN SELECT RAISE(ABORT, 'conflict: what a payment was asked to be does not change'); END;

CREATE TRIGGER attempts_hash_immutable BEFORE UPDATE OF htlc_hash ON attempts WHEN OLD.htlc_hash IS NOT NULL AND NEW.htlc_hash IS NOT OLD.htlc_hash
BEGIN SELECT RAISE(ABORT, 'conflict: what was handed over does not change'); END;

CREATE TRIGGER attempts_hash_of_amp_later BEFORE UPDATE OF htlc_hash ON attempts WHEN NEW.htlc_hash IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'conflict: only the HTLCs of an imported AMP payment have hashes of their own, of 32 bytes')
   WHERE length(NEW.htlc_hash) <> 32 OR NEW.origin <> 2
      OR NOT EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index AND amp = 1);
END;

-- A set id is never payable, whatever became of its payment.
DROP TRIGGER payments_init_native;

CREATE TRIGGER payments_init_native BEFORE INSERT ON payments WHEN NEW.provenance = 0
BEGIN
  SELECT RAISE(ABORT, 'conflict: a new payment starts without facts')
   WHERE coalesce(NEW.stop_reason, NEW.fail_reason, NEW.preimage, NEW.late_preimage, NEW.end_note, NEW.ended_ns) IS NOT NULL;
  SELECT RAISE(ABORT, 'conflict: the payment indexes are used up')
   WHERE EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'payments' AND seq = 9223372036854775807);
  -- What weighs most of all tries of the hash.
  SELECT CASE max(CASE WHEN amp = 1 THEN 4 WHEN preimage IS NOT NULL OR late_preimage IS NOT NULL THEN 3 WHEN end_note IS NOT NULL THEN 2
                       WHEN fail_reason IS NULL THEN 1 ELSE 0 END)
         WHEN 4 THEN RAISE(ABORT, 'already_ended: this is the set id of an AMP payment, and no payment hash')
         WHEN 3 THEN RAISE(ABORT, 'already_paid: this payment hash is already paid')
         WHEN 2 THEN RAISE(ABORT, 'already_ended: this payment ended without proof of its outcome')
         WHEN 1 THEN RAISE(ABORT, 'in_flight: this payment hash is already in flight') END
    FROM payments WHERE payment_hash = NEW.payment_hash;
  SELECT CASE WHEN amp = 1 THEN RAISE(ABORT, 'already_ended: this is the set id of an AMP payment, and no payment hash')
         WHEN kind IN (2, 3) THEN RAISE(ABORT, 'already_paid: a guard says that this payment hash is paid')
         ELSE RAISE(ABORT, 'guarded: a guard says that this payment hash may be in flight, or was written off') END
    FROM hash_guards WHERE payment_hash = NEW.payment_hash AND released_ns IS NULL;
END;

-- R13. A guard's preimage proves its hash: of an AMP payment none does.
DROP TRIGGER payments_delete_paid;

CREATE TRIGGER payments_delete_paid AFTER DELETE ON payments
  WHEN OLD.amp = 0 AND (OLD.preimage IS NOT NULL OR OLD.late_preimage IS NOT NULL)
BEGIN
  UPDATE hash_guards
     SET kind = 3, released_ns = NULL, since_ns = OLD.ended_ns, amount_msat = OLD.amount_msat,
         preimage = coalesce(preimage, OLD.preimage, OLD.late_preimage), destination = OLD.destination,
         payment_secret_hash = sha256(OLD.payment_secret)
   WHERE payment_hash = OLD.payment_hash;
  INSERT INTO hash_guards (payment_hash, kind, amount_msat, preimage, destination, payment_secret_hash, since_ns)
  SELECT OLD.payment_hash, 3, OLD.amount_msat, coalesce(OLD.preimage, OLD.late_preimage), OLD.destination, sha256(OLD.payment_secret), OLD.ended_ns
   WHERE NOT EXISTS (SELECT 1 FROM hash_guards WHERE payment_hash = OLD.payment_hash);
END;

-- Paid without record, or written off: kinds that need no preimage. An amount tells it from a guard of a record that was never read.
CREATE TRIGGER payments_delete_amp AFTER DELETE ON payments WHEN OLD.amp = 1
BEGIN
  UPDATE hash_guards SET amp = 1, released_ns = NULL WHERE payment_hash = OLD.payment_hash;
  UPDATE hash_guards
     SET kind = CASE WHEN OLD.preimage IS NULL THEN 4 ELSE 2 END, since_ns = OLD.ended_ns, amount_msat = OLD.amount_msat,
         destination = OLD.destination, payment_secret_hash = sha256(OLD.payment_secret)
   WHERE payment_hash = OLD.payment_hash AND (kind NOT IN (2, 3) OR OLD.preimage IS NOT NULL);
  INSERT INTO hash_guards (payment_hash, kind, amount_msat, destination, payment_secret_hash, since_ns, amp)
  SELECT OLD.payment_hash, CASE WHEN OLD.preimage IS NULL THEN 4 ELSE 2 END, OLD.amount_msat, OLD.destination, sha256(OLD.payment_secret), OLD.ended_ns, 1
   WHERE NOT EXISTS (SELECT 1 FROM hash_guards WHERE payment_hash = OLD.payment_hash);
END;

-- A guard of what was in flight at an import goes when a later import has told the end of all of the hash's payments.
DROP TRIGGER guards_forget;

CREATE TRIGGER guards_forget BEFORE DELETE ON hash_guards
  WHEN NOT EXISTS (SELECT 1 FROM operator_words WHERE payment_hash = OLD.payment_hash AND word = 3)
   AND NOT (OLD.kind = 1 AND EXISTS (SELECT 1 FROM payments WHERE payment_hash = OLD.payment_hash)
            AND NOT EXISTS (SELECT 1 FROM payments AS p WHERE p.payment_hash = OLD.payment_hash
                              AND (p.provenance <> 2 OR p.ended_ns IS NULL OR p.end_note IS NOT NULL
                                   OR EXISTS (SELECT 1 FROM attempts WHERE payment_index = p.payment_index AND outcome IS NULL))))
BEGIN SELECT RAISE(ABORT, 'conflict: only the operator''s word drops a guard'); END;

CREATE TRIGGER guards_amp_new BEFORE INSERT ON hash_guards WHEN NEW.amp NOT IN (0, 1) OR (NEW.amp = 1 AND NEW.released_ns IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'conflict: a hash is a set id, which nothing releases, or none'); END;

CREATE TRIGGER guards_amp_kept BEFORE UPDATE OF amp, released_ns ON hash_guards
  WHEN (NEW.amp IS NOT OLD.amp AND NEW.amp IS NOT 1) OR (NEW.amp = 1 AND NEW.released_ns IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'conflict: a set id does not become a payment hash, and nothing releases it'); END;

-- Not even the operator's word makes a set id payable. Beside a payment that says the same a guard may go.
CREATE TRIGGER guards_amp_forget BEFORE DELETE ON hash_guards
  WHEN OLD.amp = 1 AND NOT EXISTS (SELECT 1 FROM payments WHERE payment_hash = OLD.payment_hash AND amp = 1)
BEGIN SELECT RAISE(ABORT, 'already_ended: this is the set id of an AMP payment, and no payment hash'); END;

-- Parts -----------------------------------------------------------------------------------------------------------------

-- Parts at most that may be open at once: what was stored before there were parts is paid in one piece.
ALTER TABLE payments ADD COLUMN max_parts INTEGER NOT NULL DEFAULT 1;

-- NULL too is refused here: OR REPLACE makes the default of it, behind the triggers that compare with it.
CREATE TRIGGER payments_kind BEFORE INSERT ON payments
  WHEN NEW.provenance IS NULL OR NEW.max_parts NOT BETWEEN 1 AND 100 OR NEW.amp NOT IN (0, 1) OR (NEW.amp = 1 AND NEW.provenance <> 2)
BEGIN SELECT RAISE(ABORT, 'conflict: a payment says where it is from, has 1 to 100 parts, and is of AMP only where it was imported'); END;

CREATE TRIGGER payments_max_parts_immutable BEFORE UPDATE OF max_parts ON payments WHEN NEW.max_parts IS NOT OLD.max_parts
BEGIN SELECT RAISE(ABORT, 'conflict: what a payment was asked to be does not change'); END;

-- R12: an attempt is known to its switch by its id and its part.
DROP INDEX attempts_own_id;
CREATE UNIQUE INDEX attempts_own_id ON attempts (attempt_id, part) WHERE origin = 0;

-- Part 0 is an attempt of before parts: the switch takes it for a payment in one piece, and mixes it with no others.
-- NULL is refused as above.
DROP TRIGGER attempts_no_replace;

CREATE TRIGGER attempts_no_replace BEFORE INSERT ON attempts
BEGIN
  SELECT RAISE(ABORT, 'conflict: this attempt is stored already, or its id serves another payment')
   WHERE NEW.origin IS NULL OR NEW.part IS NULL OR EXISTS (SELECT 1 FROM attempts WHERE attempt_row = NEW.attempt_row)
      OR (NEW.origin = 0 AND EXISTS (SELECT 1 FROM attempts WHERE origin = 0 AND attempt_id = NEW.attempt_id
                                       AND (part IN (0, NEW.part) OR NEW.part = 0 OR payment_index <> NEW.payment_index)));
  SELECT RAISE(ABORT, 'not_initiated: there is no such payment') WHERE NOT EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index);
  SELECT RAISE(ABORT, 'in_flight: an attempt of this part is open')
   WHERE NEW.origin <> 0 AND NEW.outcome IS NULL
     AND EXISTS (SELECT 1 FROM attempts WHERE payment_index = NEW.payment_index AND part = NEW.part AND outcome IS NULL);
END;

-- R2: one open try a part; and no switch counts, so the attempts that may still pay are together never more than the payment, nor their fees than its limit.
-- One statement judges the payment and its attempts: each one more costs every payment more than what it looks up.
DROP TRIGGER attempts_register_own;

CREATE TRIGGER attempts_register_own BEFORE INSERT ON attempts WHEN NEW.origin = 0
BEGIN
  SELECT RAISE(ABORT, 'conflict: a new attempt is open') WHERE coalesce(NEW.outcome, NEW.accepted_ns, NEW.resolved_ns) IS NOT NULL;
  SELECT CASE WHEN p.provenance <> 0 THEN RAISE(ABORT, 'not_initiated: another node''s payment is not driven')
              WHEN p.preimage IS NOT NULL OR p.late_preimage IS NOT NULL THEN RAISE(ABORT, 'already_succeeded: the payment has succeeded')
              WHEN p.fail_reason IS NOT NULL THEN RAISE(ABORT, 'already_failed: the payment has failed')
              WHEN p.end_note IS NOT NULL THEN RAISE(ABORT, 'already_ended: the payment has ended')
              WHEN p.stop_reason IS NOT NULL THEN RAISE(ABORT, 'stopped: no further attempt is wished')
              WHEN max(a.outcome) THEN RAISE(ABORT, 'already_succeeded: the payment has succeeded')
              WHEN EXISTS (SELECT 1 FROM payments WHERE payment_hash = p.payment_hash AND (preimage IS NOT NULL OR late_preimage IS NOT NULL))
              THEN RAISE(ABORT, 'already_paid: an earlier try of this payment hash is paid')
              WHEN max(a.part = NEW.part) THEN RAISE(ABORT, 'in_flight: an attempt of this part is open')
              WHEN NEW.amount_msat + coalesce(sum(a.amount_msat), 0) > p.amount_msat
              THEN RAISE(ABORT, 'conflict: the attempts are together more than the payment')
              WHEN NEW.fee_msat + coalesce(sum(a.fee_msat), 0) > p.fee_limit_msat
              THEN RAISE(ABORT, 'conflict: the fees are together more than their limit') END
    FROM payments p LEFT JOIN attempts a ON a.payment_index = p.payment_index AND coalesce(a.outcome, 1) = 1
   WHERE p.payment_index = NEW.payment_index;
END;

-- Marks -----------------------------------------------------------------------------------------------------------------

-- As the switch's adapter writes them (R5): what a switch counts is its own affair. The four columns of before are read and
-- written no more.
ALTER TABLE attempts ADD COLUMN marks BLOB;

-- When no copy of a hand-over is taken any more, by the switch's own clock. By its chain: total_time_lock.
ALTER TABLE attempts ADD COLUMN dies_at_ns INTEGER;

-- Those that are read again: of what may still move, and the newest at each switch, which show an old copy of the store (R12).
UPDATE attempts
   SET marks = CAST('1,' || coalesce(mark_payments_created, '') || ',' || coalesce(mark_htlcs_created, '') || ','
                         || coalesce(mark_htlcs_deleted, '') || ',' || coalesce(mark_movements_created, '') AS BLOB)
 WHERE origin = 0 AND coalesce(mark_payments_created, mark_htlcs_created, mark_htlcs_deleted, mark_movements_created) IS NOT NULL
   AND attempt_row IN (
  SELECT attempt_row FROM attempts INDEXED BY attempts_by_payment WHERE payment_index IN (
    SELECT payment_index FROM payments INDEXED BY payments_unfinished WHERE ended_ns IS NULL
    UNION SELECT payment_index FROM attempts INDEXED BY attempts_one_open WHERE outcome IS NULL
    UNION SELECT payment_index FROM attempts INDEXED BY attempts_watched WHERE outcome = 3 AND failure_code IN (65541, 65542))
  UNION
  SELECT attempt_row FROM (
    SELECT attempt_row, max(attempt_id) FROM (
      SELECT attempt_row, attempt_id, switch_id, mark_payments_created FROM attempts INDEXED BY attempts_own_id
       WHERE origin = 0 ORDER BY attempt_id DESC LIMIT 100)
     WHERE mark_payments_created IS NOT NULL GROUP BY switch_id));

DROP TRIGGER attempts_immutable;

CREATE TRIGGER attempts_immutable BEFORE UPDATE OF attempt_row, payment_index, attempt_id, part, origin, switch_id, mark_payments_created,
  mark_htlcs_created, mark_htlcs_deleted, mark_movements_created, marks, route, amount_msat, fee_msat, registered_ns, total_time_lock,
  dies_at_ns ON attempts
BEGIN SELECT RAISE(ABORT, 'conflict: what was handed over does not change'); END;

-- What only attempts of one origin have. One trigger: each one more costs every payment, also where nothing is refused.
CREATE TRIGGER attempts_by_origin BEFORE INSERT ON attempts
  WHEN NEW.htlc_hash IS NOT NULL OR (NEW.origin IS NOT 0 AND coalesce(NEW.marks, NEW.dies_at_ns) IS NOT NULL) OR length(NEW.marks) NOT BETWEEN 1 AND 96
BEGIN
  SELECT RAISE(ABORT, 'conflict: marks, of 1 to 96 bytes, and a time to die by are of own attempts alone')
   WHERE (NEW.origin IS NOT 0 AND coalesce(NEW.marks, NEW.dies_at_ns) IS NOT NULL) OR length(NEW.marks) NOT BETWEEN 1 AND 96;
  SELECT RAISE(ABORT, 'conflict: only the HTLCs of an imported AMP payment have hashes of their own, of 32 bytes')
   WHERE NEW.htlc_hash IS NOT NULL
     AND (length(NEW.htlc_hash) <> 32 OR NEW.origin <> 2
          OR NOT EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index AND amp = 1));
END;

CREATE TRIGGER meta_deleted_up_to_kept BEFORE UPDATE OF deleted_up_to ON store_meta WHEN NEW.deleted_up_to IS NULL
BEGIN SELECT RAISE(ABORT, 'conflict: deleted_up_to only rises'); END;
