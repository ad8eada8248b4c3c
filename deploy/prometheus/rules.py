#!/usr/bin/env python3
"""The one source of what Prometheus and Alertmanager are told. The files beside it, and the rules in k8s/, are made from it:

    rules.py                     writes them
    rules.py --check             fails if one of them is not what would be written
    rules.py --divide 30 --into DIR --targets HOST:PORT,… --alertmanager HOST:PORT --webhook URL
                                 writes all into DIR with every duration divided, for tests that cannot wait for hours

An alert has a severity: `page` wakes somebody, `ticket` waits for the morning. Each has a section in docs/runbook.md and
cases in rules_test.yml that show when it fires and when it does not; scripts/check-deploy holds them against each other.
"""

import argparse
import pathlib
import re
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
KUBERNETES = HERE.parent.parent / "k8s" / "components" / "monitoring" / "rules.yaml"
RUNBOOK = "https://github.com/switchboard-chat/switchboard/blob/main/docs/runbook.md"
HEADER = "# Made by deploy/prometheus/rules.py; not edited by hand.\n"

SCRAPE = "15s"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

# What is promised. A message is late when it was handed to the receiver's socket more than half a second after it was
# accepted; a request has failed when we refused it for a reason of our own: none of the client's, and not because a node
# leaves, which costs a client one reconnection.
LATE = "0.5"
LATE_BUDGET = 0.01
FAILED = "busy|unavailable|internal"
FAILED_BUDGET = 0.001
# With fewer in the longer window, a share says nothing that somebody should be woken for.
ENOUGH = 100

WINDOWS = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"]
# How many times faster than a month's budget allows, over a long window; and over a short one, so that the alert ends when
# the trouble does.
FAST = [("1h", "5m", 14.4), ("6h", "30m", 6)]
SLOW = [("1d", "2h", 3), ("3d", "6h", 1)]


def written(window):
    """Messages handed to sockets, per second."""
    # What waited for its reader to come back was not late.
    return f'sum(rate(switchboard_stage_seconds_count{{stage="written",path!="resumed"}}[{window}]))'


def late(window):
    in_time = f'sum(rate(switchboard_stage_seconds_bucket{{stage="written",path!="resumed",le="{LATE}"}}[{window}]))'
    return f"1 - {in_time} / ({written(window)} > 0)"


def answered(window):
    """Requests that ended well, per second: stored, let in, or answered over REST."""
    return (
        f'(sum(rate(switchboard_stage_seconds_count{{stage="acknowledged"}}[{window}]))'
        f" + sum(rate(switchboard_welcomes_total[{window}])) + sum(rate(switchboard_rest_seconds_count[{window}])))"
    )


def failed(window):
    refused = f'sum(rate(switchboard_refusals_total{{code=~"{FAILED}"}}[{window}]))'
    return f"{refused} / ({refused} + {answered(window)} > 0)"


RECORDED = (
    [(f"switchboard:late:ratio_rate{window}", late(window)) for window in WINDOWS]
    + [(f"switchboard:failed:ratio_rate{window}", failed(window)) for window in WINDOWS]
    + [
        (
            f"switchboard:{what}:p{percent}_5m",
            # Where nothing happened there is no time to speak of, and no NaN.
            f"histogram_quantile(0.{percent}, sum by (le{by}) (rate({histogram}[5m]))) >= 0",
        )
        for percent in (50, 99)
        for what, by, histogram in [
            ("stage_seconds", ", stage", "switchboard_stage_seconds_bucket"),
            ("mongodb_seconds", ", operation", "switchboard_store_mongodb_operation_seconds_bucket"),
            ("redis_ping_seconds", ", instance, line", "switchboard_redis_ping_seconds_bucket"),
        ]
    ]
    + [
        # Of what sockets were shown, the share that the bus did not bring.
        (
            "switchboard:repaired:ratio_rate5m",
            "sum by (instance) (rate(switchboard_repaired_messages_total[5m])) / (sum by (instance)"
            " (rate(switchboard_repaired_messages_total[5m]))"
            ' + sum by (instance) (rate(switchboard_offers_total{verdict="shown"}[5m])) > 0)',
        ),
    ]
)


def burns(what, traffic, windows, budget):
    """Too fast in both windows, with enough in the longer one to say so."""
    either = [
        f"(switchboard:{what}:ratio_rate{long} > {round(factor * budget, 6)}"
        f" and switchboard:{what}:ratio_rate{short} > {round(factor * budget, 6)}"
        f" and {traffic(long)} * <{long}> > {ENOUGH})"
        for long, short, factor in windows
    ]
    return " or ".join(either)


def alert(name, severity, lasts, expression, summary, hides=()):
    """`lasts`: for how long before it fires. `hides`: what it explains, and keeps from being sent as well."""
    return dict(name=name, severity=severity, lasts=lasts, expression=expression, summary=summary, hides=hides)


BURNS = ("DeliveryBudgetBurnsFast", "DeliveryBudgetBurnsSlowly", "RefusalBudgetBurnsFast", "RefusalBudgetBurnsSlowly")
ALERTS = [
    alert(
        "DeliveryBudgetBurnsFast", "page", "0s", burns("late", written, FAST, LATE_BUDGET),
        "{{ $value | humanizePercentage }} of messages take longer than half a second to reach their receivers",
        hides=["DeliveryBudgetBurnsSlowly"],
    ),
    alert(
        "DeliveryBudgetBurnsSlowly", "ticket", "0s", burns("late", written, SLOW, LATE_BUDGET),
        "For days, {{ $value | humanizePercentage }} of messages have taken longer than half a second",
    ),
    alert(
        "RefusalBudgetBurnsFast", "page", "0s", burns("failed", answered, FAST, FAILED_BUDGET),
        "{{ $value | humanizePercentage }} of requests are refused for reasons of our own",
        hides=["RefusalBudgetBurnsSlowly"],
    ),
    alert(
        "RefusalBudgetBurnsSlowly", "ticket", "0s", burns("failed", answered, SLOW, FAILED_BUDGET),
        "For days, {{ $value | humanizePercentage }} of requests have been refused for reasons of our own",
    ),
    alert(
        "NoNodes", "page", "1m", 'absent(up{job="switchboard"} == 1)',
        "Not one gateway answers Prometheus", hides=["NodeDown"],
    ),
    alert(
        "NodeDown", "page", "1m", 'up{job="switchboard"} == 0',
        "Gateway {{ $labels.instance }} does not answer", hides=[],
    ),
    alert(
        # A deaf node takes Redis for away, too; that is another alert.
        "BusAway", "page", "1m",
        "max by (instance) (switchboard_bus_away) == 1 unless max by (instance) (switchboard_canary_deaf) == 1",
        "Gateway {{ $labels.instance }} cannot reach Redis: messages come from the store, seconds later",
        hides=["NodeDeaf", "RepairSurge", "PresenceLeaseOld", *BURNS],
    ),
    alert(
        # It makes its subscription anew by itself; that helps at once, or not at all, or for a while.
        "NodeDeaf", "page", "1m",
        "max by (instance) (switchboard_canary_deaf) == 1"
        " or sum by (instance) (increase(switchboard_canary_rebuilds_total[10m])) > 3",
        "Gateway {{ $labels.instance }} publishes to Redis and does not hear itself", hides=["RepairSurge", *BURNS],
    ),
    alert(
        # It is renewed every two seconds and runs out after six; a node without Redis has none, and says 0.
        "PresenceLeaseOld", "ticket", "1m",
        "time() - (max by (instance) (switchboard_presence_lease_renewed_timestamp_seconds) > 0) > 10",
        "Others take the users of gateway {{ $labels.instance }} for offline: it renewed its lease {{ $value | humanizeDuration }} ago",
    ),
    alert(
        "RepairSurge", "ticket", "10m",
        "switchboard:repaired:ratio_rate5m > 0.05"
        " and sum by (instance) (rate(switchboard_repaired_messages_total[5m])) > 0.5",
        "{{ $value | humanizePercentage }} of what gateway {{ $labels.instance }} shows comes from the store, not the bus",
    ),
    alert(
        "OutboxesFull", "ticket", "10m", "sum by (instance) (rate(switchboard_outbox_full_total[5m])) > 1",
        "{{ $value | humanize }} messages a second find their reader's outbox full on {{ $labels.instance }}",
    ),
    alert(
        "StoreErrors", "ticket", "1m",
        "sum by (instance) (rate(switchboard_store_mongodb_errors_total[5m])) > 0.02"
        " or sum by (instance) (rate(switchboard_store_embedded_errors_total[5m])) > 0.02",
        "The store fails {{ $value | humanize }} operations a second for gateway {{ $labels.instance }}",
    ),
    alert(
        "SendsPileUp", "page", "2m",
        "(min_over_time(switchboard_sends_waiting[5m]) > 500"
        " or min_over_time(switchboard_store_embedded_writes_waiting[5m]) > 500)",
        "Gateway {{ $labels.instance }} takes more messages than the store does: {{ $value }} wait",
    ),
    alert(
        "NodeOverloaded", "ticket", "2m",
        "sum by (instance) (rate(switchboard_connections_turned_away_total[5m]))"
        ' + sum by (instance) (rate(switchboard_refusals_total{code="busy"}[5m])) > 1',
        "Gateway {{ $labels.instance }} turns {{ $value | humanize }} connections and requests away each second",
    ),
    alert(
        "FilesRunOut", "page", "2m",
        "max by (instance) (process_open_fds / process_max_fds) > 0.9"
        " or sum by (instance) (rate(switchboard_accept_errors_total[5m])) > 0",
        "Gateway {{ $labels.instance }} is about to have no file descriptors left for new connections",
    ),
    alert(
        "DrainStuck", "ticket", "2m", "max by (instance) (switchboard_draining) == 1",
        "Gateway {{ $labels.instance }} was told to stop two minutes ago and still runs",
    ),
    alert(
        "KeysNotFetched", "ticket", "30m",
        'sum by (instance) (increase(switchboard_jwks_fetches_total{outcome="ok"}[30m])) == 0'
        ' and sum by (instance) (increase(switchboard_jwks_fetches_total{outcome="failed"}[30m])) > 0',
        "Gateway {{ $labels.instance }} has not got the issuer's keys for half an hour",
    ),
]


class Divided:
    """Durations as they are written, each divided."""

    def __init__(self, divisor):
        self.divisor = divisor

    def seconds(self, duration):
        return sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhd])", duration)) / self.divisor

    def duration(self, duration):
        if self.divisor == 1:
            return duration
        millis = round(self.seconds(duration) * 1000)
        return f"{millis}ms" if millis % 1000 else f"{millis // 1000}s"

    def scrape(self):
        """Never more often than each second: that would measure the machine."""
        return SCRAPE if self.divisor == 1 else f"{max(1, round(self.seconds(SCRAPE)))}s"

    def expression(self, text):
        """Ranges in brackets; and `<1h>`, which stands for its number of seconds."""
        text = re.sub(r"\[(\d+[smhd])\]", lambda found: f"[{self.duration(found[1])}]", text)
        return re.sub(r"<(\d+[smhd])>", lambda found: f"{self.seconds(found[1]):g}", text)


def rules(divided):
    recording = [{"record": name, "expr": divided.expression(expression)} for name, expression in RECORDED]
    alerting = [
        {
            "alert": each["name"],
            "expr": divided.expression(each["expression"]),
            "for": divided.duration(each["lasts"]),
            "labels": {"severity": each["severity"]},
            "annotations": {"summary": each["summary"], "runbook_url": f"{RUNBOOK}#{each['name'].lower()}"},
        }
        for each in ALERTS
    ]
    interval = divided.scrape()
    return {
        "groups": [
            {"name": "switchboard-recorded", "interval": interval, "rules": recording},
            {"name": "switchboard-alerts", "interval": interval, "rules": alerting},
        ]
    }


def prometheus(divided, targets, alertmanager):
    gateways = {
        "job_name": "switchboard",
        "static_configs": [{"targets": targets}],
    }
    return {
        "global": {
            "scrape_interval": divided.scrape(),
            "scrape_timeout": "10s" if divided.divisor == 1 else divided.scrape(),
            "evaluation_interval": divided.scrape(),
        },
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [gateways],
    }


def alertmanager(divided, webhook):
    """Where the notifications go is for each operator to say: put a receiver of yours in place of the webhook."""
    whole = {*BURNS, "NodeDown"}
    inhibited = []
    for each in ALERTS:
        everywhere = [name for name in each["hides"] if name in whole]
        there = [name for name in each["hides"] if name not in whole]
        for names, equal in [(everywhere, {}), (there, {"equal": ["instance"]})]:
            if names:
                inhibited.append(
                    {
                        "source_matchers": [f'alertname="{each["name"]}"'],
                        "target_matchers": [f'alertname=~"{"|".join(names)}"'],
                        **equal,
                    }
                )
    return {
        "route": {
            "receiver": "tickets",
            "group_by": ["alertname"],
            "group_wait": divided.duration("30s"),
            "group_interval": divided.duration("5m"),
            "repeat_interval": divided.duration("12h"),
            "routes": [{"matchers": ['severity="page"'], "receiver": "pages", "repeat_interval": divided.duration("1h")}],
        },
        "inhibit_rules": inhibited,
        "receivers": [
            {"name": "pages", "webhook_configs": [{"url": f"{webhook}/page"}]},
            {"name": "tickets", "webhook_configs": [{"url": f"{webhook}/ticket"}]},
        ],
    }


def kubernetes(groups):
    """The same rules for the Prometheus operator."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "switchboard"},
        "spec": groups,
    }


def text(document):
    return HEADER + yaml.safe_dump(document, sort_keys=False, width=118, allow_unicode=True)


def main():
    parser = argparse.ArgumentParser(description="Writes what Prometheus and Alertmanager are told.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    parser.add_argument("--divide", type=int, default=1, help="divide every duration by this")
    parser.add_argument("--into", type=pathlib.Path, help="write everything into this directory, and nothing elsewhere")
    parser.add_argument("--targets", default="gateway1:9464,gateway2:9464,gateway3:9464")
    parser.add_argument("--alertmanager", default="alertmanager:9093")
    parser.add_argument("--webhook", default="http://pager.example.com")
    given = parser.parse_args()

    divided = Divided(given.divide)
    groups = rules(divided)
    place = given.into or HERE
    files = {
        place / "prometheus.yml": text(prometheus(divided, given.targets.split(","), given.alertmanager)),
        place / "rules.yml": text(groups),
        place / "alertmanager.yml": text(alertmanager(divided, given.webhook)),
    }
    if not given.into:
        files[KUBERNETES] = text(kubernetes(groups))
    stale = [path for path, wanted in files.items() if not path.exists() or path.read_text() != wanted]
    if given.check and stale:
        sys.exit("not as deploy/prometheus/rules.py makes them: " + ", ".join(path.name for path in stale))
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path])


if __name__ == "__main__":
    main()
