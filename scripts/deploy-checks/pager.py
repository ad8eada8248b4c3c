"""Stands for whoever is paged: takes Alertmanager's webhooks and writes a line for each alert: `page NodeDown firing`, the
gateway that it is about or `-`, and when it came.

usage: pager.py PORT FILE
"""

import json
import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


class Pager(BaseHTTPRequestHandler):
    def do_POST(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lines.open("a") as lines:
            for alert in said["alerts"]:
                labels = alert["labels"]
                where = labels.get("instance", "-")
                lines.write(f"{self.path.strip('/')} {labels['alertname']} {alert['status']} {where} {time.time():.3f}\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Pager)
server.lines = pathlib.Path(sys.argv[2])
server.lines.touch()
server.serve_forever()
