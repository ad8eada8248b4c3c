"""Looks at one panel of a dashboard as an operator would, until a line of it whose legend is LEGEND (a regular expression)
says what it should; fails if none does in time, and says what they said instead.

usage: panel.py PROMETHEUS DASHBOARD.json TITLE LEGEND <|=|> VALUE SECONDS
"""

import json
import operator
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

# In place of Grafana's variables, as in queries.py.
VARIABLES = {"$__rate_interval": "10s", "$__interval": "2s", "$__range": "60s", "$instance": ".*"}
COMPARE = {"<": operator.lt, "=": operator.eq, ">": operator.gt}
PAUSE_SECONDS = 0.3


def lines(server, target):
    """Legend and value of each line that a query of a panel draws now."""
    query = target["expr"]
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    url = f"http://{server}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        found = json.load(answer)["data"]["result"]
    for each in found:
        legend = re.sub(r"\{\{(\w+)\}\}", lambda name: each["metric"].get(name[1], ""), target["legendFormat"])
        yield legend, float(each["value"][1])


def main(server, path, title, legend, compare, value, seconds):
    panels = json.loads(pathlib.Path(path).read_text())["panels"]
    panel = next((each for each in panels if each["title"] == title and each["type"] != "row"), None)
    if panel is None:
        sys.exit(f"FAILED  {path} has no panel {title}")
    deadline = time.monotonic() + float(seconds)
    while True:
        drawn = [line for target in panel["targets"] for line in lines(server, target)]
        right = [line for line in drawn if re.fullmatch(legend, line[0]) and COMPARE[compare](line[1], float(value))]
        if right:
            print(f"{title}: {right[0][0]} {right[0][1]:.3g}")
            return
        if time.monotonic() > deadline:
            sys.exit(f"FAILED  {title}: no line {legend} is {compare} {value}, but {drawn}")
        time.sleep(PAUSE_SECONDS)


main(*sys.argv[1:])
