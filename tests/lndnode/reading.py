"""What clients write, read as lnd's gateway reads it: lax about encodings, strict about names."""

import base64
import binascii
import json

from forwarding import Hop, Route
from graph import Edge, Limits
from records import Refused
from router import Order

HOP = dict.fromkeys(("chan_id", "chan_capacity", "amt_to_forward", "fee", "expiry", "amt_to_forward_msat", "fee_msat", "pub_key", "tlv_payload",
                     "amp_record", "custom_records", "metadata", "blinding_point", "encrypted_data", "total_amt_msat"))
HOP["mpp_record"] = {"payment_addr": None, "total_amt_msat": None}
ROUTE = {**dict.fromkeys(("total_time_lock", "total_fees", "total_amt", "total_fees_msat", "total_amt_msat", "first_hop_amount_msat",
                          "custom_channel_data")), "hops": [HOP]}
SEND = {"payment_hash": None, "payment_hash_string": None, "route": ROUTE, "skip_temp_err": None, "first_hop_custom_records": None}
HINT = dict.fromkeys(("node_id", "chan_id", "fee_base_msat", "fee_proportional_millionths", "cltv_expiry_delta"))
QUERY = {**dict.fromkeys(("amt", "amt_msat", "final_cltv_delta", "ignored_nodes", "source_pub_key", "use_mission_control", "cltv_limit",
                          "dest_custom_records", "outgoing_chan_id", "last_hop_pubkey", "dest_features", "time_pref", "outgoing_chan_ids",
                          "blinded_payment_paths")),
         "fee_limit": dict.fromkeys(("fixed", "fixed_msat", "percent")), "ignored_edges": [dict.fromkeys(("channel_id", "direction_reverse"))],
         "ignored_pairs": [dict.fromkeys(("from", "to"))], "route_hints": [{"hop_hints": [HINT]}]}
BUILD = dict.fromkeys(("amt_msat", "final_cltv_delta", "outgoing_chan_id", "hop_pubkeys", "payment_addr", "first_hop_custom_records"))
PAY = dict.fromkeys(("payment_request", "fee_limit_msat", "fee_limit_sat", "timeout_seconds", "no_inflight_updates", "amt", "amt_msat", "max_parts",
                     "outgoing_chan_ids", "allow_self_payment", "cltv_limit", "time_pref", "cancelable", "last_hop_pubkey", "outgoing_chan_id"))
INVOICE = dict.fromkeys(("r_preimage", "r_hash", "value_msat", "value", "memo", "expiry", "cltv_expiry", "hash", "private"))
BAKE = {"permissions": [dict.fromkeys(("entity", "action"))], "root_key_id": None, "allow_external_permissions": None}
FREE_AMOUNT = 1_000_000  # up to this amount lnd allows a fee as large as the amount


def bad(text):
    return Refused(text, 3, 400)


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def checked(value, shape, text):
    """Checks a JSON value against the fields that lnd knows, and renames JSON names to lnd's own. An error names the line and column of an unknown field."""
    if isinstance(shape, list):
        if value is None:
            return []
        if not isinstance(value, list):
            raise bad(f"proto: syntax error (line 1:{text.find(json.dumps(value)[:10]) + 1}): unexpected token {json.dumps(value)[:20]}")
        return [checked(one, shape[0], text) for one in value]
    if shape is None or value is None:
        return value
    if not isinstance(value, dict):
        raise bad(f"proto: syntax error (line 1:1): unexpected token {json.dumps(value)[:20]}")
    names, found = {**{camel(name): name for name in shape}, **{name: name for name in shape}}, {}
    for name, one in value.items():
        if name not in names:
            at = text.find(json.dumps(name))
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            raise bad(f'proto: (line {line}:{column}): unknown field "{name}"')
        found[names[name]] = checked(one, shape[names[name]], text)
    return found


def body(data, shape):
    """Reads one message, and ignores what comes after it, as lnd does."""
    text = data.decode("utf-8", "replace")
    if not text.strip():
        return {}
    try:
        value, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError as error:
        at_end = error.pos >= len(text.strip()) - 1
        raise bad("unexpected EOF" if at_end else f"invalid character {text.strip()[error.pos:error.pos + 1]!r} looking for beginning of value") from None
    return checked(value, shape, text)


def number(value, default=0):
    if value in (None, ""):
        return default
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise bad(f"proto: invalid value for uint64 type: {json.dumps(value)}")
    try:
        return int(value)
    except ValueError:
        raise bad(f'proto: invalid value for uint64 type: "{value}"') from None


def raw(value):
    """Decodes base64 of either alphabet, with or without padding. Like lnd, it also accepts hex text, as base64 of other bytes."""
    text = (value or "").translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise bad(f'proto: invalid value for bytes type: "{value}"') from None


def hash_of(data):
    if len(data) != 32:
        raise Refused(f"invalid hash length of {len(data)}, want 32")
    return data


def hash_in_path(text):
    try:
        return hash_of(raw(text))
    except Refused as refusal:
        if refusal.status == 400:
            raise bad(f"type mismatch, parameter: payment_hash, error: illegal base64 data at input byte {len(text) - 1}") from None
        raise


def key(text):
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Refused(f"encoding/hex: invalid byte: {text[:1]!r}") from None


def custom(given):
    return {int(kind): raw(value) for kind, value in (given or {}).items()}


def mpp_of(given):
    if not given:
        return None
    addr, total = raw(given.get("payment_addr")), number(given.get("total_amt_msat"))
    if not total:
        raise Refused("missing total_msat")
    if len(addr) != 32:
        raise Refused(f"unable to parse payment_addr: invalid length {len(addr)}, want 32")
    return addr, total


def hop_of(given):
    records = custom(given.get("custom_records"))
    if any(kind < 65536 for kind in records):
        raise Refused("no custom records with types below 65536 allowed")
    amount = number(given.get("amt_to_forward_msat")) or 1000 * number(given.get("amt_to_forward"))
    return Hop(number(given.get("chan_id")), key(given.get("pub_key") or ""), amount, number(given.get("expiry")), mpp_of(given.get("mpp_record")), records)


def route_of(given):
    if given is None:
        raise Refused("unable to send, no routes provided")
    if not given.get("hops"):
        raise Refused("empty route hops provided")
    total = number(given.get("total_amt_msat")) or 1000 * number(given.get("total_amt"))
    return Route(number(given.get("total_time_lock")), total, [hop_of(one) for one in given["hops"]])


def order(data):
    given = body(data, SEND)
    if given.get("route") is None:
        raise Refused("unable to send, no routes provided")
    payment_hash = hash_of(raw(given.get("payment_hash")))
    route, skip = route_of(given["route"]), bool(given.get("skip_temp_err"))
    first_hop = custom(given.get("first_hop_custom_records"))
    if any(kind < 65536 for kind in first_hop):
        raise Refused("custom records entry with TLV type below min: 65536")
    if skip and not route.mpp():
        raise Refused("cannot skip temp error for non-MPP")
    return Order(payment_hash, route, skip, first_hop)


def fee_limit(given, amount):
    if given and given.get("fixed_msat") is not None:
        return number(given["fixed_msat"])
    if given and given.get("fixed") is not None:
        return 1000 * number(given["fixed"])
    percent = number(given["percent"]) if given and given.get("percent") is not None else 100 if amount <= FREE_AMOUNT else 5
    return amount * percent // 100


def hint_edges(hints, target):
    for one in hints or []:
        hops = [(bytes.fromhex(hop["node_id"]), hop) for hop in one.get("hop_hints", [])]
        ends = [start for start, _ in hops[1:]] + [target]
        for (start, hop), end in zip(hops, ends):
            policy = {"base": number(hop.get("fee_base_msat")), "ppm": number(hop.get("fee_proportional_millionths")),
                      "delta": number(hop.get("cltv_expiry_delta")), "min": 0, "max": 1 << 63, "disabled": False}
            yield Edge(start, end, number(hop.get("chan_id")), policy, True)


def limits(given, target, amount):
    edges = {(number(one.get("channel_id")), bool(one.get("direction_reverse"))) for one in given.get("ignored_edges") or []}
    first = {number(one) for one in given.get("outgoing_chan_ids") or []} | {number(given.get("outgoing_chan_id"))} - {0}
    return Limits(pairs={(raw(one.get("from")), raw(one.get("to"))) for one in given.get("ignored_pairs") or []},
                  nodes={raw(one) for one in given.get("ignored_nodes") or []}, edges=edges, first=first - {0},
                  last=raw(given.get("last_hop_pubkey")) or None, fee=fee_limit(given.get("fee_limit"), amount),
                  cltv=number(given.get("cltv_limit")) or None, hints=list(hint_edges(given.get("route_hints"), target)))
