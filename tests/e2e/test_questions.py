"""Goal: a node is asked no more than is needed: who it is once a connection, what it does not know once a connection, and the
reason of a missing route in a bounded number of questions. Method: a relay in front of `simulate serve` that writes down
every request."""

import os
import unittest

import harness
from served import Relayed

LOOK = ["wait"] * 4 + ["listsendpays"]
COPY = ["wait"]  # the old copy check, at a node without rows


class Questions(Relayed):
    def test_a_settled_send(self):
        self.start()
        self.ok("send", self.invoice("100sat"), "--yes")
        asked = self.relay.before("sendpay")
        self.assertEqual(asked, ["getinfo", *COPY, *LOOK, "getroutes"])
        self.assertEqual(self.relay.methods(), [*asked, "sendpay", "waitsendpay"])
        self.assertEqual(self.relay.connections, 1)
        # The store has a trace at the node by now: the check asks for one short list instead of a counter, at the same time as the look.
        self.relay.forget()
        self.ok("send", self.invoice("100sat"), "--yes")
        # The store also remembers something by now: its layer is looked for, made, and filled.
        asked = self.relay.before("sendpay")
        self.assertEqual([one for one in asked if one != "askrene-inform-channel"],
                         ["getinfo", "listsendpays", *LOOK, "askrene-listlayers", "askrene-create-layer", "askrene-age", "getroutes"])
        self.relay.forget()
        self.ok("send", self.invoice("100sat"), "--yes", "--no-memory")
        self.assertEqual(self.relay.before("sendpay"), ["getinfo", "listsendpays", *LOOK, "getroutes"])

    def test_a_batch(self):
        self.start()
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            for _ in range(20):
                file.write(f'{{"invoice":"{self.invoice("100sat")}"}}\n')
        self.relay.forget()
        self.ok("send", "--batch", path, "--yes")
        methods = self.relay.methods()
        self.assertEqual((methods.count("getinfo"), methods.count("sendpay")), (1, 20))

    def test_what_the_node_does_not_know_is_asked_once(self):
        """An older node has no getroutes, and no lists of HTLCs and movements, so it does not count them either."""
        self.start("without=getroutes+listchannelmoves+listhtlcs")
        self.ok("send", self.invoice("100sat"), "--yes")
        asked = self.relay.before("sendpay")
        self.assertEqual(asked, ["getinfo", *COPY, *LOOK, "getroutes", "getroute"])
        path = os.path.join(self.folder, "batch.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            for _ in range(10):
                invoice = self.invoice("100sat", "--fail", "TEMPORARY_CHANNEL_FAILURE@1x1")
                file.write(f'{{"invoice":"{invoice}"}}\n')
        self.relay.forget()
        self.run_it("send", "--batch", path, "--yes", "--parallel", "1")
        methods = self.relay.methods()
        self.assertGreater(methods.count("getroute"), 10)
        self.assertEqual([methods.count(one) for one in ("getinfo", "getroutes")], [1, 1])
        looks = methods.count("getroute")
        self.assertLess(methods.count("wait"), 5 + 2 * looks)  # four in the first look, then only the counter that the node has
        self.assertEqual([one for one in methods if one in ("listhtlcs", "listchannelmoves")], [])

    def test_one_layer_a_store_is_all_that_stays(self):
        """Whatever fails in between. Each run adds what earlier runs have not told the node."""
        self.start()
        for _ in range(4):
            self.ok("send", self.invoice("100sat", "--fail", "TEMPORARY_CHANNEL_FAILURE@1x2"), "--yes")
        (layer,) = self.layers()
        self.assertRegex(layer["layer"], r"^paytower-[0-9a-f]{32}$")
        self.assertGreater(len(layer["constraints"]), 0)
        self.assertEqual(self.relay.methods().count("askrene-remove-layer"), self.relay.methods().count("askrene-create-layer") - 1)
        # After the history is deleted, the layer is made again, with the next failure only.
        self.ok("delete", "--all", "--include-non-failed", "--yes")
        self.relay.forget()
        self.ok("send", self.invoice("100sat", "--fail", "TEMPORARY_CHANNEL_FAILURE@2x1"), "--yes")
        self.assertEqual([one["layer"] for one in self.layers()], [layer["layer"]])

    def test_every_connection_is_asked_who_it_is(self):
        self.start("break@getroutes:1")
        self.ok("send", self.invoice("100sat"), "--yes")
        self.assertEqual(self.relay.connections, 2)
        self.assertEqual(self.relay.methods(), ["getinfo", *COPY, *LOOK, "getroutes", "getinfo", *COPY, *LOOK, "getroutes", "sendpay", "waitsendpay"])


if __name__ == "__main__":
    unittest.main()
