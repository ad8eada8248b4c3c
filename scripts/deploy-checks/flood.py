"""Opens connections to a gateway faster than it takes them, and says nothing on them, until it is ended: as many as it keeps,
and so many more each second, from so many addresses that none is alone too many.

usage: flood.py PORT PER_SECOND ADDRESSES
"""

import socket
import sys
import time

TICK_SECONDS = 0.1


def open_one(port, address):
    line = socket.socket()
    line.setblocking(False)
    line.bind((f"127.0.0.{address}", 0))
    line.connect_ex(("127.0.0.1", port))
    return line


def main(port, per_second, addresses):
    lines, number = [], 0
    while True:
        for _ in range(int(per_second * TICK_SECONDS)):
            number += 1
            lines.append(open_one(port, 2 + number % addresses))
        # Of the oldest we let go, which is never the bound that is tried.
        for line in lines[:-1000]:
            line.close()
        del lines[:-1000]
        time.sleep(TICK_SECONDS)


main(*map(int, sys.argv[1:]))
