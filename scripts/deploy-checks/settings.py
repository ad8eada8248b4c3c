"""The settings that a gateway knows, read from the one table of them."""

import pathlib
import re

TABLE = pathlib.Path("src/config/settings.rs")
PREFIX = "SWITCHBOARD_"


def known():
    """Every variable, and for those that may come from a file, also that one."""
    rows = re.findall(r"^ {4}([A-Z_]+): (Plain|Switch|Document|Secret) ", TABLE.read_text(), re.MULTILINE)
    names = {PREFIX + name for name, _ in rows}
    return names | {f"{PREFIX}{name}_FILE" for name, sort in rows if sort in ("Document", "Secret")}


def unknown(names):
    return sorted(name for name in names if name.startswith(PREFIX) and name not in known())


def seconds(text):
    """Of a time in the way of Compose: 30s, 1m30s."""
    parts = re.findall(r"(\d+)([smh])", text)
    return sum(int(number) * {"s": 1, "m": 60, "h": 3600}[unit] for number, unit in parts)


def is_pinned(image):
    """To a release that does not move, or built here. Digests are for whoever reaches the registries: what they are could not be
    looked up where this was made."""
    return bool(re.search(r":(v?\d+\.\d+\.\d+|local)$|@sha256:[0-9a-f]{64}$", image))
