"""The application of the benchmarks on txsocketio, in a Site of its own."""

from lifetime import end_with_stdin
from twisted.internet import reactor
from txsocketio_application import io

port = reactor.listenTCP(0, io.site(), interface="127.0.0.1")
print(port.getHost().port, flush=True)
end_with_stdin()
reactor.run()
