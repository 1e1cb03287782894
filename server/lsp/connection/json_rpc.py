"""pygls' protocol with our own reading of messages, and an answer to every request.

A message is parsed once, as plain JSON, and its place in the life of a session is checked before
anything is made of it. pygls converts the parameters of the methods that it knows, except of those
that the subclass reads itself.
"""

import json
import logging
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

from lsprotocol import types
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, LanguageServerProtocol

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602
NOT_INITIALIZED, INTERNAL_ERROR, UNKNOWN_ERROR = -32002, -32603, -32001
_MAX_NAME_CHARS = 80  # of a method, in an answer or a log

_log = logging.getLogger(__name__)


class JsonRpc(LanguageServerProtocol):
    """Messages in both directions.

    Attributes:
        plain_methods: Those whose parameters are not converted.
        has_exited: Whether the client has sent "exit".
    """

    plain_methods: Collection[str] = ()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.has_exited = False
        self.is_initialized = False
        self._own_requests: set[int | str] = set()

    @property
    def exit_code(self) -> int:
        """0 if the client sent "shutdown" before it left, else 1, as the specification demands."""
        return 0 if self._shutdown else 1

    def receive(self, body: bytes) -> bool:
        """Handles a message; returns false if it is none, and so may have been anything."""
        try:
            message = json.loads(body.decode("utf-8", "surrogatepass").removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            self.refuse(None, PARSE_ERROR, "the message is not valid JSON")
            return False
        if not isinstance(message, dict) or message.get("jsonrpc") != self.VERSION:
            self.refuse(None, INVALID_REQUEST, "a message must be an object with 'jsonrpc': '2.0'")
            return False
        method, msg_id = message.get("method"), message.get("id")
        if method is None:
            self._receive_response(msg_id, message)
        elif not isinstance(method, str) or not _is_id(msg_id):
            self.refuse(
                None, INVALID_REQUEST, "'method' must be a string, and 'id' one or a number"
            )
            return False
        elif self._is_allowed(method, msg_id):
            self._receive_call(method, msg_id, message.get("params"))
        return True

    def warn_once(self, key: str, sentence: str) -> None:
        """Logs a warning, unless there was one for the same key."""
        raise NotImplementedError

    def refuse(self, msg_id: Any, code: int, sentence: str) -> None:
        """Answers with an error; without an id, which is null then, if the request has none."""
        error = {"code": code, "message": sentence}
        self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "error": error})

    def send_request(
        self,
        method: str,
        params: Any | None = None,
        callback: Callable[[Any], None] | None = None,
        msg_id: int | str | None = None,
    ) -> Future[Any]:
        """Sends a request, whose answer is taken from the client alone."""
        msg_id = str(uuid.uuid4()) if msg_id is None else msg_id
        self._own_requests.add(msg_id)
        return super().send_request(method, params, callback, msg_id)

    def _is_allowed(self, method: str, msg_id: Any) -> bool:
        """Returns whether a method may be called now; answers a request that may not."""
        if method == types.EXIT:
            return True
        if self._shutdown:
            code, sentence = INVALID_REQUEST, "the server is shutting down"
        elif method == types.INITIALIZE and self.is_initialized:
            code, sentence = INVALID_REQUEST, "the server has been initialized already"
        elif method != types.INITIALIZE and not self.is_initialized:
            code, sentence = NOT_INITIALIZED, "the first request must be 'initialize'"
        else:
            return True
        if msg_id is not None:
            self.refuse(msg_id, code, sentence)
        return False

    def _receive_call(self, method: str, msg_id: Any, params: Any) -> None:
        data = {"jsonrpc": self.VERSION, "method": method, "params": params}
        if msg_id is not None:
            data["id"] = msg_id
        kind = None if method in self.plain_methods else self.get_message_type(method)
        if kind is None:
            kind = JsonRPCNotification if msg_id is None else JsonRPCRequestMessage
            message = kind(**data)
        else:
            try:
                message = self._converter.structure(data, kind)
            except Exception:  # noqa: BLE001 - cattrs raises whatever a constructor does
                self._refuse_params(method, msg_id)
                return
        self.handle_message(message)

    def _refuse_params(self, method: str, msg_id: Any) -> None:
        name = method[:_MAX_NAME_CHARS]
        if msg_id is not None:
            self.refuse(msg_id, INVALID_PARAMS, f"the parameters of {name} are malformed")
        self.warn_once(name, f"ignored {name}: its parameters are malformed")

    def _receive_response(self, msg_id: Any, message: dict[str, Any]) -> None:
        if not _is_id(msg_id) or msg_id not in self._own_requests:
            _log.debug("ignored an answer to no request of ours")
            return
        self._own_requests.discard(msg_id)
        self._result_types.pop(msg_id, None)
        error = message.get("error")
        self._handle_response(
            msg_id, message.get("result"), None if error is None else _read_error(error)
        )

    def _handle_cancel_notification(self, msg_id: int | str) -> None:
        if msg_id not in self._own_requests:
            super()._handle_cancel_notification(msg_id)

    def _send_response(
        self, msg_id: Any, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        """Sends an answer; the reason of an internal error belongs to the log."""
        if error is not None and error.code == INTERNAL_ERROR:
            error = types.ResponseError(
                code=INTERNAL_ERROR, message="an internal error; see the log"
            )
        super()._send_response(msg_id, result, error)


def _is_id(value: Any) -> bool:
    """Returns whether a value may be a request's id; None may: there is none then."""
    return value is None or (isinstance(value, (int, str)) and not isinstance(value, bool))


def _read_error(error: Any) -> types.ResponseError:
    code = error.get("code") if isinstance(error, dict) else None
    text = error.get("message") if isinstance(error, dict) else None
    return types.ResponseError(
        code=code if isinstance(code, int) else UNKNOWN_ERROR, message=str(text)
    )
