"""Makes `Server(adapter="folder:/tmp/chat")` known, wherever its folder twisted/plugins/ lies on the path of Python."""

from txsocketio.socketio.brokers import BrokerMaker

folder = BrokerMaker(("folder",), "folder_adapter:FolderBroker")
