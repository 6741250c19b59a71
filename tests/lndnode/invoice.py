"""BOLT 11 invoices of the peer's nodes: what lnd puts into one, and no more."""

import hashlib

import keys

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
PREFIX = {"mainnet": "lnbc", "testnet": "lntb", "signet": "lntbs", "regtest": "lnbcrt", "simnet": "lnsb"}
FEATURES = {8: ("tlv-onion", True), 14: ("payment-addr", True), 17: ("multi-path-payments", False), 25: ("route-blinding", False)}


def polymod(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= part if top >> bit & 1 else 0
    return check


def expanded(prefix):
    return [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]


def words_of(data):
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return [int(bits[n:n + 5], 2) for n in range(0, len(bits), 5)]


def bytes_of(words, padded=False):
    bits = "".join(f"{word:05b}" for word in words)
    if padded:
        bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[n:n + 8], 2) for n in range(0, len(bits) // 8 * 8, 8))


def number(value, length=None):
    words = []
    while value or (length and len(words) < length):
        words.insert(0, value & 31)
        value >>= 5
    return words


def tagged(letter, words):
    return [CHARSET.index(letter), len(words) >> 5, len(words) & 31] + words


def amount_text(msat):
    for unit, size in (("m", 10**8), ("u", 10**5), ("n", 10**2)):
        if msat and msat % size == 0:
            return f"{msat // size}{unit}"
    return f"{msat * 10}p" if msat else ""


def hint_bytes(hints):
    return b"".join(key + chan.to_bytes(8, "big") + base.to_bytes(4, "big") + ppm.to_bytes(4, "big") + delta.to_bytes(2, "big")
                    for key, chan, base, ppm, delta in hints)


def encode(network, secret, payment_hash, payment_addr, msat, at, memo="", expiry=86400, cltv=80, hints=()):
    """`hints`: lists of (key, chan_id, base, ppm, delta), one route each."""
    words = number(at, 7) + tagged("p", words_of(payment_hash)) + tagged("d", words_of(memo.encode()))
    words += tagged("c", number(cltv)) + tagged("x", number(expiry)) + tagged("s", words_of(payment_addr))
    for hint in hints:
        words += tagged("r", words_of(hint_bytes(hint)))
    words += tagged("9", number(sum(1 << bit for bit in FEATURES)))
    prefix = PREFIX[network] + amount_text(msat)
    digest = hashlib.sha256(prefix.encode() + bytes_of(words, padded=True)).digest()
    words += words_of(keys.sign(secret, digest))
    check = polymod(expanded(prefix) + words + [0] * 6) ^ 1
    return prefix + "1" + "".join(CHARSET[word] for word in words + [check >> 5 * (5 - n) & 31 for n in range(6)])


class Refused(Exception):
    """lnd's error message for a text that is not an invoice."""


def words_in(text):
    for char in text:
        if char not in CHARSET:
            raise Refused(f"failed converting data to bytes: invalid character not part of charset: {ord(char)}")
    return [CHARSET.index(char) for char in text]


def amount_of(text):
    if not text:
        return 0
    size = {"m": 10**8, "u": 10**5, "n": 10**2}.get(text[-1])
    if size:
        return int(text[:-1]) * size
    return int(text[:-1]) // 10 if text[-1] == "p" else int(text) * 10**11


def fields_of(words):
    while len(words) >= 3:
        length = words[1] * 32 + words[2]
        yield CHARSET[words[0]], words[3:3 + length]
        words = words[3 + length:]


def value_of(words):
    return sum(word << 5 * n for n, word in enumerate(reversed(words)))


def hint_of(data):
    return [(data[n:n + 33], int.from_bytes(data[n + 33:n + 41], "big"), int.from_bytes(data[n + 41:n + 45], "big"),
             int.from_bytes(data[n + 45:n + 49], "big"), int.from_bytes(data[n + 49:n + 51], "big")) for n in range(0, len(data) - 50, 51)]


def decode(text):
    prefix, _, data = text.lower().rpartition("1")
    words = words_in(data)
    if polymod(expanded(prefix) + words) != 1:
        raise Refused("checksum failed. Expected ..., got ...")
    words, signature = words[:-110], bytes_of(words[-110:-6])
    known = max((one for one in PREFIX.values() if prefix.startswith(one)), key=len, default=None)
    if known is None:
        raise Refused("prefix should be \"ln\"")
    found = {"msat": amount_of(prefix[len(known):]), "at": value_of(words[:7]), "memo": "", "expiry": 3600, "cltv": 18, "hints": [],
             "payment_addr": b"",
             "destination": keys.recover(signature, hashlib.sha256(prefix.encode() + bytes_of(words, padded=True)).digest())}
    readers = {"p": ("payment_hash", bytes_of), "s": ("payment_addr", bytes_of), "d": ("memo", lambda some: bytes_of(some).decode()),
               "x": ("expiry", value_of), "c": ("cltv", value_of)}
    for letter, some in fields_of(words[7:]):
        if letter == "r":
            found["hints"].append(hint_of(bytes_of(some)))
        elif letter in readers:
            name, read = readers[letter]
            found[name] = read(some)
    return found
