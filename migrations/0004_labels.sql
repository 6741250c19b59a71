-- Version 4: a label can be changed afterwards. What a payment was asked to be stays as it was.

-- What `paytower label` said last, '' where it took the label away. NULL: it said nothing, and the label of the request stands.
-- Without a CHECK: SQLite would read the whole table for it. A trigger refuses the same.
ALTER TABLE payments ADD COLUMN new_label TEXT;

-- What is shown and looked for.
ALTER TABLE payments ADD COLUMN shown_label TEXT GENERATED ALWAYS AS (nullif(coalesce(new_label, label), '')) VIRTUAL;

DROP INDEX payments_labelled;
CREATE INDEX payments_labelled ON payments (shown_label, payment_index) WHERE shown_label IS NOT NULL;

CREATE TRIGGER payments_new_label BEFORE UPDATE OF new_label ON payments WHEN NEW.new_label IS NULL OR length(CAST(NEW.new_label AS BLOB)) > 1024
BEGIN SELECT RAISE(ABORT, 'conflict: a label has at most 1024 bytes'); END;

-- In a trigger that is there already: each one more costs every payment.
DROP TRIGGER payments_kind;

CREATE TRIGGER payments_kind BEFORE INSERT ON payments
  WHEN NEW.provenance IS NULL OR NEW.max_parts NOT BETWEEN 1 AND 100 OR NEW.amp NOT IN (0, 1) OR (NEW.amp = 1 AND NEW.provenance <> 2)
    OR NEW.new_label IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'conflict: a new payment has the label of its request') WHERE NEW.new_label IS NOT NULL;
  SELECT RAISE(ABORT, 'conflict: a payment says where it is from, has 1 to 100 parts, and is of AMP only where it was imported');
END;
