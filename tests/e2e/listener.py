"""A socket file at which a test listens."""

import json
import os
import socket
import threading


class Listener:
    """Each connection gets a thread of its own, with talk(connection)."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        os.chmod(path, 0o600)
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def close(self):
        hang_up(self.listener)
        self.listener.close()


def hang_up(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def received(connection):
    """The next bytes, or none when the other side has gone."""
    try:
        return connection.recv(1 << 16)
    except OSError:
        return b""


def whole_requests(text):
    """The requests that stand whole in it, and what is left."""
    decoder, found = json.JSONDecoder(), []
    while text.strip():
        try:
            request, end = decoder.raw_decode(text.lstrip())
        except ValueError:
            break
        text = text.lstrip()[end:]
        found.append(request)
    return found, text
