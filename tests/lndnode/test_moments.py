"""Goal: where the moment decides, the peer does what the real lnd did: kills, races, clients that go away, a frozen lnd, orphans, its start.
Method: the recorded conversations of lnd v0.21.2-beta that test_peer.py cannot say line by line. What chance decided there is brought about on
purpose, once for each outcome that was seen. Every answer of lnd and every note of the recording is compared, or left for a stated reason."""

import ast
import base64
import collections
import json
import os
import re
import shutil
import signal
import socket
import ssl
import tempfile
import threading
import time
import unittest

import replay
import running
import server
import steered
import test_peer
from steered import Client, SEND, digest_of, for_another, hash_of, look

# How many lines each replay compares, and how many it leaves for a stated reason; together all that lnd answered and all notes.
LINES = {"05d_mailbox_timeout_live": (18, 3), "08b_kill_right_after_write": (113, 0), "08d_client_dies_lnd_lives": (21, 0),
         "08f_orphan_later": (21, 0), "08i2_fence_races_skip_off": (22, 0), "08i_fence_races": (22, 0), "13_htlcevents": (16, 0),
         "14_startup": (24, 0), "17_timing": (11, 10), "18_macaroons": (33, 0), "19_http": (25, 7), "21_run_identity": (25, 1),
         "22_frozen_lnd": (17, 1), "24_orphan_channel_closed": (14, 2), "27_many_held": (2, 1), "E_08b_kill_right_after_write": (52, 0),
         "E_08i_fence_races": (22, 0)}
TIMES = "a time of that machine"
SEVERAL = r"\d{3,}|(?<=attempt )\d+"  # the numbers that the recorder wrote as N


class Recorded(unittest.TestCase):
    def begin(self, name, height=527, *args, store="bbolt", first=None, hooks=()):
        folder = tempfile.mkdtemp(prefix="paytower-peer-")
        self.addCleanup(shutil.rmtree, folder)
        self.peer = running.RunningPeer(folder, "--store", store, *args, network=replay.network(height, replay.lines_of(name), first))
        self.addCleanup(self.peer.close)
        return steered.Steered(self, self.peer, name, hooks)

    def end(self, one):
        """Each line has been compared, or left for a reason."""
        self.assertEqual(one.comparable(True) - one.compared - set(one.left), set(), f"{one.name}: lines of which nothing was said")
        self.assertEqual(one.compared & set(one.left), set())
        self.assertEqual((len(one.compared), len(one.left)), LINES.get(one.name), one.name)

    def tuples(self, one, lines, ways, normal):
        """Compares notes like `75 x (...)`: each such tuple must come out here, of `ways(tuple)`."""
        for n in lines:
            text = one.lines[n]["text"]
            recorded = ast.literal_eval(text[text.index("('"):])
            got = [re.sub(normal, "N", part) for part in ways(recorded)]
            self.assertEqual(len(got), len(recorded))
            for mine, its in zip(got, recorded):  # long texts were cut by the recorder
                self.assertEqual(mine[:len(its)] if len(its) > 40 else mine, its, text)
            one.compared.add(n)

    def test_no_recording_is_missing(self):
        names = {name.partition(".")[0] for name in os.listdir(replay.DATA)}
        self.assertEqual(names, set(LINES) | set(test_peer.ANSWERS))

    # --- kills ---

    def kills(self, name, height, store):
        one = self.begin(name, height, store=store)
        preimages, ends, orphaned = one.preimages(), [], []
        count = sum(line["dir"] == "req" and line["path"] == SEND for line in one.lines)
        for number in range(count):
            end, orphan = one.kill_one(6 * number, number, preimages)
            ends.append(end)
            orphaned += [orphan] if orphan else []
        in_order = sorted(collections.Counter(ends).items(), key=lambda item: ("final=404" not in item[0], item[0]))
        for n, (end, times) in enumerate(in_order, 6 * count):
            one.told(f"{times} x {end}", n=n)
        one.told(f"orphans: {orphaned}", n=len(one.lines) - 1)
        self.end(one)

    def test_killed_right_after_the_write(self):
        self.kills("08b_kill_right_after_write", 367, "bbolt")

    def test_sql_killed_right_after_the_write(self):
        self.kills("E_08b_kill_right_after_write", 1012, "sql")

    # --- orphans ---

    def after_orphans(self, name, hooks):
        one = self.begin(name, 367, first="393625162809344", hooks=hooks)
        one.orphans = steered.orphans(self.peer)
        self.peer("mine", blocks=160)
        return one

    @staticmethod
    def digests(count):
        return lambda one: one.digests([replay.digest(json.loads(text)["result"]) for _, text in one.answers[-count:]])

    @staticmethod
    def leaving(why):
        return lambda one: one.leave(why)

    @staticmethod
    def answer_told(begins, form="{} {}"):
        return lambda one: one.told(begins + form.format(one.answers[-1][0], one.answers[-1][1].strip()))

    def test_orphans_stay(self):
        def payee(one):
            one.told("payee: " + self.peer("invoice_state", hash=one.orphans[0])["invoices"][0]["state"])

        one = self.after_orphans("08f_orphan_later", [
            ("now: ", self.digests(3)), ("A#4 ", lambda one: self.peer("mine", blocks=160)), ("160 blocks later", self.digests(3)),
            ("A#7 ", lambda one: self.peer("restart", how="stop")), ("after a clean restart", self.digests(3)), ("payee: ", payee),
            ("the payment again", self.answer_told("the payment again, mpp: ")), ("SendPaymentV2", self.answer_told("SendPaymentV2: ", "[<{} {}>]")),
            ("DELETE", self.answer_told("DELETE: ", "<{} {}>")), ("fence on it", self.answer_told("fence on it: "))])
        for line in one.lines:
            if line["dir"] == "req" and "payment_request" in line["raw"]:
                made = self.peer("invoice", hash=one.orphans[0], amount_msat=20003)
                one.texts[json.loads(steered.body_of(line))["payment_request"]] = made["payment_request"]
        one.run()
        self.end(one)

    def test_orphans_end_when_their_channel_is_closed(self):
        second = {"id": "580542139531264", "between": ["A", "B"], "capacity": 10_000_000, "balances": [9_000_000, 0]}

        def opened(one):
            self.peer("open", **second)
            one.leave("channels open without transactions here")

        def closed(one):
            self.peer("close", chan="393625162809344")
            self.peer("mine", blocks=12)
            one.leave("channels close without transactions here")

        def channels(one):
            listed = json.loads(self.peer.ask("GET", "/v1/channels")[1])["channels"]
            one.told(str([(channel["chan_id"], channel["active"]) for channel in listed]))

        def still_open(one):
            payments = json.loads(self.peer.ask("GET", "/v1/payments?include_incomplete=true")[1])["payments"]
            self.assertEqual(len(payments), 13)
            one.told(f"{sum(payment['status'] == 'IN_FLIGHT' for payment in payments)} still IN_FLIGHT")

        one = self.after_orphans("24_orphan_channel_closed", [
            ("13 orphans", lambda one: one.told(f"{len(one.orphans)} orphans")), ("now: ", self.digests(2)), ("second A-B channel", opened),
            ("close: ", closed), ("closed on chain", self.digests(2)), ("[(", channels), ("A#5 ", lambda one: self.peer("restart", how="stop")),
            ("and after a restart", self.digests(2)),
            ("payable again", lambda one: one.told("payable again: " + replay.briefly(*one.answers[-1]), r"attempt \d+")), ("0 still", still_open)])
        one.run()
        self.end(one)

    def test_events_of_htlcs_and_all_open_payments(self):
        one = self.after_orphans("13_htlcevents", [])
        one.run()
        self.end(one)

    # --- a peer that does not confirm ---

    def test_the_mailbox_of_a_link_that_waits(self):
        def elapse(one):
            """Brings lnd to the time of this line; what really went by counts."""
            due = (one.lines[one.n]["t_ms"] - one.lines[4]["t_ms"]) / 1000 - (time.monotonic() - one.began + one.passed)
            if due > 0:
                self.peer("pass", seconds=due)
                one.passed += due

        def looked(one):
            seen = [digest_of(look(self.peer, payment_hash)) for payment_hash in hashes]
            told = [any(status for status, _ in list(one.under_way[name].lines.queue)) for name in ("A#1", "A#2")]
            active = [channel["active"] for channel in json.loads(self.peer.ask("GET", "/v1/channels")[1])["channels"]]
            states = [(one_seen["status"], len(one.pending(payment_hash))) for one_seen, payment_hash in zip(seen, hashes)]
            begins = one.text.partition(":")[0]
            one.told(f"{begins}: {states} answers {told[0]} {told[1]} channel active {active}")

        def timed_out(one):
            asking = one.under_way[one.lines[one.n]["conn"]]
            self.assertTrue(asking.lines.empty(), "there was no answer yet")
            asking.hang_up()
            one.compared.add(one.n)

        hooks = [("TimeoutError", timed_out), ("", elapse), *((f"{5 * n}s:", looked) for n in range(1, 16)),
                 ("B continues", lambda one: (self.peer("stall", chan=replay.first_channel(one.lines), on=False), one.leave("what was done"))),
                 ("first: ", self.leaving("says again how the client ended")), ("second: ", self.leaving("says again how the client ended")),
                 ("[{", lambda one: one.digests([digest_of(look(self.peer, payment_hash)) for payment_hash in hashes]))]
        one = self.begin("05d_mailbox_timeout_live", 527, "--hop-delay", "30", hooks=hooks)
        hashes = [hash_of(steered.body_of(line)) for line, _ in replay.sent(one.lines)]
        one.began, one.passed = time.monotonic(), 0
        self.peer("stall", chan=replay.first_channel(one.lines))
        one.run()
        self.end(one)

    # --- who answers ---

    def test_the_run_of_lnd(self):
        seen = []

        def spread(one):
            self.assertEqual(len(seen), 20)
            starts, unsure = [at - age for at, age in seen], max(after[0] - before[0] for before, after in zip(seen, seen[1:]))
            self.assertLessEqual(max(starts) - min(starts), float(re.search(r"spread ([0-9.]+) s", one.text)[1]) + unsure, "as it was there")
            one.compared.add(one.n)

        def age(one):
            channel = json.loads(one.answers[-1][1])["channels"][0]
            seen.append((time.time(), int(channel["lifetime"])))

        def first_answer(one):
            channel = json.loads(one.answers[-1][1])["channels"][0]
            one.told(f"first answer after a restart: {[(channel['lifetime'], channel['uptime'], channel['active'])]}")

        def active_again(one):
            self.peer("peer", node="A", online=True)

        def listener(one):
            with open("/proc/net/tcp", encoding="ascii") as file:
                rows = [line.split() for line in file]
            inode = next(row[9] for row in rows if row[1] == f"0100007F:{self.peer.port:04X}" and row[3] == "0A")
            folder, pid = f"/proc/{self.peer.process.pid}/fd", self.peer.process.pid
            holders = [str(pid) for name in os.listdir(folder) if os.readlink(os.path.join(folder, name)) == f"socket:[{inode}]"]
            one.told(f"/proc/net/tcp: inode {inode} pid {holders} (lnd is {pid})", r"\d+")

        hooks = [*((f"A#{n} ", age) for n in range(2, 21)), ("now - lifetime over", lambda one: (age(one), spread(one))),
                 ("A#21 ", lambda one: self.peer("restart", how="kill", peers=60)), ("first answer", first_answer), ("A#22 ", active_again),
                 ("now - lifetime - start", self.leaving(TIMES)), ("/proc", listener)]
        one = self.begin("21_run_identity", hooks=hooks)
        one.run()
        self.end(one)

    def test_how_it_starts(self):
        """Four clients ask while lnd starts; what each is told, and in which order. The recorder noted each answer that was new."""
        one = self.begin("14_startup")
        body = for_another(self.peer, steered.body_of(replay.sent(replay.lines_of("13_htlcevents"))[0][0]), 50_000)
        name = base64.urlsafe_b64encode(bytes.fromhex(hash_of(body))).decode()
        told = {"getinfo": [], "track": [], "state": [], "SendToRouteV2": []}
        asked = {"getinfo": ("GET", "/v1/getinfo", None), "track": ("GET", "/v2/router/track/" + name, None), "state": ("GET", "/v1/state", None),
                 "SendToRouteV2": ("POST", SEND, body)}

        def last(who, status, text):
            return status == 200 and (who in ("getinfo", "track") or "SERVER_ACTIVE" in text or "SUCCEEDED" in text)

        def poll(who):
            method, path, data = asked[who]
            while True:
                try:
                    client = Client(self.peer, data, method, path).write()
                    status, _, text = client.answer()
                    client.go("close")
                    words = replay.briefly(status, text) if who == "SendToRouteV2" else f"{status} {text}"
                except ConnectionRefusedError as error:
                    status, text, words = None, "", f"ConnectionRefusedError: {error}"
                except (OSError, ValueError, IndexError):  # the moment at which it begins to listen
                    continue
                if words not in told[who]:
                    told[who].append(words)
                    if "UNKNOWN_NEXT_PEER" in words and sum("UNKNOWN_NEXT_PEER" in each for each in told[who]) == 2:
                        self.peer("peer", node="A", online=True)  # its first peer is back
                if last(who, status, text):
                    return

        phases = dict.fromkeys(("WAITING_TO_START", "LOCKED", "UNLOCKED", "RPC_ACTIVE"), 0.7)  # each client has to see each
        self.peer("restart", how="kill", wait=False, down=0.7, phases=phases, peers=60)
        threads = [threading.Thread(target=poll, args=(who,), daemon=True) for who in told]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        for n, line in enumerate(one.lines):
            who = line["text"].partition(" at ")[0]
            recorded = re.sub(r" at [0-9.]+s:", ":", line["text"])
            got = f"{who}: {told[who].pop(0)}"
            chance = r'"payment_hash":"[0-9a-f]+"|"creation_date":"\d+"|attempt \d+'
            self.assertEqual(re.sub(chance, "*", got[:len(recorded)]), re.sub(chance, "*", recorded))
            one.compared.add(n)
        self.assertEqual(told, {who: [] for who in told}, "nothing else was told")
        self.end(one)

    # --- clients that go away ---

    def left_alone(self, one, body, how, at_once, later, nothing_yet=False):
        """A client hands over and goes. Returns both looks."""
        payment_hash = hash_of(body)
        if later == "404":  # lnd's proxy had not passed it on
            fault = self.peer("fault", do="drop", path=SEND, hash=payment_hash)["fault"]
        else:
            fault = one.pause(body, "received" if at_once == "404" else "initiated" if nothing_yet else "registered")
        client = Client(self.peer, body).write()
        if later == "404":
            self.peer("wait", seconds=60, fault=fault)
        else:
            one.paused(fault)
        client.go(how)
        seen = look(self.peer, payment_hash)
        self.peer("disarm")
        if later != "404":
            self.peer("wait", seconds=60, hash=payment_hash, status=later)
        return seen, look(self.peer, payment_hash)

    def test_a_client_goes_and_lnd_goes_on(self):
        one = self.begin("08d_client_dies_lnd_lives", 367)
        ids = r"'idx': '\d+'|\('\d+'"
        for n in range(0, 24, 4):
            body, text = steered.body_of(one.lines[n]), one.lines[n + 3]["text"]
            how, at_once = re.match(r"(\w+): at once (\w+);", text).groups()
            later = "SUCCEEDED" if "SUCCEEDED" in text else "404"
            body = for_another(self.peer, body)  # no preimage stands in the recording
            seen, at_last = self.left_alone(one, body, how, at_once, later, '"htlcs":[]' in one.lines[n + 2]["raw"])
            one.result(n + 2, seen[0], steered.as_for(seen[1], body, steered.body_of(one.lines[n])))
            self.assertEqual("404" if seen[0] == 404 else "seen", at_once)
            end = f"404 {at_last[1].strip()}" if at_last[0] == 404 else str(digest_of(at_last))
            one.told(f"{how}: at once {at_once}; later {end}" + ("\n" if text.endswith("\n") else ""), ids, n + 3)

        def ways(recorded):
            how, at_once, later = recorded
            later = "SUCCEEDED" if later == "SUCCEEDED" else "404"
            seen, at_last = self.left_alone(one, for_another(self.peer, steered.body_of(one.lines[0])), how, str(at_once), later)
            return how, "404" if seen[0] == 404 else "seen", f"404 {at_last[1]}" if at_last[0] == 404 else digest_of(at_last)["status"]

        for n in range(24, 33):
            text = one.lines[n]["text"]
            recorded = ast.literal_eval(text.partition(" = ")[2])
            got = ways(recorded)
            self.assertEqual((got[0], got[1], got[2][:len(recorded[2])]), (recorded[0], str(recorded[1]), recorded[2]))
            one.compared.add(n)
        self.end(one)

    def test_many_are_held(self):
        one = self.begin("27_many_held")
        template = steered.body_of(replay.sent(replay.lines_of("19_http"))[0][0])
        orders = []
        for _ in range(120):
            orders.append(for_another(self.peer, template))
            self.peer("hold", hash=hash_of(orders[-1]))
        clients = [Client(self.peer, order).write() for order in orders]
        self.peer("wait", state="held", count=120, seconds=60)
        one.told(f"{len(clients)} HTLCs pending on {len(clients)} connections after 0 s", r"[0-9.]+ s$", 0)
        self.assertEqual(self.peer.ask("GET", "/v1/getinfo")[0], 200)
        one.leave(TIMES, 1)
        for order in orders:
            self.peer("settle", hash=hash_of(order))
        answers = collections.Counter({"SUCCEEDED": 0, "FAILED": 0})
        others = []
        for client in clients:
            status, _, text = client.answer()
            if status == 200:
                answers[json.loads(text)["status"]] += 1
            else:
                others.append(text)
            client.go("close")
        one.told(f"answers: {dict(answers)} others: {others}", n=2)
        self.end(one)

    # --- races with the fence ---

    @staticmethod
    def fence_of(template, original):
        return json.dumps({**json.loads(template), "payment_hash": json.loads(original)["payment_hash"]})

    def pairs(self, one, frozen=False):
        """The recorded hand-overs and fences, each pair in the way in which it came out."""
        raced = collections.defaultdict(dict)
        for n, line in enumerate(one.lines):
            if line["dir"] == "req" and len(json.loads(steered.body_of(line))["route"]["hops"]) in (1, 2):
                raced[hash_of(steered.body_of(line))]["fence" if '"chan_id": "1"' in line["raw"] else "original"] = line
        answers = {line["conn"]: n for n, line in enumerate(one.lines) if line["dir"] == "res"}
        made = set()
        for pair in (pair for pair in raced.values() if len(pair) == 2):
            bodies = [steered.body_of(pair[who]) for who in ("original", "fence")]
            ends = [answers[pair[who]["conn"]] for who in ("original", "fence")]
            if "SUCCEEDED" not in one.lines[ends[0]]["raw"]:
                steered.make_invoice(self.peer, bodies[0])
            mine, its, _ = one.race(*bodies, one.kind_of(*(one.lines[n]["raw"] for n in ends)), frozen)
            for n, (status, _, text) in zip(ends, (mine, its)):
                one.result(n, status, text)
                made.add(n)
        return made

    def raced(self, one, kind, template, fence_template, frozen=False):
        """One fresh race: original's answer, fence's answer, the payment between them, whether the payee was paid, whether the rule says fenced."""
        body = for_another(self.peer, template)
        mine, its, between = one.race(body, self.fence_of(fence_template, body), kind, frozen)
        seen, paid = digest_of(between), steered.payee_paid(self.peer, hash_of(body))
        fenced = its[0] == 200 and "FAILED" in its[2] and (seen["value"], seen["status"]) == ("1", "IN_FLIGHT") \
            and all(attempt[1] == "FAILED" for attempt in seen["htlcs"])
        self.assertFalse(fenced and paid, "the rule for a fence")
        return mine, its, seen, paid, fenced

    def races(self, name, height, store="bbolt"):
        one = self.begin(name, height, store=store)
        one.invoices_from_before(one.lines)
        self.assertEqual(len(self.pairs(one)), 16)
        template, fence = (steered.body_of(line) for line in one.lines[:2])
        kinds = {(False, True, True): "first", (True, False, False): "second", (True, False, True): "between",
                 (True, True, True): "joined", (True, True, False): "joined between"}

        def ways(recorded):
            barrier, value, original, payee, _ = recorded
            failed, its_value, other = barrier == "fence answered FAILED", value != "value=1", "exceeds" not in original
            kind = kinds[failed, its_value, payee == "payee paid" if its_value else other]
            mine, its, seen, paid, _ = self.raced(one, kind, template, fence)
            return ("fence answered FAILED" if failed and "FAILED" in its[2] else "fence: " + re.sub(r"\d+", "N", replay.briefly(its[0], its[2])),
                    "value=1" if seen["value"] == "1" else f"value=V {seen['status']}",
                    "orig: " + replay.briefly(mine[0], mine[2]), "payee paid" if paid else "payee not paid", "ok")

        self.tuples(one, range(32, 37), ways, SEVERAL)
        one.told("inconsistent under the rule (fence FAILED and value 1 and no other htlc): 0 of 13", r"of \d+$", 37)
        self.end(one)

    def test_races_with_the_fence(self):
        self.races("08i_fence_races", 367)

    def test_races_with_the_fence_of_a_whole_payment(self):
        self.races("08i2_fence_races_skip_off", 1014)

    def test_sql_races_with_the_fence(self):
        self.races("E_08i_fence_races", 1012, "sql")

    # --- lnd stands still ---

    def frozen(self, one, body, how, state):
        """Hands over to a lnd that stands still, by a client that keeps its connection, closes or resets it. Returns lnd's state of the payment."""
        payment_hash = hash_of(body)
        held = one.pause(body, "sent") if state == "IN_FLIGHT" else None
        dropped = self.peer("fault", do="drop", path=SEND, hash=payment_hash) if state == "404" else None
        client = Client(self.peer, body)
        self.peer.process.send_signal(signal.SIGSTOP)
        client.write()
        if how != "keep" and not held:
            client.go(how)
        self.peer.process.send_signal(signal.SIGCONT)
        if held:
            one.paused(held)
        if how != "keep" and held:
            client.go(how)
        if dropped and how == "close":  # what was written before a reset may be lost in lnd's socket
            self.peer("wait", seconds=60, fault=dropped["fault"])
        answer = client.answer() if how == "keep" and not held else None
        seen = look(self.peer, payment_hash)
        self.peer("disarm")
        client.go("close")
        return answer, seen

    def test_a_lnd_that_stands_still(self):
        one = self.begin("22_frozen_lnd")
        one.invoices_from_before(one.lines)
        template = steered.body_of(one.lines[0])
        answer, _ = self.frozen(one, template, "keep", "SUCCEEDED")
        one.result(1, answer[0], answer[2])
        for n in range(4, 10):
            text = one.lines[n]["text"]
            how, state = re.match(r"\d+ x client: (\w+); 0.7 s after lnd goes on: (\w+)", text).groups()
            _, (status, body) = self.frozen(one, for_another(self.peer, template), how, state)
            got = f"{status} {body}" if status == 404 else json.loads(body)["result"]["status"]
            self.assertEqual(got[:len(text.partition("on: ")[2])], text.partition("on: ")[2])
            one.compared.add(n)
        one.leave("what follows", 10)
        self.assertEqual(len(self.pairs(one, frozen=True)), 6)
        original, fence = (steered.body_of(one.lines[n]) for n in (11, 12))

        def ways(recorded):
            its, value, mine = recorded[:3]
            kind = "first" if "FAILED" not in its else "joined" if value == "value V" else "second" if "exceeds" in mine else "between"
            mine, its, seen, paid, fenced = self.raced(one, kind, original, fence, frozen=True)
            return (replay.briefly(its[0], its[2]), "value 1" if seen["value"] == "1" else "value V", replay.briefly(mine[0], mine[2]),
                    "SETTLED" if paid else "OPEN", "rule says fenced" if fenced else "rule: not fenced", "ok")

        self.tuples(one, range(23, 27), ways, SEVERAL)
        self.end(one)

    # --- macaroons ---

    def test_macaroons(self):
        one = self.begin("18_macaroons")
        status, text = self.peer.ask("GET", "/v1/macaroon/permissions")
        ours, its = json.loads(text)["method_permissions"], json.loads(one.lines[1]["raw"])["method_permissions"]
        self.assertEqual(status, 200)
        self.assertEqual(ours, {name: its.get(name) for name in ours}, "the double has some of lnd's methods; each needs what lnd's needs")
        self.assertGreater(len(ours), 25)
        one.compared.add(1)
        self.bake(one, 2, "uri", range(5, 19))
        self.bake(one, 19, "entity offchain rw, info r", range(21, 35))
        folder = tempfile.mkdtemp(prefix="paytower-peer-")
        self.addCleanup(shutil.rmtree, folder)
        self.peer.cert = server.certificate(folder)[0]
        with self.assertRaises(ssl.SSLCertVerificationError) as refused:
            self.peer.ask("GET", "/v1/state")
        one.told(f"TLS with another certificate: {refused.exception!r}", r" \(_ssl.c:\d+\)", 35)
        self.end(one)

    def bake(self, one, n, who, notes):
        """A macaroon as the recorder baked it, and its fourteen requests with it."""
        status, text = self.peer.ask("POST", "/v1/macaroon", steered.body_of(one.lines[n]))
        one.result(n + 1, status, text)
        given = json.loads(text)["macaroon"]
        if who == "uri":
            one.told(f"uri macaroon, {len(given) // 2} bytes", n=n + 2)
        made = self.peer("invoice")
        template = steered.body_of(replay.sent(replay.lines_of("13_htlcevents"))[0][0])
        body = for_another(self.peer, template)
        name = base64.urlsafe_b64encode(bytes.fromhex(hash_of(body))).decode()
        hops = [base64.b64encode(bytes.fromhex(hop["pub_key"])).decode() for hop in json.loads(body)["route"]["hops"]]
        deleted = "/v1/payment?payment_hash=" + name.replace("-", "%2B").replace("_", "%2F")
        asked = [("GET", "/v1/getinfo", None), ("POST", f"/v1/graph/routes/{made['payee']}/0", {"amt_msat": "50000"}), ("GET", "/v1/payments", None),
                 ("GET", "/v1/channels", None), ("POST", SEND, body), ("GET", "/v2/router/track/" + name, None),
                 ("GET", "/v1/payreq/" + made["payment_request"], None), ("POST", "/v2/router/mc/reset", {}), ("DELETE", deleted, None),
                 ("POST", "/v2/router/send", {"payment_request": made["payment_request"], "fee_limit_msat": "5000"}), ("GET", "/v1/newaddress", None),
                 ("GET", "/v1/balance/blockchain", None), ("POST", "/v2/router/route", {"amt_msat": "50000", "hop_pubkeys": hops}),
                 ("GET", "/v2/router/mc", None)]
        for n, (method, path, data) in zip(notes, asked):
            status, text = self.peer.ask(method, path, data, macaroon=given)
            shown = path.partition("?")[0][:44]
            one.told(f"{who}: {method} {shown}: {status} {'ok' if status == 200 else text}", r"(?<=track/)[^:]+|(?<=payreq/)[^:]+", n)

    # --- HTTP and TLS ---

    def test_http(self):
        one = self.begin("19_http")
        one.invoices_from_before(one.lines)
        self.protocols(one)
        body = steered.body_of(one.lines[14])
        first = Client(self.peer, method="GET", path="/v1/state").write()
        first.write(first.request * 4)
        answers = [first.answer() for _ in range(5)]
        for n, (status, _, text) in enumerate(answers, 8):
            one.result(n, status, text)
        one.told(f"5 pipelined GETs on one connection: {[status for status, _, _ in answers]}", n=13)
        self.peer("hold", hash=hash_of(body))
        held = Client(self.peer, body).write()
        held.write(first.request)
        self.peer("wait", seconds=60, hash=hash_of(body), state="held")
        held.socket.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            held.socket.recv(1)
        one.told("nothing for 0.5 s: the second request waits for the first (HTTP/1.1 order)", r"for [0-9.]+ s", 16)
        held.socket.settimeout(20)
        one.told("D " + self.peer("invoice_state", hash=hash_of(body))["invoices"][0]["state"], n=17)
        self.peer("settle", hash=hash_of(body))
        both = [held.answer(), held.answer()]
        for n, (status, _, text) in enumerate(both, 18):
            one.result(n, status, text)
        one.told(f"then: {[status for status, _, _ in both]}", n=20)
        one.told("keep-alive headers: " + str({name.lower(): value for name, value in both[1][1].items()}), r"'date': '[^']+'", 21)
        self.not_whole(one, for_another(self.peer, body))
        self.half_closed(one, for_another(self.peer, body))
        for n, size in ((27, 3), (28, 8)):
            status, text = self.peer.ask("POST", SEND, "{" + " " * (size << 20) + "}", timeout=30)
            one.told(f"{size} MiB body: {status} {text} 0s", r"[0-9.]+s$", n)
        one.leave("as the two before it; it takes seconds", 29)
        one.leave("what follows", 30)
        time.sleep(1)  # 65 s there: neither has a time-out for it
        status, _, text = first.write().answer()
        one.result(32, status, text)
        one.told(f"after 1 s: {status}", r"\d+ s", 33)
        one.leave(TIMES, 34)
        for client in (first, held):
            client.go("close")
        self.end(one)

    def protocols(self, one):
        """What TLS agrees upon: version 1.3, and no protocol by ALPN, so HTTP/1.1."""
        for n in range(8):
            text = one.lines[n]["text"]
            if text.startswith("rpc"):
                one.leave("the double has no gRPC port", n)
                continue
            offered = ast.literal_eval(text.partition("offered ")[2].partition(": ")[0])
            context = ssl.create_default_context(cafile=self.peer.cert)
            if offered:
                context.set_alpn_protocols(offered)
            with context.wrap_socket(socket.create_connection(("127.0.0.1", self.peer.port)), server_hostname="localhost") as made:
                one.told(f"rest ALPN offered {offered}: {made.selected_alpn_protocol()} {made.version()} {made.cipher()[0]}", r"TLS_AES_\w+", n)

    def not_whole(self, one, body):
        """All but the last byte of a request, and then the end of the connection: nothing is executed."""
        client = Client(self.peer, body)
        client.write(client.request[:-1])
        time.sleep(0.3)
        status, text = look(self.peer, hash_of(body))
        one.told(f"all but the last byte written, 0.3 s: {status} {text.strip()}", r"[0-9.]+ s:", 22)
        client.go("close")
        time.sleep(0.3)
        status, text = look(self.peer, hash_of(body))
        one.told(f"then closed: {status} {text.strip()}", n=23)

    def half_closed(self, one, body):
        """A whole request, and then the end of what its client says: lnd calls it canceled, and pays."""
        client = Client(self.peer, body)
        self.peer("hold", hash=hash_of(body))
        client.write()
        self.peer("wait", seconds=60, hash=hash_of(body), state="held")
        with socket.socket(fileno=os.dup(client.socket.fileno())) as below:  # TLS says nothing of it
            below.shutdown(socket.SHUT_WR)
        status, _, text = client.answer()
        one.result(25, status, text)
        one.told(f"answer: {status} {text}", n=26)
        self.peer("settle", hash=hash_of(body))
        self.peer("wait", seconds=60, hash=hash_of(body), status="SUCCEEDED")
        one.told(f"whole request, then SHUT_WR: {digest_of(look(self.peer, hash_of(body)))}", r"'idx': '\d+'|\('\d+'", 24)
        client.go("close")

    # --- sizes and events ---

    def test_sizes_and_the_order_of_events(self):
        one = self.begin("17_timing")
        template = steered.body_of(replay.sent(replay.lines_of("13_htlcevents"))[0][0])
        payee = json.loads(template)["route"]["hops"][-1]["pub_key"]
        for n, at_once in ((2, 4), (3, 16), (4, 48)):
            states = []

            def pay():
                client = Client(self.peer)
                for _ in range(96 // at_once):
                    client.write(client.request_of(orders.pop()))
                    states.append(json.loads(client.answer()[2])["status"])
                client.go("close")

            orders = [for_another(self.peer, template) for _ in range(96)]
            threads = [threading.Thread(target=pay) for _ in range(at_once)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            one.told(f"{at_once} connections in parallel, {len(states)} payments: 0/s, median 0 ms, {states.count('SUCCEEDED')} succeeded",
                     r"[0-9.]+/s, median [0-9.]+ ms", n)
        sizes = {8: ("QueryRoutes", "POST", f"/v1/graph/routes/{payee}/0", {"amt_msat": "50000"}), 10: ("state", "GET", "/v1/state", None),
                 11: ("track unknown", "GET", "/v2/router/track/" + "A" * 43 + "=", None)}
        for n, (what, method, path, data) in sizes.items():
            one.told(f"{what}: median 0 ms, {len(self.peer.ask(method, path, data)[1])} bytes", r"median [0-9.]+ ms", n)
        for n in (0, 1, 5, 6, 7):
            one.leave(TIMES, n)
        for n in (9, 12, 13, 14):
            one.leave(TIMES + "; the sizes hang on that node's names and numbers", n)
        for n in range(15, 20):
            one.told(f"TrackPayments events after the write: {self.events(for_another(self.peer, template))}", r"(?<=\()[0-9.]+|(?<='answer', )[0-9.]+", n)
        one.leave(TIMES, 20)
        self.end(one)

    def events(self, body):
        """What TrackPayments tells of one payment, and then its answer."""
        stream = Client(self.peer, method="GET", path="/v2/router/payments").write()
        self.peer("wait", seconds=60, path="/v2/router/payments", count=1)
        time.sleep(0.1)  # until it is subscribed
        pauses = [steered.Steered.pause(self, body, moment) for moment in ("initiated", "registered", "recorded")]
        client, seen = Client(self.peer, body).write(), []
        _, _, text = stream.answer()
        for fault in pauses:
            one = json.loads(text)["result"]
            seen.append((0, one["status"], len(one["htlcs"])))
            self.peer("release", fault=fault)
            text = stream.message() if fault != pauses[-1] else ""
        self.peer("disarm")
        self.assertEqual(client.answer()[0], 200)
        stream.go("close")
        client.go("close")
        return seen + [("answer", 0)]


if __name__ == "__main__":
    unittest.main()
