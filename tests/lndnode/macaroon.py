"""lnd's macaroons: the binary form of version 2, the bakery's identifiers of version 3, and the checks of a call."""

import datetime
import hashlib
import hmac
import os

LOCATION, IDENTIFIER, VERIFICATION, SIGNATURE = 1, 2, 4, 6
READ_WRITE = ("read", "write")
ADMIN = [(entity, action) for entity in ("address", "info", "invoices", "message", "offchain", "onchain", "peers") for action in READ_WRITE]
ADMIN += [("macaroon", "generate"), ("macaroon", "read"), ("macaroon", "write"), ("signer", "generate"), ("signer", "read")]


class Refused(Exception):
    """lnd's error messages about macaroons; all of them have code 2."""


def chained(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return value, at


def field(kind, data):
    return bytes([kind]) + varint(len(data)) + data


def encode(identifier, caveats, signature):
    out = b"\x02" + field(LOCATION, b"lnd") + field(IDENTIFIER, identifier) + b"\0"
    for caveat in caveats:
        out += field(IDENTIFIER, caveat) + b"\0"
    return out + b"\0" + field(SIGNATURE, signature)


def sections(data):
    """Splits the binary form into its sections, each a dictionary; the signature is in the last one."""
    at, section, found = 1, {}, []
    while at < len(data):
        kind, at = read_varint(data, at)
        if kind == 0:
            found, section = found + [section], {}
            continue
        length, at = read_varint(data, at)
        section[kind], at = data[at:at + length], at + length
    return found + [section]


def decode(data):
    """Returns identifier, caveats and signature."""
    try:
        head, *rest = sections(data)
        signature = rest.pop()[SIGNATURE]
        return head[IDENTIFIER], [caveat[IDENTIFIER] for caveat in rest if caveat], signature
    except (IndexError, KeyError, ValueError):
        raise Refused("cannot determine data format of binary-encoded macaroon") from None


def constrained(data, caveat):
    """The same macaroon with one more caveat, made without asking lnd."""
    identifier, caveats, signature = decode(data)
    return encode(identifier, caveats + [caveat.encode()], chained(signature, caveat.encode()))


def identifier_of(nonce, storage, operations):
    out = b"\x03" + field(0x0A, nonce) + field(0x12, storage)
    for entity, actions in operations.items():
        body = field(0x0A, entity.encode()) + b"".join(field(0x12, action.encode()) for action in actions)
        out += field(0x1A, body)
    return out


def protobuf(data):
    at = 0
    while at < len(data):
        kind, at = read_varint(data, at)
        length, at = read_varint(data, at)
        yield kind, data[at:at + length]
        at += length


def read_identifier(identifier):
    """Returns the root key's id, and what is allowed, as a set of (entity, action)."""
    storage, allowed = b"0", set()
    for kind, data in protobuf(identifier[1:]):
        if kind == 0x12:
            storage = data
        elif kind == 0x1A:
            parts = list(protobuf(data))
            allowed |= {(parts[0][1].decode(), action.decode()) for tag, action in parts if tag == 0x12}
    return storage.decode(), allowed


def moment(text):
    """RFC 3339 in seconds; Go writes up to nine digits, Python reads six."""
    head, _, zone = text.rpartition("Z") if text.endswith("Z") else (text[:-6], "", text[-6:])
    whole, _, fraction = head.partition(".")
    at = datetime.datetime.fromisoformat(whole + ("+00:00" if text.endswith("Z") else zone))
    return at.timestamp() + (float("0." + fraction) if fraction else 0.0)


class Bakery:
    def __init__(self):
        self.roots = {"0": os.urandom(32)}

    def key_of(self, root):
        if root not in self.roots:
            raise Refused(f"cannot get macaroon: root key with id {root} doesn't exist")
        return chained(b"macaroons-key-generator", self.roots[root])

    def bake(self, permissions, root="0"):
        self.roots.setdefault(root, os.urandom(32))
        operations = {}
        for entity, action in sorted(permissions):
            operations.setdefault(entity, []).append(action)
        identifier = identifier_of(os.urandom(16), root.encode(), operations)
        return encode(identifier, [], chained(self.key_of(root), identifier))

    def check(self, data, needed, uri, now, address="127.0.0.1"):
        """Returns the root key's id, which names the user; raises lnd's error."""
        identifier, caveats, signature = decode(data)
        root, allowed = read_identifier(identifier)
        expected = chained(self.key_of(root), identifier)
        for caveat in caveats:
            expected = chained(expected, caveat)
        if not hmac.compare_digest(expected, signature):
            raise Refused("verification failed: signature mismatch after caveat verification")
        for caveat in caveats:
            self.check_caveat(caveat.decode(), now, address)
        if needed not in allowed and ("uri", uri) not in allowed:
            raise Refused("permission denied")
        return root

    @staticmethod
    def check_caveat(caveat, now, address):
        condition, _, value = caveat.partition(" ")
        if condition == "time-before":
            if now >= moment(value):
                raise Refused(f'caveat "{caveat}" not satisfied: macaroon has expired')
        elif condition == "ipaddr":
            if value != address:
                raise Refused(f'caveat "{caveat}" not satisfied: macaroon locked to different IP address')
        else:
            raise Refused(f'caveat "{caveat}" not satisfied: caveat not recognized')
