"""Say something in a room of the chat, from a program that is no server and has no reactor.

    cd examples; twistd -n socketio --app chat:setup --adapter redis://localhost:6379/0
    python examples/announce.py redis://localhost:6379/0 tea "the kettle is on"

In a Twisted program it is `Emitter(url)`, and `await emitter.to(...).emit(...)`.
"""

from argparse import ArgumentParser

from txsocketio import Emitter

parser = ArgumentParser(description="Say something in a room of the chat.")
parser.add_argument("adapter", help="the broker, as the servers of the chat have it")
parser.add_argument("room")
parser.add_argument("text")
given = parser.parse_args()

emitter = Emitter(given.adapter, blocking=True)
emitter.to(f"room:{given.room}").emit("said", given.room, "the house", given.text)
emitter.close()
