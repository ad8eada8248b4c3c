"""Makes the primary of a replica set on these loopback ports step down, as an operator would before mending its machine.

usage: step_down.py PORT...
"""

import sys

import pymongo

# For so long it does not want to be primary again.
AWAY_SECONDS = 60


def main(*ports):
    for port in ports:
        admin = pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=5_000).admin
        if admin.command("hello")["isWritablePrimary"]:
            admin.command("replSetStepDown", AWAY_SECONDS)
            return
    sys.exit("there is no primary")


main(*sys.argv[1:])
