"""What a client says to a node, and how often it waits for an answer: a socket in front of the node's own."""

import select
import socket

from listener import Listener, whole_requests


class Relay(Listener):
    """Passes bytes on in both directions. `requests`: all requests so far, in order."""

    def __init__(self, path, node):
        self.node = node
        self.requests = []
        self.connections = 0
        super().__init__(path)

    def talk(self, client):
        self.connections += 1
        node = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        node.connect(self.node)
        asked = ""
        with client, node:
            while True:
                for ready in select.select([client, node], [], [])[0]:
                    block = ready.recv(1 << 16)
                    if not block:
                        return
                    (node if ready is client else client).sendall(block)
                    if ready is node:
                        continue
                    requests, asked = whole_requests(asked + block.decode())
                    self.requests += [(request["method"], request["params"]) for request in requests]

    def forget(self):
        self.requests, self.connections = [], 0

    def methods(self):
        return [method for method, _ in self.requests]

    def before(self, method):
        """The methods that were called before the first such request."""
        return self.methods()[:self.methods().index(method)]
