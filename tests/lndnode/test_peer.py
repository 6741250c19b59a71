"""Goal: the peer answers as the real lnd did. Method: recorded conversations of lnd v0.21.2-beta are said to it again, request for request;
status, the names of all fields, their order and their values must be the same, but for what time and chance make."""

import shutil
import tempfile
import time
import unittest

import replay
import running

def pending(*numbers):
    """Lists of a channel that closes: the peer has no transactions."""
    return tuple(f"A#{n} GET /v1/channels/pending" for n in numbers)


# Requests whose answers are not compared: they show records from before the recording, or a moment during lnd's start.
FORESEEN = {"09_delete_payment": ("reversed=true", "failed_payments_only"), "12_marks": ("A#1 ", "index_offset=43996"),
            "01_info_graph_route": ("/v1/graph?",), "28_invisible_htlc_expires": pending(*range(15, 34, 3)),
            "28b_invisible_htlc_expires_not_dust": pending(4, *range(6, 34, 3)), "15_self_payment": ("A#1 ",),
            "23_fence_and_restart": ("A#4 ",), "11_concurrent_users": ("A#11 ", "A#12 ", "A#13 ", "A#14 ")}
# How many of lnd's answers each replay compares: a replay that loses some of them is none.
ANSWERS = {"01_info_graph_route": 31, "02_happy": 10, "03_destination_failures": 28, "04_route_failures": 20, "05_local_failures": 37,
           "05b_first_peer_stalls": 25, "05c_second_behind_unacked": 6, "06_pending_and_repeats": 22, "06b_second_htlc": 21, "07_unknown": 14,
           "08a_restart_while_pending": 8, "08h_fence": 29, "09_delete_payment": 11, "09b_paid_twice": 5, "10_mpp_timeout": 5,
           "11_concurrent_users": 13, "12_marks": 18, "15_self_payment": 4, "16_clean_stop": 6, "20_expiry_of_a_handover": 11,
           "23_fence_and_restart": 18, "25_client_disconnects_while_held": 8, "26_stream_and_kill": 3, "28_invisible_htlc_expires": 27,
           "28b_invisible_htlc_expires_not_dust": 23, "E_06_pending_and_repeats": 22, "E_08h_fence": 29}
MINED = (4, 4, 1, 1, 1, 1, 1, 3, 10, 200)


def kill(**more):
    return lambda one: one.peer("restart", how="kill", **more)


def stop(one):
    one.peer("restart", how="stop", stopping=0.8, wait=False)


def mined(blocks):
    return lambda one: one.peer("mine", blocks=blocks)


def expiring(last):
    """The hooks of a recording in which blocks come before every third request, and the answer to the hand-over with the block before `last`."""
    looks = [f"A#{n} " for n in range(5, 33, 3)]
    return [("A#1 ", stalled(True)), *(("<A#1 " if look == last else look, mined(blocks)) for look, blocks in zip(looks, MINED))]


def offline(name, online=False):
    return lambda one: one.peer("peer", node=name, online=online)


def stalled(on):
    return lambda one: one.peer("stall", chan=replay.first_channel(replay.lines_of(one.name)), on=on)


def without_macaroon(one):
    one.macaroon = ""


def unprivileged(one):
    one.macaroon = one.peer("bake", uris=["/lnrpc.Lightning/GetInfo"])["macaroon"]


def privileged(one):
    one.macaroon = one.peer.macaroon


def empty_first_channel(one):
    one.peer("balance", chan="396923697692672", node="B", msat=1_000_000_000)


class Recorded(unittest.TestCase):
    def talk(self, name, height=367, hooks=(), store="bbolt", args=(), twins=False):
        folder = tempfile.mkdtemp(prefix="paytower-peer-")
        self.addCleanup(shutil.rmtree, folder)
        peer = running.RunningPeer(folder, "--store", store, *args, network=replay.network(height, replay.lines_of(name)))
        self.addCleanup(peer.close)
        foreseen = FORESEEN.get(name, ())
        one = replay.Replay(self, peer, name, hooks, lambda line: any(part in line["conn"] + " " + line["raw"] for part in foreseen))
        one.twins = twins
        one.run()
        self.assertEqual(len(one.compared), ANSWERS[name], name)
        return one

    def test_info_and_routes(self):
        self.talk("01_info_graph_route")

    def test_happy(self):
        self.talk("02_happy")

    def test_what_the_payee_refuses(self):
        self.talk("03_destination_failures", hooks=[("invoice expired", lambda one: one.peer("clock", add=3))])

    def test_failures_on_the_way(self):
        self.talk("04_route_failures", hooks=[("no balance B->D", empty_first_channel), ("D is killed", offline("D"))])

    def test_failures_at_home(self):
        self.talk("05_local_failures", hooks=[("B is killed", offline("B")), ("B is back", offline("B", True))])

    def test_the_first_peer_stalls(self):
        self.talk("05b_first_peer_stalls", 527, [("B frozen", stalled(True)), ("B continues", stalled(False)), ("kill -9 A while", kill()), ("A#23 ", stalled(True)),
                                                  ("B dead", stalled(False))])

    def test_the_second_behind_an_unconfirmed_one(self):
        self.talk("05c_second_behind_unacked", 527, [("A#1 ", stalled(True)), ("kill -9 A", kill()), ("A#7 ", stalled(False))])

    def test_pending_and_repeats(self):
        self.talk("06_pending_and_repeats")

    def test_a_second_htlc(self):
        self.talk("06b_second_htlc", hooks=[("SendPaymentV2 now", offline("B"))])

    def test_what_is_unknown(self):
        self.talk("07_unknown", hooks=[("no macaroon", without_macaroon), ("macaroon without", unprivileged), ("malformed JSON", privileged)])

    def test_killed_while_pending(self):
        # The real lnd took its payments up again a second or more after its first answers.
        self.talk("08a_restart_while_pending", hooks=[("first caller: EOF", kill(resume=3))], args=("--hop-delay", "0.04"))

    def test_the_barrier(self):
        self.talk("08h_fence", hooks=[("kill -9 A with", kill(resume=2))])

    def test_deleted(self):
        self.talk("09_delete_payment", 527)

    def test_deleted_and_paid_twice(self):
        self.talk("09b_paid_twice", 527)

    def test_half_a_set(self):
        self.talk("10_mpp_timeout", 527, args=("--mpp-timeout", "0.3"))

    def test_other_users(self):
        self.talk("11_concurrent_users", 527, args=("--hop-delay", "0.4"), twins=True)

    def test_marks(self):
        self.talk("12_marks", 527)

    def test_to_oneself(self):
        self.talk("15_self_payment", 527)

    def test_a_clean_stop(self):
        self.talk("16_clean_stop", 527, [("SIGTERM to A", stop), ("A#4 ", lambda one: time.sleep(1))])

    def test_a_hand_over_expires(self):
        self.talk("20_expiry_of_a_handover", 527)

    def test_the_barrier_and_a_restart(self):
        self.talk("23_fence_and_restart", 527, [("A#4 ", kill()), ("A#12 ", kill())])

    def test_clients_that_go_away(self):
        self.talk("25_client_disconnects_while_held", 539)

    def test_streams_and_a_kill(self):
        self.talk("26_stream_and_kill", 539, [("track after kill", kill())])

    def test_an_invisible_htlc_expires(self):
        self.talk("28_invisible_htlc_expires", 539, expiring("A#14 "))

    def test_an_invisible_htlc_that_is_no_dust_expires(self):
        self.talk("28b_invisible_htlc_expires_not_dust", 772, expiring("A#23 "))

    def test_sql_pending_and_repeats(self):
        self.talk("E_06_pending_and_repeats", 1012, store="sql")

    def test_sql_the_barrier(self):
        self.talk("E_08h_fence", 1012, store="sql", hooks=[("kill -9 A with", kill(resume=2)), ("E#29 ", kill())])


if __name__ == "__main__":
    unittest.main()
