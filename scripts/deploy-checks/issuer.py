"""Stands for the issuer of tokens: publishes one key of the tests, as a JWK set.

usage: issuer.py PORT
"""

import base64
import json
import pathlib
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

KEY = pathlib.Path("tests/fixtures/keys/ed25519.pub.pem")
# What is left of the DER of such a key is the key itself.
BYTES = 32


def published():
    der = base64.b64decode("".join(KEY.read_text().splitlines()[1:-1]))
    x = base64.urlsafe_b64encode(der[-BYTES:]).decode().rstrip("=")
    return json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "1", "x": x}]}).encode()


class Issuer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(published())

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Issuer).serve_forever()
