"""The application of the benchmarks on python-socketio, served by uvicorn: its usual server."""

import socket

import socketio
import uvicorn
from lifetime import end_with_stdin
from python_socketio_application import make_server

application = socketio.ASGIApp(make_server("asgi"))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
end_with_stdin()
uvicorn.Server(uvicorn.Config(application, log_level="warning")).run(sockets=[listener])
