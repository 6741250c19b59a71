-- Version 3: attempts of one round share an id and differ in their part, and R2 is a sum. An imported payment may be named by what
-- is no hash, and its HTLCs be locked to hashes of their own.

-- 1: payment_hash is the set id of an AMP payment. No preimage proves it; each of its HTLCs is proven by its own hash.
ALTER TABLE payments ADD COLUMN amp INTEGER NOT NULL DEFAULT 0 CHECK (amp IN (0, 1) AND (amp = 0 OR provenance = 2));

-- The hash that the HTLC is locked to, where it is not the payment's.
ALTER TABLE attempts ADD COLUMN htlc_hash BLOB CHECK (htlc_hash IS NULL OR (length(htlc_hash) = 32 AND origin = 2));

-- 1: payment_hash is a set id, also when no payment of it is stored: never payable, whatever the operator says.
ALTER TABLE hash_guards ADD COLUMN amp INTEGER NOT NULL DEFAULT 0 CHECK (amp IN (0, 1) AND (amp = 0 OR released_ns IS NULL));

-- A later import knows of what version 2 stored as a plain payment that it is none.
CREATE TRIGGER payments_amp_immutable BEFORE UPDATE OF amp ON payments WHEN NEW.amp < OLD.amp
BEGIN SELECT RAISE(ABORT, 'conflict: what a payment was asked to be does not change'); END;

CREATE TRIGGER attempts_hash_immutable BEFORE UPDATE OF htlc_hash ON attempts WHEN OLD.htlc_hash IS NOT NULL AND NEW.htlc_hash IS NOT OLD.htlc_hash
BEGIN SELECT RAISE(ABORT, 'conflict: what was handed over does not change'); END;

CREATE TRIGGER attempts_hash_of_amp BEFORE INSERT ON attempts WHEN NEW.htlc_hash IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'conflict: only the HTLCs of an AMP payment have hashes of their own')
   WHERE NOT EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index AND amp = 1);
END;

CREATE TRIGGER attempts_hash_of_amp_later BEFORE UPDATE OF htlc_hash ON attempts WHEN NEW.htlc_hash IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'conflict: only the HTLCs of an AMP payment have hashes of their own')
   WHERE NOT EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index AND amp = 1);
END;

-- A set id is never payable, whatever became of its payment.
CREATE TRIGGER payments_init_amp BEFORE INSERT ON payments WHEN NEW.provenance = 0
BEGIN
  SELECT RAISE(ABORT, 'already_ended: this is the set id of an AMP payment, and no payment hash')
   WHERE EXISTS (SELECT 1 FROM payments WHERE payment_hash = NEW.payment_hash AND amp = 1)
      OR EXISTS (SELECT 1 FROM hash_guards WHERE payment_hash = NEW.payment_hash AND amp = 1);
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

CREATE TRIGGER guards_amp_kept BEFORE UPDATE OF amp ON hash_guards WHEN NEW.amp < OLD.amp
BEGIN SELECT RAISE(ABORT, 'conflict: a set id does not become a payment hash'); END;

-- Not even the operator's word makes a set id payable. Beside a payment that says the same a guard may go.
CREATE TRIGGER guards_amp_forget BEFORE DELETE ON hash_guards
  WHEN OLD.amp = 1 AND NOT EXISTS (SELECT 1 FROM payments WHERE payment_hash = OLD.payment_hash AND amp = 1)
BEGIN SELECT RAISE(ABORT, 'already_ended: this is the set id of an AMP payment, and no payment hash'); END;

-- Parts -----------------------------------------------------------------------------------------------------------------

-- Parts at most that may be open at once: what was stored before there were parts is paid in one piece.
ALTER TABLE payments ADD COLUMN max_parts INTEGER NOT NULL DEFAULT 1 CHECK (max_parts BETWEEN 1 AND 100);

CREATE TRIGGER payments_max_parts_immutable BEFORE UPDATE OF max_parts ON payments WHEN NEW.max_parts IS NOT OLD.max_parts
BEGIN SELECT RAISE(ABORT, 'conflict: what a payment was asked to be does not change'); END;

-- R12: an attempt is known to its switch by its id and its part.
DROP INDEX attempts_own_id;
CREATE UNIQUE INDEX attempts_own_id ON attempts (attempt_id, part) WHERE origin = 0;

DROP TRIGGER attempts_no_replace;

CREATE TRIGGER attempts_no_replace BEFORE INSERT ON attempts
BEGIN
  SELECT RAISE(ABORT, 'conflict: this attempt is stored already')
   WHERE EXISTS (SELECT 1 FROM attempts WHERE attempt_row = NEW.attempt_row)
      OR (NEW.origin = 0 AND EXISTS (SELECT 1 FROM attempts WHERE origin = 0 AND attempt_id = NEW.attempt_id AND part = NEW.part));
  SELECT RAISE(ABORT, 'not_initiated: there is no such payment') WHERE NOT EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index);
  SELECT RAISE(ABORT, 'in_flight: an attempt of this part is open')
   WHERE NEW.outcome IS NULL
     AND EXISTS (SELECT 1 FROM attempts WHERE payment_index = NEW.payment_index AND part = NEW.part AND outcome IS NULL);
END;

-- Part 0 is an attempt of before parts: the switch takes it for a payment in one piece, and mixes it with no others.
CREATE TRIGGER attempts_one_round AFTER INSERT ON attempts WHEN NEW.origin = 0
BEGIN
  SELECT RAISE(ABORT, 'conflict: one attempt id serves one payment, in one piece or in numbered parts')
   WHERE EXISTS (SELECT 1 FROM attempts WHERE origin = 0 AND attempt_id = NEW.attempt_id
                    AND (payment_index <> NEW.payment_index OR (part = 0) <> (NEW.part = 0)));
END;

-- R2: no switch counts, so the attempts that may still pay are together never more than the payment, nor their fees than its limit.
CREATE TRIGGER attempts_sums AFTER INSERT ON attempts WHEN NEW.origin = 0
BEGIN
  SELECT CASE WHEN sum(a.amount_msat) > p.amount_msat THEN RAISE(ABORT, 'conflict: the attempts are together more than the payment')
              WHEN sum(a.fee_msat) > p.fee_limit_msat THEN RAISE(ABORT, 'conflict: the fees are together more than their limit') END
    FROM payments p JOIN attempts a ON a.payment_index = p.payment_index AND a.origin = 0 AND coalesce(a.outcome, 1) = 1
   WHERE p.payment_index = NEW.payment_index;
END;
