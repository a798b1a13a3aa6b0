"""Every error of this package, in families by who erred.

::

    TxSocketIOError
    ├── CallerError                 the application erred: raised at the call
    │   ├── OptionError             (TypeError)  an option is unknown or its value is not allowed
    │   ├── ConfigError             what `twistd socketio` was told to run cannot be run
    │   ├── ReservedEvent           (ValueError) the name of an event belongs to the protocol
    │   ├── InvalidNamespace        (ValueError) no client could ever join what `of` was asked for
    │   ├── UnsupportedCall         what a parent namespace cannot do, since it does not know all its children
    │   └── UnserializableData      (TypeError)  an argument has no form on the wire
    │       └── TooManyAttachments  more binary in one packet than clients take
    ├── ConnectionRefused           raised by an application's middleware to refuse a client
    ├── PeerError                   the other side erred: never reaches the application's handlers
    │   ├── PacketError             a packet that the protocol does not allow
    │   ├── BadMessage              what another node sent over the broker cannot be understood
    │   └── Refusal                 an HTTP request that is answered with an Engine.IO error
    └── WorldError                  network, broker or time: `temporary` says whether trying again can help
        ├── AckTimeout              not everybody acknowledged in time
        ├── Disconnected            the socket was gone before it acknowledged
        ├── BrokerUnavailable       the broker is away, and nothing more can be queued for it
        └── BrokerError             the broker has refused what it was asked for
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txsocketio.types import Json


class TxSocketIOError(Exception):
    """The root of all errors of this package."""


class CallerError(TxSocketIOError):
    """The application made a call that cannot be carried out."""


class OptionError(CallerError, TypeError):
    """An option is unknown, or its value is not allowed."""


class ConfigError(CallerError):
    """What `twistd socketio` was told to run cannot be run.

    Attributes:
        source: the file, or "command line".
        key: what in it; None when it is the whole file.
    """

    def __init__(self, source: str, key: str | None, problem: str) -> None:
        super().__init__(source, key, problem)
        self.source = source
        self.key = key
        self.problem = problem

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.key, self.problem) if part)


class ReservedEvent(CallerError, ValueError):
    """The name of the event belongs to the protocol."""

    def __init__(self, event: object) -> None:
        super().__init__(event)
        self.event = event

    def __str__(self) -> str:
        return f"{self.event!r} is a reserved event name"


class InvalidNamespace(CallerError, ValueError):
    """No client could ever join what `of` was asked for; the text says why."""


class UnsupportedCall(CallerError):
    """What a parent namespace cannot do: some of its children may be known to other servers only."""

    def __init__(self, call: str) -> None:
        super().__init__(call)
        self.call = call

    def __str__(self) -> str:
        return f"{self.call}() is not supported on parent namespaces"


class UnserializableData(CallerError, TypeError):
    """An argument has no form on the wire (not JSON, and not bytes)."""


class TooManyAttachments(UnserializableData):
    """There is more binary in one packet than clients take (`max_attachments`): they would close the connection.

    Attributes:
        count: how many there are.
        limit: how many there may be.
    """

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(count, limit)
        self.count = count
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.count} binary attachments are more than max_attachments, {self.limit}"


class ConnectionRefused(TxSocketIOError):
    """Raised by a middleware: the client gets `message` and `data` in its "connect_error"."""

    def __init__(self, message: str = "refused", data: Json = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class PeerError(TxSocketIOError):
    """The client, or another node, did what the protocol does not allow."""


class PacketError(PeerError):
    """A packet that the protocol does not allow; the text says what is wrong with it."""


class BadMessage(PeerError):
    """What another node sent over the broker cannot be understood; the text says what is wrong with it."""


class Refusal(PeerError):
    """An HTTP request that is answered with an Engine.IO error.

    Attributes:
        status: the HTTP status of the answer.
        code: the number in its body (Engine.IO protocol, "Error codes" of the reference server).
        message: the text in its body.
        context: what the "connection_error" event tells the application; never sent.
    """

    def __init__(self, code: int, message: str, context: dict[str, Json], status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status
        self.code = code
        self.message = message
        self.context = context

    def __str__(self) -> str:
        return f"{self.message} (code {self.code})"


class WorldError(TxSocketIOError):
    """Network, broker or time did not play along."""

    temporary = True


class AckTimeout(WorldError):
    """Not everybody acknowledged in time.

    Attributes:
        answers: what did arrive; for a single socket always empty.
        missing: the names of the nodes that did not report.
    """

    def __init__(self, answers: Sequence[Json] = (), missing: Sequence[str] = ()) -> None:
        super().__init__("operation has timed out")
        self.answers = list(answers)
        self.missing = list(missing)


class Disconnected(WorldError):
    """The socket was gone before it acknowledged."""

    temporary = False

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"socket has been disconnected ({self.reason})"


class BrokerUnavailable(WorldError):
    """The broker is away, and nothing more can be queued for it."""


class BrokerError(WorldError):
    """The broker has refused what it was asked for; the text says why, in its words."""

    temporary = False
