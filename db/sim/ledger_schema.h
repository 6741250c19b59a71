// The schema of a simulated network's file, version 3.
#pragma once

namespace paytower::db {

// Amounts in msat, times in ns since 1970 UTC on the network's clock. 64-bit ids are stored as the same bits, but
// signed.
inline constexpr const char* sim_schema = R"sql(
CREATE TABLE numbers (          -- sim::Number
  which INTEGER PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT;

-- The truth.
CREATE TABLE nodes (
  node INTEGER PRIMARY KEY,     -- 0 = the own node
  name TEXT NOT NULL UNIQUE,
  pub_key BLOB NOT NULL UNIQUE CHECK (length(pub_key) = 33),
  secret BLOB CHECK (length(secret) = 32)
) STRICT;

CREATE TABLE channels (
  scid INTEGER PRIMARY KEY,
  node0 INTEGER NOT NULL REFERENCES nodes(node),
  node1 INTEGER NOT NULL REFERENCES nodes(node),
  capacity_msat INTEGER NOT NULL,
  balance0_msat INTEGER NOT NULL CHECK (balance0_msat >= 0),
  balance1_msat INTEGER NOT NULL CHECK (balance1_msat >= 0),
  announced INTEGER NOT NULL,
  disabled0 INTEGER NOT NULL, fee_base0_msat INTEGER NOT NULL, fee_ppm0 INTEGER NOT NULL, cltv_delta0 INTEGER NOT NULL,
  htlc_min0_msat INTEGER NOT NULL, htlc_max0_msat INTEGER NOT NULL,
  disabled1 INTEGER NOT NULL, fee_base1_msat INTEGER NOT NULL, fee_ppm1 INTEGER NOT NULL, cltv_delta1 INTEGER NOT NULL,
  htlc_min1_msat INTEGER NOT NULL, htlc_max1_msat INTEGER NOT NULL,
  CHECK (balance0_msat + balance1_msat <= capacity_msat)   -- the difference is under way
) STRICT;
CREATE INDEX channels_of_node0 ON channels(node0);
CREATE INDEX channels_of_node1 ON channels(node1);

CREATE TABLE invoices (
  payment_hash BLOB PRIMARY KEY,
  preimage BLOB NOT NULL,
  payment_secret BLOB NOT NULL,
  amount_msat INTEGER,          -- NULL: any
  payee INTEGER NOT NULL,
  expires_ns INTEGER NOT NULL,
  final_cltv_delta INTEGER NOT NULL,
  hold_ns INTEGER NOT NULL,     -- -1: until a release
  fail_code INTEGER, fail_hop INTEGER, fail_times INTEGER,
  manners INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  paid INTEGER NOT NULL,
  bolt11 TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE flights (          -- HTLCs under way
  flight INTEGER PRIMARY KEY,
  payment_hash BLOB NOT NULL,
  attempt_id INTEGER NOT NULL,
  part INTEGER NOT NULL,
  htlc_index INTEGER NOT NULL,
  oracle INTEGER NOT NULL,
  route BLOB NOT NULL,
  reserved_hops INTEGER NOT NULL,
  at_hop INTEGER NOT NULL,
  total_msat INTEGER NOT NULL,
  incomplete INTEGER NOT NULL,
  is_foreign INTEGER NOT NULL,
  created_ns INTEGER NOT NULL,
  due_ns INTEGER,               -- NULL: held until a release
  stall_ns INTEGER NOT NULL,    -- -1: until a release
  settles INTEGER NOT NULL,
  failure BLOB
) STRICT;
CREATE INDEX flights_of_hash ON flights(payment_hash);
CREATE INDEX flights_due ON flights(due_ns, flight) WHERE due_ns IS NOT NULL;

CREATE TABLE oracle (           -- what really happened: a line when it starts, a line when it ends, none is ever changed
  entry INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
  payment_hash BLOB NOT NULL,
  attempt_id INTEGER NOT NULL,
  part INTEGER NOT NULL,
  amount_msat INTEGER NOT NULL,
  amount_sent_msat INTEGER NOT NULL,
  is_foreign INTEGER NOT NULL,
  created_ns INTEGER NOT NULL,
  resolved_ns INTEGER,
  PRIMARY KEY (entry, state),
  CHECK ((state = 1) = (resolved_ns IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX oracle_of_hash ON oracle(payment_hash, entry, state);
CREATE UNIQUE INDEX oracle_ends_once ON oracle(entry) WHERE state <> 1;
CREATE TRIGGER oracle_is_not_changed BEFORE UPDATE ON oracle BEGIN SELECT RAISE(ABORT, 'conflict: the oracle is append-only'); END;
CREATE TRIGGER oracle_is_not_erased BEFORE DELETE ON oracle BEGIN SELECT RAISE(ABORT, 'conflict: the oracle is append-only'); END;

-- The view: what the node remembers.
CREATE TABLE sendpays (
  created_index INTEGER PRIMARY KEY,
  payment_hash BLOB NOT NULL,
  attempt_id INTEGER NOT NULL,
  part INTEGER NOT NULL,
  state INTEGER NOT NULL,
  label TEXT NOT NULL,
  destination BLOB NOT NULL,
  amount_msat INTEGER NOT NULL,
  amount_sent_msat INTEGER NOT NULL,
  total_msat INTEGER NOT NULL,
  bolt11 TEXT NOT NULL,
  created_ns INTEGER NOT NULL,
  updated_index INTEGER NOT NULL,
  completed_ns INTEGER,
  preimage BLOB,
  failure BLOB,
  UNIQUE (payment_hash, attempt_id, part)
) STRICT;

CREATE TABLE htlcs (
  created_index INTEGER PRIMARY KEY,
  payment_hash BLOB NOT NULL,
  attempt_id INTEGER NOT NULL,
  part INTEGER NOT NULL,
  scid INTEGER NOT NULL,
  amount_msat INTEGER NOT NULL,
  expiry INTEGER NOT NULL,
  finished INTEGER NOT NULL
) STRICT;
CREATE INDEX htlcs_of_hash ON htlcs(payment_hash);

CREATE TABLE movements (
  created_index INTEGER PRIMARY KEY,
  payment_hash BLOB NOT NULL,
  attempt_id INTEGER NOT NULL,
  part INTEGER NOT NULL,
  amount_msat INTEGER NOT NULL,
  at_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX movements_of_hash ON movements(payment_hash);

CREATE TABLE sendpays_copies AS SELECT '' AS copy, * FROM sendpays;
CREATE TABLE htlcs_copies AS SELECT '' AS copy, * FROM htlcs;
CREATE TABLE movements_copies AS SELECT '' AS copy, * FROM movements;
CREATE TABLE numbers_copies (copy TEXT NOT NULL, which INTEGER NOT NULL, value INTEGER NOT NULL) STRICT;

CREATE TABLE held_requests (
  request INTEGER PRIMARY KEY,
  handover BLOB NOT NULL,
  not_before_ns INTEGER NOT NULL,
  min_height INTEGER NOT NULL
) STRICT;
)sql";

}  // namespace paytower::db
