"""Socket.IO in a Klein application: python examples/with_klein.py, then http://localhost:8080/."""

import os
import sys

from klein import Klein
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.web.server import Site

from txsocketio import Server

app = Klein()
io = Server()
orders = io.of("/orders")


@app.route("/")
def home(request):
    return "POST to /order, and every client in the namespace /orders hears of it."


@app.route("/order", methods=["POST"])
def order(request):
    item = request.content.read().decode()
    orders.emit("order", item)
    return f"ordered {item}\n"


# `branch` hands over everything below the path as well.
@app.route("/socket.io/", branch=True)
def socketio(request):
    return io.resource()


if __name__ == "__main__":
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    site = Site(app.resource(), parsePOSTFormSubmission=False)
    serverFromString(reactor, os.environ.get("LISTEN", "tcp:8080")).listen(site)
    reactor.addSystemEventTrigger("before", "shutdown", io.close)
    reactor.run()
