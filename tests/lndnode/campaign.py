"""Payments from seeds, against the double of lnd, with everything that goes wrong at once: faults of requests and answers, lnd killed, frozen and
away, clients killed and stopped, other users of the hash, deletions. Then all of it ends, every clock passes, and the ledger of the double judges.

    PAYTOWER_BINARY=build/gcc/paytower python3 tests/lndnode/campaign.py --payments 10000

A seed draws what is done, not how it falls: processes race. What breaks is printed with its seed, and its folder is kept."""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from peer import PAYTOWER
from running import Refusal, RunningPeer

SEND, TRACK = "/v2/router/route/send", "/v2/router/track/"
PATHS = [SEND] * 14 + [TRACK] * 5 + ["/v2/router/payments", "/v1/getinfo", "/v1/graph/routes", "/v1/state", "/v1/payments", "/v1/channels"]
MOMENTS = ["received", "accepted", "initiated", "registered", "circuit", "sent", "resolved", "attempt_failed", "recorded"]
RUNNING = {"registered", "circuit", "queued", "signed", "forwarded", "held"}
ROOTS = ("7", "8")  # of the macaroons of both databases
NOWHERE = 1  # the channel of a fence
LIFE = 42.0  # seconds: a hand-over's time and its grace, and a little
LEFT = 130.0  # until anybody may end another's fence
OK, FAILED, OPEN, REFUSED, BUSY, AWAY = 0, 3, 4, 5, 6, 7

LANES = ("L1", "L2", "L3")
NETWORK = {
    "network": "regtest", "height": 400, "own": "A", "nodes": {name: {} for name in ("A", "B", "C", "D", "P", *LANES)},
    "channels": [
        {"id": "401x1x0", "between": ["A", "B"], "capacity": 90_000_000, "balances": [80_000_000, 10_000_000]},
        {"id": "402x1x0", "between": ["B", "D"], "capacity": 90_000_000, "balances": [80_000_000, 10_000_000]},
        {"id": "403x1x0", "between": ["B", "C"], "capacity": 90_000_000, "balances": [80_000_000, 10_000_000]},
        {"id": "404x1x0", "between": ["C", "D"], "capacity": 90_000_000, "balances": [80_000_000, 10_000_000]},
        {"id": "405x1x0", "between": ["L1", "D"], "capacity": 90_000_000, "balances": [80_000_000, 10_000_000]},
        *({"id": f"{410 + n}x{side}x0", "between": list(ends), "capacity": 90_000_000, "balances": [80_000_000, 10_000_000],
           "policy": {"max": 400_000_000}}
          for n, lane in enumerate(LANES) for side, ends in enumerate((("A", lane), (lane, "P")), 1)),
    ],
}


class Break(Exception):
    """A broken invariant."""


class Wish:
    """A payment that somebody wants, and what the databases have said about it."""

    def __init__(self, made, amount, parts, hold, ends):
        self.invoice, self.hash, self.amount, self.parts, self.hold, self.ends = made["payment_request"], made["hash"], amount, parts, hold, ends
        self.said_failed = [None, None]  # by each database: the time of FAILED in ns of lnd's clock; None when it is sent again
        self.deleted = False  # its record was deleted while lnd called it paid

    def __repr__(self):
        return f"{self.hash[:12]} {self.amount} msat{' in parts' if self.parts else ''}{' held' if self.hold else ''}"


class World:
    """One lnd, two databases of paytower that use it, and other users. Now and then the second database pays what the first one
    pays too."""

    def __init__(self, seed, binary, deletes):
        self.seed, self.binary, self.deletes = seed, binary, deletes
        self.rng = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix=f"paytower-campaign-{seed}-")
        store, delay = self.rng.choice(("bbolt", "sql")), self.rng.choice((0, 0.001, 0.01))
        self.peer = RunningPeer(self.folder, "--store", store, "--hop-delay", str(delay), "--mpp-timeout", "3", network=NETWORK)
        self.dbs = [os.path.join(self.folder, name) for name in ("payments.db", "second.db")]
        self.peer("bake", uris=PAYTOWER, root=ROOTS[1], file="second.macaroon")
        self.wishes, self.clients, self.counts = [], [], collections.Counter()
        self.unrecorded = []  # clients were killed, or lnd was away: these are sent once more
        self.log = open(os.path.join(self.folder, "log"), "w", encoding="utf-8")
        self.note("world", store, delay)

    def close(self):
        for client in self.clients:
            client.kill()
            client.communicate()
        self.peer.close()
        self.log.close()

    def note(self, *words):
        print(f"{time.time():.3f}", *words, file=self.log, flush=True)

    # --- clients ---

    def environment(self, second):
        kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.endswith("SAN_OPTIONS")}
        return {**kept, "HOME": self.folder, "TZ": "UTC", "PAYTOWER_CONFIG": "none", "PAYTOWER_DB": self.dbs[second],
                "PAYTOWER_SWITCH": "lnd:" + self.peer.address, "PAYTOWER_TLS_CERT": self.peer.cert,
                "PAYTOWER_MACAROON": self.peer.macaroon_path("second.macaroon" if second else "paytower.macaroon")}

    def begin(self, *args, second=False):
        client = subprocess.Popen([self.binary, *args], env=self.environment(second), cwd=self.folder, text=True, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        client.words, client.shot = " ".join(args)[:160], False
        self.clients.append(client)
        self.note("begin", client.pid, "second" if second else "", client.words)
        return client

    def finish(self, client, seconds=120):
        """Waits for the client, and checks its exit code. Returns the code; None if we have killed it."""
        try:
            out, err = client.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Break(f"it does not end: {client.words}") from None
        self.clients.remove(client)
        code = client.returncode
        self.note("ended", client.pid, code, err.strip()[-400:])
        if client.shot and code < 0:
            return None, out
        self.counts[f"exit {code}"] += 1
        if code not in (OK, FAILED, OPEN, REFUSED, BUSY, AWAY):
            raise Break(f"exit {code} of {client.words}\n{out[-800:]}\n{err[-800:]}")
        return code, out

    def run(self, *args, second=False):
        return self.finish(self.begin(*args, second=second))

    # --- what is wanted ---

    def wish(self):
        parts, hold = self.rng.random() < 0.34, self.rng.random() < 0.3
        amount = self.rng.randrange(900_000_000, 1_100_000_000) if parts else self.rng.choice((2, 1_000, 50_000, 5_000_000))
        made = self.peer("invoice", node="P" if parts else "D", amount_msat=amount, hold=hold)
        wish = Wish(made, amount, parts, hold, self.rng.choice(("settle", "settle", "settle", "cancel")))
        self.note("wish", wish)
        self.wishes.append(wish)
        return wish

    def arm(self, wish):
        """Arms a fault, of this payment's requests or of any request."""
        path = self.rng.choice(PATHS)
        given = {"path": path, "nth": self.rng.choice((1, 1, 1, 2, 3))}
        if path == SEND:
            given.update(hash=wish.hash, fence=self.rng.random() < 0.3)
        given.update(self.rng.choice((self.of_a_request, self.of_an_answer, self.of_an_answer, self.at_a_moment))())
        self.note("fault", given)
        self.peer("fault", **given)

    def of_a_request(self):
        return {"do": self.rng.choice(("drop", "drop", "frozen"))}

    def of_an_answer(self):
        do = self.rng.choice(("lost", "lost", "late", "cut", "garbage", "big", "status"))
        more = {"lost": {"reset": self.rng.random() < 0.5}, "late": {"seconds": self.rng.choice((0.1, 0.6))}, "cut": {"bytes": self.rng.randrange(400)},
                "garbage": {"what": self.rng.choice(("http", "json", "empty", "html"))}, "big": {"bytes": 100_000},
                "status": {"status": self.rng.choice((500, 502, 503, 200)), "code": 2, "message": "something went wrong"}}
        return {"do": do, **more[do]}

    def at_a_moment(self):
        """A fault at one moment of a request: lnd waits there, or ends. A copy that has passed the check of its time never waits
        for longer than a fence is held."""
        moment = self.rng.choice(MOMENTS)
        if self.rng.random() < 0.6:
            return {"do": "pause", "moment": moment, "seconds": self.rng.choice((0.2, 1.0) if moment != "received" else (0.2, 1.0, 5.0))}
        return {"do": self.rng.choice(("kill", "kill", "stop")), "moment": moment, "down": self.rng.choice((0.05, 0.3)), "peers": self.rng.choice((0, 0.3))}

    # --- one round: some payments, and what happens to them ---

    def play(self, count):
        fresh = [self.wish() for _ in range(count)]
        for wish in fresh:
            for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
                self.arm(wish)
        if self.rng.random() < 0.3:
            self.peer("hop", node=self.rng.choice(("B", "L1")), code=self.rng.choice(("TEMPORARY_CHANNEL_FAILURE", "TEMPORARY_NODE_FAILURE")))
        again = self.rng.sample(self.wishes, min(len(self.wishes), self.rng.choice((0, 0, 1, 2))))
        if self.rng.random() < 0.7:
            self.late_copy(fresh.pop())
        running = self.hand_in(list({wish.hash: wish for wish in fresh + again + self.unrecorded}.values()))
        for _ in range(self.rng.randrange(2, 9)):
            time.sleep(self.rng.random() * 0.25)
            self.event(running)
        for client in running:
            self.thaw(client)
            self.finish(client)
        for second in self.stores():
            if self.rng.random() < 0.5:
                self.run("resume", "--all", "--wait", self.rng.choice(("0", "1s", "4s")), second=second)
        self.hear_failures()
        said = self.shown() if False in self.stores() else {}
        self.unrecorded = [wish for wish in self.wishes if wish.hash not in said]

    def stores(self):
        return [second for second in (False, True) if os.path.exists(self.dbs[second])]

    def late_copy(self, wish):
        """A client is killed after lnd has checked the time of its copy, which then waits. The time limit passes, and the next
        client asks what became of it. The copy goes on before any fence has stood for long enough."""
        moment, seconds = self.rng.choice(("accepted", "accepted", "accepted", "initiated")), self.rng.choice((0.6, 1.8, 1.8))
        fault = self.peer("fault", do="pause", path=SEND, hash=wish.hash, moment=moment, seconds=seconds)["fault"]
        client = self.begin("send", wish.invoice, "--yes", "--idempotent")
        try:
            self.peer("wait", fault=fault, seconds=10)
        except Refusal as refusal:  # another fault came first
            client.shot = True
            client.kill()
            self.finish(client)
            return self.note("refused", refusal)
        client.shot = True
        client.kill()
        self.peer("clock", add=LIFE)
        self.finish(client)
        self.counts["late copies"] += 1
        if self.rng.random() < 0.6:  # then FAILED is stored as soon as no copy can be executed any more
            self.run("cancel", wish.hash)
        self.run("resume", wish.hash, "--wait", "5s")
        self.hear_failures()

    def limits(self):
        return self.rng.choice(("0", "3s", "8s", "15s")), self.rng.choice(("60s", "60s", "2s"))

    def hand_in(self, wishes):
        """Sends these payments, in one process or in one process each."""
        ours = self.ours()
        for wish in wishes:
            self.judge_failed(wish, ours[wish.hash], wish.said_failed[False])
            wish.said_failed[False] = None
        wait, timeout = self.limits()
        if self.rng.random() < 0.5:
            path = os.path.join(self.folder, "batch.ndjson")
            lines = {wish.hash: json.dumps({"invoice": wish.invoice, "timeout": timeout}) for wish in wishes}
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(lines.values()) + "\n")
            return [self.begin("send", "--batch", path, "--yes", "--idempotent", "--wait", wait)]
        return [self.begin("send", wish.invoice, "--yes", "--idempotent", "--wait", wait, "--timeout", timeout) for wish in wishes]

    def event(self, running):
        happens = self.rng.choice((self.payee_acts, self.payee_acts, self.client_is_hit, self.client_is_hit, self.lnd_is_hit, self.lnd_is_hit,
                                   self.other_user, self.other_user, self.time_passes, self.rng.choice((self.time_passes, self.somebody_deletes))))
        try:
            happens(running)
        except Refusal as refusal:
            self.note("refused", refusal)

    def payee_acts(self, _):
        wish = self.rng.choice(self.wishes)
        act = self.rng.choice(("settle", "settle", "settle", "cancel", "mpp_timeout"))
        self.note(act, wish)
        self.peer(act, hash=wish.hash)

    def client_is_hit(self, running):
        alive = [client for client in running if client.poll() is None]
        if not alive:
            return
        client = self.rng.choice(alive)
        time.sleep(self.rng.choice((0, 0.1, 0.3)))
        if self.rng.random() < 0.6:
            client.shot = True
            client.kill()
        else:
            client.send_signal(signal.SIGSTOP)
            if self.rng.random() < 0.5:
                self.peer("clock", add=LIFE)
        self.note("hit", client.pid)

    @staticmethod
    def thaw(client):
        if client.poll() is None:
            client.send_signal(signal.SIGCONT)

    def lnd_is_hit(self, _):
        how = self.rng.choice(("kill", "kill", "stop", "freeze", "lock", "break", "starting"))
        self.note("lnd", how)
        if how in ("kill", "stop"):
            self.peer("restart", how=how, down=self.rng.choice((0.02, 0.3)), peers=self.rng.choice((0, 0.2)), resume=self.rng.choice((0, 0.2)))
        elif how == "starting":
            self.peer("restart", how="kill", phases={"WAITING_TO_START": 0.1, "LOCKED": 0.1, "UNLOCKED": 0.1, "RPC_ACTIVE": 0.1})
        elif how == "break":
            self.peer("break", path=self.rng.choice(("/", SEND, TRACK, "/v2/router/payments")))
        else:
            self.peer(how, seconds=self.rng.choice((0.1, 0.7)))

    def other_user(self, running):
        wish = self.rng.choice(self.wishes[-8:])
        act = self.rng.choice(("pay", "join", "fence", "release", "second", "second", "second"))
        self.note("other", act, wish)
        self.counts[f"other {act}"] += 1
        if act == "pay":
            self.peer("pay", payment_request=wish.invoice, wait=False)
        elif act == "join":
            self.peer("join", payment_request=wish.invoice, amount_msat=max(1, wish.amount // 3))
        elif act == "second":
            wish.said_failed[True] = None
            wait, timeout = self.limits()
            running.append(self.begin("send", wish.invoice, "--yes", "--idempotent", "--wait", wait, "--timeout", timeout, second=True))
        else:
            self.peer("foreign", hash=wish.hash, act=act)

    def time_passes(self, _):
        self.note("clock")
        self.peer("clock", add=LIFE)

    def somebody_deletes(self, _):
        if self.deletes == "none":
            return
        paid = self.deletes == "paid" and self.rng.random() < 0.3
        self.note("delete", "all" if paid else "failed")
        if paid:
            for row in self.peer("payments")["payments"]:
                for wish in self.wishes:
                    wish.deleted |= wish.hash == row["hash"] and row["status"] == "SUCCEEDED"
        self.peer("delete_all", failed_payments_only=not paid)

    # --- what was said ---

    def shown(self, second=False):
        """The newest try of each hash."""
        code, out = self.run("list", "--json", "--max-payments", "0", second=second)
        if code != OK:
            raise Break("the list cannot be shown")
        return {one["payment_hash"]: one for one in json.loads(out)["payments"]}

    def ours(self, second=False):
        found = collections.defaultdict(list)
        for row in self.peer("ledger")["ledger"]:
            if row["user"].get("root_key") == ROOTS[second] and row["chan"] != NOWHERE:
                found[row["hash"]].append(row)
        return found

    def hear_failures(self):
        for second in self.stores():
            said, now, ours = self.shown(second), self.peer("clock")["now_ns"], self.ours(second)
            for wish in self.wishes:
                if said.get(wish.hash, {}).get("status") == "FAILED":
                    wish.said_failed[second] = wish.said_failed[second] or now
                    ends = all(row["state"] not in RUNNING | {"settled"} for row in ours[wish.hash])
                    self.expect(ends, wish, "FAILED while it runs", second, ours[wish.hash])

    # --- the end of it ---

    def heal(self):
        """Ends all faults, and resumes until nothing is open."""
        self.peer("disarm")
        if self.unrecorded:
            for client in self.hand_in(self.unrecorded):
                self.finish(client)
        for turn in range(12):
            self.end_held()
            self.peer("clock", add=LEFT if turn == 1 else LIFE)
            if turn in (2, 5):  # other users' unfinished records end at lnd's next start
                self.peer("restart", how="stop")
            if turn == 5:
                self.way_out_of_orphans()
            left = self.resumed(turn)
            if not left:
                return
        self.expect(False, None, "it never ends", left)

    def resumed(self, turn):
        """Resumes everything. Returns what is still open."""
        for second in self.stores():
            self.run("resume", "--all", "--wait", "20s", second=second)
            for one in self.left(second):
                self.ask_the_payee(one, second)
        self.hear_failures()
        left = [one for second in self.stores() for one in self.left(second)]
        self.counts[f"open after resume {turn + 1}"] += len(left)
        self.note("open", [[one["payment_hash"][:12], [htlc["status"] for htlc in one["htlcs"]]] for one in left])
        return left

    def left(self, second):
        return [one for one in self.shown(second).values() if one["status"] in ("IN_FLIGHT", "INITIATED")]

    def ask_the_payee(self, payment, second):
        """If lnd had the HTLCs, they have ended, and another user has deleted the record, then only a decision by hand ends the
        payment: makes the right one."""
        rows = self.ours(second)[payment["payment_hash"]]
        known = [number for one in self.peer("payments")["payments"] if one["hash"] == payment["payment_hash"] for number, _ in one["attempts"]]
        seen = any(htlc["accepted_time_ns"] for htlc in payment["htlcs"] if htlc["status"] == "IN_FLIGHT")
        if not seen or any(row["attempt"] in known or row["state"] in RUNNING for row in rows):
            return
        paid = any(row["state"] == "settled" for row in rows)
        wish = next(wish for wish in self.wishes if wish.hash == payment["payment_hash"])
        self.expect(self.deletes != "none" and paid <= wish.deleted, wish, "its record is gone, and nobody has deleted it", payment, rows)
        self.counts["resolved: paid and deleted" if paid else "resolved: failed and deleted"] += 1
        self.run("resolve", wish.hash, "--write-off" if paid else "--assume-failed", "--yes", second=second)

    def end_held(self):
        for wish in self.wishes:
            try:
                self.peer(wish.ends, hash=wish.hash)
            except Refusal as refusal:
                self.note("refused", refusal)

    def way_out_of_orphans(self):
        """Closes the channels of orphaned HTLCs, and starts lnd again."""
        for row in self.peer("ledger")["ledger"]:
            if row["state"] == "orphan":
                self.counts["orphans until their channel closed"] += 1
                self.peer("close", chan=row["chan"], how="cooperative")
        self.peer("restart", how="stop")

    # --- the judgement ---

    @staticmethod
    def expect(holds, wish, words, *more):
        if not holds:
            raise Break(f"{words}: {wish} {json.dumps(more, indent=1)}")

    def judge(self):
        settled = {row["hash"] for row in self.peer("ledger")["ledger"] if row["state"] == "settled"}
        for second in self.stores():
            said, ours = self.shown(second), self.ours(second)
            for wish in self.wishes:
                if not wish.deleted:
                    self.judge_amount(wish, ours[wish.hash])
                self.judge_words(wish, ours[wish.hash], said.get(wish.hash), wish.hash in settled, wish.said_failed[second])
                if second and wish.hash in said:
                    self.counts["in both databases"] += 1
        self.judge_both()

    def judge_both(self):
        """As long as lnd has its record, nobody pays more than the amount; so two databases together do not either."""
        first, second = self.ours(False), self.ours(True)
        for wish in self.wishes:
            paid = [row["amount_msat"] for row in first[wish.hash] + second[wish.hash] if row["state"] == "settled"]
            self.expect(wish.deleted or sum(paid) <= wish.amount, wish, "paid by both", first[wish.hash], second[wish.hash])

    def judge_amount(self, wish, rows):
        """R2: at each moment at which an HTLC is made, what has settled or may still settle is at most the amount."""
        for newest in rows:
            at = newest["moments"]["registered"]
            together = [row["amount_msat"] for row in rows if row["moments"]["registered"] <= at and "orphan" not in row["moments"]
                        and row["moments"].get("failed", at + 1) > at]
            self.expect(sum(together) <= wish.amount, wish, "more than the amount at once", rows)

    def judge_failed(self, wish, rows, said_failed):
        late = [row for row in rows if row["moments"]["registered"] > (said_failed or 1 << 63)]
        self.expect(not late, wish, "an HTLC that was made after the word FAILED", late)

    def judge_words(self, wish, rows, payment, settled, said_failed):
        paid = any(row["state"] == "settled" for row in rows)
        status = payment["status"] if payment else "not recorded"
        self.counts[f"{status} {payment['failure_reason']}" if status == "FAILED" else status] += 1
        if status == "not recorded":
            self.expect(not rows, wish, "HTLCs of a payment that is not recorded", rows)
        if status == "SUCCEEDED":
            self.expect(settled, wish, "SUCCEEDED, and nothing has settled", payment, rows)
            self.expect(hashlib.sha256(bytes.fromhex(payment["payment_preimage"])).hexdigest() == wish.hash, wish, "not its preimage", payment)
        if status == "FAILED":
            self.expect(not paid, wish, "FAILED and settled", rows)
            self.judge_failed(wish, rows, said_failed)
            self.expect(not any(row["state"] in RUNNING for row in rows), wish, "FAILED while it runs", rows)
        if paid and not wish.deleted:
            self.expect(status == "SUCCEEDED", wish, "settled, and not SUCCEEDED", payment, rows)


def play(seed, binary, deletes, payments, keep):
    """Runs one world from beginning to end. Returns its counts, and whether all rules held."""
    world = World(seed, binary, deletes)
    held = False
    try:
        while len(world.wishes) < payments:
            world.play(min(world.rng.randrange(1, 13), payments - len(world.wishes)))
        world.heal()
        world.judge()
        held = True
    except (Break, OSError, ValueError) as words:  # if the double itself breaks, the seed counts as broken too
        world.counts["broken"] += 1
        print(f"seed {seed}, folder {world.folder}: {type(words).__name__}: {words}", flush=True)
    finally:
        world.close()
        if held and not keep:
            shutil.rmtree(world.folder, ignore_errors=True)
    return world.counts, held


def arguments():
    parser = argparse.ArgumentParser(description="paytower against the double of lnd, from seeds.")
    parser.add_argument("--seed", type=int, default=None, help="of the first world; default: by the clock")
    parser.add_argument("--payments", type=int, default=10_000)
    parser.add_argument("--per-world", type=int, default=50)
    parser.add_argument("--deletes", choices=("none", "failed", "paid"), default="failed", help="what another user deletes")
    parser.add_argument("--jobs", type=int, default=4, help="worlds side by side: they wait more than they work")
    parser.add_argument("--keep", action="store_true", help="keep the folders of worlds that held too")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no world after so long")
    return parser.parse_args()


def main(args):
    binary, began = os.path.abspath(os.environ["PAYTOWER_BINARY"]), time.monotonic()
    first = int(time.time()) if args.seed is None else args.seed
    sizes = [min(args.per_world, args.payments - done) for done in range(0, args.payments, args.per_world)]
    counts, held, played = collections.Counter(), True, 0

    def one(seed, payments):
        if time.monotonic() > began + args.seconds:
            return 0, {}, True
        return payments, *play(seed, binary, args.deletes, payments, args.keep)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for payments, found, good in pool.map(one, range(first, first + len(sizes)), sizes):
            counts.update(found)
            held, played = held and good, played + payments
            if payments and sys.stdout.isatty():
                print(f"{played} payments, {time.monotonic() - began:.0f} s", flush=True)
    print(f"from seed {first}, {played} payments: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(arguments()))
