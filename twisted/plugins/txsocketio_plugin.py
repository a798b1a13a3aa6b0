"""What Twisted finds of txsocketio: the command `twistd socketio`.

Twisted loads this file for every command that it lists, so it imports nothing of ours.
"""

from twisted.application.service import ServiceMaker

socketio = ServiceMaker(
    "Socket.IO",
    "txsocketio.app.service",
    "A Socket.IO server; without arguments, a chat at http://localhost:3000/",
    "socketio",
)
