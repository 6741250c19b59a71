"""secp256k1 in pure Python: node keys, and signatures from which the key can be recovered."""

import hashlib
import hmac

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798, 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def double(point):
    x, y, z = point
    ysq = y * y % P
    s, m = 4 * x * ysq % P, 3 * x * x % P
    nx = (m * m - 2 * s) % P
    return nx, (m * (s - nx) - 8 * ysq * ysq) % P, 2 * y * z % P


def add(one, other):
    """Adds two points in Jacobian coordinates; None is the point at infinity."""
    if not one or not other:
        return one or other
    (x1, y1, z1), (x2, y2, z2) = one, other
    z1s, z2s = z1 * z1 % P, z2 * z2 % P
    u1, u2, s1, s2 = x1 * z2s % P, x2 * z1s % P, y1 * z2s * z2 % P, y2 * z1s * z1 % P
    if u1 == u2:
        return double(one) if s1 == s2 else None
    h, r = (u2 - u1) % P, (s2 - s1) % P
    h2 = h * h % P
    h3, v = h * h2 % P, u1 * h2 % P
    x = (r * r - h3 - 2 * v) % P
    return x, (r * (v - x) - s1 * h3) % P, h * z1 * z2 % P


def times(scalar, point):
    """The affine point, or None."""
    total, addend = None, (*point, 1)
    while scalar:
        if scalar & 1:
            total = add(total, addend)
        addend, scalar = double(addend), scalar >> 1
    if not total:
        return None
    inverse = pow(total[2], -1, P)
    return total[0] * inverse**2 % P, total[1] * inverse**3 % P


def compressed(point):
    return bytes([2 + (point[1] & 1)]) + point[0].to_bytes(32, "big")


def public(secret):
    return compressed(times(int.from_bytes(secret, "big"), G))


def fault_of(key):
    """lnd's error message for an invalid public key; None for a valid one."""
    x = int.from_bytes(key[1:], "big")
    if x >= P:
        return "invalid public key: x >= field prime"
    if pow(x * x * x + 7, (P - 1) // 2, P) != 1:
        return f"invalid public key: x coordinate {x:064x} is not on the secp256k1 curve"
    return None


def sign(secret, digest):
    """Signs. Returns 64 bytes and the recovery id."""
    nonce = int.from_bytes(hmac.new(secret, digest, hashlib.sha256).digest(), "big") % N
    x, y = times(nonce, G)
    r = x % N
    s = pow(nonce, -1, N) * (int.from_bytes(digest, "big") + r * int.from_bytes(secret, "big")) % N
    recovery = y & 1
    if s > N // 2:
        s, recovery = N - s, recovery ^ 1
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([recovery])


def recover(signature, digest):
    """The key that made sign(...)."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    y = pow(r**3 + 7, (P + 1) // 4, P)
    if y & 1 != signature[64] & 1:
        y = P - y
    inverse = pow(r, -1, N)
    one, other = times(s * inverse % N, (r, y)), times(-int.from_bytes(digest, "big") * inverse % N, G)
    total = add((*one, 1), (*other, 1))
    z = pow(total[2], -1, P)
    return compressed((total[0] * z**2 % P, total[1] * z**3 % P))
