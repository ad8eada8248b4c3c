#!/usr/bin/env python3
"""The one source of the dashboards: writes dashboards/*.json, or with --check fails if one is not what would be written.

A panel is a row below: its title, what it shows, its unit, and its queries with their legends. Everything else is the same
for all, so that all look and behave the same. Queries are tried against real nodes by scripts/deploy/live.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent / "dashboards"
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
# Of Grafana's dashboard format, the version that is written here.
SCHEMA = 39
WIDTH, HEIGHT, ACROSS = 8, 8, 3

# The gateways that are chosen at the top of a dashboard.
OF = 'instance=~"$instance"'


def per_second(counter, by, where=""):
    return f"sum by ({by}) (rate({counter}{{{OF}{where}}}[$__rate_interval]))"


def quantile(share, histogram, by="", where=""):
    by = f"le, {by}" if by else "le"
    # Where nothing happened there is no time to speak of.
    rate = f"sum by ({by}) (rate({histogram}_bucket{{{OF}{where}}}[$__rate_interval]))"
    return f"histogram_quantile({share}, {rate}) >= 0"


def quantiles(histogram, where=""):
    return [(quantile(share, histogram, where=where), f"{share * 100:g} %") for share in (0.5, 0.9, 0.99)]


OVERVIEW = [
    ("Are we keeping our promises?", [
        ("Late messages, last hour", "Share handed to sockets after more than half a second; promised are at most 1 %.",
         "percentunit", [("switchboard:late:ratio_rate1h", "late")], 0.01),
        ("Failed requests, last hour", "Share refused for reasons of our own; promised are at most 0.1 %.",
         "percentunit", [("switchboard:failed:ratio_rate1h", "failed")], 0.001),
        ("Gateways that answer", "Of those that Prometheus knows.",
         "none", [('count(up{job="switchboard"} == 1)', "up"), ('count(up{job="switchboard"})', "known")]),
    ]),
    ("Latency", [
        ("From accepted to written", "A message's whole way, from the sender's frame to the receiver's socket.",
         "s", quantiles("switchboard_stage_seconds", ',stage="written",path!="resumed"')),
        ("From accepted to acknowledged", "What senders wait.",
         "s", quantiles("switchboard_stage_seconds", ',stage="acknowledged"')),
        ("REST, 99 % by route", "Time to answer.", "s", [(quantile(0.99, "switchboard_rest_seconds", "route"), "{{route}}")]),
    ]),
    ("Traffic", [
        ("Messages", "Stored, and handed to sockets.", "cps", [
            (f'sum(rate(switchboard_stage_seconds_count{{stage="acknowledged",{OF}}}[$__rate_interval]))', "sent"),
            (f'sum(rate(switchboard_stage_seconds_count{{stage="written",{OF}}}[$__rate_interval]))', "received"),
        ]),
        ("Sessions", "Authenticated, over all gateways.", "none", [
            (f"sum(switchboard_sessions{{{OF}}})", "all"),
            (f"sum(switchboard_polling_sessions{{{OF}}})", "polling"),
        ]),
        ("Sessions that begin", "Anew, or where they were.", "cps",
         [(per_second("switchboard_welcomes_total", "resumed"), "resumed: {{resumed}}")]),
        ("Handshakes", "By door, and what came of them.", "cps",
         [(per_second("switchboard_handshakes_total", "door, outcome"), "{{door}} {{outcome}}")]),
    ]),
    ("Errors", [
        ("Refusals by code", "", "cps", [(per_second("switchboard_refusals_total", "code"), "{{code}}")]),
        ("Tokens refused by reason", "", "cps", [(per_second("switchboard_tokens_refused_total", "reason"), "{{reason}}")]),
        ("Connections that we closed, by code", "1012 is a restart; 44xx the client's doing.", "cps",
         [(per_second("switchboard_closes_total", "code"), "{{code}}")]),
    ]),
    ("Saturation", [
        ("Processor", "Cores that each gateway uses.", "none",
         [(per_second("process_cpu_seconds_total", "instance"), "{{instance}}")]),
        ("Memory", "", "bytes", [(f"max by (instance) (process_resident_memory_bytes{{{OF}}})", "{{instance}}")]),
        ("Files in use", "Each connection is one.", "percentunit",
         [(f"max by (instance) (process_open_fds{{{OF}}} / process_max_fds{{{OF}}})", "{{instance}}")], 0.9),
    ]),
]

MESSAGE = [
    ("Where the time goes", [
        (f"{share * 100:g} % of messages, by stage", "From acceptance to each stage, on the sender's gateway (committed,"
         " published, acknowledged) and on the receivers' (received, written).", "s",
         [(quantile(share, "switchboard_stage_seconds", "stage"), "{{stage}}")])
        for share in (0.5, 0.9, 0.99)
    ]),
    ("How it came to the socket", [
        ("Written, 99 % by path", "From the bus; from the store, because the bus did not bring it or not in its turn; in the"
         " answer to who sent it; and to who was not there when it was accepted.", "s",
         [(quantile(0.99, "switchboard_stage_seconds", "path", ',stage="written"'), "{{path}}")]),
        ("Written, by path", "", "cps",
         [(f'sum by (path) (rate(switchboard_stage_seconds_count{{stage="written",{OF}}}[$__rate_interval]))', "{{path}}")]),
        ("Gaps, by cause", "Times that a session was found to miss something.", "cps",
         [(per_second("switchboard_gaps_total", "cause"), "{{cause}}")]),
    ]),
    ("On the sender's gateway", [
        ("Sends that wait", "For their place, or for the store.", "none",
         [(f"sum by (instance) (switchboard_sends_waiting{{{OF}}})", "{{instance}}")]),
        ("Places taken by another gateway", "Both wrote into one conversation at once.", "cps",
         [(per_second("switchboard_sequence_conflicts_total", "instance"), "{{instance}}")]),
        ("Unknown outcomes", "Attempts to store that had to be read back.", "cps",
         [(per_second("switchboard_unknown_outcomes_total", "instance"), "{{instance}}")]),
    ]),
    ("Between gateways", [
        ("Publications", "Handed to Redis, and come from it.", "cps", [
            (per_second("switchboard_bus_publications_total", "instance"), "{{instance}} out"),
            (per_second("switchboard_bus_events_total", "instance"), "{{instance}} in"),
        ]),
        ("Publications lost", "Dropped before Redis by reason, or after it because a gateway did not take them.", "cps", [
            (per_second("switchboard_bus_publish_failures_total", "reason"), "{{reason}}"),
            (per_second("switchboard_bus_lagged_total", "instance"), "lagged on {{instance}}"),
        ]),
        ("Doubts", "Times that something may have been lost, by cause; and connections on which others were heard.", "cps", [
            (per_second("switchboard_bus_doubts_total", "cause"), "{{cause}}"),
            (per_second("switchboard_bus_epochs_total", "instance"), "{{instance}} began to hear anew"),
        ]),
        ("Published together, 90 %", "", "none",
         [(quantile(0.9, "switchboard_bus_batch_messages", "instance"), "{{instance}}")]),
    ]),
    ("On the receivers' gateways", [
        ("What became of messages", "Shown at once, dropped as known, or wanted from the store.", "cps",
         [(per_second("switchboard_offers_total", "verdict"), "{{verdict}}")]),
        ("Repaired", "Share of what was shown that came from the store.", "percentunit",
         [(f"switchboard:repaired:ratio_rate5m{{{OF}}}", "{{instance}}")], 0.05),
        ("Readers too slow", "Messages that found an outbox full.", "cps",
         [(per_second("switchboard_outbox_full_total", "instance"), "{{instance}}")]),
        ("Waiting for sockets", "In all outboxes, and in the fullest.", "bytes", [
            (f"sum by (instance) (switchboard_outbox_bytes{{{OF}}})", "{{instance}}"),
            (f"max by (instance) (switchboard_outbox_bytes_most{{{OF}}})", "{{instance}} fullest"),
        ]),
        ("Frames that wait", "", "none",
         [(f"sum by (instance) (switchboard_outbox_frames{{{OF}}})", "{{instance}}")]),
        ("Waiting between Redis and sessions", "Publications to be sent, and events to be sorted.", "none", [
            (f"sum by (instance) (switchboard_bus_publications_waiting{{{OF}}})", "{{instance}} out"),
            (f"sum by (instance) (switchboard_bus_events_waiting{{{OF}}})", "{{instance}} in"),
        ]),
    ]),
    ("Nothing is forgotten", [
        ("Audits", "Users asked about at the store, and sessions found to miss something.", "cps", [
            (per_second("switchboard_audited_users_total", "instance"), "{{instance}} asked about"),
            (per_second("switchboard_audit_finds_total", "instance"), "{{instance}} found"),
        ]),
        ("Age of the latest audit", "All users are asked about once in 40 s.", "s",
         [(f"time() - (max by (instance) (switchboard_audit_completed_timestamp_seconds{{{OF}}}) > 0)", "{{instance}}")], 120),
        ("Reads of what is missing", "", "cps", [
            (per_second("switchboard_repair_reads_total", "kind"), "{{kind}}"),
            (f"sum(rate(switchboard_repair_read_failures_total{{{OF}}}[$__rate_interval]))", "failed"),
        ]),
        ("Unreadable envelopes", "Of a newer version, or damaged.", "cps",
         [(per_second("switchboard_envelopes_unreadable_total", "instance"), "{{instance}}")]),
    ]),
]

NODES = [
    ("Is it well?", [
        ("Answers Prometheus", "", "none", [(f'up{{job="switchboard",{OF}}}', "{{instance}}")]),
        ("Told to stop", "1 while it sees its clients off.", "none",
         [(f"max by (instance) (switchboard_draining{{{OF}}})", "{{instance}}")]),
        ("Versions", "How many gateways run which.", "none",
         [(f"count by (version) (switchboard_build_info{{{OF}}})", "{{version}}")]),
    ]),
    ("Connections", [
        ("Sessions", "", "none", [(f"sum by (instance) (switchboard_sessions{{{OF}}})", "{{instance}}")]),
        ("Connections", "Also those that have not said who they are.", "none",
         [(f'sum by (instance, door) (switchboard_connections{{{OF},door!="ops"}})', "{{instance}} {{door}}")]),
        ("Accepted", "", "cps", [(per_second("switchboard_connections_accepted_total", "instance"), "{{instance}}")]),
    ]),
    ("Turned away", [
        ("No room", "The gateway was full, or one address had too many strangers.", "cps",
         [(per_second("switchboard_connections_turned_away_total", "instance, reason"), "{{instance}} {{reason}}")]),
        ("Not accepted", "Most often for want of file descriptors.", "cps",
         [(per_second("switchboard_accept_errors_total", "instance"), "{{instance}}")]),
        ("Wait to be let in, 99 %", "After a restart everybody comes at once.", "s",
         [(quantile(0.99, "switchboard_admission_wait_seconds", "instance"), "{{instance}}")]),
    ]),
    ("What it uses", [
        ("Processor", "Cores.", "none", [(per_second("process_cpu_seconds_total", "instance"), "{{instance}}")]),
        ("Memory", "", "bytes", [(f"max by (instance) (process_resident_memory_bytes{{{OF}}})", "{{instance}}")]),
        ("Share of the memory for connections", "At 1 nobody new is let in.", "percentunit",
         [(f"max by (instance) (process_resident_memory_bytes{{{OF}}} / (switchboard_memory_bound_bytes{{{OF}}} > 0))",
           "{{instance}}")], 1),
        ("Memory per session", "", "bytes",
         [(f"max by (instance) (process_resident_memory_bytes{{{OF}}})"
           f" / (sum by (instance) (switchboard_sessions{{{OF}}}) > 0)", "{{instance}}")]),
    ]),
    ("Inside", [
        ("Tasks", "", "none", [(f"max by (instance) (switchboard_runtime_tasks{{{OF}}})", "{{instance}}")]),
        ("How long a task waits for a thread", "99 %. Far above a few milliseconds, the node has too little processor time.", "s",
         [(quantile(0.99, "switchboard_runtime_lag_seconds", "instance"), "{{instance}}")]),
        ("Clients that are slowed down", "Pauses in reading those that send too fast.", "cps",
         [(per_second("switchboard_websocket_pauses_total", "instance"), "{{instance}}")]),
    ]),
    ("Presence", [
        ("Users that it vouches for", "", "none",
         [(f"sum by (instance) (switchboard_presence_users{{{OF}}})", "{{instance}}")]),
        ("Users who come and go", "For good: after the grace.", "cps",
         [(per_second("switchboard_presence_transitions_total", "instance, to"), "{{instance}} {{to}}")]),
        ("Age of its lease", "Renewed every two seconds; after six, the others do without it.", "s",
         [(f"time() - (max by (instance) (switchboard_presence_lease_renewed_timestamp_seconds{{{OF}}}) > 0)",
           "{{instance}}")], 6),
    ]),
    ("Polling", [
        ("Sessions that poll", "", "none", [(f"sum by (instance) (switchboard_polling_sessions{{{OF}}})", "{{instance}}")]),
        ("Requests that travelled", "Came to a gateway that does not hold their session.", "cps",
         [(per_second("switchboard_relayed_requests_total", "instance"), "{{instance}}")]),
        ("Not answered in time", "", "cps",
         [(per_second("switchboard_relayed_requests_unanswered_total", "instance"), "{{instance}}")]),
    ]),
]

BACKENDS = [
    ("Redis", [
        ("Away", "1 while a gateway cannot reach it.", "none",
         [(f"max by (instance) (switchboard_bus_away{{{OF}}})", "{{instance}}")]),
        ("Ping, 99 %", "Of each gateway's two connections.", "s",
         [(quantile(0.99, "switchboard_redis_ping_seconds", "line, instance"), "{{instance}} {{line}}")]),
        ("Deaf", "1 while Redis takes what a gateway says to itself, and nothing comes back.", "none",
         [(f"max by (instance) (switchboard_canary_deaf{{{OF}}})", "{{instance}}")]),
        ("What a gateway says to itself, 99 %", "Time until it has come back through Redis.", "s",
         [(quantile(0.99, "switchboard_canary_seconds", "instance"), "{{instance}}")]),
        ("Made anew", "Subscriptions of deaf gateways; and what did not come back, or was not taken.", "cps", [
            (per_second("switchboard_canary_rebuilds_total", "instance"), "{{instance}}"),
            (per_second("switchboard_canary_failures_total", "reason"), "{{reason}}"),
        ]),
        ("Subscriptions", "Channels of connected users.", "none",
         [(f"sum by (instance) (switchboard_bus_subscriptions{{{OF}}})", "{{instance}}")]),
    ]),
    ("After a doubt", [
        ("Doubts", "Reconnections, changes of server, lags.", "cps",
         [(per_second("switchboard_doubts_total", "cause"), "{{cause}}")]),
        ("Time to ask about everybody", "99 %; none where there was no doubt.", "s",
         [(quantile(0.99, "switchboard_cure_seconds", "instance") + " or sum by (instance)"
           f" (switchboard_bus_away{{{OF}}}) * 0", "{{instance}}")]),
        ("Questions that the store did not answer", "", "cps",
         [(per_second("switchboard_audit_failures_total", "instance"), "{{instance}}")]),
    ]),
    ("MongoDB", [
        ("Operations", "", "cps", [(per_second("switchboard_store_mongodb_operation_seconds_count", "operation"),
                                    "{{operation}}")]),
        ("Operations, 50 %", "", "s",
         [(quantile(0.5, "switchboard_store_mongodb_operation_seconds", "operation"), "{{operation}}")]),
        ("Operations, 99 %", "", "s",
         [(quantile(0.99, "switchboard_store_mongodb_operation_seconds", "operation"), "{{operation}}")]),
    ]),
    ("MongoDB's troubles", [
        ("Errors by kind", "", "cps", [(per_second("switchboard_store_mongodb_errors_total", "kind"), "{{kind}}")]),
        ("Operations that nobody waits for", "They were given up and have not ended.", "none",
         [(f"sum by (instance) (switchboard_store_mongodb_abandoned_operations{{{OF}}})", "{{instance}}")]),
        ("Taken places and keys", "Two gateways in one conversation, and repeated sends.", "cps",
         [(per_second("switchboard_store_mongodb_conflicts_total", "on"), "{{on}}")]),
    ]),
    ("Writing together", [
        ("Messages in one insert, 90 %", "", "none",
         [(quantile(0.9, "switchboard_store_mongodb_batch_messages", "instance"), "{{instance}}")]),
        ("Inserts", "", "cps", [(per_second("switchboard_store_mongodb_batch_messages_count", "instance"), "{{instance}}")]),
        ("Another primary", "Elections, as each gateway finds them; sends wait for the new one.", "none",
         [(f"sum by (instance) (increase(switchboard_store_mongodb_primary_moves_total{{{OF}}}[$__rate_interval]))",
           "{{instance}}")]),
    ]),
]

DASHBOARDS = {
    "overview": ("Switchboard: overview", "Latency, traffic, errors, saturation.", OVERVIEW),
    "message": ("Switchboard: one message's way", "From the sender's frame to the receiver's socket, stage by stage.", MESSAGE),
    "nodes": ("Switchboard: nodes", "Each gateway by itself.", NODES),
    "backends": ("Switchboard: MongoDB and Redis as we see them", "What gateways wait for.", BACKENDS),
}


def panel(number, place, title, about, unit, queries, limit=None):
    steps = [{"color": "green", "value": None}] + ([{"color": "red", "value": limit}] if limit else [])
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "description": about,
        "datasource": PROMETHEUS,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "min": 0,
                "custom": {"fillOpacity": 10, "thresholdsStyle": {"mode": "line" if limit else "off"}},
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": PROMETHEUS, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(queries)
        ],
    }


def dashboard(name, title, about, rows):
    panels, number, line = [], 0, 0
    for heading, content in rows:
        number += 1
        place = {"x": 0, "y": line, "w": WIDTH * ACROSS, "h": 1}
        panels.append({"id": number, "type": "row", "title": heading, "collapsed": False, "gridPos": place, "panels": []})
        line += 1
        for column, each in enumerate(content):
            number += 1
            down, across = divmod(column, ACROSS)
            place = {"x": across * WIDTH, "y": line + down * HEIGHT, "w": WIDTH, "h": HEIGHT}
            panels.append(panel(number, place, *each))
        line += HEIGHT * -(-len(content) // ACROSS)
    chosen = {
        "name": "instance",
        "label": "Gateway",
        "type": "query",
        "datasource": PROMETHEUS,
        "query": 'label_values(up{job="switchboard"}, instance)',
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
    links = [{"type": "dashboards", "title": "Switchboard", "tags": ["switchboard"], "asDropdown": False, "icon": "external link",
              "includeVars": True, "keepTime": True, "targetBlank": False, "tooltip": "", "url": ""}]
    return {
        "uid": f"switchboard-{name}",
        "title": title,
        "description": about,
        "tags": ["switchboard"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [chosen]},
        "annotations": {"list": []},
        "links": links,
        "panels": panels,
    }


def main():
    files = {
        HERE / f"{name}.json": json.dumps(dashboard(name, *rest), indent=2, ensure_ascii=False) + "\n"
        for name, rest in DASHBOARDS.items()
    }
    stale = [path for path, wanted in files.items() if not path.exists() or path.read_text() != wanted]
    if "--check" in sys.argv and stale:
        sys.exit("not as deploy/grafana/dashboards.py makes them: " + ", ".join(path.name for path in stale))
    HERE.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(files[path])


main()
