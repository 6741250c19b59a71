"""Version 1 databases and lnd's serialized outgoing payments, made from their description alone."""

import hashlib
import os
import sqlite3
import struct

SCHEMA = os.path.join(os.path.dirname(__file__), "..", "..", "migrations", "0001_outgoing_payments.sql")
APPLICATION_ID = 0x50617954
SOURCE = bytes.fromhex("02" + "aa" * 32)
UNIX_TO_GO = 62135596800


def payment_hash(preimage):
    return hashlib.sha256(preimage).digest()


def compact(data):
    """CompactSize and the bytes."""
    size = len(data)
    if size < 0xFD:
        return bytes([size]) + data
    return b"\xfd" + struct.pack("<H", size) + data


def go_time(seconds, nanoseconds=0, zone=-1):
    return b"\x01" + struct.pack(">qIh", seconds + UNIX_TO_GO, nanoseconds, zone)


ZERO_TIME = b"\x01" + bytes(12) + b"\xff\xff"


def record(preimage, value=1_000_000, fee=1234, hops=2, seconds=1_558_000_000, request=b"", memo=b"", receipt=b"", created=None, time_lock=576_123):
    path = b"".join(bytes([2 + i % 2]) + bytes([0xB1 + i]) * 32 for i in range(hops))
    created = go_time(seconds, 123_456_789, 120) if created is None else created
    return (compact(memo) + compact(receipt) + compact(request) + compact(created) + compact(ZERO_TIME) + bytes(32) + struct.pack(">QB", value, 0) +
            bytes(24) + struct.pack(">QI", fee, hops) + path + struct.pack(">I", time_lock) + preimage)


def preimage(number):
    return hashlib.sha256(b"preimage %d" % number).digest()


def make(path, records, statuses=(), source=SOURCE, counter=None, wal=True):
    """A database of version 1: records and statuses are pairs."""
    database = sqlite3.connect(path)
    with open(SCHEMA, encoding="utf-8") as file:
        if wal:
            database.execute("PRAGMA journal_mode = WAL")
        database.executescript(file.read())
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute("PRAGMA user_version = 1")
    with database:
        database.executemany("INSERT INTO outgoing_payments (sequence, record) VALUES (?, ?)", records)
        database.executemany("INSERT INTO payment_statuses (payment_hash, status) VALUES (?, ?)", statuses)
        if source is not None:
            database.execute("INSERT INTO source_node (pub_key) VALUES (?)", (source,))
        if counter is not None:
            database.execute("DELETE FROM sqlite_sequence WHERE name = 'outgoing_payments'")
            database.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('outgoing_payments', ?)", (counter,))
    database.close()
    os.chmod(path, 0o600)
