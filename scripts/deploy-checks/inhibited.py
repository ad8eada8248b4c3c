"""Fails unless a real Alertmanager with our configuration hides what an alert explains, and nothing else: each pair of the two
lists below is made to fire, the explained one of two gateways, and is looked at before, while and after the other fires.

usage: inhibited.py ALERTMANAGER.YML STORAGE
"""

import datetime
import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import yaml

WAIT_SECONDS = 10
HERE, THERE = "a:1", "b:1"

BURNS = [budget + speed for budget in ("DeliveryBudgetBurns", "RefusalBudgetBurns") for speed in ("Fast", "Slowly")]
# What an alert explains on every gateway, and what only on the one that it is about.
EVERYWHERE = {
    "DeliveryBudgetBurnsFast": ["DeliveryBudgetBurnsSlowly"],
    "RefusalBudgetBurnsFast": ["RefusalBudgetBurnsSlowly"],
    "NoNodes": ["NodeDown"],
    "BusAway": BURNS,
    "NodeDeaf": BURNS,
}
THERE_ONLY = {
    "BusAway": ["NodeDeaf", "RepairSurge", "PresenceLeaseOld"],
    "NodeDeaf": ["RepairSurge"],
    "PrimaryMoved": ["StoreErrors"],
}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Alertmanager:
    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read()

    def await_ready(self):
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                return self.ask("/-/ready")
            except urllib.error.URLError:
                if time.monotonic() > deadline:
                    sys.exit("Alertmanager does not start")
                time.sleep(0.1)

    def post(self, alerts, fires=True):
        now = datetime.datetime.now(datetime.timezone.utc)
        ends = now + datetime.timedelta(hours=1) if fires else now
        labels = [{"alertname": name, "instance": instance, "severity": "page"} for name, instance in alerts]
        started = now - datetime.timedelta(minutes=1)
        times = {"startsAt": started.isoformat(), "endsAt": ends.isoformat()}
        self.ask("/api/v2/alerts", [{"labels": each, **times} for each in labels])

    def comes_to(self, told, hidden):
        """Whether it comes to tell of these alerts of these instances, and to hide those."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            now = {True: set(), False: set()}
            for alert in json.loads(self.ask("/api/v2/alerts")):
                labels = alert["labels"]
                now[bool(alert["status"]["inhibitedBy"])].add((labels["alertname"], labels["instance"]))
            if now == {True: hidden, False: told}:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


def faults_of(alertmanager, source, target, everywhere):
    cause, here, there = (source, HERE), (target, HERE), (target, THERE)
    alertmanager.post([here, there])
    if not alertmanager.comes_to(told={here, there}, hidden=set()):
        yield f"{target} is not told although nothing explains it"
    alertmanager.post([cause])
    hidden = {here, there} if everywhere else {here}
    if not alertmanager.comes_to(told={cause, here, there} - hidden, hidden=hidden):
        yield f"{source} does not hide {target} of {'all gateways' if everywhere else 'its gateway, and of no other'}"
    alertmanager.post([cause], fires=False)
    if not alertmanager.comes_to(told={here, there}, hidden=set()):
        yield f"{target} stays hidden although {source} is over"
    alertmanager.post([here, there], fires=False)
    alertmanager.comes_to(told=set(), hidden=set())


def pairs_of(rules):
    """What the configuration says that explains what, by its only matchers."""
    for rule in rules:
        (source,), (target,) = rule["source_matchers"], rule["target_matchers"]
        for name in target.partition("=~")[2].strip('"').split("|"):
            yield source.partition("=")[2].strip('"'), name


def main(path, storage):
    pairs = [(source, target, which is EVERYWHERE) for which in (EVERYWHERE, THERE_ONLY) for source in which for target in which[source]]
    configuration = pathlib.Path(path).read_text()
    configured = set(pairs_of(yaml.safe_load(configuration)["inhibit_rules"]))
    untried = configured.symmetric_difference(pair[:2] for pair in pairs)
    if untried:
        sys.exit(f"tried here, or configured, but not both: {sorted(untried)}")
    port = free_port()
    # What it would tell the pager goes nowhere.
    silent = pathlib.Path(storage) / "alertmanager.yml"
    silent.parent.mkdir(parents=True, exist_ok=True)
    silent.write_text(re.sub(r"url: http://[^/]+", "url: http://127.0.0.1:1", configuration))
    command = ["prometheus-alertmanager", f"--config.file={silent}", f"--storage.path={storage}", "--cluster.listen-address="]
    process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    try:
        alertmanager = Alertmanager(port)
        alertmanager.await_ready()
        faults = [fault for pair in pairs for fault in faults_of(alertmanager, *pair)]
    finally:
        process.terminate()
        process.wait()
    if faults:
        sys.exit("\n".join(faults))
    print(f"a real Alertmanager hides what other alerts explain: {len(pairs)} pairs")


main(*sys.argv[1:])
