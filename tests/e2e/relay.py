"""What a client says to a node, and how often it waits for an answer: a socket in front of the node's own."""

import json
import os
import select
import socket
import threading


class Relay:
    """Passes bytes on in both directions. `requests`: all requests so far, in order."""

    def __init__(self, path, node):
        self.node = node
        self.requests = []
        self.connections = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        os.chmod(path, 0o600)
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        node = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        node.connect(self.node)
        decoder, asked = json.JSONDecoder(), ""
        with client, node:
            while True:
                for ready in select.select([client, node], [], [])[0]:
                    block = ready.recv(1 << 16)
                    if not block:
                        return
                    (node if ready is client else client).sendall(block)
                    if ready is node:
                        continue
                    asked += block.decode()
                    while asked.strip():
                        try:
                            request, end = decoder.raw_decode(asked.lstrip())
                        except ValueError:
                            break
                        asked = asked.lstrip()[end:]
                        self.requests.append((request["method"], request["params"]))

    def forget(self):
        self.requests, self.connections = [], 0

    def methods(self):
        return [method for method, _ in self.requests]

    def before(self, method):
        """The methods that were called before the first such request."""
        return self.methods()[:self.methods().index(method)]
