"""Neovim's protocol, MessagePack-RPC over a socket, as far as the tests need it."""

import contextlib
import socket
import threading

import msgpack

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2
ANSWER_S = 60.0


class NeovimError(Exception):
    """Neovim returned an error, or has exited."""


class Connection:
    """A connection; requests are sent one after another.

    Args:
        path: The socket's.
        on_notification: Called with each notification's name and arguments, from another thread.
    """

    def __init__(self, path, on_notification=lambda _name, _arguments: None):
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._notified = on_notification
        self._answered = threading.Condition()
        self._answers = {}
        self._n_sent = 0
        self._is_open = True
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def send(self, method, *arguments):
        """Sends a request without waiting for the response; returns its number."""
        self._n_sent += 1
        message = [REQUEST, self._n_sent, method, arguments]
        self._socket.sendall(msgpack.packb(message, unicode_errors="surrogateescape"))
        return self._n_sent

    def request(self, method, *arguments):
        """Sends a request and returns its result.

        Raises:
            NeovimError: Neovim returned an error, or has exited.
        """
        number = self.send(method, *arguments)
        with self._answered:
            self._answered.wait_for(
                lambda: number in self._answers or not self._is_open, timeout=ANSWER_S
            )
            if number not in self._answers:
                raise NeovimError(f"no response to {method}: Neovim has exited or waits for a key")
            error, result = self._answers.pop(number)
        if error is not None:
            raise NeovimError(error[1])
        return result

    def close(self):
        """Closes the connection; does nothing if it is closed."""
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
