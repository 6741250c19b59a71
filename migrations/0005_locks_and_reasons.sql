-- Version 5: until which block an attempt locks its money, and why a payment failed, as the process that met it saw it.

-- What total_time_lock probably is, of an own attempt without one: by the highest height that was known at a hand-over. Without CHECKs:
-- SQLite would read the whole table for them. Triggers refuse the same.
ALTER TABLE attempts ADD COLUMN expected_time_lock INTEGER;

-- When it was handed over again, to another run of the switch or at a later height. NULL: never.
ALTER TABLE attempts ADD COLUMN moved_ns INTEGER;

-- In a trigger that is there already: each one more costs every payment.
DROP TRIGGER attempts_by_origin;

CREATE TRIGGER attempts_by_origin BEFORE INSERT ON attempts
  WHEN NEW.htlc_hash IS NOT NULL OR (NEW.origin IS NOT 0 AND coalesce(NEW.marks, NEW.dies_at_ns, NEW.expected_time_lock) IS NOT NULL)
    OR length(NEW.marks) NOT BETWEEN 1 AND 96 OR NEW.expected_time_lock NOT BETWEEN 1 AND 4294967295
    OR (NEW.expected_time_lock IS NOT NULL AND NEW.total_time_lock IS NOT NULL) OR NEW.moved_ns IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'conflict: marks, of 1 to 96 bytes, an expected height and a time to die by are of own attempts alone')
   WHERE (NEW.origin IS NOT 0 AND coalesce(NEW.marks, NEW.dies_at_ns, NEW.expected_time_lock) IS NOT NULL)
      OR length(NEW.marks) NOT BETWEEN 1 AND 96;
  SELECT RAISE(ABORT, 'conflict: a height is expected, of 32 bits, where none is known')
   WHERE NEW.expected_time_lock NOT BETWEEN 1 AND 4294967295 OR (NEW.expected_time_lock IS NOT NULL AND NEW.total_time_lock IS NOT NULL);
  SELECT RAISE(ABORT, 'conflict: a new attempt was not handed over before') WHERE NEW.moved_ns IS NOT NULL;
  SELECT RAISE(ABORT, 'conflict: only the HTLCs of an imported AMP payment have hashes of their own, of 32 bytes')
   WHERE NEW.htlc_hash IS NOT NULL
     AND (length(NEW.htlc_hash) <> 32 OR NEW.origin <> 2
          OR NOT EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index AND amp = 1));
END;

CREATE TRIGGER attempts_moved BEFORE UPDATE OF expected_time_lock, moved_ns ON attempts
  WHEN OLD.origin <> 0 OR OLD.outcome IS NOT NULL OR OLD.total_time_lock IS NOT NULL OR NEW.moved_ns IS NULL
    OR NEW.expected_time_lock NOT BETWEEN 1 AND 4294967295 OR NEW.expected_time_lock < OLD.expected_time_lock
    OR (NEW.expected_time_lock IS NULL AND OLD.expected_time_lock IS NOT NULL)
BEGIN
  SELECT RAISE(ABORT, 'conflict: only an own attempt that is open, and not bound to a height, is handed over again')
   WHERE OLD.origin <> 0 OR OLD.outcome IS NOT NULL OR OLD.total_time_lock IS NOT NULL OR NEW.moved_ns IS NULL;
  SELECT RAISE(ABORT, 'conflict: a height that is expected, of 32 bits, only rises');
END;

-- JSON: a code, and the figures that belong to it. Beside a stop wish or a reason of failure.
ALTER TABLE payments ADD COLUMN failure_detail TEXT;

CREATE TRIGGER payments_failure_detail BEFORE UPDATE OF failure_detail ON payments
  WHEN NEW.failure_detail IS NOT OLD.failure_detail
   AND (coalesce(OLD.fail_reason, OLD.preimage) IS NOT NULL OR coalesce(NEW.stop_reason, NEW.fail_reason) IS NULL
        OR NEW.failure_detail IS NULL OR length(CAST(NEW.failure_detail AS BLOB)) NOT BETWEEN 1 AND 8192)
BEGIN SELECT RAISE(ABORT, 'conflict: why a payment failed is said with its reason, in at most 8192 bytes, and not changed after its end'); END;

DROP TRIGGER payments_kind;

CREATE TRIGGER payments_kind BEFORE INSERT ON payments
  WHEN NEW.provenance IS NULL OR NEW.max_parts NOT BETWEEN 1 AND 100 OR NEW.amp NOT IN (0, 1) OR (NEW.amp = 1 AND NEW.provenance <> 2)
    OR coalesce(NEW.new_label, NEW.failure_detail) IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'conflict: a new payment has the label of its request, and no reason of failure')
   WHERE coalesce(NEW.new_label, NEW.failure_detail) IS NOT NULL;
  SELECT RAISE(ABORT, 'conflict: a payment says where it is from, has 1 to 100 parts, and is of AMP only where it was imported');
END;
