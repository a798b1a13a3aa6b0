"""An encoding of your own: python examples/own_parser.py.

Each packet is one text, the list [type, namespace, id, data] in JSON. It knows no bytes, and refuses to send them.
"""

import os
import sys

import orjson
from twisted.internet import reactor
from twisted.logger import globalLogBeginner, textFileLogObserver

from txsocketio import Server, UnserializableData
from txsocketio.errors import PacketError
from txsocketio.protocol.parser import checked_packet


class ListParser:
    def encode(self, type, namespace, id, data):
        try:
            return orjson.dumps([type, namespace, id, data]), []
        except TypeError as error:
            raise UnserializableData(str(error)) from error

    def decoder(self):
        return ListDecoder()


class ListDecoder:
    incomplete = None  # no packet takes more than one message

    def add(self, message):
        try:
            type, namespace, id, data = orjson.loads(message)
        except (ValueError, TypeError) as error:
            raise PacketError("not a list of four") from error
        return checked_packet(type, namespace, id, data)


io = Server(parser=ListParser())


@io.on("connection")
def connected(socket):
    @socket.on("shout")
    async def shout(text):
        socket.emit("echo", text)
        return text.upper()


if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    io.service(os.environ.get("LISTEN", "tcp:8080")).startService()
    reactor.addSystemEventTrigger("before", "shutdown", io.close)
    reactor.run()
