"""A feed whose readers miss nothing: python examples/recovery.py.

A reader that was cut off comes back as the same one, and gets what it has missed. The others are told that it is away,
and that it has left only when it wanted to, or has not come back in time.
"""

import itertools
import os
import sys

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.logger import globalLogBeginner, textFileLogObserver

from txsocketio import Server

io = Server(connection_state_recovery={"max_disconnection_duration": 30.0})
numbers = itertools.count()


@io.on("connection")
def connected(socket):
    if not socket.recovered:
        # Data and rooms of a recovered socket are still there; handlers are not, so they are registered below.
        socket.data["name"] = socket.handshake.auth.get("name", "somebody")
        socket.join("readers")
    socket.to("readers").emit("presence", socket.data["name"], "here")

    @socket.on("disconnect")
    def gone(reason):
        wanted = reason.endswith("namespace disconnect")
        socket.to("readers").emit("presence", socket.data["name"], "left" if wanted else "away")


@io.on("session_expired")
def expired(session):
    io.to("readers").emit("presence", session.data["name"], "left")


program = MultiService()
TimerService(0.1, lambda: io.emit("news", next(numbers))).setServiceParent(program)
io.service(os.environ.get("LISTEN", "tcp:8080")).setServiceParent(program)

if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    reactor.callWhenRunning(program.startService)
    reactor.addSystemEventTrigger("before", "shutdown", program.stopService)
    reactor.run()
