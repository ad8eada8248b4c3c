"""python-socketio against examples/socketio_echo: .tools/venv/bin/python tests/clients/independent.py http://127.0.0.1:3000"""

import queue
import sys

import socketio


def talk(url, transports, namespace):
    heard = {"auth": queue.Queue(), "message-back": queue.Queue()}
    client = socketio.Client()
    for event, inbox in heard.items():
        client.on(event, lambda *args, inbox=inbox: inbox.put(args), namespace=namespace)
    client.connect(url, transports=transports, namespaces=[namespace], auth={"token": "123"})
    assert heard["auth"].get(timeout=10) == ({"token": "123"},)
    for number in range(20):
        client.emit("message", (number, "2", {"3": [True]}), namespace=namespace)
        assert heard["message-back"].get(timeout=10) == (number, "2", {"3": [True]})
    client.emit("message", b"\x01\x02\x03", namespace=namespace)
    assert heard["message-back"].get(timeout=10) == (b"\x01\x02\x03",)
    assert client.call("message-with-ack", ("x", b"\x09"), namespace=namespace, timeout=10) == ("x", b"\x09")
    client.sleep(1.5)
    client.emit("message", "still there", namespace=namespace)
    assert heard["message-back"].get(timeout=10) == ("still there",)
    client.disconnect()


for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
    for namespace in ("/", "/custom"):
        talk(sys.argv[1], transports, namespace)
        print("ok", transports, namespace)
