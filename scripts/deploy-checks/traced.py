"""Sends so many messages at once through a gateway, each with a trace that its sender wants followed, and prints the id of the
last one that was stored.

usage: TOKEN=… traced.py HOST:PORT COUNT
"""

import json
import os
import secrets
import sys

import websocket

WAIT_SECONDS = 10


def main(gateway, count):
    line = websocket.create_connection(f"ws://{gateway}/ws", timeout=WAIT_SECONDS)
    line.send(json.dumps({"type": "hello", "token": os.environ["TOKEN"]}))
    for number in range(int(count)):
        traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        key = f"{secrets.token_hex(4)}-{number}"
        line.send(json.dumps({"type": "send", "to": "bob", "key": key, "text": "where?", "traceparent": traceparent}))
    stored = 0
    while stored < int(count):
        frame = json.loads(line.recv())
        if frame["type"] == "error":
            sys.exit(f"refused: {frame}")
        if frame["type"] == "sent":
            stored, last = stored + 1, frame["id"]
    line.close()
    print(last)


main(*sys.argv[1:])
