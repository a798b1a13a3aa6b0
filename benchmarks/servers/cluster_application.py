"""One node of the cluster benchmarks on txsocketio: cluster_application.py URL [recovery] [watch].

It prints its port and, if it is to watch that, in the end for how many milliseconds its reactor was held up at worst.
"""

import sys

from lifetime import end_with_stdin
from stalls import Stalls
from twisted.internet import reactor

from txsocketio import Server

io = Server(adapter=sys.argv[1], connection_state_recovery="recovery" in sys.argv)


@io.on("connection")
def connected(socket):
    @socket.on("publish")
    def publish(data):
        io.emit("news", data)

    @socket.on("whisper")
    def whisper(data):
        io.to("elsewhere").emit("news", data)


def listen(_):
    port = reactor.listenTCP(0, io.site(), interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    if "watch" in sys.argv:
        stalls = Stalls()
        reactor.addSystemEventTrigger("after", "shutdown", lambda: print(1000 * stalls.longest))


io.start().addCallback(listen)
end_with_stdin()
reactor.run()
