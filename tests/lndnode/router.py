"""lnd's payments: one hand-over from its request to its answer, a SendPaymentV2, and what a restart makes of what was open."""

import asyncio
import random
import time
import traceback

import forwarding
import invoice as bolt11
import keys
import records
from graph import Limits, NoRoute
from records import Refused

MAX_HOPS, ONION = 27, 1300
PATIENCE = 1.0  # the longest pause of a writer between two tries, with the SQL store


class WriteLock:
    """The database's write lock. bbolt's is fair. With the SQL store each writer tries again after a pause, so a later one may come first."""

    def __init__(self, store):
        self.lock, self.polls = asyncio.Lock(), store == "sql"

    async def __aenter__(self):
        pause = 0.04
        while self.polls and self.lock.locked():
            await asyncio.sleep(random.random() * pause)
            pause = min(2 * pause, PATIENCE)
        await self.lock.acquire()

    async def __aexit__(self, *_):
        self.lock.release()


class Order:
    """What a SendToRouteV2 request asks for."""

    def __init__(self, payment_hash, route, skip=False, first_hop=None):
        self.hash, self.route, self.skip, self.first_hop = payment_hash, route, skip, first_hop


def size(number):
    return 1 if number < 253 else 3 if number < 65536 else 5


def short(number):
    return (number.bit_length() + 7) // 8


def payload_size(hop, last):
    length = 2 + short(hop.amount) + 2 + short(hop.expiry) + (0 if last else 10)
    if hop.mpp:
        length += 2 + 32 + short(hop.mpp[1])
    length += sum(size(kind) + size(len(value)) + len(value) for kind, value in hop.custom.items())
    return length + size(length) + 32


def check_onion(route):
    """If the onion cannot be made, the record stays behind without attempts."""
    for hop in route.hops:
        fault = keys.fault_of(hop.key)
        if fault:
            raise Refused(fault)
    if len(route.hops) > MAX_HOPS:
        raise Refused("route has too many hops")
    whole = sum(payload_size(hop, hop is route.hops[-1]) for hop in route.hops)
    if whole > ONION:
        raise Refused(f"payload size {whole}, payload limit {ONION}: max payload size exceeded")


def reason_of(failure, route):
    """The payment's failure reason: only a failure at the payee is final (except MPP_TIMEOUT)."""
    if failure.source != len(route.hops) or failure.code == "MPP_TIMEOUT":
        return None
    details = ("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS", "INCORRECT_PAYMENT_AMOUNT")
    return records.WRONG_DETAILS if failure.code in details else records.ERROR


class Router:
    """Executes lnd's payment calls. `moments`: awaited with the call and the name of the moment that it has reached."""

    def __init__(self, network, store, moments, shift=0.0):
        self.network, self.graph, self.moments, self.shift = network, network.graph, moments, shift
        self.tower, self.lock = records.Tower(store), WriteLock(store)
        self.tasks, self.stopping, self.resumed, self.started = set(), asyncio.Event(), asyncio.Event(), self.now()

    def now(self):
        return time.time_ns() + int(self.shift * 10**9)

    def spawn(self, work):
        """Starts a task that ends with this run of lnd."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.over)
        return task

    def over(self, task):
        """Nobody waits for most of these tasks: a refusal is lnd's and stays with it, all else is a fault of the double and is shown."""
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, Refused):
            traceback.print_exception(error)

    # --- SendToRouteV2 ---

    async def hand_over(self, call, order):
        route = order.route
        value = route.mpp()[1] if route.mpp() else route.delivered
        payment = records.Payment(order.hash, value, self.now(), first_hop=order.first_hop)
        async with self.lock:
            self.tower.init(payment, joins=bool(route.mpp()))
        await self.moments(call, "initiated")
        payment, attempt = await self.try_route(call, order.hash, route)
        await self.finish(call, payment, attempt, order.skip)
        return attempt

    async def try_route(self, call, payment_hash, route):
        number = self.tower.attempt_number()
        check_onion(route)
        attempt = records.Attempt(number, route, self.now())
        async with self.lock:
            self.tower.register(payment_hash, attempt)
            attempt.htlc = self.network.register(payment_hash, number, route, call.user())
            payment = self.tower.find(payment_hash)
        await self.moments(call, "registered")
        if self.network.offer(attempt.htlc, self.stopping.is_set()):
            await self.moments(call, "circuit")
            self.network.sign(attempt.htlc)
            await self.moments(call, "sent")
        return payment, attempt

    async def result(self, attempt):
        """A lnd that stops gives up waiting; the HTLC goes on."""
        if not attempt.htlc.outcome.done():
            stop = asyncio.ensure_future(self.stopping.wait())
            try:
                await asyncio.wait([attempt.htlc.outcome, stop], return_when=asyncio.FIRST_COMPLETED)
            finally:
                stop.cancel()
        if not attempt.htlc.outcome.done():
            raise Refused("htlcswitch shutting down")
        return attempt.htlc.outcome.result()

    async def finish(self, call, payment, attempt, skip):
        result = await self.result(attempt)
        await self.moments(call, "resolved")
        if isinstance(result, bytes):
            async with self.lock:
                self.tower.settle(payment, attempt, result, self.now())
            await self.moments(call, "recorded")
            return
        reason = reason_of(result, attempt.route)
        if reason:
            async with self.lock:
                self.tower.fail(payment, reason)
        async with self.lock:
            self.tower.fail_attempt(payment, attempt, result, self.now())
        await self.moments(call, "attempt_failed")
        if not skip and not reason:
            async with self.lock:
                self.tower.fail(payment, records.ERROR)
        await self.moments(call, "recorded")

    # --- SendPaymentV2 ---

    def target(self, text):
        try:
            found = bolt11.decode(text)
        except bolt11.Refused as refusal:
            raise Refused(str(refusal)) from None
        for node in self.graph.nodes.values():  # a node with a given key signs with a different one
            if found["payment_hash"] in node.invoices and node.signs_as() == found["destination"]:
                found["destination"] = node.key
        return found

    async def init_payment(self, asked):
        payment = records.Payment(asked["payment_hash"], asked["msat"], self.now(), asked["text"], {106823: b"\0"})
        async with self.lock:
            return self.tower.init(payment)

    async def drive(self, call, payment, asked, fee_limit):
        """One route after the other, in one piece, until one pays or none is left."""
        limits = Limits(fee=fee_limit)
        while not payment.ended():
            try:
                way = self.graph.find(asked["destination"], payment.value, asked["cltv"] + 3, limits)
            except NoRoute:
                async with self.lock:
                    self.tower.fail(payment, records.NO_ROUTE)
                break
            route = self.route_along(way, payment.value, asked["cltv"] + 3, (asked["payment_addr"], payment.value))
            _, attempt = await self.try_route(call, payment.hash, route)
            await self.finish(call, payment, attempt, True)
            if attempt.failure:
                blamed = way[min(attempt.failure.source, len(way) - 1)]
                limits.edges.add((blamed.chan, blamed.start > blamed.end))
        self.tower.erase_failed(payment)

    def route_along(self, way, amount, delta, mpp=None):
        """Builds a route. Each hop holds what its node sends on; the last hop holds what the payee keeps."""
        over = [(amount, self.graph.height + delta)]
        for edge in reversed(way[1:]):
            msat, expiry = over[0]
            over.insert(0, (msat + edge.fee(msat), expiry + edge.policy["delta"]))
        sent_on = over[1:] + over[-1:]
        hops = [forwarding.Hop(edge.chan, edge.end, *what) for edge, what in zip(way, sent_on)]
        hops[-1].mpp = mpp
        return forwarding.Route(over[0][1], over[0][0], hops)

    # --- the end of a run, and the next one ---

    def stop(self):
        self.stopping.set()

    def die(self):
        for task in list(self.tasks):
            task.cancel()
        self.network.lnd_was_killed()

    def start(self, later=0.0):
        """Starts a new run of lnd on the records that are there. `later`: seconds after its first answers until it resumes them."""
        self.tower.restart()
        self.lock, self.stopping, self.resumed, self.started = WriteLock(self.tower.store), asyncio.Event(), asyncio.Event(), self.now()
        for payment in list(self.tower.payments.values()):
            if not payment.ended():
                self.spawn(self.resume(payment, later))

    def lost(self, attempt):
        """True if lnd fails the attempt at its start: it was never handed to a link, or its channel is closed by now."""
        channel = self.graph.channels.get(attempt.route.hops[0].chan)
        return attempt.htlc.state == "registered" or attempt.htlc.state == "orphan" and (not channel or channel.closed)

    async def resume(self, payment, later):
        try:
            await asyncio.wait_for(self.resumed.wait(), later)
        except asyncio.TimeoutError:
            pass
        for attempt in payment.having(records.IN_FLIGHT):
            if self.lost(attempt):
                self.network.fail(attempt.htlc, forwarding.Failure("UNKNOWN_FAILURE", 0))
                self.tower.fail_attempt(payment, attempt, forwarding.Failure("UNKNOWN_FAILURE", 0), self.now())
        if payment.out() < payment.value and payment.reason == records.NO_REASON:
            self.tower.fail(payment, records.NO_ROUTE)
        await asyncio.gather(*(self.collect(payment, attempt) for attempt in payment.having(records.IN_FLIGHT)))
        if not payment.ended():
            self.tower.fail(payment, records.NO_ROUTE)
        self.tower.erase_failed(payment)

    async def collect(self, payment, attempt):
        await asyncio.shield(attempt.htlc.outcome)
        await self.finish(None, payment, attempt, True)
