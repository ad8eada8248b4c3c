"""A backend that is willing to talk any protocol that it is asked to change to: 101 to whoever brings an upgrade, 200 to all
others. What a proxy in front of it lets through is seen by that.

usage: willing.py PORT
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Willing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        wanted = self.headers.get("Upgrade")
        self.send_response(101 if wanted else 200)
        if wanted:
            self.send_header("Upgrade", wanted)
            self.send_header("Connection", "upgrade")
        else:
            self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Willing).serve_forever()
