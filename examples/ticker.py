"""Socket.IO as one service among others of a program: python examples/ticker.py.

A timer counts, and whoever is connected hears of it.
"""

import itertools
import os
import sys

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.logger import globalLogBeginner, textFileLogObserver

from txsocketio import Server

io = Server()
numbers = itertools.count()


@io.on("connection")
def connected(socket):
    @socket.on("reset")
    def reset(number):
        global numbers
        numbers = itertools.count(number)


program = MultiService()
TimerService(0.1, lambda: io.emit("tick", next(numbers))).setServiceParent(program)
io.service(os.environ.get("LISTEN", "tcp:8080")).setServiceParent(program)

if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    reactor.callWhenRunning(program.startService)
    reactor.addSystemEventTrigger("before", "shutdown", program.stopService)
    reactor.run()
