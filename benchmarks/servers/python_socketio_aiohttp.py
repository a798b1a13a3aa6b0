"""The application of the benchmarks on python-socketio, served by aiohttp on uvloop: its fastest server."""

import socket

import uvloop
from aiohttp import web
from lifetime import end_with_stdin
from python_socketio_application import make_server

application = web.Application()
make_server("aiohttp").attach(application)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
end_with_stdin()
web.run_app(application, sock=listener, access_log=None, print=None, loop=uvloop.new_event_loop())
