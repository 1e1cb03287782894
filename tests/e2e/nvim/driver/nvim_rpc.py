"""Neovim's own protocol, MessagePack-RPC over its socket: as much of it as the tests need."""

import contextlib
import socket
import threading

import msgpack

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2
ANSWER_S = 60.0


class NeovimError(Exception):
    """Neovim refused a request."""


class Connection:
    """One connection; requests are answered one after another.

    Args:
        path: Of the socket.
        notified: Told each notification, its name and arguments, from another thread.
    """

    def __init__(self, path, notified=lambda _name, _arguments: None):
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._notified = notified
        self._answered = threading.Condition()
        self._answers = {}
        self._n_sent = 0
        self._is_open = True
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def send(self, method, *arguments):
        """Sends a request whose answer may never come; returns its number."""
        self._n_sent += 1
        message = [REQUEST, self._n_sent, method, arguments]
        self._socket.sendall(msgpack.packb(message, unicode_errors="surrogateescape"))
        return self._n_sent

    def request(self, method, *arguments):
        """Returns what Neovim answers.

        Raises:
            NeovimError: It refused, or is gone.
        """
        number = self.send(method, *arguments)
        with self._answered:
            self._answered.wait_for(
                lambda: number in self._answers or not self._is_open, timeout=ANSWER_S
            )
            if number not in self._answers:
                raise NeovimError(f"no answer to {method}: Neovim is gone or waits for a key")
            error, result = self._answers.pop(number)
        if error is not None:
            raise NeovimError(error[1])
        return result

    def close(self):
        """Ends it; again, or after Neovim has, it does nothing."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def _read(self):
        unpacker = msgpack.Unpacker(
            raw=False, strict_map_key=False, unicode_errors="surrogateescape"
        )
        while received := self._receive():
            unpacker.feed(received)
            for kind, *rest in unpacker:
                if kind == RESPONSE:
                    with self._answered:
                        self._answers[rest[0]] = rest[1:]
                        self._answered.notify_all()
                elif kind == NOTIFICATION:
                    self._notified(*rest)
        with self._answered:
            self._is_open = False
            self._answered.notify_all()

    def _receive(self):
        try:
            return self._socket.recv(1 << 16)
        except OSError:
            return b""
