"""Makes the old app's database for scripts/long/import and judges what was imported from it.

What should be in the store is worked out here once more, from the contract and not from the import's code.

    import.py start PORT                       makes mongod on PORT a replica set of one
    import.py make PORT MESSAGES USERS         fills the database `classic`
    import.py count TARGET PORT DATA           prints how many messages are in the store
    import.py wait TARGET PORT DATA N PID      waits until N are there; fails if process PID ends before
    import.py judge TARGET PORT DATA           compares; TARGET is `mongodb` or `file`
"""

import hashlib
import os
import random
import sqlite3
import sys
import time
from datetime import datetime, timedelta, timezone

import pymongo
from bson import CodecOptions, ObjectId
from bson.codec_options import DatetimeConversion
from bson.datetime_ms import DatetimeMS

CODEC = CodecOptions(tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_MS)
TEAM = "team"


def client(port):
    return pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=60_000)


def start(port):
    mongo = client(port)
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    try:
        mongo.admin.command("replSetInitiate", {"_id": "import", "members": [member]})
    except pymongo.errors.OperationFailure as error:
        if error.code != 23:
            raise
    deadline = time.monotonic() + 60
    while not mongo.admin.command("hello")["isWritablePrimary"]:
        if time.monotonic() > deadline:
            sys.exit("no primary after 60 s")
        time.sleep(0.1)


def make(port, messages, users):
    """Users, five of them admins, and some who are gone; talks with the team, talks of two, one very long one; many
    messages of one moment; one document of a thousand malformed."""
    chance = random.Random(7)
    database = client(port).get_database("classic", write_concern=pymongo.WriteConcern(1))
    people = [ObjectId() for _ in range(users)]
    admins = people[:5]
    documents = [
        {
            "_id": person,
            "name": f"Person {number}",
            "email": f"p{number}@example.org",
            "role": "admin" if number < 5 else "user",
            "status": "active",
        }
        for number, person in enumerate(people)
        if number < 5 or number % 50 != 0
    ]
    database.users.insert_many(documents)
    begin = datetime(2024, 1, 1, tzinfo=timezone.utc)
    batch = []
    for number in range(messages):
        # In time, several of one millisecond.
        at = begin + timedelta(milliseconds=number // 4 * 100)
        sort = chance.random()
        if sort < 0.05:
            parties = [people[6], people[7]]
        elif sort < 0.6:
            parties = [people[chance.randrange(5, users)], chance.choice(admins)]
        else:
            first = chance.randrange(5, users)
            parties = [people[first], people[5 + (first - 4) % (users - 5)]]
        chance.shuffle(parties)
        message = {
            "_id": ObjectId(),
            "sender": parties[0],
            "receiver": parties[1],
            "message": f"message {number} " + "word " * chance.randrange(40),
            "read": chance.random() < 0.97,
            "createdAt": at,
            "updatedAt": at,
            "__v": 0,
        }
        if number % 1_000 == 999:
            message[chance.choice(["sender", "receiver", "message", "createdAt"])] = 5
        batch.append(message)
        if len(batch) == 10_000 or number == messages - 1:
            # Not in the order they were said in.
            chance.shuffle(batch)
            database.messages.insert_many(batch, ordered=False)
            batch = []
    database.messages.create_index([("sender", 1), ("receiver", 1), ("createdAt", -1)])


def expected(port):
    """Conversation id to (kind, members, messages in order)."""
    database = client(port).get_database("classic", codec_options=CODEC)
    admins = {user["_id"] for user in database.users.find({"role": "admin"}, {"_id": 1})}
    talks = {}
    flawed = 0
    for old in database.messages.find({}, batch_size=10_000):
        sender, receiver, text, at = old["sender"], old["receiver"], old["message"], old["createdAt"]
        right = [(sender, ObjectId), (receiver, ObjectId), (text, str), (at, DatetimeMS)]
        if not all(isinstance(value, kind) for value, kind in right):
            flawed += 1
            continue
        if (sender in admins) != (receiver in admins):
            person = str(receiver if sender in admins else sender)
            key, kind, members = b"support\0" + person.encode(), "support", (person, TEAM)
            reader = TEAM if str(sender) == person else person
        else:
            members = tuple(sorted({str(sender), str(receiver)}))
            low, high = members[0], members[-1]
            key, kind = b"direct\0" + low.encode() + b"\0" + high.encode(), "direct"
            reader = str(receiver) if sender != receiver else None
        place = hashlib.sha256(key).digest()[:16]
        talk = talks.setdefault(place, (kind, members, []))
        unread = None if old["read"] else reader
        talk[2].append((int(at), old["_id"].binary, str(sender), text, unread))
    for _, _, messages in talks.values():
        messages.sort(key=lambda message: message[:2])
    return talks, flawed


def read_up_to(messages, member):
    for index, message in enumerate(messages):
        if message[4] == member:
            return index
    return len(messages)


class Mongodb:
    def __init__(self, port, _data):
        self.database = client(port).get_database("switchboard", codec_options=CODEC)

    def count(self):
        return self.database.messages.estimated_document_count()

    def messages(self):
        """(conversation, seq, id, sender, key, at, text), by conversation and seq."""
        for new in self.database.messages.find({}, batch_size=10_000).sort("_id", 1):
            place = bytes(new["_id"])
            seq = int.from_bytes(place[16:], "big")
            yield place[:16], seq, new["i"].binary, new["s"], new["k"], int(new["a"]), new["t"]

    def heads(self):
        """(conversation, kind, members, last seq, activity)."""
        for head in self.database.conversations.find({}):
            yield bytes(head["_id"]), head["k"], tuple(head["m"]), head["n"], int(head["at"])

    def cursors(self):
        return {(bytes(at["_id"]["c"]), at["_id"]["u"]): at["r"] for at in self.database.cursors.find({})}

    def profiles(self):
        return self.database.profiles.count_documents({})


class File:
    def __init__(self, _port, data):
        name = os.path.join(data, "switchboard.db")
        self.rows = lambda sql: sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=30).execute(sql)

    def count(self):
        try:
            return self.rows("SELECT count(*) FROM messages").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    def messages(self):
        return self.rows("SELECT conversation, seq, id, sender, key, at, text FROM messages ORDER BY conversation, seq")

    def heads(self):
        members = {}
        for place, user in self.rows("SELECT conversation, user FROM members ORDER BY user"):
            members.setdefault(place, []).append(user)
        for place, kind, last, activity in self.rows("SELECT id, kind, last_seq, activity FROM conversations"):
            yield place, {1: "direct", 2: "support"}[kind], tuple(members[place]), last, activity

    def cursors(self):
        return {(place, user): read for place, user, read in self.rows("SELECT conversation, user, read FROM members")}

    def profiles(self):
        return self.rows("SELECT count(*) FROM profiles").fetchone()[0]


def judge(store, port):
    talks, flawed = expected(port)
    total = sum(len(messages) for _, _, messages in talks.values())
    wrong = []

    def see(is_right, what):
        if not is_right:
            wrong.append(what)

    found = 0
    ids = set()
    for place, seq, id_, sender, key, at, text in store.messages():
        found += 1
        ids.add(id_)
        _, _, messages = talks.get(place, (None, None, []))
        if not 1 <= seq <= len(messages):
            wrong.append(f"{place.hex()}/{seq} is no old message")
            continue
        was = messages[seq - 1]
        new = (at, id_, sender, text, f"import:{id_.hex()}")
        see(new == was[:4] + (new[4],) and key == new[4], f"{place.hex()}/{seq}: {new} instead of {was}")
    see(found == total, f"{found} messages instead of {total}")
    see(len(ids) == found, f"{found - len(ids)} messages are double")
    cursors = store.cursors()
    heads = 0
    for place, kind, members, last, activity in store.heads():
        heads += 1
        was_kind, was_members, messages = talks.get(place, (None, None, [(0,)]))
        see((kind, members) == (was_kind, was_members), f"{place.hex()}: {kind} of {members}")
        see((last, activity) == (len(messages), messages[-1][0]), f"{place.hex()}: head at {last}, active {activity}")
        for member in was_members or ():
            read, was = cursors.get((place, member), 0), read_up_to(messages, member)
            see(read == was, f"{place.hex()}: {member} has read up to {read} instead of {was}")
    see(heads == len(talks), f"{heads} conversations instead of {len(talks)}")
    users = client(port).classic.users.count_documents({})
    see(store.profiles() == users, f"{store.profiles()} profiles instead of {users}")
    print(f"judged {found} messages of {heads} conversations, {flawed} malformed ones left out: {len(wrong)} wrong")
    if wrong:
        sys.exit("\n".join(wrong[:20]))


def wait(store, wanted, pid):
    while True:
        there = store.count()
        if there >= wanted:
            return print(there)
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    sys.exit("it has ended")
        except FileNotFoundError:
            sys.exit("it has ended")
        time.sleep(0.05)


def main():
    command, *arguments = sys.argv[1:]
    if command == "start":
        start(int(arguments[0]))
    elif command == "make":
        make(*map(int, arguments))
    else:
        target, port, data, *rest = arguments
        store = {"mongodb": Mongodb, "file": File}[target](int(port), data)
        if command == "count":
            print(store.count())
        elif command == "wait":
            wait(store, *map(int, rest))
        elif command == "judge":
            judge(store, int(port))
        else:
            sys.exit(__doc__)


main()
