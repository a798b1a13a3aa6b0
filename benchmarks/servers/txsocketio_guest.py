"""The application of the benchmarks on txsocketio, as a guest in a plain twisted.web Site.

The site does not parse forms, as the manual advises: twisted.web would look at the Content-Type of every POST with the
email package, which costs more than all the rest of the request.
"""

from lifetime import end_with_stdin
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site
from txsocketio_application import io

root = Resource()
root.putChild(b"socket.io", io.resource())
port = reactor.listenTCP(0, Site(root, parsePOSTFormSubmission=False), interface="127.0.0.1")
print(port.getHost().port, flush=True)
end_with_stdin()
reactor.run()
