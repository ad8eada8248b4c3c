"""Fills the database `old` of the mongod on a loopback port with messages of an old app, to be imported: so many in all,
behind those that are there, each person with fifty others.

usage: old-history.py PORT MESSAGES

Stopped and run again, it goes on.
"""

import datetime
import sys

import bson
import pymongo

PEOPLE, PARTNERS = 20_000, 50
BATCH = 10_000
BEGAN = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)


def person(number):
    return bson.ObjectId(b"person" + (number % PEOPLE).to_bytes(6, "big"))


def message(number):
    """Two people in turns, and all pairs in turn."""
    pair = number % (PEOPLE * PARTNERS)
    one, other = pair % PEOPLE, pair % PEOPLE + 1 + pair // PEOPLE
    sender, receiver = (one, other) if number // (PEOPLE * PARTNERS) % 2 == 0 else (other, one)
    return {
        "_id": bson.ObjectId(b"oldone" + number.to_bytes(6, "big")),
        "sender": person(sender),
        "receiver": person(receiver),
        "message": f"Message {number} of before, about as long as what people write to one another in a chat.",
        "read": True,
        "createdAt": BEGAN + datetime.timedelta(milliseconds=10 * number),
    }


def main(port, wanted):
    client = pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true", w=1, journal=False)
    messages = client["old"]["messages"]
    there = messages.estimated_document_count()
    while there < wanted:
        many = min(BATCH, wanted - there)
        messages.insert_many([message(number) for number in range(there, there + many)], ordered=True)
        there += many


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
