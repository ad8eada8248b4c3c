"""Makes the mongods on these loopback ports one replica set and waits until it has a primary and all others follow.

usage: replica-set.py NAME PORT...
"""

import sys
import time

import pymongo
from pymongo.errors import OperationFailure

WAIT_SECONDS = 60
ALREADY_INITIATED = 23
PRIMARY, SECONDARY = 1, 2


def client(port):
    return pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=30_000)


def main(name, *ports):
    for port in ports:
        client(port).admin.command("ping")
    members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(ports)]
    settings = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}
    first = client(ports[0]).admin
    try:
        first.command("replSetInitiate", {"_id": name, "members": members, "settings": settings})
    except OperationFailure as failure:
        if failure.code != ALREADY_INITIATED:
            raise
    deadline = time.monotonic() + WAIT_SECONDS
    states = []
    while time.monotonic() < deadline:
        states = sorted(member["state"] for member in first.command("replSetGetStatus")["members"])
        if states == [PRIMARY] + [SECONDARY] * (len(ports) - 1):
            return
        time.sleep(0.1)
    sys.exit(f"the replica set has no primary that all others follow after {WAIT_SECONDS} s: their states are {states}")


main(*sys.argv[1:])
