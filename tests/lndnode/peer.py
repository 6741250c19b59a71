"""A lnd for tests: `peer.py --folder FOLDER` prints `ready PORT CONTROL` and serves until it is ended. README.md says the rest."""

import argparse
import asyncio
import os
import signal
import sys

import macaroon
from control import Control
from faults import Faults
from forwarding import Network
from graph import Graph
from rest import Rest
from router import Router
from server import Server

PAYTOWER = ["/lnrpc.Lightning/GetInfo", "/lnrpc.Lightning/QueryRoutes", "/lnrpc.Lightning/ListPayments", "/lnrpc.Lightning/ListChannels",
            "/routerrpc.Router/SendToRouteV2", "/routerrpc.Router/TrackPaymentV2", "/routerrpc.Router/TrackPayments"]


class Peer:
    def __init__(self, args):
        self.folder, self.ended = os.path.abspath(args.folder), asyncio.Event()
        self.runs, self.restarting = 1, None  # how many runs of lnd there were, with this one
        self.graph, self.bakery, self.faults = Graph.read(args.network), macaroon.Bakery(), Faults(self.restart)
        self.network = Network(self.graph, lambda: self.router.now(), args.hop_delay, args.mpp_timeout, args.mailbox)
        self.router = Router(self.network, args.store, self.faults.at, args.shift)
        self.rest = Rest(self.router, self.bakery)
        self.server = Server(self.rest, self.faults, self.folder)
        self.server.port = args.port
        self.control = Control(self)

    def write(self, name, data):
        path = os.path.join(self.folder, "data", "chain", "bitcoin", self.graph.network, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def restart(self, how, given):
        """Starts lnd again. `how`: "kill" ends it at once, as SIGKILL does; "stop" as SIGTERM does. During another restart: after that one."""
        before = self.restarting
        if how == "kill" and not before:
            self.server.close()
        self.restarting = asyncio.get_running_loop().create_task(self.cycle(how, given, before))
        self.restarting.add_done_callback(self.restarted)
        return self.restarting

    def restarted(self, task):
        if self.restarting is task:
            self.restarting = None

    async def cycle(self, how, given, before):
        if before:
            await asyncio.wait([before])
            self.server.close()
        if how == "stop":
            self.router.stop()
            await asyncio.sleep(given.get("stopping", 0.1))
            self.server.close()
        self.router.die()
        await asyncio.sleep(given.get("down", 0.05))
        if given.get("certificate"):
            os.unlink(os.path.join(self.folder, "tls.cert"))
        self.graph.own.online = not given.get("peers")
        self.rest.state = "WAITING_TO_START" if given.get("phases") else "SERVER_ACTIVE"
        await self.server.listen()
        for state, seconds in given.get("phases", {}).items():
            self.rest.state = state
            await asyncio.sleep(seconds)
        self.rest.state = "SERVER_ACTIVE"
        self.router.start(given.get("resume", 0))
        self.runs += 1
        asyncio.get_running_loop().call_later(given.get("peers", 0), self.peers_are_back)

    def peers_are_back(self):
        self.graph.own.online = True

    async def run(self, until_eof):
        self.write("admin.macaroon", self.bakery.bake(macaroon.ADMIN))
        self.write("paytower.macaroon", self.bakery.bake([("uri", uri) for uri in PAYTOWER], "7"))
        await self.server.listen()
        control = await asyncio.start_server(self.control.connected, "127.0.0.1", 0, limit=1 << 24)
        print("ready", self.server.port, control.sockets[0].getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.ended.set)
        if until_eof:
            loop.add_reader(sys.stdin, self.input_ended)
        await self.ended.wait()

    def input_ended(self):
        """Ends this process when the one that started it has gone, however it ended."""
        if not sys.stdin.buffer.raw.read(1024):
            self.ended.set()


def arguments():
    parser = argparse.ArgumentParser(description="A lnd for tests.")
    parser.add_argument("--folder", required=True, help="where tls.cert, tls.key and data/chain/bitcoin/NETWORK/*.macaroon go")
    parser.add_argument("--network", help="the graph, a JSON file; without one: A-B-C-D and B-D, we are A")
    parser.add_argument("--store", choices=("bbolt", "sql"), default="bbolt")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shift", type=float, default=0.0, help="seconds by which its clock is wrong")
    parser.add_argument("--hop-delay", type=float, default=0.0, help="seconds that an HTLC needs for each hop, and back")
    parser.add_argument("--mpp-timeout", type=float, default=120.0)
    parser.add_argument("--mailbox", type=float, default=60.0, help="seconds that an HTLC waits behind a stalled one")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    return parser.parse_args()


async def main(args):
    await Peer(args).run(args.until_eof)


if __name__ == "__main__":
    asyncio.run(main(arguments()))
    os._exit(0)  # do not wait for connections that nobody answers any more
