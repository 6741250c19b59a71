"""For tests: the peer as a process of its own, its control port, and a plain client for its REST port."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Refusal(Exception):
    """The peer has refused a command."""


class RunningPeer:
    """A peer process. `args`: its command line without --folder. Its files are in `folder`. `errors`: where it writes its own faults."""

    def __init__(self, folder, *args, network=None, errors=None):
        self.folder = folder
        if network:
            path = os.path.join(folder, "network.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(network, file)
            args = ("--network", path, *args)
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "peer.py"), "--folder", folder, "--until-eof", *args],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        _, port, control = self.process.stdout.readline().split()
        self.port, self.address = int(port), f"127.0.0.1:{port}"
        self.control = socket.create_connection(("127.0.0.1", int(control)))
        self.lines = self.control.makefile("r", encoding="utf-8")
        self.cert = os.path.join(folder, "tls.cert")
        self.info = self("info")
        self.macaroon = self.read_macaroon("admin.macaroon")

    def __call__(self, cmd, **given):
        self.control.sendall(json.dumps({"cmd": cmd, **given}).encode() + b"\n")
        answer = json.loads(self.lines.readline())
        if not answer.pop("ok"):
            raise Refusal(answer["error"])
        return answer

    def macaroon_path(self, name):
        for place, _, names in os.walk(os.path.join(self.folder, "data")):
            if name in names:
                return os.path.join(place, name)
        raise FileNotFoundError(name)

    def read_macaroon(self, name):
        with open(self.macaroon_path(name), "rb") as file:
            return file.read().hex()

    def connect(self, timeout=10):
        context = ssl.create_default_context(cafile=self.cert)
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=timeout)

    def ask(self, method, path, body=None, macaroon=None, connection=None, timeout=10):
        """Sends a request; returns (status, raw body). `body`: text, or something to be sent as JSON. `connection`: None for one of its own."""
        used = connection or self.connect(timeout)
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        try:
            used.request(method, path, data, {"Grpc-Metadata-macaroon": self.macaroon if macaroon is None else macaroon})
            answer = used.getresponse()
            return answer.status, answer.read().decode()
        finally:
            if not connection:
                used.close()

    def close(self):
        if self.process.stdout.closed:
            return
        self.lines.close()
        self.control.close()
        self.process.stdin.close()
        self.process.wait(5)
        self.process.stdout.close()
