"""The second port: a JSON command a line, a JSON answer a line. What each does stands in README.md."""

import asyncio
import copy
import json
import time

import forwarding
import records
from graph import Limits, NoRoute, scid
from records import Refused
from rest import Other
from router import Order

FENCE_ADDR = b"\xfe" * 32


class Control:
    """Executes the commands of tests: the command NAME is the method do_NAME."""

    def __init__(self, peer):
        self.peer, self.router, self.network, self.graph = peer, peer.router, peer.network, peer.graph
        self.tower, self.saved, self.locker = peer.router.tower, {}, None

    async def connected(self, reader, writer):
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self.answer(line)).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def answer(self, line):
        try:
            given = json.loads(line)
            done = getattr(self, "do_" + given.pop("cmd"))(**given)
            if asyncio.iscoroutine(done):
                done = await done
            return {"ok": True, **(done or {})}
        except Refused as refusal:
            return {"ok": False, "status": refusal.status, "code": refusal.code, "error": refusal.message}
        except NoRoute as words:
            return {"ok": False, "error": str(words)}
        except (AttributeError, KeyError, TypeError, ValueError, StopIteration) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    # --- the payees ---

    def do_invoice(self, node="D", amount_msat=50_000, hold=False, preimage=None, hash=None, payment_addr=None, hints=(), **more):
        hexes = [bytes.fromhex(text) if text else None for text in (preimage, hash, payment_addr)]
        routes = [[self.hint(one) for one in route] for route in hints]
        made = self.network.invoice(node, amount_msat, hold, hexes[0], hexes[1], addr=hexes[2], hints=routes, **more)
        return {"payment_request": made.text, "hash": made.hash.hex(), "payment_addr": made.addr.hex(), "payee": self.graph.node(node).key.hex(),
                "preimage": made.preimage.hex() if made.preimage else None}

    def hint(self, given):
        """For [node, channel]: a route hint with that node's policy for the channel."""
        name, chan = given
        node, channel = self.graph.node(name), self.channel(chan)
        policy = channel.policy[node.key]
        return node.key, channel.id, policy["base"], policy["ppm"], policy["delta"]

    def invoices_of(self, payment_hash, node=None):
        found = [one.invoices[bytes.fromhex(payment_hash)] for one in self.graph.nodes.values()
                 if bytes.fromhex(payment_hash) in one.invoices and node in (None, one.name)]
        if not found:
            raise ValueError("no such invoice")
        return found

    def do_settle(self, hash, node=None, preimage=None):
        for made in self.invoices_of(hash, node):
            if made.held():
                self.network.settle(made, bytes.fromhex(preimage) if preimage else None)

    def do_cancel(self, hash, node=None):
        for made in self.invoices_of(hash, node):
            self.network.cancel(made)

    def do_hold(self, hash, on=True, node=None):
        for made in self.invoices_of(hash, node):
            made.hold = on

    def do_mpp_timeout(self, hash=None, seconds=None):
        """Sets how long payees wait for the rest of a set. With a hash: ends that wait now."""
        if seconds is not None:
            self.network.mpp_timeout = seconds
        for made in self.invoices_of(hash) if hash else ():
            for htlc in made.held():
                self.network.time_out(made, htlc)

    def do_invoice_state(self, hash):
        return {"invoices": [{"state": made.state, "htlcs": [[one.state, one.route.delivered] for one in made.htlcs]} for made in self.invoices_of(hash)]}

    # --- the network ---

    def channel(self, name):
        return self.graph.channels[scid(name)]

    def do_hop(self, node, code, times=1, **more):
        self.network.injected.append({"node": node, "code": code, "times": times, **more})

    def do_fail(self, htlc, code="TEMPORARY_CHANNEL_FAILURE", source=1):
        self.network.fail(self.network.ledger[htlc - 1], forwarding.Failure(code, source))

    def do_peer(self, node, online=True):
        self.graph.node(node).online = online

    def do_stall(self, chan, on=True):
        """Makes the peer of this channel stop answering, while its connection stays."""
        channel = self.channel(chan)
        channel.stalled, channel.down = on, channel.down and on
        self.network.moved.set()
        self.network.moved = asyncio.Event()
        for htlc in self.network.ledger:
            if not on and htlc.state == "queued" and htlc.route.hops[0].chan == channel.id:
                self.network.sign(htlc)

    def do_open(self, **channel):
        self.graph.open(channel)

    def do_close(self, chan, how="cooperative"):
        self.channel(chan).closed = how

    def do_balance(self, chan, node, msat=None):
        channel, key = self.channel(chan), self.graph.node(node).key
        if msat is not None:
            channel.balance[key] = msat
        return {"msat": channel.balance[key]}

    def do_policy(self, chan, node, **changes):
        self.channel(chan).policy[self.graph.node(node).key].update(changes)

    def do_dislike(self, start, end):
        self.graph.disliked.add((self.graph.node(start).key, self.graph.node(end).key))

    def do_mine(self, blocks=1):
        self.network.mine(blocks)
        return {"height": self.graph.height}

    def do_delay(self, hop):
        self.network.hop_delay = hop

    # --- lnd ---

    def do_clock(self, shift=None, add=0):
        self.router.shift = (self.router.shift if shift is None else shift) + add
        return {"now_ns": self.router.now()}

    def do_pass(self, seconds):
        """So much time is over at once, for lnd's clock and for all that waits in links and at payees."""
        self.router.shift += seconds
        self.network.pass_time(seconds)

    def do_resume(self):
        """lnd takes up its open payments now, if it was started with `resume`."""
        self.router.resumed.set()

    def do_sync(self, synced=True):
        self.peer.rest.synced = synced

    def do_identity(self, pubkey=None):
        """Makes another node answer at this address."""
        self.peer.rest.identity = pubkey

    def do_state(self, state):
        self.peer.rest.state = state

    async def do_restart(self, how="kill", wait=True, **given):
        done = self.peer.restart(how, given)
        if wait:
            await done

    def do_down(self):
        self.peer.server.close()

    async def do_up(self):
        await self.peer.server.listen()

    @staticmethod
    def do_freeze(seconds):
        time.sleep(seconds)  # like SIGSTOP and SIGCONT

    def do_lock(self, seconds=None):
        """Lets another writer hold the database."""
        free = asyncio.Event()
        self.locker = (asyncio.get_running_loop().create_task(self.hold_lock(free, seconds)), free)

    async def hold_lock(self, free, seconds):
        async with self.router.lock:
            try:
                await asyncio.wait_for(free.wait(), seconds)
            except asyncio.TimeoutError:
                pass

    async def do_unlock(self):
        if self.locker:
            self.locker[1].set()
            await self.locker[0]
            self.locker = None

    def do_snapshot(self):
        """Copies lnd's records; `restore` puts the copy back, like an operator who restores a backup."""
        self.saved = {name: self.copied(one) for name, one in self.tower.payments.items()}

    @staticmethod
    def copied(payment):
        one = copy.copy(payment)
        one.attempts = [copy.copy(attempt) for attempt in payment.attempts]
        return one

    def do_restore(self):
        self.tower.payments = {name: self.copied(one) for name, one in self.saved.items()}

    def do_forget(self, hash):
        self.tower.payments.pop(bytes.fromhex(hash), None)

    def do_lie(self, hash, preimage):
        for attempt in self.tower.payments[bytes.fromhex(hash)].attempts:
            attempt.preimage = bytes.fromhex(preimage)

    def do_fill(self, count, status="FAILED"):
        """Makes `count` records of other users."""
        for n in range(count):
            payment = records.Payment(n.to_bytes(32, "big"), 1000 + n, self.router.now())
            payment.reason = records.ERROR
            self.tower.init(payment)
            if status == "SUCCEEDED":
                route = forwarding.Route(0, 1000 + n, [forwarding.Hop(0, self.graph.own.key, 1000 + n, 0)])
                attempt = records.Attempt(self.tower.attempt_number(), route, self.router.now())
                attempt.status, attempt.preimage = "SUCCEEDED", bytes(32)
                payment.attempts.append(attempt)

    # --- other users ---

    async def do_pay(self, payment_request, fee_limit_msat=None, amount_msat=None, wait=True):
        asked = {**self.router.target(payment_request), "text": payment_request}
        asked["msat"] = asked["msat"] or amount_msat
        payment = await self.router.init_payment(asked)
        driven = self.router.spawn(self.router.drive(Other(), payment, asked, fee_limit_msat))
        if wait:
            await driven
        return {"status": payment.status}

    async def do_join(self, payment_request, amount_msat, total_msat=None, skip=True, wait=False):
        """Another user's part of this invoice."""
        asked = self.router.target(payment_request)
        delta, total = asked["cltv"] + 3, total_msat or asked["msat"]
        way = self.graph.find(asked["destination"], amount_msat, delta, Limits())
        route = self.router.route_along(way, amount_msat, delta, (asked["payment_addr"], total))
        work = self.router.spawn(self.router.hand_over(Other(), Order(asked["payment_hash"], route, skip)))
        return {"status": (await work).status} if wait else {}

    async def do_foreign(self, hash, act="fence", amount_msat=1, total_msat=1, payment_addr=None, skip=None, chan=1, mark=None):
        """One hop, as another paytower's barrier has it: act "fence", or "release" which ends the record."""
        custom = {5564161: bytes.fromhex(mark)} if mark else {}
        mpp = (bytes.fromhex(payment_addr) if payment_addr else FENCE_ADDR, total_msat)
        hop = forwarding.Hop(chan, self.graph.own.key, amount_msat, self.graph.height + 100, mpp, custom)
        route = forwarding.Route(self.graph.height + 100, amount_msat, [hop])
        attempt = await self.router.hand_over(Other(), Order(bytes.fromhex(hash), route, act == "fence" if skip is None else skip))
        return {"attempt": attempt.id, "status": attempt.status, "code": attempt.failure.code if attempt.failure else None}

    async def do_delete(self, hash, failed_htlcs_only=False):
        async with self.router.lock:
            self.tower.delete(bytes.fromhex(hash), failed_htlcs_only)

    async def do_delete_all(self, failed_payments_only=False, failed_htlcs_only=False):
        async with self.router.lock:
            return {"deleted": self.tower.delete_many(failed_payments_only, failed_htlcs_only)}

    # --- faults ---

    def do_fault(self, **given):
        return {"fault": self.peer.faults.arm(given)}

    def do_faults(self):
        return {"faults": [fault.shown() for fault in self.peer.faults.armed]}

    def do_release(self, fault=None):
        self.peer.faults.release(fault)

    def do_disarm(self, fault=None):
        self.peer.faults.disarm(fault)

    def do_break(self, path="/"):
        return {"lost": self.peer.server.break_off(path)}

    # --- looking ---

    def row(self, htlc):
        route, last = htlc.route, htlc.route.hops[-1]
        return {"htlc": htlc.number, "hash": htlc.hash.hex(), "attempt": htlc.attempt_id, "amount_msat": route.delivered, "sent_msat": route.total,
                "total_msat": last.mpp[1] if last.mpp else None, "chan": route.hops[0].chan, "time_lock": route.time_lock, "state": htlc.state,
                "left": "signed" in htlc.moments, "user": htlc.user,
                "custom_records": {str(kind): value.hex() for kind, value in last.custom.items()}, "moments": htlc.moments}

    def rows(self, payment_hash=None):
        return [self.row(htlc) for htlc in self.network.ledger if payment_hash in (None, htlc.hash.hex())]

    def do_ledger(self, hash=None):
        return {"ledger": self.rows(hash)}

    def do_payments(self):
        return {"payments": [{"hash": one.hash.hex(), "status": one.status, "value_msat": one.value, "reason": one.reason, "index": one.index,
                              "attempts": [[attempt.id, attempt.status] for attempt in one.attempts]} for one in self.tower.payments.values()]}

    def do_requests(self, path="/"):
        return {"requests": [{"request": call.number, "connection": call.connection, "method": call.method, "path": call.path, "query": call.query,
                              "reached": call.reached, "hash": call.hash_named()} for call in self.peer.server.requests if call.is_at(path)]}

    async def do_wait(self, seconds=5.0, count=1, hash=None, state=None, fault=None, path=None, status=None, runs=None):
        """Until so many HTLCs are in a state, a fault has been met, a path was asked, records have a status, or lnd is in its n-th run."""
        def there():
            if fault is not None:
                return next(one.met for one in self.peer.faults.armed if one.number == fault)
            if runs is not None:
                return self.peer.runs - runs + 1
            if path is not None:
                return sum(call.is_at(path) for call in self.peer.server.requests)
            if status is not None:
                return sum(one.status == status and hash in (None, one.hash.hex()) for one in self.tower.payments.values())
            return sum(row["state"] == state for row in self.rows(hash))
        end = time.monotonic() + seconds
        while there() < count:
            if time.monotonic() > end:
                raise ValueError("waited in vain")
            await asyncio.sleep(0.002)
        return {"seen": there()}

    def do_info(self):
        return {"own": self.graph.own.key.hex(), "runs": self.peer.runs, "height": self.graph.height, "folder": self.peer.folder, "port": self.peer.server.port,
                "nodes": {name: node.key.hex() for name, node in self.graph.nodes.items()},
                "channels": {str(one.id): [node.name for node in one.ends] for one in self.graph.channels.values()}}

    def do_bake(self, permissions=None, uris=(), root="0", file=None):
        wanted = [tuple(one) for one in permissions or []] + [("uri", uri) for uri in uris]
        made = self.peer.bakery.bake(wanted, root)
        if file:
            self.peer.write(file, made)
        return {"macaroon": made.hex()}

    def do_delete_root(self, root):
        self.peer.bakery.roots.pop(root, None)

    def do_quit(self):
        asyncio.get_running_loop().call_soon(self.peer.ended.set)
