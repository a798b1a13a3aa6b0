"""Uploading files in pieces, with progress: cd examples; twistd -n socketio --app upload:io

Each piece is acknowledged with how much has come, which is the progress, and when the next one may be sent:

    const { piece } = await socket.emitWithAck("begin", file.name, file.size);
    for (let at = 0; at < file.size; at += piece) {
      progress.value = await socket.emitWithAck("piece", await file.slice(at, at + piece).arrayBuffer());
    }
    const { sha256 } = await socket.emitWithAck("end");
"""

import hashlib
from tempfile import TemporaryFile

from txsocketio import Server

#: Bytes; a piece must be smaller than max_http_buffer_size.
LARGEST, PIECE = 100_000_000, 64 * 1024

io = Server()


@io.register
class Upload:
    """The one file that a client may be uploading."""

    def __init__(self, socket):
        self.file = None

    def on_begin(self, name, size):
        self.close()
        if not isinstance(size, int) or size > LARGEST:
            return {"error": "too large"}
        self.file = TemporaryFile()  # noqa: SIM115 - open until the upload ends
        self.size, self.received = size, 0
        self.digest = hashlib.sha256()
        return {"piece": PIECE}

    def on_piece(self, data):
        if self.file is None or not isinstance(data, bytes) or self.received + len(data) > self.size:
            return {"error": "not expected"}
        self.file.write(data)
        self.digest.update(data)
        self.received += len(data)
        return self.received

    def on_end(self):
        if self.file is None or self.received < self.size:
            return {"error": "incomplete"}
        self.close()  # in earnest: keep the file
        return {"sha256": self.digest.hexdigest()}

    def on_disconnect(self, reason):
        self.close()

    def close(self):
        if self.file is not None:
            self.file.close()
            self.file = None
