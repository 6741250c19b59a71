-- Version 1, the legacy shape: serialized outgoing payments under their sequence numbers, as lnd kept them until its database
-- version 9. A record holds what succeeded; what was in flight shows in payment_statuses alone. Frozen once released.

-- sqlite_sequence holds the number handed out last, which may be above every number that is left.
CREATE TABLE outgoing_payments (
  sequence  INTEGER PRIMARY KEY AUTOINCREMENT,
  record    BLOB NOT NULL
) STRICT;

-- 0 grounded, 1 in flight, 2 completed.
CREATE TABLE payment_statuses (
  payment_hash  BLOB PRIMARY KEY NOT NULL,
  status        INTEGER NOT NULL
) STRICT;

-- The node's own public key: one row, or none before the node had a payment.
CREATE TABLE source_node (
  pub_key  BLOB NOT NULL
) STRICT;

-- R14: records that could not be read, byte for byte.
CREATE TABLE quarantine (
  id            INTEGER PRIMARY KEY,
  source        TEXT    NOT NULL,
  sequence      INTEGER,
  payment_hash  BLOB    CHECK (length(payment_hash) = 32),
  reason        TEXT    NOT NULL,
  record        BLOB    NOT NULL,
  at_ns         INTEGER NOT NULL
) STRICT;
