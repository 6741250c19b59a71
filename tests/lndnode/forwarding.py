"""HTLCs on their way through the network, and the payees who take, hold or refuse them. It lives on while lnd is down, as a network does."""

import asyncio
import hashlib
import os

import invoice as bolt11

DUST = 354_000  # msat; smaller HTLCs are no outputs of a commitment transaction
TOO_SOON, TOO_FAR = 3, 2016
HOLD_EXPIRY = 12  # a payee fails an HTLC that it holds this many blocks before its expiry
CONFIRMED = 3
UPDATED = {"FEE_INSUFFICIENT", "INCORRECT_CLTV_EXPIRY", "TEMPORARY_CHANNEL_FAILURE", "EXPIRY_TOO_SOON", "AMOUNT_BELOW_MINIMUM", "CHANNEL_DISABLED"}


class Hop:
    def __init__(self, chan, key, amount, expiry, mpp=None, custom=None):
        self.chan, self.key, self.amount, self.expiry, self.mpp, self.custom = chan, key, amount, expiry, mpp, custom or {}


class Route:
    def __init__(self, time_lock, total, hops):
        self.time_lock, self.total, self.hops = time_lock, total, hops

    @property
    def delivered(self):
        return self.hops[-1].amount

    def mpp(self):
        """(payment_addr, total) of the last hop, or None."""
        return self.hops[-1].mpp

    def comes_in(self, n):
        """Amount and expiry of the HTLC that the node at the end of hop n receives."""
        return (self.total, self.time_lock) if n == 0 else (self.hops[n - 1].amount, self.hops[n - 1].expiry)

    def fees(self):
        return self.total - self.delivered


class Failure:
    """Why an HTLC failed. `channel` and `key`: the policy that goes with the failure."""

    def __init__(self, code, source, height=0, msat=0, expiry=0, channel=None, key=None, onion=b""):
        self.code, self.source, self.height, self.msat, self.expiry = code, source, height, msat, expiry
        self.channel, self.key, self.onion = channel, key, onion


class Htlc:
    """One HTLC. `state`: registered, circuit, queued, signed, forwarded, held, settled, failed, orphan."""

    def __init__(self, number, payment_hash, attempt_id, route, user):
        self.number, self.hash, self.attempt_id, self.route, self.user = number, payment_hash, attempt_id, route, user
        self.state, self.moments, self.locked, self.invoice, self.closing = "registered", {}, [], None, None
        self.outcome, self.index = asyncio.get_running_loop().create_future(), None

    def ended(self):
        return self.state in ("settled", "failed")

    def amount(self):
        return self.route.total


class Invoice:
    def __init__(self, payment_hash, preimage, addr, msat, at, expiry, cltv, hold, text):
        self.hash, self.preimage, self.addr, self.msat, self.at, self.expiry = payment_hash, preimage, addr, msat, at, expiry
        self.cltv, self.hold, self.text, self.memo = cltv, hold, text, ""
        self.state, self.htlcs, self.paid, self.number, self.settled_at = "OPEN", [], 0, 0, 0

    def held(self):
        return [htlc for htlc in self.htlcs if htlc.state == "held"]


class Network:
    """The network around lnd. `now`: lnd's clock in nanoseconds."""

    def __init__(self, graph, now, hop_delay=0.0, mpp_timeout=120.0, mailbox=60.0):
        self.graph, self.now, self.hop_delay, self.mpp_timeout, self.mailbox = graph, now, hop_delay, mpp_timeout, mailbox
        self.ledger, self.injected, self.tasks, self.moved, self.chain = [], [], set(), asyncio.Event(), []
        self.waits, self.watchers = {}, set()  # what happens later; who is told of HTLC events

    def spawn(self, work):
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def later(self, seconds, act, *args):
        """Like the loop's call_later, but `pass_time` can bring it nearer."""
        loop, number = asyncio.get_running_loop(), object()

        def happen():
            del self.waits[number]
            act(*args)

        self.waits[number] = (loop.call_later(seconds, happen), happen)

    def pass_time(self, seconds):
        loop = asyncio.get_running_loop()
        for number, (handle, happen) in list(self.waits.items()):
            handle.cancel()
            self.waits[number] = (loop.call_at(handle.when() - seconds, happen), happen)

    def tell(self, htlc, event):
        """An HTLC event: lnd tells of what its own links have carried, without hash and attempt."""
        if htlc.index is not None:
            for watcher in self.watchers:
                watcher(htlc, event, self.now())

    def mark(self, htlc, state):
        htlc.state = state
        htlc.moments[state] = self.now()
        self.moved.set()
        self.moved = asyncio.Event()

    # --- from our node ---

    def register(self, payment_hash, attempt_id, route, user):
        htlc = Htlc(len(self.ledger) + 1, payment_hash, attempt_id, route, user)
        self.mark(htlc, "registered")
        self.ledger.append(htlc)
        return htlc

    def refusal_at_home(self, route, stopping):
        """Why lnd's own switch refuses the HTLC before it leaves; None if it does not."""
        key, channel = self.graph.own.key, self.graph.channels.get(route.hops[0].chan)
        if stopping or not channel or not channel.has(key) or channel.closed or not self.graph.active(channel):
            return Failure("UNKNOWN_NEXT_PEER", 0)
        return self.refusal_of_link(channel, key, route.total, route.time_lock, 0)

    def refusal_of_link(self, channel, key, amount, expiry, source):
        policy = channel.policy[key]
        if amount < policy["min"]:
            return Failure("AMOUNT_BELOW_MINIMUM", source, msat=amount, channel=channel, key=key)
        if amount > policy["max"]:
            return Failure("TEMPORARY_CHANNEL_FAILURE", source, channel=channel, key=key)
        if expiry <= self.graph.height + TOO_SOON:
            return Failure("EXPIRY_TOO_SOON", source, channel=channel, key=key)
        if expiry > self.graph.height + TOO_FAR:
            return Failure("EXPIRY_TOO_FAR", source)
        if channel.balance[key] < amount:
            return Failure("TEMPORARY_CHANNEL_FAILURE", source, channel=channel, key=key)
        return None

    def offer(self, htlc, stopping=False):
        """t4: the circuit is written. Returns whether the link signs it."""
        failure = self.refusal_at_home(htlc.route, stopping)
        if failure:
            self.fail(htlc, failure)
            return False
        self.mark(htlc, "circuit")
        return True

    def sign(self, htlc):
        """t5: from here on it travels, whatever happens to lnd."""
        channel = self.graph.channels[htlc.route.hops[0].chan]
        if channel.stalled and any(one.state == "signed" and one.route.hops[0].chan == channel.id for one in self.ledger):
            self.mark(htlc, "queued")
            self.later(self.mailbox, self.give_up, htlc, channel)
            return
        self.lock(htlc, channel, self.graph.own.key, htlc.route.total)
        htlc.index, channel.next_htlc = channel.next_htlc, channel.next_htlc + 1
        self.mark(htlc, "signed")
        self.tell(htlc, "forward_event")
        if channel.stalled:
            self.later(self.mailbox, self.cut_off, channel)
        self.spawn(self.travel(htlc, channel))

    @staticmethod
    def cut_off(channel):
        """lnd disconnects from a peer that does not confirm."""
        channel.down = channel.down or channel.stalled

    def give_up(self, htlc, channel):
        """A running lnd fails an HTLC that has waited too long in a link. After a kill nothing does."""
        if htlc.state == "queued":
            self.fail(htlc, Failure("TEMPORARY_CHANNEL_FAILURE", 0, channel=channel, key=self.graph.own.key))

    def lock(self, htlc, channel, payer, msat):
        channel.balance[payer] -= msat
        channel.updates += 1
        htlc.locked.append((channel, payer, msat))

    # --- on the way ---

    async def travel(self, htlc, channel):
        while channel.stalled:
            await self.moved.wait()
        if htlc.ended():
            return
        self.mark(htlc, "forwarded")
        for n in range(len(htlc.route.hops)):
            await asyncio.sleep(self.hop_delay)
            failure = self.arrive(htlc, n)
            if failure:
                self.fail(htlc, failure)
                return

    def arrive(self, htlc, n):
        """The HTLC has reached the node at the end of hop n. Returns that node's refusal."""
        hops, last = htlc.route.hops, n == len(htlc.route.hops) - 1
        came = htlc.locked[n]
        node = came[0].peer_of(came[1])
        if node.key != hops[n].key:
            return Failure("INVALID_ONION_HMAC", n, onion=hashlib.sha256(os.urandom(8)).digest())
        injected = self.injection(node, n + 1, htlc)
        if injected:
            return injected
        return self.deliver(htlc, node) if last else self.forward(htlc, n, node)

    def injection(self, node, source, htlc):
        """A failure that a test has asked for."""
        for wish in self.injected:
            if wish["node"] == node.name and wish["times"] > 0 and wish.get("hash") in (None, htlc.hash.hex()):
                wish["times"] -= 1
                channel = self.graph.channels.get(htlc.route.hops[source].chan) if source < len(htlc.route.hops) else None
                told = channel if wish["code"] in UPDATED and wish.get("update", True) and channel and channel.has(node.key) else None
                return Failure(wish["code"], source, height=wish.get("height", 0), msat=wish.get("htlc_msat", 0), channel=told, key=node.key)
        return None

    def forward(self, htlc, n, node):
        channel, source = self.graph.channels.get(htlc.route.hops[n + 1].chan), n + 1
        if channel is htlc.locked[n][0]:
            return Failure("TEMPORARY_CHANNEL_FAILURE", source)  # lnd forwards nothing back into the channel it came from
        if not channel or not channel.has(node.key) or channel.closed or not channel.peer_of(node.key).online:
            return Failure("UNKNOWN_NEXT_PEER", source)
        refusal = self.refusal_of_policy(htlc, n, channel, node.key)
        if not refusal:
            self.lock(htlc, channel, node.key, htlc.route.comes_in(n + 1)[0])
        return refusal

    def refusal_of_policy(self, htlc, n, channel, key):
        (come, expires), (goes, goes_until), source = htlc.route.comes_in(n), htlc.route.comes_in(n + 1), n + 1
        policy = channel.policy[key]
        if policy["disabled"]:
            return Failure("CHANNEL_DISABLED", source, channel=channel, key=key)
        if come - goes < policy["base"] + goes * policy["ppm"] // 1_000_000:
            return Failure("FEE_INSUFFICIENT", source, msat=goes, channel=channel, key=key)
        refusal = self.refusal_of_link(channel, key, goes, goes_until, source)
        if refusal and refusal.code == "EXPIRY_TOO_SOON":
            refusal.channel = htlc.locked[n][0]  # the failure is about the channel by which the HTLC came in
        if not refusal and expires < goes_until + policy["delta"]:
            return Failure("INCORRECT_CLTV_EXPIRY", source, expiry=expires, channel=channel, key=key)
        return refusal

    # --- the payee ---

    def invoice(self, name, msat, hold=False, preimage=None, payment_hash=None, memo="test", expiry=86400, cltv=80, addr=None, hints=()):
        node = self.graph.node(name)
        if not payment_hash:
            preimage = preimage or os.urandom(32)
            payment_hash = hashlib.sha256(preimage).digest()
        addr, at = addr or os.urandom(32), self.now() // 10**9
        text = bolt11.encode(self.graph.network, node.secret, payment_hash, addr, msat, at, memo, expiry, cltv, hints)
        made = Invoice(payment_hash, preimage, addr, msat, at, expiry, cltv, hold or preimage is None, text)
        made.memo, made.number = memo, len(node.invoices) + 1
        node.invoices[payment_hash] = made
        return made

    def wrong_details(self, htlc):
        return Failure("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS", len(htlc.route.hops), height=self.graph.height)

    def deliver(self, htlc, node):
        made = node.invoices.get(htlc.hash)
        if not made or not self.takes(made, htlc):
            return self.wrong_details(htlc)
        made.htlcs.append(htlc)
        htlc.invoice = made
        self.mark(htlc, "held")
        if sum(one.route.delivered for one in made.held()) < htlc.route.mpp()[1]:
            self.later(self.mpp_timeout, self.time_out, made, htlc)
            return None
        made.state = "ACCEPTED"
        if not made.hold:
            self.settle(made)
        return None

    def takes(self, made, htlc):
        mpp, expiry = htlc.route.mpp(), htlc.route.hops[-1].expiry
        if made.state == "OPEN" and made.at + made.expiry < self.now() // 10**9 and not made.held():
            made.state = "CANCELED"
        if made.state != "OPEN" or not mpp or mpp[0] != made.addr or mpp[1] < made.msat:
            return False
        if any(one.route.mpp()[1] != mpp[1] for one in made.held()):
            return False
        return expiry >= self.graph.height + made.cltv

    def time_out(self, made, htlc):
        if htlc.state == "held" and made.state == "OPEN":
            self.fail(htlc, Failure("MPP_TIMEOUT", len(htlc.route.hops)))

    def settle(self, made, preimage=None):
        made.preimage = preimage or made.preimage
        made.state, made.settled_at = "SETTLED", self.now() // 10**9
        made.paid = sum(htlc.route.delivered for htlc in made.held())
        for htlc in made.held():
            for channel, payer, msat in htlc.locked:
                channel.balance[channel.peer_of(payer).key] += msat
                channel.updates += 1
            htlc.locked[0][0].sent += htlc.route.total
            self.resolve(htlc, "settled", made.preimage)

    def cancel(self, made):
        made.state = "CANCELED"
        for htlc in made.held():
            self.fail(htlc, self.wrong_details(htlc))

    # --- the end of it ---

    def fail(self, htlc, failure):
        if htlc.ended():
            return
        for channel, payer, msat in htlc.locked:
            channel.balance[payer] += msat
            channel.updates += 1
        self.resolve(htlc, "failed", failure)

    def resolve(self, htlc, state, result):
        """lnd learns of an end when it has travelled back, hop by hop."""
        self.mark(htlc, state)
        if self.hop_delay and htlc.locked:
            asyncio.get_running_loop().call_later(self.hop_delay * len(htlc.locked), self.known, htlc, result)
        else:
            self.known(htlc, result)

    def known(self, htlc, result):
        if not htlc.outcome.done():
            htlc.outcome.set_result(result)
            self.tell(htlc, "settle_event" if isinstance(result, bytes) else "forward_fail_event")

    def lnd_was_killed(self):
        """HTLCs that were not signed yet are forgotten, and their records stay open for ever."""
        self.watchers.clear()
        for htlc in self.ledger:
            if htlc.state in ("circuit", "queued"):
                self.mark(htlc, "orphan")
        for channel in self.graph.own_channels():
            channel.down = channel.stalled

    def pending_out_of(self, channel):
        """The HTLCs that lnd's list of channels shows: not those that the peer has not confirmed yet."""
        return [htlc for htlc in self.ledger if htlc.state in ("forwarded", "held") and htlc.locked[0][0] is channel]

    # --- blocks ---

    def mine(self, blocks):
        for _ in range(blocks):
            self.graph.height += 1
            for htlc in list(self.ledger):
                self.block(htlc)

    def block(self, htlc):
        height = self.graph.height
        if htlc.state == "held" and htlc.route.hops[-1].expiry - HOLD_EXPIRY <= height:
            self.cancel(htlc.invoice)
        if htlc.state in ("signed", "forwarded", "held") and htlc.closing is None and htlc.route.time_lock <= height:
            htlc.locked[0][0].closed, htlc.closing = "force", height
        if htlc.closing is not None and not htlc.ended() and (htlc.route.total < DUST or height >= htlc.closing + CONFIRMED):
            self.fail(htlc, Failure("PERMANENT_CHANNEL_FAILURE", 0))
