"""Connections of clients of Socket.IO 2, whose protocol differs from the one of today in few places.

        client                               server
          |<--------------------------- 40 --|  it is in "/" without having asked
          |-- 40/chat?token=a -------------->|  the query of a namespace is what `auth` is today
          |<--------------------- 40/chat, --|  it knows its ids: they are made of the session's id
          |<---------------- 44/chat,"no" ---|  what a middleware says stands alone

With connection state recovery these clients cannot come back. What is broadcast to them has an offset behind its
arguments as for all others, for a broadcast is encoded once; what is emitted to one of them has none.
Source: Socket.IO protocol v4; https://github.com/socketio/socket.io-protocol/tree/v4
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txsocketio.engineio.outgoing import Outgoing
from txsocketio.engineio.request import parse_query
from txsocketio.protocol.msgpack_codec import MsgpackDecoder, OldMsgpackDecoder
from txsocketio.protocol.packet import CONNECT, CONNECT_ERROR, Packet
from txsocketio.socketio.connection import Connection, DecodingConnection
from txsocketio.socketio.socket import Socket
from txsocketio.types import Json

if TYPE_CHECKING:
    from txsocketio.engineio.session import Session
    from txsocketio.protocol.parser import Decoder
    from txsocketio.socketio.handshake import Handshake
    from txsocketio.socketio.namespace import Namespace
    from txsocketio.socketio.server import Server


class OldSocket(Socket):
    """One client of Socket.IO 2 in one namespace."""

    __slots__ = ()

    def accepted(self) -> None:
        self.enter(Outgoing(*self.namespace.encode(CONNECT, self.namespace.name, None, None)))

    def tell_refusal(self, message: str, data: Json) -> None:
        self.send_packet(CONNECT_ERROR, message if data is None else data)


class OldConnection(Connection):
    """The connection of one client of Socket.IO 2."""

    __slots__ = ()

    def __init__(self, server: Server, session: Session) -> None:
        super().__init__(server, session)
        self.join("/", {})

    def handle(self, packet: Packet) -> None:
        packet.namespace, _, query = packet.namespace.partition("?")
        if packet.type == CONNECT:
            packet.data = parse_query(query)
        super().handle(packet)

    def _await_attachments(self, packet: Packet) -> None:
        # The reference server takes a query in every packet, although its client sends one only with a CONNECT.
        packet.namespace = packet.namespace.partition("?")[0]
        super()._await_attachments(packet)

    def create_socket(self, namespace: Namespace, handshake: Handshake) -> Socket:
        id = self.session.sid if namespace.name == "/" else f"{namespace.name}#{self.session.sid}"
        return OldSocket(id, namespace, self, handshake)


class DecodingOldConnection(OldConnection, DecodingConnection):
    """The same with a parser that is not the default one."""

    __slots__ = ()

    def new_decoder(self) -> Decoder:
        decoder = super().new_decoder()
        return OldMsgpackDecoder() if isinstance(decoder, MsgpackDecoder) else decoder
