"""Socket.IO beside the pages of a twisted.web site: python examples/site.py, then http://localhost:8080/."""

import os
import sys

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from txsocketio import Server

io = Server()


@io.on("connection")
def connected(socket):
    socket.emit("hello", "from a site of twisted.web")

    @socket.on("shout")
    async def shout(text):
        return text.upper()


root = Resource()
root.putChild(b"", Data(b"<h1>A page of the site</h1>", "text/html"))
root.putChild(b"socket.io", io.resource())

# parsePOSTFormSubmission=False: long-polling clients POST, and twisted.web would look for form fields in it.
# Simpler and faster, when the whole site may be ours: site = io.site(root), without putChild.
site = Site(root, parsePOSTFormSubmission=False)

if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    serverFromString(reactor, os.environ.get("LISTEN", "tcp:8080")).listen(site)
    reactor.addSystemEventTrigger("before", "shutdown", io.close)
    reactor.run()
