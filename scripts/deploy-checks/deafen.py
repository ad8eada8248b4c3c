"""Stands between a gateway and Redis, and makes the gateway deaf as long as FILE exists: what it publishes to itself is taken by
Redis, and goes to a channel that nobody hears.

usage: deafen.py PORT REDIS_PORT FILE
"""

import pathlib
import socket
import sys
import threading

OWN, NOBODYS = b"switchboard:c:", b"switchboard:-:"
SUBSCRIBE = b"SUBSCRIBE"


def carry(source, target, spoil):
    try:
        while data := source.recv(65_536):
            target.sendall(spoil(data))
    except OSError:
        pass
    for each in (source, target):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main(port, redis, file):
    file = pathlib.Path(file)

    def deafen(data):
        # Both names are as long. A subscription stays what it is; only what is published goes astray.
        astray = file.exists() and SUBSCRIBE not in data.upper()
        return data.replace(OWN, NOBODYS) if astray else data

    server = socket.create_server(("127.0.0.1", int(port)))
    while True:
        client, _ = server.accept()
        upstream = socket.create_connection(("127.0.0.1", int(redis)))
        for each in (client, upstream):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=carry, args=(client, upstream, deafen), daemon=True).start()
        threading.Thread(target=carry, args=(upstream, client, bytes), daemon=True).start()


main(*sys.argv[1:])
