"""Looks at the gauges of gateways far more often than Prometheus does, until it is ended: a queue that fills and empties between
two scrapes is seen all the same. Writes to FILE, once for each, the name of every gauge that was ever anything but nothing.

usage: glance.py FILE HOST:PORT…
"""

import http.client
import pathlib
import sys
import threading
import time

PAUSE_SECONDS = 0.02
# A frozen gateway does not answer.
WAIT_SECONDS = 2


def gauges(text):
    """Name and value of each series of a gauge."""
    kinds = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            kinds[name] = kind
        elif line and not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            name = series.split("{", 1)[0]
            if kinds.get(name) == "gauge":
                yield name, float(value)


def watch(gateway, seen, note):
    line = http.client.HTTPConnection(gateway, timeout=WAIT_SECONDS)
    while True:
        try:
            line.request("GET", "/metrics")
            text = line.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            line.close()
            text = ""
        for name, value in gauges(text):
            if value and name not in seen:
                seen.add(name)
                note(f"{name}\n")
        time.sleep(PAUSE_SECONDS)


def main(path, *gateways):
    lock, seen = threading.Lock(), set()
    file = pathlib.Path(path).open("w")

    def note(line):
        with lock:
            file.write(line)
            file.flush()

    for gateway in gateways[1:]:
        threading.Thread(target=watch, args=(gateway, seen, note), daemon=True).start()
    watch(gateways[0], seen, note)


main(*sys.argv[1:])
