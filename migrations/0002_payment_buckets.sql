-- Version 2: one row of `payments` for each try of a payment hash, its attempts and facts hanging off it.
--
-- The schema refuses illegal states by itself: a shell, an old program or a bug cannot store them either. A trigger's
-- message begins with the name of the refusal. Facts are write-once; a status is derived and stored nowhere. Times are
-- nanoseconds since 1970 UTC. What an imported record did not say is NULL, or 0 for a time that must be there (lnd's own
-- word for "not recorded"). Frozen once released.
--
-- The C++ beside this file (0002_payment_buckets.cpp) moves the rows of version 1 between the tables and their rules: indexes
-- are built once over all rows, and the triggers judge what comes after.

CREATE TABLE store_meta (
  id              INTEGER PRIMARY KEY CHECK (id = 1),
  store_id        BLOB    NOT NULL CHECK (length(store_id) = 16),
  created_ns      INTEGER NOT NULL,
  deleted_up_to   INTEGER NOT NULL DEFAULT 0 CHECK (deleted_up_to >= 0)  -- attempt ids up to here may have been deleted on purpose
) STRICT;

CREATE TABLE schema_migrations (
  version     INTEGER PRIMARY KEY,
  name        TEXT    NOT NULL,
  sha256      BLOB    NOT NULL CHECK (length(sha256) = 32),
  applied_ns  INTEGER NOT NULL
) STRICT;

-- Which switch an attempt went to (R6).
CREATE TABLE switches (
  id       INTEGER PRIMARY KEY,
  node     BLOB NOT NULL CHECK (length(node) = 33),
  network  TEXT NOT NULL,
  UNIQUE (node, network)
) STRICT;

CREATE TABLE payments (
  payment_index     INTEGER PRIMARY KEY AUTOINCREMENT CHECK (payment_index > 0),
  payment_hash      BLOB    NOT NULL CHECK (length(payment_hash) = 32),
  amount_msat       INTEGER NOT NULL CHECK (amount_msat BETWEEN 0 AND 2100000000000000000),
  created_ns        INTEGER NOT NULL,
  deadline_ns       INTEGER,
  provenance        INTEGER NOT NULL DEFAULT 0 CHECK (provenance BETWEEN 0 AND 2),
  duplicate_of      INTEGER REFERENCES payments (payment_index) ON DELETE CASCADE CHECK (duplicate_of <> payment_index),
  destination       BLOB    CHECK (length(destination) = 33),
  fee_limit_msat    INTEGER CHECK (fee_limit_msat BETWEEN 0 AND 2100000000000000000),
  cltv_limit        INTEGER CHECK (cltv_limit BETWEEN 0 AND 4294967295),
  final_cltv_delta  INTEGER CHECK (final_cltv_delta BETWEEN 0 AND 4294967295),
  max_attempts      INTEGER CHECK (max_attempts BETWEEN 0 AND 4294967295),
  payment_secret    BLOB    CHECK (length(payment_secret) = 32),
  metadata          BLOB    CHECK (length(metadata) <= 639),
  invoice           TEXT    CHECK (length(CAST(invoice AS BLOB)) BETWEEN 1 AND 65536),
  network           TEXT    CHECK (length(network) BETWEEN 1 AND 64),     -- NULL: any
  label             TEXT    CHECK (length(CAST(label AS BLOB)) BETWEEN 1 AND 1024),
  outgoing_channels BLOB    CHECK (length(outgoing_channels) BETWEEN 8 AND 512 AND length(outgoing_channels) % 8 = 0),  -- 8 bytes a channel, big-endian
  candidate_routes  BLOB    CHECK (length(candidate_routes) BETWEEN 6 AND 131072),  -- each with its length in 4 bytes before it
  -- facts, each written once
  stop_reason       INTEGER CHECK (stop_reason BETWEEN 0 AND 5),
  fail_reason       INTEGER CHECK (fail_reason BETWEEN 0 AND 5),
  preimage          BLOB    CHECK (length(preimage) = 32),
  late_preimage     BLOB    CHECK (length(late_preimage) = 32),
  end_note          INTEGER CHECK (end_note IN (1, 2)),
  ended_ns          INTEGER,
  -- 1 while the hash is taken by this row: one live or paid row a hash, any number of failed ones
  live              INTEGER GENERATED ALWAYS AS (CASE WHEN fail_reason IS NULL AND duplicate_of IS NULL THEN 1 END) VIRTUAL,
  CHECK (preimage IS NULL OR fail_reason IS NULL),
  CHECK (late_preimage IS NULL OR fail_reason IS NOT NULL),
  CHECK ((ended_ns IS NULL) = (preimage IS NULL AND fail_reason IS NULL AND end_note IS NULL)),
  CHECK (provenance <> 0 OR (duplicate_of IS NULL AND destination IS NOT NULL)),
  CHECK (provenance <> 0 OR (deadline_ns IS NOT NULL AND fee_limit_msat IS NOT NULL AND cltv_limit IS NOT NULL)),
  CHECK (provenance <> 0 OR (final_cltv_delta IS NOT NULL AND max_attempts IS NOT NULL))
) STRICT;

-- Payments stored more than ten seconds behind the newest time before them, or under a smaller index: imports, clocks that were
-- set. Of all others, indexes and times go together but for those seconds, so that a range of times is found without being read.
CREATE TABLE payments_out_of_order (
  payment_index  INTEGER PRIMARY KEY REFERENCES payments (payment_index) ON DELETE CASCADE,
  created_ns     INTEGER NOT NULL                                        -- the payment's
) STRICT;

CREATE TABLE attempts (
  attempt_row            INTEGER PRIMARY KEY,
  payment_index          INTEGER NOT NULL REFERENCES payments (payment_index) ON DELETE CASCADE,
  attempt_id             INTEGER,                                   -- of another's attempt: the 64 bits of whatever id it has
  part                   INTEGER NOT NULL DEFAULT 0 CHECK (part BETWEEN 0 AND 4294967295),
  origin                 INTEGER NOT NULL DEFAULT 0 CHECK (origin BETWEEN 0 AND 2),
  switch_id              INTEGER REFERENCES switches (id),
  switch_run             TEXT    CHECK (length(CAST(switch_run AS BLOB)) BETWEEN 1 AND 128),  -- of the switch's process; NULL: cannot be told
  mark_payments_created  INTEGER CHECK (mark_payments_created >= 0),
  mark_htlcs_created     INTEGER CHECK (mark_htlcs_created >= 0),
  mark_htlcs_deleted     INTEGER CHECK (mark_htlcs_deleted >= 0),
  mark_movements_created INTEGER CHECK (mark_movements_created >= 0),
  route                  BLOB    CHECK (length(route) BETWEEN 2 AND 65535),       -- NULL: not ours, or known from the switch alone
  amount_msat            INTEGER NOT NULL CHECK (amount_msat BETWEEN 0 AND 2100000000000000000),
  fee_msat               INTEGER NOT NULL CHECK (fee_msat BETWEEN 0 AND 2100000000000000000),
  registered_ns          INTEGER NOT NULL,
  total_time_lock        INTEGER CHECK (total_time_lock BETWEEN 0 AND 4294967295),  -- block height, of an imported record
  -- facts
  accepted_ns            INTEGER,
  resolved_ns            INTEGER,
  outcome                INTEGER CHECK (outcome BETWEEN 1 AND 3),       -- settled, failed, closed without proof
  preimage               BLOB    CHECK (length(preimage) = 32),
  failure_code           INTEGER CHECK (failure_code BETWEEN 0 AND 4294967295),
  failure_source         INTEGER CHECK (failure_source BETWEEN 0 AND 4294967295),
  failure_channel        INTEGER,
  failure_direction      INTEGER CHECK (failure_direction IN (0, 1)),
  failure_node           BLOB    CHECK (length(failure_node) = 33),
  failure_message        TEXT    CHECK (length(CAST(failure_message AS BLOB)) BETWEEN 1 AND 1024),
  CHECK ((outcome IS NULL) = (resolved_ns IS NULL)),
  CHECK ((outcome IS 1) = (preimage IS NOT NULL)),
  CHECK (coalesce(outcome IN (2, 3), 0) = (failure_code IS NOT NULL)),
  CHECK (failure_code IS NOT NULL OR coalesce(failure_source, failure_channel, failure_node, failure_message) IS NULL),
  CHECK ((failure_channel IS NULL) = (failure_direction IS NULL)),
  CHECK (origin <> 0 OR (attempt_id IS NOT NULL AND attempt_id BETWEEN 1 AND 4611686018427387903)),
  CHECK (origin <> 0 OR switch_id IS NOT NULL),
  CHECK (origin <> 1 OR outcome IS 1)
) STRICT;

-- R13: what stays of a hash whose record is gone or never was.
CREATE TABLE hash_guards (
  payment_hash         BLOB PRIMARY KEY CHECK (length(payment_hash) = 32),
  kind                 INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 4),     -- in flight, paid without record, paid and deleted, written off
  amount_msat          INTEGER CHECK (amount_msat BETWEEN 0 AND 2100000000000000000),
  preimage             BLOB CHECK (length(preimage) = 32),
  destination          BLOB CHECK (length(destination) = 33),
  payment_secret_hash  BLOB CHECK (length(payment_secret_hash) = 32),
  since_ns             INTEGER NOT NULL,
  released_ns          INTEGER,                                           -- the operator's word; the row stays
  CHECK (kind <> 3 OR preimage IS NOT NULL),
  CHECK (released_ns IS NULL OR kind IN (1, 4))                           -- paid stays paid
) STRICT, WITHOUT ROWID;

-- Whose records were taken in: the public keys of other nodes.
CREATE TABLE import_sources (
  pub_key   BLOB PRIMARY KEY CHECK (length(pub_key) = 33),
  first_ns  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- R14: what an imported record holds and no column has a place for, as bytes: the whole record, or its part that `what` names.
CREATE TABLE imported_raw (
  id             INTEGER PRIMARY KEY,
  payment_index  INTEGER NOT NULL REFERENCES payments (payment_index) ON DELETE CASCADE,
  what           TEXT    NOT NULL CHECK (length(what) BETWEEN 1 AND 64),
  data           BLOB    NOT NULL
) STRICT;

CREATE TABLE operator_words (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ns         INTEGER NOT NULL,
  word          INTEGER NOT NULL CHECK (word BETWEEN 1 AND 5),
  payment_hash  BLOB    CHECK (length(payment_hash) = 32),
  speaker       TEXT    NOT NULL,
  CHECK (payment_hash IS NOT NULL OR word = 4)
) STRICT;

-- [rows of version 1 are moved here]

-- Indexes ---------------------------------------------------------------------------------------------------------------

-- By hash, and the refusal of a second live payment: NULLs of `live` are distinct.
CREATE UNIQUE INDEX payments_one_live ON payments (payment_hash, live);
-- Resume: only what has not ended.
CREATE INDEX payments_unfinished ON payments (payment_index) WHERE ended_ns IS NULL;
CREATE INDEX payments_failed ON payments (payment_index) WHERE fail_reason IS NOT NULL AND late_preimage IS NULL;
CREATE INDEX payments_unknown ON payments (payment_index) WHERE end_note IS NOT NULL;
CREATE INDEX payments_created ON payments (created_ns);
CREATE INDEX payments_out_of_order_created ON payments_out_of_order (created_ns);
CREATE INDEX payments_labelled ON payments (label, payment_index) WHERE label IS NOT NULL;
CREATE INDEX payments_duplicates ON payments (duplicate_of) WHERE duplicate_of IS NOT NULL;
-- R2: one open try a part.
CREATE UNIQUE INDEX attempts_one_open ON attempts (payment_index, part) WHERE outcome IS NULL;
CREATE INDEX attempts_by_payment ON attempts (payment_index);
-- R12: ids that the switch knows us by.
CREATE UNIQUE INDEX attempts_own_id ON attempts (attempt_id) WHERE origin = 0;
-- R8: closed by the operator's word (assumed failed, written off), asked about until the switch says failed.
CREATE INDEX attempts_watched ON attempts (payment_index) WHERE outcome = 3 AND failure_code IN (65541, 65542);
CREATE INDEX attempts_failed_at ON attempts (resolved_ns) WHERE outcome = 2;
CREATE INDEX operator_words_by_hash ON operator_words (payment_hash, word);
CREATE INDEX imported_raw_by_payment ON imported_raw (payment_index);

-- InitPayment -----------------------------------------------------------------------------------------------------------

-- INSERT OR REPLACE would delete the row in its way, without a delete trigger unless recursive_triggers is on: the triggers
-- called ..._no_replace refuse it before.
CREATE TRIGGER payments_no_replace BEFORE INSERT ON payments
BEGIN
  SELECT RAISE(ABORT, 'conflict: this index is taken') WHERE EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index);
  SELECT RAISE(ABORT, 'in_flight: the hash has a live payment')
   WHERE NEW.provenance <> 0 AND NEW.fail_reason IS NULL AND NEW.duplicate_of IS NULL
     AND EXISTS (SELECT 1 FROM payments WHERE payment_hash = NEW.payment_hash AND live = 1);
END;

CREATE TRIGGER payments_init_native BEFORE INSERT ON payments WHEN NEW.provenance = 0
BEGIN
  SELECT RAISE(ABORT, 'conflict: a new payment starts without facts')
   WHERE coalesce(NEW.stop_reason, NEW.fail_reason, NEW.preimage, NEW.late_preimage, NEW.end_note, NEW.ended_ns) IS NOT NULL;
  SELECT RAISE(ABORT, 'conflict: the payment indexes are used up')
   WHERE EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'payments' AND seq = 9223372036854775807);
  -- What weighs most of all tries of the hash.
  SELECT CASE max(CASE WHEN preimage IS NOT NULL OR late_preimage IS NOT NULL THEN 3 WHEN end_note IS NOT NULL THEN 2
                       WHEN fail_reason IS NULL THEN 1 ELSE 0 END)
         WHEN 3 THEN RAISE(ABORT, 'already_paid: this payment hash is already paid')
         WHEN 2 THEN RAISE(ABORT, 'already_ended: this payment ended without proof of its outcome')
         WHEN 1 THEN RAISE(ABORT, 'in_flight: this payment hash is already in flight') END
    FROM payments WHERE payment_hash = NEW.payment_hash;
  SELECT CASE WHEN kind IN (2, 3) THEN RAISE(ABORT, 'already_paid: a guard says that this payment hash is paid')
         ELSE RAISE(ABORT, 'guarded: a guard says that this payment hash may be in flight, or was written off') END
    FROM hash_guards WHERE payment_hash = NEW.payment_hash AND released_ns IS NULL;
END;

-- Whoever imports, in whatever order, notes it for all rows at the end.
CREATE TRIGGER payments_note_order AFTER INSERT ON payments
  WHEN NEW.provenance = 0
   AND (NEW.created_ns < (SELECT max(created_ns) FROM payments) - 10000000000 OR NEW.payment_index < (SELECT max(payment_index) FROM payments))
BEGIN INSERT INTO payments_out_of_order (payment_index, created_ns) VALUES (NEW.payment_index, NEW.created_ns); END;

CREATE TRIGGER out_of_order_true BEFORE INSERT ON payments_out_of_order
BEGIN
  SELECT RAISE(ABORT, 'conflict: no payment was created then')
   WHERE NOT EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index AND created_ns = NEW.created_ns);
END;

CREATE TRIGGER out_of_order_kept BEFORE UPDATE ON payments_out_of_order
BEGIN SELECT RAISE(ABORT, 'conflict: what came out of order stays noted'); END;

CREATE TRIGGER out_of_order_not_deleted BEFORE DELETE ON payments_out_of_order
  WHEN EXISTS (SELECT 1 FROM payments WHERE payment_index = OLD.payment_index)
BEGIN SELECT RAISE(ABORT, 'conflict: what came out of order stays noted'); END;

-- Facts -----------------------------------------------------------------------------------------------------------------

CREATE TRIGGER payments_immutable BEFORE UPDATE OF payment_index, payment_hash, amount_msat, created_ns, deadline_ns, provenance,
  duplicate_of, destination, fee_limit_msat, cltv_limit, final_cltv_delta, max_attempts, payment_secret, metadata, invoice, network, label,
  outgoing_channels, candidate_routes ON payments
BEGIN SELECT RAISE(ABORT, 'conflict: what a payment was asked to be does not change'); END;

CREATE TRIGGER payments_facts_once BEFORE UPDATE ON payments
  WHEN (OLD.stop_reason IS NOT NULL AND NEW.stop_reason IS NOT OLD.stop_reason)
    OR (OLD.fail_reason IS NOT NULL AND NEW.fail_reason IS NOT OLD.fail_reason)
    OR (OLD.preimage IS NOT NULL AND NEW.preimage IS NOT OLD.preimage)
    OR (OLD.late_preimage IS NOT NULL AND NEW.late_preimage IS NOT OLD.late_preimage)
    OR (OLD.end_note IS NOT NULL AND NEW.end_note IS NOT OLD.end_note)
    OR (OLD.ended_ns IS NOT NULL AND NEW.ended_ns IS NOT OLD.ended_ns)
BEGIN SELECT RAISE(ABORT, 'conflict: a fact is written once'); END;

CREATE TRIGGER payments_stop BEFORE UPDATE OF stop_reason ON payments
  WHEN NEW.stop_reason IS NOT NULL AND OLD.stop_reason IS NULL AND (OLD.preimage IS NOT NULL OR OLD.fail_reason IS NOT NULL OR OLD.end_note IS NOT NULL)
BEGIN
  SELECT RAISE(ABORT, 'already_succeeded: the payment has succeeded') WHERE OLD.preimage IS NOT NULL OR OLD.late_preimage IS NOT NULL;
  SELECT RAISE(ABORT, 'already_failed: the payment has failed') WHERE OLD.fail_reason IS NOT NULL;
  SELECT RAISE(ABORT, 'already_ended: the payment has ended');
END;

CREATE TRIGGER payments_fail BEFORE UPDATE OF fail_reason ON payments WHEN NEW.fail_reason IS NOT NULL AND OLD.fail_reason IS NULL
BEGIN
  SELECT RAISE(ABORT, 'already_succeeded: the payment has succeeded') WHERE OLD.preimage IS NOT NULL;
  SELECT RAISE(ABORT, 'already_ended: the payment has ended') WHERE OLD.end_note IS NOT NULL;
  SELECT RAISE(ABORT, 'in_flight: an attempt is open') WHERE EXISTS (SELECT 1 FROM attempts WHERE payment_index = OLD.payment_index AND outcome IS NULL);
  SELECT RAISE(ABORT, 'already_succeeded: an attempt settled') WHERE EXISTS (SELECT 1 FROM attempts WHERE payment_index = OLD.payment_index AND outcome = 1);
END;

CREATE TRIGGER payments_succeed BEFORE UPDATE OF preimage ON payments WHEN NEW.preimage IS NOT NULL AND OLD.preimage IS NULL
BEGIN
  SELECT RAISE(ABORT, 'already_failed: the payment has failed; a preimage is late now') WHERE OLD.fail_reason IS NOT NULL;
  SELECT RAISE(ABORT, 'conflict: no attempt settled with this preimage')
   WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE payment_index = OLD.payment_index AND outcome = 1 AND preimage = NEW.preimage);
END;

CREATE TRIGGER payments_succeed_late BEFORE UPDATE OF late_preimage ON payments WHEN NEW.late_preimage IS NOT NULL AND OLD.late_preimage IS NULL
BEGIN
  SELECT RAISE(ABORT, 'conflict: no attempt settled with this preimage')
   WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE payment_index = OLD.payment_index AND outcome = 1 AND preimage = NEW.late_preimage);
END;

CREATE TRIGGER payments_end BEFORE UPDATE OF end_note ON payments WHEN NEW.end_note IS NOT NULL AND OLD.end_note IS NULL
BEGIN
  SELECT RAISE(ABORT, 'already_succeeded: the payment has succeeded') WHERE OLD.preimage IS NOT NULL OR OLD.late_preimage IS NOT NULL;
  SELECT RAISE(ABORT, 'in_flight: an attempt is open') WHERE EXISTS (SELECT 1 FROM attempts WHERE payment_index = OLD.payment_index AND outcome IS NULL);
END;

CREATE TRIGGER payments_delete BEFORE DELETE ON payments
  WHEN OLD.ended_ns IS NULL OR EXISTS (SELECT 1 FROM attempts WHERE payment_index = OLD.payment_index
                                        AND (outcome IS NULL OR (outcome = 3 AND failure_code IN (65541, 65542))))
BEGIN SELECT RAISE(ABORT, 'in_flight: what is open or watched is not deleted'); END;

-- R13. sha256 is registered by paytower alone: a shell deletes nothing that is paid.
CREATE TRIGGER payments_delete_paid AFTER DELETE ON payments
  WHEN OLD.preimage IS NOT NULL OR OLD.late_preimage IS NOT NULL
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

CREATE TRIGGER payments_delete_unknown AFTER DELETE ON payments
  WHEN OLD.end_note IS NOT NULL AND OLD.preimage IS NULL AND OLD.late_preimage IS NULL
BEGIN
  UPDATE hash_guards SET kind = 4, released_ns = NULL WHERE payment_hash = OLD.payment_hash AND kind NOT IN (2, 3);
  INSERT INTO hash_guards (payment_hash, kind, amount_msat, destination, payment_secret_hash, since_ns)
  SELECT OLD.payment_hash, 4, OLD.amount_msat, OLD.destination, sha256(OLD.payment_secret), OLD.ended_ns
   WHERE NOT EXISTS (SELECT 1 FROM hash_guards WHERE payment_hash = OLD.payment_hash);
END;

-- Attempts --------------------------------------------------------------------------------------------------------------

CREATE TRIGGER attempts_no_replace BEFORE INSERT ON attempts
BEGIN
  SELECT RAISE(ABORT, 'conflict: this attempt is stored already')
   WHERE EXISTS (SELECT 1 FROM attempts WHERE attempt_row = NEW.attempt_row)
      OR (NEW.origin = 0 AND EXISTS (SELECT 1 FROM attempts WHERE origin = 0 AND attempt_id = NEW.attempt_id));
  SELECT RAISE(ABORT, 'not_initiated: there is no such payment') WHERE NOT EXISTS (SELECT 1 FROM payments WHERE payment_index = NEW.payment_index);
  SELECT RAISE(ABORT, 'in_flight: an attempt of this part is open')
   WHERE NEW.outcome IS NULL
     AND EXISTS (SELECT 1 FROM attempts WHERE payment_index = NEW.payment_index AND part = NEW.part AND outcome IS NULL);
END;

CREATE TRIGGER attempts_register_own BEFORE INSERT ON attempts WHEN NEW.origin = 0
BEGIN
  SELECT RAISE(ABORT, 'conflict: a new attempt is open') WHERE coalesce(NEW.outcome, NEW.accepted_ns, NEW.resolved_ns) IS NOT NULL;
  SELECT CASE WHEN provenance <> 0 THEN RAISE(ABORT, 'not_initiated: another node''s payment is not driven')
              WHEN preimage IS NOT NULL OR late_preimage IS NOT NULL THEN RAISE(ABORT, 'already_succeeded: the payment has succeeded')
              WHEN fail_reason IS NOT NULL THEN RAISE(ABORT, 'already_failed: the payment has failed')
              WHEN end_note IS NOT NULL THEN RAISE(ABORT, 'already_ended: the payment has ended')
              WHEN stop_reason IS NOT NULL THEN RAISE(ABORT, 'stopped: no further attempt is wished') END
    FROM payments WHERE payment_index = NEW.payment_index;
  SELECT RAISE(ABORT, 'already_succeeded: the payment has succeeded')
   WHERE EXISTS (SELECT 1 FROM attempts WHERE payment_index = NEW.payment_index AND outcome = 1);
  SELECT RAISE(ABORT, 'already_paid: an earlier try of this payment hash is paid')
    FROM payments this CROSS JOIN payments other ON other.payment_hash = this.payment_hash
   WHERE this.payment_index = NEW.payment_index AND (other.preimage IS NOT NULL OR other.late_preimage IS NOT NULL);
END;

CREATE TRIGGER attempts_immutable BEFORE UPDATE OF attempt_row, payment_index, attempt_id, part, origin, switch_id, mark_payments_created,
  mark_htlcs_created, mark_htlcs_deleted, mark_movements_created, route, amount_msat, fee_msat, registered_ns, total_time_lock ON attempts
BEGIN SELECT RAISE(ABORT, 'conflict: what was handed over does not change'); END;

-- A preimage is storable whatever was believed before (R8); a closed attempt may still be told failed, or its preimage lost.
CREATE TRIGGER attempts_outcome BEFORE UPDATE OF outcome, preimage, resolved_ns, failure_code, failure_source, failure_channel, failure_direction,
  failure_node, failure_message ON attempts
  WHEN OLD.outcome IS NOT NULL AND NOT (
    (NEW.outcome IS 1 AND OLD.outcome <> 1) OR
    (NEW.outcome IS 2 AND OLD.outcome = 3) OR
    (NEW.outcome IS 3 AND OLD.outcome = 3 AND NEW.failure_code = 65543 AND OLD.failure_code IN (65541, 65542)))
BEGIN SELECT RAISE(ABORT, 'conflict: the attempt has ended'); END;

CREATE TRIGGER attempts_run BEFORE UPDATE OF switch_run ON attempts WHEN OLD.outcome IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'conflict: the attempt has ended'); END;

CREATE TRIGGER attempts_accepted BEFORE UPDATE OF accepted_ns ON attempts WHEN OLD.accepted_ns IS NOT NULL AND NEW.accepted_ns IS NOT OLD.accepted_ns
BEGIN SELECT RAISE(ABORT, 'conflict: a fact is written once'); END;

CREATE TRIGGER attempts_delete BEFORE DELETE ON attempts
  WHEN OLD.outcome IS NULL OR (OLD.outcome = 3 AND OLD.failure_code IN (65541, 65542))
BEGIN SELECT RAISE(ABORT, 'in_flight: what is open or watched is not deleted'); END;

CREATE TRIGGER attempts_delete_settled BEFORE DELETE ON attempts
  WHEN (OLD.outcome = 1 OR (OLD.outcome = 3 AND OLD.failure_code NOT IN (65541, 65542)))
   AND EXISTS (SELECT 1 FROM payments WHERE payment_index = OLD.payment_index)
BEGIN SELECT RAISE(ABORT, 'conflict: the end of a payment stands on this attempt'); END;

CREATE TRIGGER attempts_delete_early BEFORE DELETE ON attempts
  WHEN EXISTS (SELECT 1 FROM payments WHERE payment_index = OLD.payment_index AND ended_ns IS NULL)
BEGIN SELECT RAISE(ABORT, 'in_flight: the payment has not ended'); END;

CREATE TRIGGER attempts_deleted AFTER DELETE ON attempts WHEN OLD.origin = 0
BEGIN UPDATE store_meta SET deleted_up_to = OLD.attempt_id WHERE deleted_up_to < OLD.attempt_id; END;

-- Guards and words --------------------------------------------------------------------------------------------------------

CREATE TRIGGER guards_no_replace BEFORE INSERT ON hash_guards
BEGIN SELECT RAISE(ABORT, 'guarded: the hash has a guard') WHERE EXISTS (SELECT 1 FROM hash_guards WHERE payment_hash = NEW.payment_hash); END;

CREATE TRIGGER guards_kept BEFORE UPDATE ON hash_guards
BEGIN
  SELECT RAISE(ABORT, 'conflict: a guard keeps its hash and its proof')
   WHERE NEW.payment_hash IS NOT OLD.payment_hash OR (OLD.preimage IS NOT NULL AND NEW.preimage IS NOT OLD.preimage);
  SELECT RAISE(ABORT, 'already_paid: paid stays paid') WHERE OLD.kind IN (2, 3) AND NEW.kind NOT IN (2, 3);
  SELECT RAISE(ABORT, 'conflict: only the operator''s word releases a guard')
   WHERE NEW.released_ns IS NOT NULL AND OLD.released_ns IS NULL
     AND NOT EXISTS (SELECT 1 FROM operator_words WHERE payment_hash = OLD.payment_hash AND word = 1);
END;

CREATE TRIGGER guards_forget BEFORE DELETE ON hash_guards
  WHEN NOT EXISTS (SELECT 1 FROM operator_words WHERE payment_hash = OLD.payment_hash AND word = 3)
BEGIN SELECT RAISE(ABORT, 'conflict: only the operator''s word drops a guard'); END;

CREATE TRIGGER words_no_replace BEFORE INSERT ON operator_words
BEGIN SELECT RAISE(ABORT, 'conflict: what the operator said stays said') WHERE EXISTS (SELECT 1 FROM operator_words WHERE id = NEW.id); END;

CREATE TRIGGER words_kept BEFORE UPDATE ON operator_words
BEGIN SELECT RAISE(ABORT, 'conflict: what the operator said stays said'); END;

CREATE TRIGGER words_not_deleted BEFORE DELETE ON operator_words
BEGIN SELECT RAISE(ABORT, 'conflict: what the operator said stays said'); END;

-- What is known of the store itself ---------------------------------------------------------------------------------------

CREATE TRIGGER meta_no_replace BEFORE INSERT ON store_meta
BEGIN SELECT RAISE(ABORT, 'conflict: a store keeps its name') WHERE EXISTS (SELECT 1 FROM store_meta); END;

CREATE TRIGGER meta_kept BEFORE UPDATE ON store_meta
BEGIN
  SELECT RAISE(ABORT, 'conflict: a store keeps its name')
   WHERE NEW.id IS NOT OLD.id OR NEW.store_id IS NOT OLD.store_id OR NEW.created_ns IS NOT OLD.created_ns;
  SELECT RAISE(ABORT, 'conflict: deleted_up_to only rises') WHERE NEW.deleted_up_to < OLD.deleted_up_to;
END;

CREATE TRIGGER meta_not_deleted BEFORE DELETE ON store_meta
BEGIN SELECT RAISE(ABORT, 'conflict: a store keeps its name'); END;

CREATE TRIGGER switches_no_replace BEFORE INSERT ON switches
BEGIN
  SELECT RAISE(ABORT, 'conflict: a switch keeps its name')
   WHERE EXISTS (SELECT 1 FROM switches WHERE id = NEW.id OR (node = NEW.node AND network = NEW.network));
END;

CREATE TRIGGER switches_kept BEFORE UPDATE ON switches
BEGIN SELECT RAISE(ABORT, 'conflict: a switch keeps its name'); END;

CREATE TRIGGER quarantine_no_replace BEFORE INSERT ON quarantine
BEGIN SELECT RAISE(ABORT, 'conflict: a quarantined record stays') WHERE EXISTS (SELECT 1 FROM quarantine WHERE id = NEW.id); END;

CREATE TRIGGER quarantine_kept BEFORE UPDATE ON quarantine
BEGIN SELECT RAISE(ABORT, 'conflict: a quarantined record stays'); END;

CREATE TRIGGER quarantine_not_deleted BEFORE DELETE ON quarantine
BEGIN SELECT RAISE(ABORT, 'conflict: a quarantined record stays'); END;

CREATE TRIGGER migrations_no_replace BEFORE INSERT ON schema_migrations
BEGIN SELECT RAISE(ABORT, 'conflict: history stays') WHERE EXISTS (SELECT 1 FROM schema_migrations WHERE version = NEW.version); END;

CREATE TRIGGER migrations_kept BEFORE UPDATE ON schema_migrations
BEGIN SELECT RAISE(ABORT, 'conflict: history stays'); END;

CREATE TRIGGER migrations_not_deleted BEFORE DELETE ON schema_migrations
BEGIN SELECT RAISE(ABORT, 'conflict: history stays'); END;

CREATE TRIGGER sources_kept BEFORE UPDATE ON import_sources
BEGIN SELECT RAISE(ABORT, 'conflict: where payments came from stays said'); END;

CREATE TRIGGER raw_kept BEFORE UPDATE ON imported_raw
BEGIN SELECT RAISE(ABORT, 'conflict: an imported record stays as it came'); END;
