"""The peer's small network: nodes, channels with their money on both sides, and the search for a route as lnd's QueryRoutes does it."""

import hashlib
import heapq
import json

import keys

DEFAULT = {
    "network": "regtest", "height": 367, "own": "A", "nodes": {"A": {}, "B": {}, "C": {}, "D": {}},
    "channels": [
        {"id": "358x1x0", "between": ["A", "B"], "capacity": 10_000_000, "balances": [5_996_530, 4_000_000]},
        {"id": "359x1x0", "between": ["B", "C"], "capacity": 10_000_000, "balances": [5_996_530, 4_000_000]},
        {"id": "360x1x0", "between": ["C", "D"], "capacity": 10_000_000, "balances": [5_996_530, 4_000_000]},
        {"id": "361x1x0", "between": ["B", "D"], "capacity": 3_000_000, "balances": [1_996_530, 1_000_000]}]}
POLICY = {"base": 1000, "ppm": 10, "delta": 80, "min": 1000, "disabled": False}
RISK = 15  # cost that lnd's search adds for each block, in billionths of the amount


def scid(text):
    if "x" not in str(text):
        return int(text)
    block, position, output = (int(part) for part in text.split("x"))
    return block << 40 | position << 16 | output


class Node:
    def __init__(self, name, given):
        self.name = name
        self.secret = hashlib.sha256(b"lndnode:" + name.encode()).digest()
        self.key = bytes.fromhex(given["pubkey"]) if "pubkey" in given else keys.public(self.secret)
        self.alias = given.get("alias", name)
        self.online = True
        self.invoices = {}

    def signs_as(self):
        return keys.public(self.secret)


class Channel:
    """A channel, with money in msat. `policies`: what each of its two nodes demands for forwarding into it."""

    def __init__(self, given, nodes):
        self.id = scid(given["id"])
        self.ends = [nodes[name] for name in given["between"]]
        self.capacity = given["capacity"] * 1000
        self.balance = {node.key: sat * 1000 for node, sat in zip(self.ends, given["balances"])}
        self.private = given.get("private", False)
        policies = given.get("policies", {})
        highest = {"max": self.capacity * 99 // 100}
        self.policy = {node.key: {**POLICY, **highest, **given.get("policy", {}), **policies.get(node.name, {})} for node in self.ends}
        self.stalled = self.closed = self.down = False
        self.updates = self.sent = self.received = 0
        self.next_htlc = given.get("next_htlc", 0)
        self.point = hashlib.sha256(b"point" + self.id.to_bytes(8, "big")).hexdigest() + ":0"

    def peer_of(self, key):
        return self.ends[1] if self.ends[0].key == key else self.ends[0]

    def has(self, key):
        return key in self.balance

    def move(self, payer, msat):
        self.balance[payer] -= msat
        self.balance[self.peer_of(payer).key] += msat
        self.updates += 1


class Edge:
    """One direction of a channel or of a hint: between two keys, with the policy of the first one."""

    def __init__(self, start, end, chan, policy, private=False):
        self.start, self.end, self.chan, self.policy, self.private = start, end, chan, policy, private

    def fee(self, msat):
        return self.policy["base"] + msat * self.policy["ppm"] // 1_000_000

    def carries(self, msat):
        return not self.policy["disabled"] and self.policy["min"] <= msat <= self.policy["max"]


class Limits:
    """What one question for a route excludes and allows."""

    def __init__(self, **given):
        self.pairs, self.nodes, self.edges, self.first, self.last = set(), set(), set(), set(), None
        self.fee, self.cltv, self.hints = None, None, []
        self.__dict__.update(given)

    def allows(self, edge, own):
        if edge.start in self.nodes or edge.end in self.nodes or (edge.start, edge.end) in self.pairs:
            return False
        if (edge.chan, edge.start > edge.end) in self.edges:
            return False
        return not (edge.start == own and self.first and edge.chan not in self.first)


class NoRoute(Exception):
    """lnd's words."""


class Graph:
    def __init__(self, given=None):
        given = given or DEFAULT
        self.network, self.height = given.get("network", "regtest"), given.get("height", 367)
        self.nodes = {name: Node(name, more) for name, more in given["nodes"].items()}
        self.own = self.nodes[given["own"]]
        self.by_key = {node.key: node for node in self.nodes.values()}
        self.disliked = set()  # pairs of nodes to which lnd's mission control gives no chance
        self.channels = {}
        for one in given["channels"]:
            self.open(one)

    @classmethod
    def read(cls, path):
        if not path:
            return cls()
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file))

    def open(self, given):
        channel = Channel(given, self.nodes)
        self.channels[channel.id] = channel

    def node(self, name):
        """The node with this name or key."""
        return self.nodes.get(name) or self.by_key[bytes.fromhex(name)]

    def own_channels(self):
        return [channel for channel in self.channels.values() if channel.has(self.own.key) and not channel.closed]

    def active(self, channel):
        return not channel.closed and not channel.down and self.own.online and channel.peer_of(self.own.key).online

    def open_channels(self):
        return [channel for channel in self.channels.values() if not channel.closed]

    def edges(self, limits):
        for channel in self.open_channels():
            if channel.private and not channel.has(self.own.key):
                continue
            for node in channel.ends:
                yield Edge(node.key, channel.peer_of(node.key).key, channel.id, channel.policy[node.key], channel.private)
        yield from limits.hints

    def spendable(self, limits, msat):
        """Before it searches for a route, lnd checks whether its own channels hold enough."""
        usable = [channel for channel in self.own_channels() if self.active(channel) and (not limits.first or channel.id in limits.first)]
        if sum(channel.balance[self.own.key] for channel in usable) < msat:
            raise NoRoute("insufficient local balance")

    def usable_first(self, edge, msat):
        channel = self.channels.get(edge.chan)
        return channel and self.active(channel) and channel.balance[self.own.key] >= msat and edge.policy["min"] <= msat

    def pairs_of(self, edges):
        """lnd takes an ignored edge for the pair of its nodes: its parallel channels are ignored as well."""
        for chan, reverse in edges:
            if chan in self.channels:
                start, end = sorted(node.key for node in self.channels[chan].ends)
                yield (end, start) if reverse else (start, end)

    def into(self, limits):
        limits.pairs = limits.pairs | set(self.pairs_of(limits.edges))
        found = {}
        for edge in self.edges(limits):
            if limits.allows(edge, self.own.key):
                found.setdefault(edge.end, []).append(edge)
        return found

    def reaches(self, edge, msat):
        """What must come in at the start of this edge so that `msat` goes out; None if the edge cannot carry it."""
        if edge.start == self.own.key:
            return msat if self.usable_first(edge, msat) else None
        return msat + edge.fee(msat) if edge.carries(msat) else None

    def find(self, target, msat, delta, limits):
        """The edges of the cheapest route from us to `target`. Like lnd, searches backwards from the payee."""
        self.spendable(limits, msat)
        incoming, done, order = self.into(limits), set(), 0
        queue = [(0, 0, target, msat, delta, [])] if msat else []
        while queue:
            cost, _, at, amount, blocks, way = heapq.heappop(queue)
            if at == self.own.key and way:
                return way
            if at in done:
                continue
            done.add(at)
            for edge in incoming.get(at, []):
                if not way and limits.last and edge.start != limits.last:
                    continue
                needed = self.reaches(edge, amount)
                more = 0 if edge.start == self.own.key else edge.policy["delta"]
                if needed is None or (edge.start in done and edge.start != self.own.key):
                    continue
                if limits.fee is not None and needed - msat > limits.fee or limits.cltv is not None and blocks + more > limits.cltv:
                    continue
                order += 1
                price = cost + needed - amount + amount * more * RISK // 10**9
                heapq.heappush(queue, (price, order, edge.start, needed, blocks + more, [edge] + way))
        raise NoRoute("unable to find a path to destination")

    def way_through(self, chain, first):
        """The edges of a BuildRoute through these keys."""
        at, way = self.own.key, []
        for key in chain:
            edges = [edge for edge in self.edges(Limits()) if (edge.start, edge.end) == (at, key) and (way or not first or edge.chan == first)]
            if not edges:
                raise NoRoute("no matching outgoing channel available for node index")
            at, way = key, way + [edges[0]]
        return way
