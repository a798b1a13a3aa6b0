"""The application of the benchmarks on python-socketio."""

import socketio


def make_server(async_mode: str) -> socketio.AsyncServer:
    io = socketio.AsyncServer(async_mode=async_mode)

    @io.event
    async def echo(sid, *args):
        await io.emit("echo", args, to=sid)

    @io.event
    async def ack(sid, data):
        return data

    @io.on("bin")
    async def binary(sid, data):
        await io.emit("bin", data, to=sid)

    @io.event
    async def publish(sid, data):
        await io.emit("news", data)

    return io
