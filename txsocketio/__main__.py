"""`python -m txsocketio`: emitting from a shell."""

from txsocketio.app.emit import main

if __name__ == "__main__":
    main()
