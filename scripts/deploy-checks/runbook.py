"""Holds the alerts against the sections of docs/runbook.md: one for each, in the same order, which says whether it wakes
somebody, and no other; and every link inside it leads somewhere.

usage: runbook.py
"""

import pathlib
import re
import sys

import yaml

RULES = pathlib.Path("deploy/prometheus/rules.yml")
RUNBOOK = pathlib.Path("docs/runbook.md")


def main():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"]: rule["labels"]["severity"] for group in groups for rule in group["rules"] if "alert" in rule}
    text = RUNBOOK.read_text()
    sections = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    faults = [f"{name} has no section in docs/runbook.md" for name in alerts if name not in sections]
    faults += [f"docs/runbook.md has a section {name}, and there is no such alert" for name in sections if name not in alerts]
    if not faults and list(sections) != list(alerts):
        faults.append("docs/runbook.md has its sections in another order than rules.py its alerts")
    for name, section in sections.items():
        if not section.startswith(f"{alerts.get(name, '').capitalize()}. "):
            faults.append(f"docs/runbook.md: {name} is a {alerts.get(name)}, and its section does not begin by saying so")
    anchors = {name.lower() for name in sections}
    for anchor in re.findall(r"\]\(#([^)]*)\)", text):
        if anchor not in anchors:
            faults.append(f"docs/runbook.md: there is no section #{anchor}")
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        if not (RUNBOOK.parent / path).exists():
            faults.append(f"docs/runbook.md: there is no {path}")
    for fault in faults:
        print(f"FAILED  {fault}")
    if faults:
        sys.exit(1)
    print(f"{len(alerts)} alerts, each with its section")


main()
