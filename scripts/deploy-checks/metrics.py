"""Writes docs/metrics.md from what nodes serve at /metrics; with --check (the default) fails if it is not what would be
written, if a metric has no description, or if a label could hold something of a user.

usage: metrics.py [--write] METRICS...
"""

import pathlib
import re
import sys

TABLE = pathlib.Path("docs/metrics.md")
HEAD = """# Metrics

What a gateway tells at `/metrics` on the operators' address. Made from what nodes serve by
`scripts/deploy-checks/metrics.py`; not edited by hand. No label ever holds a user, a conversation or an address.

A histogram `x_seconds` is served as `x_seconds_bucket`, `_sum` and `_count`; its buckets go from 0.5 ms to 10 s.

| Metric | Kind | Labels | What it is |
|---|---|---|---|
"""
SERIES = re.compile(r"^([a-z_]+?)(?:\{(.*)\})? [^ ]+$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
LABELS = {
    "cause", "code", "door", "kind", "line", "on", "operation", "outcome", "path", "reason", "resumed", "route", "stage", "to",
    "verdict", "version",
}
# With more values than this, a label's are not listed.
VALUES = 6


def gather(paths):
    helps, kinds, labels = {}, {}, {}
    for path in paths:
        for line in pathlib.Path(path).read_text().splitlines():
            if line.startswith("# HELP "):
                _, _, name, text = line.split(" ", 3)
                helps[name] = text
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ", 3)
                kinds[name] = kind
                labels.setdefault(name, {})
            elif found := SERIES.match(line):
                name = re.sub(r"_(bucket|sum|count)$", "", found[1]) if found[1] not in kinds else found[1]
                for label, value in LABEL.findall(found[2] or ""):
                    if label != "le":
                        labels.setdefault(name, {}).setdefault(label, set()).add(value)
    return helps, kinds, labels


def shown(label, values):
    if label == "version" or len(values) > VALUES:
        return f"`{label}`"
    return f"`{label}`: {', '.join(sorted(values))}"


def main(arguments):
    write = "--write" in arguments
    helps, kinds, labels = gather([each for each in arguments if not each.startswith("--")])
    faults = [f"{name} has no description" for name in kinds if name not in helps]
    faults += [
        f"{name} has the label {label}, which scripts/deploy-checks/metrics.py does not know to be harmless"
        for name, each in labels.items() for label in each if label not in LABELS
    ]
    rows = [
        f"| `{name}` | {kinds[name]} | {'; '.join(shown(*each) for each in sorted(labels[name].items()))} | {helps.get(name, '')} |"
        for name in sorted(kinds)
    ]
    table = HEAD + "\n".join(rows) + "\n"
    if write:
        TABLE.write_text(table)
    elif not TABLE.exists() or TABLE.read_text() != table:
        kept = set(TABLE.read_text().splitlines()) if TABLE.exists() else set()
        new = [row for row in rows if row not in kept]
        gone = [row for row in kept if row.startswith("| `") and row not in rows]
        faults.append("docs/metrics.md is not what nodes serve; new or changed:\n" + "\n".join(new) + "\ngone:\n" + "\n".join(gone))
    for fault in faults:
        print(f"FAILED  {fault}")
    if faults:
        sys.exit(1)
    print(f"{len(kinds)} metrics, each described, as docs/metrics.md says")


main(sys.argv[1:])
