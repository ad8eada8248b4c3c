#!/usr/bin/env python3
"""Shows of every alert when it fires and when it does not, by `promtool test rules` on rules.yml. Fails if an alert lacks
either. What stands here in rows is what promtool is given in YAML.

usage: rules_test.py [ALERT...]
"""

import pathlib
import subprocess
import sys
import tempfile

import yaml

import rules

DAYS_3 = 3 * 24 * 60
# What looks no further than so many minutes is evaluated so often: for days, not every minute.
PACES = [(30, "1m"), (500, "5m"), (DAYS_3 + 60, "1h")]
MINUTES = {"m": 1, "h": 60}


def counter(name, per_minute, minutes=120, start=0):
    return {"series": name, "values": f"{start}+{per_minute}x{minutes}"}


def steady(name, value, minutes=120):
    return {"series": name, "values": f"{value}+0x{minutes}"}


def values(name, text):
    return {"series": name, "values": text}


def delivery(late_share, per_minute=600, minutes=420):
    """So many messages a minute, of which this share is late."""
    count = counter('switchboard_stage_seconds_count{stage="written",instance="a:1"}', per_minute, minutes)
    in_time = per_minute * (1 - late_share)
    return [count, counter('switchboard_stage_seconds_bucket{stage="written",le="0.5",instance="a:1"}', in_time, minutes)]


def delivery_after_absence():
    """All in time, and as many that waited for their readers for hours."""
    resumed = 'switchboard_stage_seconds_%s{stage="written",path="resumed",%sinstance="a:1"}'
    there = [
        {**each, "series": each["series"].replace('stage="written"', 'stage="written",path="bus"')} for each in delivery(0)
    ]
    return [*there, counter(resumed % ("count", ""), 600, 420), counter(resumed % ("bucket", 'le="0.5",'), 0, 420)]


def delivery_of_late(before, late_share, per_minute=600, then=10):
    """All in time for so many minutes, and then not."""
    total = before + then
    count = f"0+{per_minute}x{total}"
    good, kept = per_minute * before, per_minute * (1 - late_share)
    in_time = f"0+{per_minute}x{before} {good + kept}+{kept}x{then - 1}"
    return [
        values('switchboard_stage_seconds_count{stage="written",instance="a:1"}', count),
        values('switchboard_stage_seconds_bucket{stage="written",le="0.5",instance="a:1"}', in_time),
    ]


def requests(refused_per_minute, per_minute=600, minutes=420, code="unavailable"):
    return [
        counter('switchboard_stage_seconds_count{stage="acknowledged",instance="a:1"}', per_minute, minutes),
        counter('switchboard_welcomes_total{resumed="no",instance="a:1"}', 0, minutes),
        counter('switchboard_rest_seconds_count{route="/",instance="a:1"}', 0, minutes),
        counter(f'switchboard_refusals_total{{code="{code}",instance="a:1"}}', refused_per_minute, minutes),
    ]


def hears(deaf, rebuilds):
    """What the canary says, minute by minute."""
    return [
        values('switchboard_canary_deaf{instance="a:1"}', deaf),
        values('switchboard_canary_rebuilds_total{instance="a:1"}', rebuilds),
    ]


def repairs(repaired, shown):
    return [
        counter('switchboard_repaired_messages_total{instance="a:1"}', repaired),
        counter('switchboard_offers_total{verdict="shown",instance="a:1"}', shown),
    ]


def overload(turned_away, busy):
    return [
        counter('switchboard_connections_turned_away_total{reason="connections",instance="a:1"}', turned_away),
        counter('switchboard_refusals_total{code="busy",instance="a:1"}', busy),
    ]


def files(open_files, errors=0):
    return [
        steady('process_open_fds{instance="a:1"}', open_files),
        steady('process_max_fds{instance="a:1"}', 1000),
        counter('switchboard_accept_errors_total{instance="a:1"}', errors),
    ]


def keys(ok, failed_):
    return [
        counter('switchboard_jwks_fetches_total{outcome="ok",instance="a:1"}', ok),
        counter('switchboard_jwks_fetches_total{outcome="failed",instance="a:1"}', failed_),
    ]


THERE = {"instance": "a:1"}
UP_A, UP_B = ('up{job="switchboard",instance="%s:1"}' % each for each in "ab")

# Of an alert: what is scraped; then when it is looked at and what it says of whom, or None while it must be quiet.
CASES = [
    # Much in an hour, and less in six.
    ("DeliveryBudgetBurnsFast", delivery(0.2), {
        "10m": ({}, "20% of messages take longer than half a second to reach their receivers"),
    }),
    ("DeliveryBudgetBurnsFast", delivery(0.2), {
        "7h": ({}, "20% of messages take longer than half a second to reach their receivers"),
    }),
    ("DeliveryBudgetBurnsFast", delivery(0.08), {
        "7h": ({}, "8% of messages take longer than half a second to reach their receivers"),
    }),
    ("DeliveryBudgetBurnsFast", delivery_after_absence(), {"7h": None}),
    # One in twenty is not a reason to wake anybody; nor five bad minutes in a good day; nor three late messages a night.
    ("DeliveryBudgetBurnsFast", delivery(0.05), {"1h": None, "7h": None}),
    ("DeliveryBudgetBurnsFast", delivery_of_late(400, 1.0, then=5), {"405m": None}),
    ("DeliveryBudgetBurnsFast", delivery_of_late(400, 1.0, then=15), {
        "415m": ({}, "25% of messages take longer than half a second to reach their receivers"),
    }),
    ("DeliveryBudgetBurnsFast", delivery(0.5, per_minute=0.2), {"2h": None}),
    ("DeliveryBudgetBurnsFast", delivery(0, per_minute=0), {"2h": None}),
    ("DeliveryBudgetBurnsSlowly", delivery(0.04, minutes=DAYS_3 + 60), {
        "25h": ({}, "For days, 4% of messages have taken longer than half a second"),
    }),
    ("DeliveryBudgetBurnsSlowly", delivery(0.02, minutes=DAYS_3 + 60), {
        "72h": ({}, "For days, 2% of messages have taken longer than half a second"),
    }),
    ("DeliveryBudgetBurnsSlowly", delivery(0.005, minutes=DAYS_3 + 60), {"25h": None, "72h": None}),
    ("RefusalBudgetBurnsFast", requests(30), {
        "2h": ({}, "4.762% of requests are refused for reasons of our own"),
    }),
    ("RefusalBudgetBurnsFast", requests(3), {"2h": None, "6h": None}),
    # What clients bring upon themselves, and what a node refuses because it leaves, is not counted.
    ("RefusalBudgetBurnsFast", requests(300, code="rate_limited"), {"2h": None}),
    ("RefusalBudgetBurnsFast", requests(300, code="draining"), {"2h": None}),
    ("RefusalBudgetBurnsFast", requests(0.1, per_minute=0.5), {"2h": None}),
    ("RefusalBudgetBurnsSlowly", requests(2.4, minutes=DAYS_3 + 60), {
        "25h": ({}, "For days, 0.3984% of requests have been refused for reasons of our own"),
    }),
    ("RefusalBudgetBurnsSlowly", requests(0.3, minutes=DAYS_3 + 60), {"25h": None, "72h": None}),
    ("NoNodes", [values(UP_A, "1x10 0x20")], {
        "8m": None, "11m": None,
        "15m": ({}, "Not one gateway answers Prometheus"),
    }),
    ("NoNodes", [values(UP_A, "0x30"), values(UP_B, "1x30")], {"15m": None}),
    ("NodeDown", [values(UP_A, "1x10 0x20"), values(UP_B, "1x30")], {
        "11m": None,
        "12m": ({"job": "switchboard", **THERE}, "Gateway a:1 does not answer"),
    }),
    ("NodeDown", [values(UP_A, "1x10 0 1x20"), values(UP_B, "1x30")], {"11m": None, "12m": None, "13m": None}),
    ("BusAway", [values('switchboard_bus_away{instance="a:1"}', "0x10 1x10 0x10")], {
        "10m": None,
        "12m": (THERE, "Gateway a:1 cannot reach Redis: messages come from the store, seconds later"),
        "22m": None,
    }),
    ("BusAway", [
        values('switchboard_bus_away{instance="a:1"}', "1x20"), values('switchboard_canary_deaf{instance="a:1"}', "1x20"),
    ], {"12m": None}),
    ("NodeDeaf", hears("0x10 1x20", "0x10 1x20"), {
        "10m": None, "11m": None,
        "14m": (THERE, "Gateway a:1 publishes to Redis and does not hear itself"),
    }),
    # Again and again, and each time making the subscription anew helped for a while.
    ("NodeDeaf", hears("0x40", "0x10 1+1x10 11x20"), {
        "10m": None,
        "20m": (THERE, "Gateway a:1 publishes to Redis and does not hear itself"),
        "40m": None,
    }),
    # Once, and it helped.
    ("NodeDeaf", hears("0x10 1 0x20", "0x10 1x20"), {"11m": None, "14m": None}),
    ("NodeDeaf", hears("0x40", "0x40"), {"30m": None}),
    ("PresenceLeaseOld", [values('switchboard_presence_lease_renewed_timestamp_seconds{instance="a:1"}', "0+60x10 600+0x20")], {
        "10m": None, "11m": None,
        "15m": (THERE, "Others take the users of gateway a:1 for offline: it renewed its lease 5m 0s ago"),
    }),
    ("PresenceLeaseOld", [steady('switchboard_presence_lease_renewed_timestamp_seconds{instance="a:1"}', 0)], {"15m": None}),
    ("RepairSurge", repairs(120, 480), {
        "8m": None,
        "20m": (THERE, "20% of what gateway a:1 shows comes from the store, not the bus"),
    }),
    ("RepairSurge", repairs(20, 980), {"20m": None}),
    ("RepairSurge", repairs(3, 3), {"20m": None}),
    ("OutboxesFull", [counter('switchboard_outbox_full_total{instance="a:1"}', 120)], {
        "5m": None,
        "20m": (THERE, "2 messages a second find their reader's outbox full on a:1"),
    }),
    ("OutboxesFull", [counter('switchboard_outbox_full_total{instance="a:1"}', 30)], {"20m": None}),
    ("StoreErrors", [counter('switchboard_store_mongodb_errors_total{kind="driver",instance="a:1"}', 6)], {
        "10m": (THERE, "The store fails 100m operations a second for gateway a:1"),
    }),
    ("StoreErrors", [counter('switchboard_store_embedded_errors_total{kind="full",instance="a:1"}', 6)], {
        "10m": (THERE, "The store fails 100m operations a second for gateway a:1"),
    }),
    ("StoreErrors", [counter('switchboard_store_mongodb_errors_total{kind="driver",instance="a:1"}', 1)], {"10m": None}),
    ("SendsPileUp", [values('switchboard_sends_waiting{instance="a:1"}', "3x10 200+200x20")], {
        "16m": None,
        "24m": (THERE, "Gateway a:1 takes more messages than the store does: 1800 wait"),
    }),
    ("SendsPileUp", [values('switchboard_store_embedded_writes_waiting{instance="a:1"}', "900x20")], {
        "12m": (THERE, "Gateway a:1 takes more messages than the store does: 900 wait"),
    }),
    # A burst that is worked off.
    ("SendsPileUp", [values('switchboard_sends_waiting{instance="a:1"}', "3x10 4000 4000 900 3x20")], {
        "12m": None, "15m": None,
    }),
    ("NodeOverloaded", overload(120, 60), {
        "10m": (THERE, "Gateway a:1 turns 3 connections and requests away each second"),
    }),
    ("NodeOverloaded", overload(0, 30), {"10m": None}),
    ("FilesRunOut", files(950), {
        "10m": (THERE, "Gateway a:1 is about to have no file descriptors left for new connections"),
    }),
    ("FilesRunOut", files(500, errors=6), {
        "10m": (THERE, "Gateway a:1 is about to have no file descriptors left for new connections"),
    }),
    ("FilesRunOut", files(800), {"10m": None}),
    ("DrainStuck", [values('switchboard_draining{instance="a:1"}', "0x10 1x10")], {
        "11m": None,
        "14m": (THERE, "Gateway a:1 was told to stop two minutes ago and still runs"),
    }),
    ("DrainStuck", [values('switchboard_draining{instance="a:1"}', "0x10 1 stale")], {"14m": None}),
    ("KeysNotFetched", keys(0, 0.2), {
        "65m": (THERE, "Gateway a:1 has not got the issuer's keys for half an hour"),
    }),
    ("KeysNotFetched", keys(0.1, 0.2), {"65m": None}),
    ("KeysNotFetched", keys(0.1, 0), {"65m": None}),
]


def minutes(time):
    return int(time[:-1]) * MINUTES[time[-1]]


def pace(looks):
    furthest = max(minutes(time) for time in looks)
    return next(step for within, step in PACES if furthest <= within)


def test(severities, name, series, looks):
    looked = []
    for time, expected in looks.items():
        alerts = []
        if expected:
            labels, summary = expected
            annotations = {"summary": summary, "runbook_url": f"{rules.RUNBOOK}#{name.lower()}"}
            alerts = [{"exp_labels": {"severity": severities[name], **labels}, "exp_annotations": annotations}]
        looked.append({"eval_time": time, "alertname": name, "exp_alerts": alerts})
    return {"interval": "1m", "input_series": series, "alert_rule_test": looked}


def main():
    severities = {each["name"]: each["severity"] for each in rules.ALERTS}
    for quiet, words in [(False, "when it fires"), (True, "when it does not")]:
        shown = {name for name, _, looks in CASES if any((look is None) == quiet for look in looks.values())}
        if lacking := set(severities) - shown:
            sys.exit(f"rules_test.py does not show of {', '.join(sorted(lacking))} {words}")
    cases = [case for case in CASES if case[0] in sys.argv[1:] or not sys.argv[1:]]
    with tempfile.TemporaryDirectory() as scratch:
        paths = []
        for _, step in PACES:
            tests = [test(severities, *case) for case in cases if pace(case[2]) == step]
            if not tests:
                continue
            paths.append(pathlib.Path(scratch) / f"rules_{step}.yml")
            given = {
                "rule_files": [str(rules.HERE / "rules.yml")],
                "evaluation_interval": step,
                # With hours between evaluations, alerts must see what was recorded in the same one.
                "group_eval_order": [group["name"] for group in rules.rules(rules.Divided(1))["groups"]],
                "tests": tests,
            }
            paths[-1].write_text(yaml.safe_dump(given, sort_keys=False))
        running = [
            subprocess.Popen(["promtool", "test", "rules", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for path in paths
        ]
        said = [each.communicate()[0] for each in running]
    if any(each.returncode for each in running):
        sys.exit("".join(said))
    print(f"{len(cases)} cases of {len(severities)} alerts")


main()
