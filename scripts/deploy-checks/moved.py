"""Fails if a metric of docs/metrics.md was never seen to move by a running Prometheus: one that stays at nothing is one that
nobody has shown to work. Those that no run brings about on purpose are excused below, each with where it is shown instead; an
excuse that is not needed any more fails, too. What Prometheus never met counts if GLANCED names it: it was seen between scrapes.

usage: moved.py PROMETHEUS GLANCED
"""

import json
import pathlib
import re
import sys
import urllib.parse
import urllib.request

TABLE = pathlib.Path("docs/metrics.md")
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|", re.MULTILINE)

# What a healthy machine does not do while it is looked at, and where it is shown to count.
EXCUSED = {
    "switchboard_accept_errors_total": "tests/it/overload.rs",
    "switchboard_bus_frames_dropped_total": "tests/it/bus_contract.rs",
    "switchboard_bus_lagged_total": "src/bus/outlet.rs",
    "switchboard_memory_short": "tests/it/overload.rs",
    "switchboard_polling_sessions_refused_total": "tests/socketio",
    "switchboard_relayed_requests_unanswered_total": "tests/socketio/cluster.rs",
    "switchboard_store_embedded_errors_total": "tests/it/store_embedded/disk.rs",
}

def ask(server, query):
    url = f"http://{server}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def moved(server, name, kind):
    """Whether it was anything but nothing at any time."""
    series = f"{name}_count" if kind == "histogram" else name
    found = ask(server, f"max(max_over_time({series}[1h])) or max(-1 * min_over_time({series}[1h]))")
    return any(float(each["value"][1]) > 0 for each in found)


def main(server, glanced):
    metrics = ROW.findall(TABLE.read_text())
    between = set(pathlib.Path(glanced).read_text().split())
    still = {name for name, kind in metrics if name not in between and not moved(server, name, kind)}
    faults = [f"{name} was never seen to move" for name in sorted(still - set(EXCUSED))]
    faults += [f"{name} moves, and need not be excused" for name in sorted(set(EXCUSED) - still)]
    faults += [f"there is no metric {name}" for name in sorted(set(EXCUSED) - {name for name, _ in metrics})]
    faults += [f"there is no {place}, where {name} is to be shown" for name, place in EXCUSED.items() if not pathlib.Path(place).exists()]
    for fault in faults:
        print(f"FAILED  {fault}")
    if faults:
        sys.exit(1)
    print(f"{len(metrics) - len(still)} metrics were seen to move, {len(still)} are excused")


main(*sys.argv[1:])
