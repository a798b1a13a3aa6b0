"""A namespace for each tenant, which comes to be when it is asked for: cd examples; twistd -n socketio --app tenants:io

A client of a tenant connects to "/acme" and the like: io("/acme", { auth: { user: "ann" } }). What is posted stays in
the namespace; who operates the server can announce something in all of them.
"""

from txsocketio import ConnectionRefused, Server

MEMBERS = {"acme": ["ann", "bob"], "globex": ["cid"]}

io = Server(cleanup_empty_child_namespaces=True)


@io.of
async def tenants(name, auth):
    """Whether there is such a tenant; it may wait for a database."""
    return name.removeprefix("/") in MEMBERS


@tenants.use
def only_members(socket):
    tenant = socket.namespace.name.removeprefix("/")
    if socket.handshake.auth.get("user") not in MEMBERS[tenant]:
        raise ConnectionRefused("not a member")


@tenants.register
class Board:
    """What a client can do: one for each that connects."""

    def __init__(self, socket):
        self.user = socket.handshake.auth["user"]
        self.namespace = socket.namespace

    async def on_post(self, text):
        await self.namespace.emit("posted", self.user, text)
        return "posted"


@io.on("connection")
def operator_connected(socket):
    @socket.on("announce")
    async def announce(text):
        await tenants.emit("announced", text)
        return sorted(tenants.children)
