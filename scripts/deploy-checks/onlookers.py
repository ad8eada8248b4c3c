"""Watches users from several nodes at once, as pages of agents do, and counts who is called offline. Comes back to a node that
went away. On SIGTERM it says what it saw: for each node for how many seconds it was watched, and every false word.

usage: TOKEN=… onlookers.py HOST:PORT,… USER,…

Begins to judge when all users are seen online on a node for the first time, and prints `all online` when they are on every one.
"""

import json
import os
import signal
import sys
import threading
import time

import websocket

AGAIN_SECONDS = 0.2
# Of silence, after which it asks.
PING_SECONDS = 5


class Onlooker(threading.Thread):
    def __init__(self, node, users):
        super().__init__(daemon=True)
        self.node, self.users = node, users
        self.online, self.complete = set(), threading.Event()
        self.watched, self.frames, self.false = 0.0, 0, []

    def run(self):
        while True:
            try:
                self.watch()
            except (OSError, websocket.WebSocketException):
                time.sleep(AGAIN_SECONDS)

    def watch(self):
        line = websocket.create_connection(f"ws://{self.node}/ws", timeout=PING_SECONDS)
        line.send(json.dumps({"type": "hello", "token": os.environ["TOKEN"]}))
        line.send(json.dumps({"type": "watch", "users": self.users}))
        since = None
        try:
            while True:
                try:
                    text = line.recv()
                except websocket.WebSocketTimeoutException:
                    text = ""
                    line.send(json.dumps({"type": "ping"}))
                if not text and not line.connected:
                    return
                frame = json.loads(text) if text else {}
                if frame.get("type") == "presence":
                    since = since or time.monotonic()
                    self.frames += 1
                    for each in frame["users"]:
                        self.note(each["user"], each["online"])
        finally:
            if since:
                self.watched += time.monotonic() - since
            line.close()

    def note(self, user, online):
        if online:
            self.online.add(user)
            if len(self.online) == len(self.users):
                self.complete.set()
        elif self.complete.is_set():
            self.false.append(f"{user} on {self.node}")


def main(nodes, users):
    onlookers = [Onlooker(node, users.split(",")) for node in nodes.split(",")]
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    for each in onlookers:
        each.start()
    while not all(each.complete.is_set() for each in onlookers):
        if over.wait(AGAIN_SECONDS):
            break
    else:
        print("all online", flush=True)
    over.wait()
    false = [word for each in onlookers for word in each.false]
    frames = sum(each.frames for each in onlookers)
    print(f"watched {users.count(',') + 1} users from {len(onlookers)} nodes, {frames} frames; offline: {len(false)}", flush=True)
    for word in sorted(set(false)):
        print(f"FALSE {word}", flush=True)


main(*sys.argv[1:])
