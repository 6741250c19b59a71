"""lnd's JSON: the fields of each message in its order, numbers of 64 bits as strings, bytes in base64."""

import base64
import hashlib

import records

FEATURES = [(0, "data-loss-protect", True), (5, "upfront-shutdown-script", False), (7, "gossip-queries", False), (8, "tlv-onion", True),
            (12, "static-remote-key", True), (14, "payment-addr", True), (17, "multi-path-payments", False),
            (23, "anchors-zero-fee-htlc-tx", False), (25, "route-blinding", False), (27, "shutdown-any-segwit", False),
            (30, "amp", True), (31, "amp", False), (35, "quiescence", False), (39, "onion-messages", False), (44, "explicit-commitment-type", True),
            (55, "keysend", False), (261, "accountable-x", False), (2023, "script-enforced-lease", False)]
OF_AN_INVOICE = (8, 14, 17, 25)


def b64(data):
    return base64.b64encode(data).decode()


def features(bits):
    return {str(bit): {"name": name, "is_required": required, "is_known": True} for bit, name, required in FEATURES if bit in bits}


def all_features():
    return features({bit for bit, _, _ in FEATURES})


def sat(msat):
    return str(msat // 1000)


def hop(route, n):
    one, came = route.hops[n], route.comes_in(n)[0]
    fee = came - one.amount
    mpp = {"payment_addr": b64(one.mpp[0]), "total_amt_msat": str(one.mpp[1])} if one.mpp else None
    return {"chan_id": str(one.chan), "chan_capacity": sat(came), "amt_to_forward": sat(one.amount), "fee": sat(fee), "expiry": one.expiry,
            "amt_to_forward_msat": str(one.amount), "fee_msat": str(fee), "pub_key": one.key.hex(), "tlv_payload": True, "mpp_record": mpp,
            "amp_record": None, "custom_records": {str(kind): b64(value) for kind, value in sorted(one.custom.items())}, "metadata": "",
            "blinding_point": "", "encrypted_data": "", "total_amt_msat": "0"}


def route(one, first_hop=0, hops=True):
    return {"total_time_lock": one.time_lock, "total_fees": sat(one.fees()), "total_amt": sat(one.total),
            "hops": [hop(one, n) for n in range(len(one.hops))] if hops else [], "total_fees_msat": str(one.fees()),
            "total_amt_msat": str(one.total), "first_hop_amount_msat": str(first_hop), "custom_channel_data": ""}


def channel_update(failure, chain_hash):
    channel, policy = failure.channel, failure.channel.policy[failure.key]
    direction = int(failure.key > channel.peer_of(failure.key).key)
    signature = hashlib.sha512(failure.key + channel.id.to_bytes(8, "big")).digest()
    return {"signature": b64(signature), "chain_hash": b64(chain_hash), "chan_id": str(channel.id), "timestamp": 1795869805, "message_flags": 1,
            "channel_flags": direction | (2 if policy["disabled"] else 0), "time_lock_delta": policy["delta"], "htlc_minimum_msat": str(policy["min"]),
            "base_fee": policy["base"], "fee_rate": policy["ppm"], "htlc_maximum_msat": str(policy["max"]), "extra_opaque_data": ""}


def failure(one, chain_hash):
    if not one:
        return None
    return {"code": one.code, "channel_update": channel_update(one, chain_hash) if one.channel else None, "htlc_msat": str(one.msat),
            "onion_sha_256": b64(one.onion), "cltv_expiry": one.expiry, "flags": 0, "failure_source_index": one.source, "height": one.height}


def attempt(one, chain_hash, hops=True):
    return {"attempt_id": str(one.id), "status": one.status, "route": route(one.route, one.route.total, hops), "attempt_time_ns": str(one.created),
            "resolve_time_ns": str(one.resolved), "failure": failure(one.failure, chain_hash), "preimage": b64(one.preimage)}


def payment(one, chain_hash, hops=True):
    status = records.IN_FLIGHT if one.status == records.INITIATED else one.status
    first_hop = {str(kind): b64(value) for kind, value in one.first_hop.items()}
    return {"payment_hash": one.hash.hex(), "value": sat(one.value), "creation_date": str(one.created // 10**9), "fee": sat(one.fee()),
            "payment_preimage": one.preimage().hex(), "value_sat": sat(one.value), "value_msat": str(one.value), "payment_request": one.request,
            "status": status, "fee_sat": sat(one.fee()), "fee_msat": str(one.fee()), "creation_time_ns": str(one.created),
            "htlcs": [attempt(each, chain_hash, hops) for each in one.attempts], "payment_index": str(one.index), "failure_reason": one.reason,
            "first_hop_custom_records": first_hop}


def htlc_event(htlc=None, kind="", at=0):
    """Names no hash and no attempt. Without an HTLC: the first message of a subscription."""
    route = htlc and htlc.route
    what = {"": ("subscribed_event", {}), "forward_fail_event": (kind, {}),
            "forward_event": (kind, htlc and {"info": {"incoming_timelock": 0, "outgoing_timelock": route.time_lock, "incoming_amt_msat": "0",
                                                       "outgoing_amt_msat": str(route.total)}}),
            "settle_event": (kind, htlc and htlc.invoice and {"preimage": b64(htlc.invoice.preimage or b"")})}
    name, body = what[kind]
    return {"incoming_channel_id": "0", "outgoing_channel_id": str(route.hops[0].chan if htlc else 0), "incoming_htlc_id": "0",
            "outgoing_htlc_id": str(htlc.index if htlc else 0), "timestamp_ns": str(at), "event_type": "SEND" if htlc else "UNKNOWN", name: body}


def constraints(channel):
    return {"csv_delay": 1201, "chan_reserve_sat": sat(channel.capacity // 100), "dust_limit_sat": "354",
            "max_pending_amt_msat": str(channel.capacity * 99 // 100), "min_htlc_msat": "1", "max_accepted_htlcs": 483}


def pending_htlc(one):
    return {"incoming": False, "amount": sat(one.route.total), "hash_lock": b64(one.hash), "expiration_height": one.route.time_lock,
            "htlc_index": str(one.index), "forwarding_channel": "0", "forwarding_htlc_index": "0", "locked_in": True}


def channel(one, graph, pending, shown_balance, age):
    own, peer = graph.own.key, one.peer_of(graph.own.key)
    unsettled = sum(each.route.total for each in pending)
    return {"active": graph.active(one), "remote_pubkey": peer.key.hex(), "channel_point": one.point, "chan_id": str(one.id),
            "capacity": sat(one.capacity), "local_balance": sat(shown_balance), "remote_balance": sat(one.balance[peer.key]), "commit_fee": "2810",
            "commit_weight": "1116", "fee_per_kw": "2500", "unsettled_balance": sat(unsettled), "total_satoshis_sent": sat(one.sent),
            "total_satoshis_received": "0", "num_updates": str(one.updates), "pending_htlcs": [pending_htlc(each) for each in pending],
            "csv_delay": 1201, "private": one.private, "initiator": one.ends[0].key == own, "chan_status_flags": "ChanStatusDefault",
            "local_chan_reserve_sat": sat(one.capacity // 100), "remote_chan_reserve_sat": sat(one.capacity // 100), "static_remote_key": False,
            "commitment_type": "ANCHORS", "lifetime": str(age), "uptime": str(age), "close_address": "", "push_amount_sat": "0", "thaw_height": 0,
            "local_constraints": constraints(one), "remote_constraints": constraints(one), "alias_scids": [], "zero_conf": False,
            "zero_conf_confirmed_scid": "0", "peer_alias": "", "peer_scid_alias": "0", "memo": "", "custom_channel_data": ""}


def closed_channel(one, graph):
    peer = one.peer_of(graph.own.key)
    kind = {"cooperative": "COOPERATIVE_CLOSE", "force": "LOCAL_FORCE_CLOSE"}[one.closed]
    return {"channel_point": one.point, "chan_id": str(one.id), "chain_hash": "", "closing_tx_hash": hashlib.sha256(one.point.encode()).hexdigest(),
            "remote_pubkey": peer.key.hex(), "capacity": sat(one.capacity), "close_height": graph.height,
            "settled_balance": sat(one.balance[graph.own.key]), "time_locked_balance": "0", "close_type": kind, "open_initiator": "INITIATOR_LOCAL",
            "close_initiator": "INITIATOR_LOCAL", "resolutions": [], "alias_scids": [], "zero_conf_confirmed_scid": "0", "custom_channel_data": ""}


def policy(one, last_update):
    return {"time_lock_delta": one["delta"], "min_htlc": str(one["min"]), "fee_base_msat": str(one["base"]), "fee_rate_milli_msat": str(one["ppm"]),
            "disabled": one["disabled"], "max_htlc_msat": str(one["max"]), "last_update": last_update, "custom_records": {},
            "inbound_fee_base_msat": 0, "inbound_fee_rate_milli_msat": 0}


def edge(one):
    first, second = sorted(one.ends, key=lambda node: node.key)
    return {"channel_id": str(one.id), "chan_point": one.point, "last_update": 1795869800, "node1_pub": first.key.hex(), "node2_pub": second.key.hex(),
            "capacity": sat(one.capacity), "node1_policy": policy(one.policy[first.key], 1795869800),
            "node2_policy": policy(one.policy[second.key], 1795869800), "custom_records": {}, "auth_proof": None}


def node(one):
    return {"last_update": 1795869806, "pub_key": one.key.hex(), "alias": one.alias, "addresses": [], "color": "#3399ff", "features": all_features(),
            "custom_records": {}}


def decoded(one):
    hints = [{"hop_hints": [{"node_id": key.hex(), "chan_id": str(chan), "fee_base_msat": base, "fee_proportional_millionths": ppm,
                             "cltv_expiry_delta": delta} for key, chan, base, ppm, delta in hint]} for hint in one["hints"]]
    return {"destination": one["destination"].hex(), "payment_hash": one["payment_hash"].hex(), "num_satoshis": sat(one["msat"]),
            "timestamp": str(one["at"]), "expiry": str(one["expiry"]), "description": one["memo"], "description_hash": "", "fallback_addr": "",
            "cltv_expiry": str(one["cltv"]), "route_hints": hints, "payment_addr": b64(one["payment_addr"]), "num_msat": str(one["msat"]),
            "features": features(OF_AN_INVOICE), "blinded_paths": []}


def invoice_htlc(one):
    states = {"held": "ACCEPTED", "settled": "SETTLED", "failed": "CANCELED"}
    resolved = one.moments.get(one.state, 0) // 10**9 if one.ended() else 0
    return {"chan_id": str(one.route.hops[-1].chan), "htlc_index": "0", "amt_msat": str(one.route.delivered), "accept_height": 0,
            "accept_time": str(one.moments["held"] // 10**9), "resolve_time": str(resolved), "expiry_height": one.route.hops[-1].expiry,
            "state": states[one.state], "custom_records": {str(kind): b64(value) for kind, value in one.route.hops[-1].custom.items()},
            "mpp_total_amt_msat": str(one.route.mpp()[1]), "amp": None, "custom_channel_data": ""}


def invoice(one):
    return {"memo": one.memo, "r_preimage": b64(one.preimage or b""), "r_hash": b64(one.hash), "value": sat(one.msat), "value_msat": str(one.msat),
            "settled": one.state == "SETTLED", "creation_date": str(one.at), "settle_date": str(one.settled_at), "payment_request": one.text,
            "description_hash": "", "expiry": str(one.expiry), "fallback_addr": "", "cltv_expiry": str(one.cltv), "route_hints": [], "private": False,
            "add_index": str(one.number), "settle_index": "1" if one.state == "SETTLED" else "0", "amt_paid": str(one.paid),
            "amt_paid_sat": sat(one.paid), "amt_paid_msat": str(one.paid), "state": one.state, "htlcs": [invoice_htlc(each) for each in one.htlcs],
            "features": features(OF_AN_INVOICE), "is_keysend": False, "payment_addr": b64(one.addr), "is_amp": False, "amp_invoice_state": {},
            "is_blinded": False, "blinded_path_config": None}
