"""Asks a running Prometheus everything that dashboards and rules would ask it. A query that finds nothing, or NaN, is one
that an operator would look at in vain: most often a name that no gateway uses any more.

usage: queries.py PROMETHEUS RULES.yml SECONDS DASHBOARD.json...

Rates need time: what finds nothing is asked again until SECONDS have passed. Alerts find nothing as long as all is well, so
of them every metric that they name is asked for instead.
"""

import json
import math
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

import yaml

# In place of Grafana's variables: the rate interval is four scrapes, divided like everything else in a live test.
VARIABLES = {"$__rate_interval": "10s", "$__interval": "2s", "$__range": "60s", "$instance": ".*"}
SELECTOR = re.compile(r"\b(?:switchboard[:_]|process_|up\b)[\w:]*(?:\{[^}]*\})?")


def ask(server, path, **arguments):
    url = f"http://{server}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as refused:
        sys.exit(f"FAILED  Prometheus refuses {arguments}: {json.load(refused).get('error')}")


def fault(server, query):
    """What is wrong with what a query finds now; none if nothing is."""
    found = ask(server, "query", query=query)["result"]
    if not found:
        return "finds nothing"
    if any(math.isnan(float(each["value"][1])) for each in found):
        return "finds NaN"
    return None


def of_dashboard(path):
    dashboard = json.loads(pathlib.Path(path).read_text())
    panels = [inner for panel in dashboard["panels"] for inner in [panel, *panel.get("panels", [])]]
    numbers = [panel["id"] for panel in panels]
    if len(set(numbers)) != len(numbers):
        sys.exit(f"FAILED  {path}: two panels have one id")
    for panel in panels:
        for target in panel.get("targets", []):
            query = target["expr"]
            for variable, value in VARIABLES.items():
                query = query.replace(variable, value)
            yield f"{dashboard['title']} / {panel['title']}", query
    for variable in dashboard["templating"]["list"]:
        label, series = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]).group(2, 1)
        yield f"{dashboard['title']} / ${variable['name']}", f"count by ({label}) ({series})"


def of_rules(path):
    for group in yaml.safe_load(pathlib.Path(path).read_text())["groups"]:
        for rule in group["rules"]:
            if "record" in rule:
                yield rule["record"], rule["record"]
                yield rule["record"], rule["expr"]
            else:
                for selector in SELECTOR.findall(rule["expr"]):
                    yield rule["alert"], selector


def main(server, rules, seconds, *dashboards):
    queries = [*of_rules(rules), *(query for path in dashboards for query in of_dashboard(path))]
    waiting = {query: name for name, query in queries}
    faults, deadline = {}, time.monotonic() + int(seconds)
    while waiting:
        faults = {query: fault(server, query) for query in waiting}
        waiting = {query: name for query, name in waiting.items() if faults[query]}
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    for query, name in waiting.items():
        print(f"FAILED  {name}: {query} {faults[query]}")
    if waiting:
        sys.exit(1)
    print(f"{len(queries)} queries of dashboards and rules all find something")


main(*sys.argv[1:])
