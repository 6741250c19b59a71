"""lnd's REST paths: which call each one is, what it needs, and its answer."""

import asyncio
import hashlib
import re
import urllib.parse

import macaroon
import reading
import records
import render
from graph import NoRoute
from records import Refused

NOT_YET = {"WAITING_TO_START": "waiting to start, RPC services not available",
           "LOCKED": "wallet locked, unlock it to enable full RPC access",
           "UNLOCKED": "the RPC server is in the process of starting up, but not yet ready to accept calls"}
FINAL = 80  # final CLTV delta of a question that does not give one


class Call:
    """One request. `user`: what the ledger records about who made it."""

    def __init__(self, connection, number, method, target, headers, data):
        self.connection, self.number, self.method, self.headers, self.data = connection, number, method, headers, data
        path, _, query = target.partition("?")
        self.path, self.query = urllib.parse.unquote(path), dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.lists = urllib.parse.parse_qs(query)
        self.faults, self.root, self.reached, self.order = [], None, "received", None

    def user(self):
        return {"connection": self.connection, "request": self.number, "root_key": self.root}

    def parsed(self):
        """The body, as far as it can be read. Only used to choose faults."""
        try:
            return reading.body(self.data, reading.SEND)
        except Refused:
            return {}

    def hash_named(self):
        try:
            if self.path.startswith("/v2/router/track/"):
                return reading.raw(self.path.rpartition("/")[2]).hex()
            return reading.raw(self.parsed().get("payment_hash")).hex()
        except Refused:
            return ""

    def is_fence(self):
        hops = (self.parsed().get("route") or {}).get("hops") or [{}]
        return str((hops[-1].get("mpp_record") or {}).get("total_amt_msat")) == "1"

    def is_at(self, path):
        """Whether the path begins with this. A hand-over with an empty body does not count: it only asks for the permission."""
        probe = self.path == "/v2/router/route/send" and self.data.strip() in (b"{}", "{}")
        return self.path.startswith(path) and not (probe and path != "/")

    def flag(self, name):
        return self.query.get(name) == "true"


class Other:
    """Another user of the same lnd."""

    faults, reached = (), ""

    @staticmethod
    def user():
        return {"other": True}


class Stream:
    """A streamed answer of several messages."""

    def __init__(self, messages):
        self.messages = messages


class Rest:
    def __init__(self, router, bakery):
        self.router, self.graph, self.network, self.bakery = router, router.graph, router.network, bakery
        self.state, self.synced, self.identity = "SERVER_ACTIVE", True, None
        chain = {"mainnet": "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000",
                 "regtest": "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f"}
        self.chain_hash = bytes.fromhex(chain.get(self.graph.network, "f67ad7695d9b662a72ff3d8edbbb2de0bfa67b13974bb9910d116d5cbd863e68"))
        self.table = [(method, re.compile(path + "$"), uri, needs, getattr(self, name)) for method, path, uri, needs, name in PATHS]

    # --- a request ---

    def find(self, call):
        """Finds the handler of a path; raises the gateway's own error if there is none."""
        there = [row for row in self.table if row[1].match(call.path)]
        if not there:
            raise Refused("Not Found", 5, 404)
        for method, path, uri, needs, handle in there:
            if method == call.method:
                return uri, needs, handle, [part for part in path.match(call.path).groups()]
        raise Refused("Method Not Allowed", 12, 501)

    def admit(self, call, uri, needs):
        if not needs:
            return
        if self.state in NOT_YET:
            raise Refused(NOT_YET[self.state])
        try:
            given = bytes.fromhex(call.headers.get("grpc-metadata-macaroon", ""))
            call.root = self.bakery.check(given, needs, uri, self.router.now() / 10**9)
        except ValueError:
            raise Refused("encoding/hex: invalid byte") from None
        except macaroon.Refused as refusal:
            raise Refused(str(refusal)) from None

    async def answer(self, call):
        """A message, or a Stream of them. `streams` is set before anything can be refused: such errors look different."""
        uri, needs, handle, parts = self.find(call)
        call.streams = handle in (self.track, self.track_all, self.pay, self.htlc_events)
        self.admit(call, uri, needs)
        await self.router.moments(call, "accepted")
        return await handle(call, *parts)

    # --- the node ---

    async def get_state(self, _):
        return {"state": self.state}

    async def getinfo(self, _):
        own, active = self.graph.own, sum(self.graph.active(one) for one in self.graph.own_channels())
        height = self.graph.height
        return {"version": "0.21.2-beta commit=", "commit_hash": "", "identity_pubkey": self.identity or own.key.hex(), "alias": own.alias, "color": "#3399ff",
                "num_pending_channels": 0, "num_active_channels": active, "num_inactive_channels": len(self.graph.own_channels()) - active,
                "num_peers": active, "block_height": height, "block_hash": hashlib.sha256(str(height).encode()).hexdigest(),
                "best_header_timestamp": str(self.router.now() // 10**9), "synced_to_chain": self.synced, "synced_to_graph": True,
                "testnet": self.graph.network == "testnet", "chains": [{"chain": "bitcoin", "network": self.graph.network}], "uris": [],
                "features": render.all_features(), "require_htlc_interceptor": False, "store_final_htlc_resolutions": False,
                "wallet_synced": self.synced, "graph_cache_status": "GRAPH_CACHE_STATUS_LOADED"}

    def shown_channel(self, channel):
        invisible = [one for one in self.network.ledger if one.state == "signed" and one.locked[0][0] is channel]
        balance = channel.balance[self.graph.own.key] + sum(one.route.total for one in invisible)
        age = (self.router.now() - self.router.started) // 10**9
        shown = render.channel(channel, self.graph, self.network.pending_out_of(channel), balance, age)
        return {**shown, "num_updates": str(channel.updates - len(invisible))}

    async def channels(self, call):
        wanted = [one for one in self.graph.own_channels()
                  if not (call.flag("active_only") and not self.graph.active(one)) and not (call.flag("inactive_only") and self.graph.active(one))
                  and not (call.flag("public_only") and one.private) and not (call.flag("private_only") and not one.private)]
        return {"channels": [self.shown_channel(one) for one in wanted]}

    async def closed_channels(self, _):
        gone = [one for one in self.graph.channels.values() if one.closed and one.has(self.graph.own.key)]
        return {"channels": [render.closed_channel(one, self.graph) for one in gone]}

    async def pending_channels(self, _):
        return {"total_limbo_balance": "0", "pending_open_channels": [], "pending_closing_channels": [], "pending_force_closing_channels": [],
                "waiting_close_channels": []}

    async def channel_balance(self, _):
        own = self.graph.own.key
        local = sum(one.balance[own] for one in self.graph.own_channels())
        remote = sum(one.balance[one.peer_of(own).key] for one in self.graph.own_channels())
        amount = {name: {"sat": render.sat(msat), "msat": str(msat)} for name, msat in
                  (("local_balance", local), ("remote_balance", remote), ("unsettled_local_balance", 0), ("unsettled_remote_balance", 0),
                   ("pending_open_local_balance", 0), ("pending_open_remote_balance", 0))}
        return {"balance": render.sat(local), "pending_open_balance": "0", **amount, "custom_channel_data": "AQAA"}

    async def new_address(self, _):
        return {"address": "bcrt1qpaytowertestsonly"}

    async def wallet_balance(self, _):
        return {"total_balance": "0", "confirmed_balance": "0", "unconfirmed_balance": "0", "locked_balance": "0",
                "reserved_balance_anchor_chan": "0", "account_balance": {}}

    async def describe_graph(self, call):
        shown = [one for one in self.graph.open_channels() if not one.private or call.flag("include_unannounced")]
        return {"nodes": [render.node(one) for one in self.graph.nodes.values()], "edges": [render.edge(one) for one in shown]}

    async def channel_info(self, _, chan):
        channel = self.graph.channels.get(int(chan))
        if not channel:
            raise Refused("edge not found")
        return render.edge(channel)

    async def decode_invoice(self, _, text):
        return render.decoded(self.router.target(text))

    # --- routes ---

    async def query_routes(self, call, target, amount):
        given = reading.body(call.data, reading.QUERY) if call.method == "POST" else {**call.query, **self.repeated(call)}
        msat = reading.number(given.get("amt_msat")) or 1000 * reading.number(given.get("amt") or amount)
        payee, delta = reading.key(target), reading.number(given.get("final_cltv_delta"), 0) or FINAL
        limits = reading.limits(given, payee, msat)
        if given.get("use_mission_control"):
            limits.pairs |= self.graph.disliked
        try:
            way = self.graph.find(payee, msat, delta, limits)
        except NoRoute as words:
            raise Refused(str(words)) from None
        return {"routes": [render.route(self.router.route_along(way, msat, delta))], "success_prob": 1}

    @staticmethod
    def repeated(call):
        lists = {name: values for name, values in call.lists.items() if name in ("ignored_nodes", "outgoing_chan_ids")}
        limit = {name.partition(".")[2]: values[0] for name, values in call.lists.items() if name.startswith("fee_limit.")}
        return {**lists, **({"fee_limit": limit} if limit else {})}

    async def build_route(self, call):
        given = reading.body(call.data, reading.BUILD)
        msat, delta = reading.number(given.get("amt_msat")), reading.number(given.get("final_cltv_delta")) or FINAL
        addr = reading.raw(given.get("payment_addr"))
        try:
            way = self.graph.way_through([reading.raw(one) for one in given.get("hop_pubkeys") or []], reading.number(given.get("outgoing_chan_id")))
        except NoRoute as words:
            raise Refused(str(words)) from None
        return {"route": render.route(self.router.route_along(way, msat, delta, (addr, msat) if addr else None))}

    async def mission_control(self, _):
        return {"config": {"half_life_seconds": "3600", "hop_probability": 0.6, "weight": 0.5, "maximum_payment_results": 1000,
                           "minimum_failure_relax_interval": "60", "model": "APRIORI",
                           "apriori": {"half_life_seconds": "3600", "hop_probability": 0.6, "weight": 0.5, "capacity_fraction": 0.9999}}}

    async def mission(self, _):
        return {"pairs": []}

    async def nothing(self, call):
        reading.body(call.data, {})
        return {}

    # --- payments ---

    def shown(self, payment, hops=True):
        return render.payment(payment, self.chain_hash, hops)

    async def send_to_route(self, call):
        while self.state == "RPC_ACTIVE":  # lnd answers already, and begins no hand-over
            await asyncio.sleep(0.002)
        attempt = await self.router.hand_over(call, reading.order(call.data))
        return render.attempt(attempt, self.chain_hash)

    def subscribe(self, wanted):
        queue = asyncio.Queue()

        def listener(payment):
            if wanted(payment):
                queue.put_nowait((payment.ended(), self.shown(payment)))

        self.router.tower.listeners.add(listener)
        return queue, listener

    async def follow(self, queue, listener, silent=False):
        """All that comes, until the payment has ended where `queue` is of one, or lnd stops."""
        stop = asyncio.ensure_future(self.router.stopping.wait())
        try:
            while True:
                get = asyncio.ensure_future(queue.get())
                await asyncio.wait([get, stop], return_when=asyncio.FIRST_COMPLETED)
                if not get.done():
                    raise Refused("routerrpc server shutting down")
                ended, message = get.result()
                if ended or not silent:
                    yield {"result": message}, ended
        finally:
            get.cancel()
            stop.cancel()
            self.router.tower.listeners.discard(listener)

    async def until_end(self, queue, listener, silent):
        async for message, ended in self.follow(queue, listener, silent):
            yield message
            if ended:
                return

    async def track(self, call, name):
        payment = self.router.tower.find(reading.hash_in_path(name))
        queue, listener = self.subscribe(lambda one: one.hash == payment.hash)
        queue.put_nowait((payment.ended(), self.shown(payment)))
        return Stream(self.until_end(queue, listener, call.flag("no_inflight_updates")))

    async def track_all(self, call):
        queue, listener = self.subscribe(lambda one: True)
        for payment in sorted(self.router.tower.payments.values(), key=lambda one: one.hash):
            if not payment.ended():
                queue.put_nowait((False, self.shown(payment)))
        return Stream(self.each(queue, listener, call.flag("no_inflight_updates")))

    async def each(self, queue, listener, silent):
        async for message, _ in self.follow(queue, listener, silent):
            yield message

    async def htlc_events(self, _):
        """What the links of lnd carry from now on. The first message only says that the subscription is there."""
        queue = asyncio.Queue()
        queue.put_nowait({"result": render.htlc_event()})

        def watcher(htlc, event, at):
            queue.put_nowait({"result": render.htlc_event(htlc, event, at)})

        self.network.watchers.add(watcher)
        return Stream(self.watch(queue, watcher))

    async def watch(self, queue, watcher):
        try:
            while True:
                yield await queue.get()
        finally:
            self.network.watchers.discard(watcher)

    async def pay(self, call):
        given = reading.body(call.data, reading.PAY)
        asked = {**self.router.target(given.get("payment_request") or ""), "text": given["payment_request"]}
        asked["msat"] = asked["msat"] or reading.number(given.get("amt_msat"))
        queue, listener = self.subscribe(lambda one: one.hash == asked["payment_hash"])
        try:
            payment = await self.router.init_payment(asked)
        except Refused:
            self.router.tower.listeners.discard(listener)
            raise
        self.router.spawn(self.router.drive(call, payment, asked, reading.number(given.get("fee_limit_msat"), None)))
        return Stream(self.until_end(queue, listener, bool(given.get("no_inflight_updates"))))

    async def list_payments(self, call):
        most = int(call.query.get("max_payments", 0)) or 100
        rows = self.router.tower.page(int(call.query.get("index_offset", 0)), most, call.flag("reversed"), call.flag("include_incomplete"))
        hops = not (call.flag("omit_hops") and self.router.tower.store == "sql")
        total = len(self.router.tower.payments) if call.flag("count_total_payments") else 0
        ends = (rows[0].index, rows[-1].index) if rows else (0, 0)
        return {"payments": [self.shown(one, hops) for one in rows], "first_index_offset": str(ends[0]), "last_index_offset": str(ends[1]),
                "total_num_payments": str(total)}

    async def delete_payment(self, call):
        payment_hash = reading.hash_of(reading.raw(call.query.get("payment_hash", "")))
        async with self.router.lock:
            self.router.tower.delete(payment_hash, call.flag("failed_htlcs_only"))
        return {"status": "payment deleted"}

    async def delete_payments(self, call):
        failed_htlcs = call.flag("failed_htlcs_only")
        async with self.router.lock:
            count = self.router.tower.delete_many(call.flag("failed_payments_only"), failed_htlcs)
        return {"status": f"{count} payments deleted, failed_htlcs_only={str(failed_htlcs).lower()}"}

    # --- our own invoices ---

    async def add_invoice(self, call):
        given = reading.body(call.data, reading.INVOICE)
        preimage, payment_hash = reading.raw(given.get("r_preimage")) or None, reading.raw(given.get("hash")) or None
        msat = reading.number(given.get("value_msat")) or 1000 * reading.number(given.get("value"))
        if preimage:
            payment_hash = hashlib.sha256(preimage).digest()
        made = self.network.invoice(self.graph.own.name, msat, bool(given.get("hash")), preimage, payment_hash, given.get("memo") or "",
                                    reading.number(given.get("expiry")) or 86400, reading.number(given.get("cltv_expiry")) or 80)
        more = {"payment_request": made.text, "add_index": str(made.number), "payment_addr": render.b64(made.addr)}
        return more if given.get("hash") else {"r_hash": render.b64(made.hash), **more}

    async def lookup_invoice(self, _, name):
        made = self.graph.own.invoices.get(bytes.fromhex(name))
        if not made:
            raise Refused("there are no existing invoices" if not self.graph.own.invoices else "unable to locate invoice", 5, 404)
        return render.invoice(made)

    # --- macaroons ---

    async def bake(self, call):
        given = reading.body(call.data, reading.BAKE)
        permissions = [(one["entity"], one["action"]) for one in given.get("permissions") or []]
        return {"macaroon": self.bakery.bake(permissions, str(reading.number(given.get("root_key_id")))).hex()}

    async def macaroon_ids(self, _):
        return {"root_key_ids": sorted(self.bakery.roots)}

    async def delete_root(self, _, root):
        if root == "0":
            raise Refused("deletion of the default root key ID is not allowed")
        return {"deleted": self.bakery.roots.pop(root, None) is not None}

    async def permissions(self, _):
        return {"method_permissions": {uri: {"permissions": [{"entity": needs[0], "action": needs[1]}]} for _, _, uri, needs, _ in PATHS if needs}}


def lightning(name):
    return "/lnrpc.Lightning/" + name


def router_call(name):
    return "/routerrpc.Router/" + name


INFO, READ, WRITE = ("info", "read"), ("offchain", "read"), ("offchain", "write")
PATHS = [
    ("GET", "/v1/state", "/lnrpc.State/GetState", None, "get_state"),
    ("GET", "/v1/getinfo", lightning("GetInfo"), INFO, "getinfo"),
    ("GET", "/v1/channels", lightning("ListChannels"), READ, "channels"),
    ("GET", "/v1/channels/closed", lightning("ClosedChannels"), READ, "closed_channels"),
    ("GET", "/v1/channels/pending", lightning("PendingChannels"), READ, "pending_channels"),
    ("GET", "/v1/balance/channels", lightning("ChannelBalance"), READ, "channel_balance"),
    ("GET", "/v1/newaddress", lightning("NewAddress"), ("address", "write"), "new_address"),
    ("GET", "/v1/balance/blockchain", lightning("WalletBalance"), ("onchain", "read"), "wallet_balance"),
    ("GET", "/v1/graph", lightning("DescribeGraph"), INFO, "describe_graph"),
    ("GET", r"/v1/graph/edge/(\d+)", lightning("GetChanInfo"), INFO, "channel_info"),
    ("GET", "/v1/graph/routes/([^/]+)/([^/]+)", lightning("QueryRoutes"), INFO, "query_routes"),
    ("POST", "/v1/graph/routes/([^/]+)/([^/]+)", lightning("QueryRoutes"), INFO, "query_routes"),
    ("GET", "/v1/payreq/([^/]+)", lightning("DecodePayReq"), READ, "decode_invoice"),
    ("GET", "/v1/payments", lightning("ListPayments"), READ, "list_payments"),
    ("DELETE", "/v1/payments", lightning("DeleteAllPayments"), WRITE, "delete_payments"),
    ("DELETE", "/v1/payment", lightning("DeletePayment"), WRITE, "delete_payment"),
    ("POST", "/v1/invoices", lightning("AddInvoice"), ("invoices", "write"), "add_invoice"),
    ("POST", "/v2/invoices/hodl", "/invoicesrpc.Invoices/AddHoldInvoice", ("invoices", "write"), "add_invoice"),
    ("GET", "/v1/invoice/([^/]+)", lightning("LookupInvoice"), ("invoices", "read"), "lookup_invoice"),
    ("POST", "/v1/macaroon", lightning("BakeMacaroon"), ("macaroon", "generate"), "bake"),
    ("GET", "/v1/macaroon/ids", lightning("ListMacaroonIDs"), ("macaroon", "read"), "macaroon_ids"),
    ("GET", "/v1/macaroon/permissions", lightning("ListPermissions"), INFO, "permissions"),
    ("DELETE", r"/v1/macaroon/(\d+)", lightning("DeleteMacaroonID"), ("macaroon", "write"), "delete_root"),
    ("POST", "/v2/router/route/send", router_call("SendToRouteV2"), WRITE, "send_to_route"),
    ("POST", "/v2/router/route", router_call("BuildRoute"), READ, "build_route"),
    ("POST", "/v2/router/send", router_call("SendPaymentV2"), WRITE, "pay"),
    ("GET", "/v2/router/track/([^/]+)", router_call("TrackPaymentV2"), READ, "track"),
    ("GET", "/v2/router/payments", router_call("TrackPayments"), READ, "track_all"),
    ("GET", "/v2/router/htlcevents", router_call("SubscribeHtlcEvents"), READ, "htlc_events"),
    ("GET", "/v2/router/mc", router_call("QueryMissionControl"), READ, "mission"),
    ("POST", "/v2/router/mc/reset", router_call("ResetMissionControl"), WRITE, "nothing"),
    ("GET", "/v2/router/mccfg", router_call("GetMissionControlConfig"), READ, "mission_control"),
]
