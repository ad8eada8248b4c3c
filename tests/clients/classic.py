"""Plays an admin and a user of a classic chat with python-socketio, the other client that people use.

Environment: NODES (URLs, comma-separated), TRANSPORTS ("websocket", "polling", "polling,websocket"), ADMIN_TOKEN, USER_TOKEN
(ids "agent-1" and "user-1"). Prints a line for each thing that it saw.
"""

import os
import queue
import socket
import time

import requests
import socketio

NODES = os.environ["NODES"].split(",")
TRANSPORTS = os.environ["TRANSPORTS"].split(",")
TOKENS = {"agent-1": os.environ["ADMIN_TOKEN"], "user-1": os.environ["USER_TOKEN"]}
WAIT = 20
EVENTS = ["authenticated", "receive-message", "message-sent", "messages-read", "user-typing", "user-stop-typing", "error"]


class Page:
    def __init__(self, who, node):
        self.who, self.url = who, NODES[node % len(NODES)]
        self.heard = {event: queue.Queue() for event in EVENTS}
        self.client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.5)
        for event, inbox in self.heard.items():
            self.client.on(event, inbox.put)
        self.client.on("connect", lambda: self.client.emit("authenticate", TOKENS[who]))
        self.client.connect(self.url, transports=TRANSPORTS)
        answer = self.hears("authenticated")
        assert answer["success"] and answer["userId"] == who, answer

    def hears(self, event):
        return self.heard[event].get(timeout=WAIT)

    def is_quiet(self, event):
        return self.heard[event].empty()

    def get(self, route):
        answer = requests.get(f"{self.url}/api/chat/{route}", headers={"Authorization": f"Bearer {TOKENS[self.who]}"}, timeout=WAIT)
        answer.raise_for_status()
        return answer.json()


def saw(what):
    print("ok", what)


admin, user = Page("agent-1", 0), Page("user-1", 1)
if len(TRANSPORTS) > 1:
    assert admin.client.transport() == "websocket" and user.client.transport() == "websocket", "upgraded"
    saw("the upgrade")

team = user.get("admin")["_id"]
assert team == "agent-1"
user.client.emit("typing", {"receiverId": team})
assert admin.hears("user-typing")["userId"] == "user-1"
user.client.emit("stop-typing", {"receiverId": team})
assert admin.hears("user-stop-typing")["userId"] == "user-1"
saw("typing")

for number in range(20):
    text = f"message {number} – 日本"
    user.client.emit("send-message", {"receiverId": team, "message": text})
    sent, got = user.hears("message-sent"), admin.hears("receive-message")
    assert sent["message"] == got["message"] == text and sent["_id"] == got["_id"], (sent, got)
    admin.client.emit("send-message", {"receiverId": "user-1", "message": f"answer {number}"})
    assert user.hears("receive-message")["message"] == admin.hears("message-sent")["message"] == f"answer {number}"
saw("messages both ways")

answer = user.client.call("send-message", {"receiverId": team, "message": "Call me back", "tempId": "t-1"}, timeout=WAIT)
assert answer["success"] and answer["tempId"] == "t-1" and answer["message"]["message"] == "Call me back", answer
again = user.client.call("send-message", {"receiverId": team, "message": "Call me back", "tempId": "t-1"}, timeout=WAIT)
assert again["message"]["_id"] == answer["message"]["_id"], "a retry is the same message"
admin.hears("receive-message")
refused = user.client.call("send-message", {"receiverId": team}, timeout=WAIT)
assert refused["success"] is False and refused["error"] == "Receiver ID and message are required", refused
assert user.client.call("authenticate", TOKENS["user-1"], timeout=WAIT)["success"]
assert user.client.call("authenticate", "a.b.c", timeout=WAIT) == {"success": False, "message": "Invalid token"}
assert admin.client.call("mark-read", {"senderId": "user-1"}, timeout=WAIT)["success"]
assert user.hears("messages-read")["readBy"] == team
saw("callbacks")

# A lost connection: it comes back by itself and goes on. This client cannot say what it was shown; that it was read tells.
assert user.client.call("mark-read", {"senderId": team}, timeout=WAIT)["success"]
while not user.heard["authenticated"].empty():
    user.heard["authenticated"].get()
if user.client.transport() == "websocket":
    user.client.eio.ws.sock.shutdown(socket.SHUT_RDWR)
else:
    user.client.eio.base_url += "0"  # its next requests name no session
    admin.client.emit("typing", {"receiverId": "user-1"})  # and the one that waits is answered
assert user.hears("authenticated")["success"]
admin.client.emit("send-message", {"receiverId": "user-1", "message": "Welcome back"})
assert user.hears("receive-message")["message"] == "Welcome back"
admin.hears("message-sent")
saw("a lost connection")

texts = [message["message"] for message in user.get(f"messages/{team}")]
assert texts == [text for number in range(20) for text in (f"message {number} – 日本", f"answer {number}")] + ["Call me back", "Welcome back"], texts
time.sleep(0.3)
for page in (admin, user):
    assert page.is_quiet("receive-message"), "nothing twice"
    page.client.disconnect()
saw("history")
print("PASS", flush=True)
os._exit(0)
