"""Who may connect, and who may do what: cd examples; twistd -n socketio --app authentication:io

A client shows a token: io({ auth: { token: "…" } }). Everybody who has one may connect, and only some to "/admin". What
a user has no right to is dropped by a packet middleware, and answered with the event "refused".
"""

from twisted.internet import reactor
from twisted.internet.task import deferLater

from txsocketio import ConnectionRefused, Server

USERS = {
    "ann's token": {"name": "ann", "rights": ["publish", "admin"]},
    "bob's token": {"name": "bob", "rights": []},
}

#: The rights that events need.
NEEDED = {"publish": "publish"}

io = Server(middleware_timeout=5.0)
admin = io.of("/admin")


async def find_user(token):
    await deferLater(reactor, 0.01)  # a database, in earnest
    return USERS.get(token)


@io.use
@admin.use
async def authenticate(socket):
    user = await find_user(socket.handshake.auth.get("token"))
    if user is None:
        raise ConnectionRefused("not authorized", data={"code": "token"})
    socket.data = user
    socket.join(f"user:{user['name']}")


@admin.use
def only_admins(socket):
    if "admin" not in socket.data["rights"]:
        raise ConnectionRefused("not allowed")


@io.on("connection")
def connected(socket):
    @socket.use
    def check(event):
        needed = NEEDED.get(event[0])
        if needed is not None and needed not in socket.data["rights"]:
            raise PermissionError(f"{event[0]} needs the right to {needed}")

    @socket.on("error")
    def refused(error):
        if isinstance(error, PermissionError):  # and not something that the client has sent under this name
            socket.emit("refused", str(error))

    @socket.on("publish")
    def publish(text):
        io.emit("news", socket.data["name"], text)


@admin.on("connection")
def admin_connected(socket):
    @socket.on("sign out")
    async def sign_out(name):
        await io.in_(f"user:{name}").disconnect_sockets(close=True)
