"""Stands for the issuer of tokens: publishes one key of the tests, as a JWK set, and writes tokens for so many users, each on a
line after the user, as the load generator reads them.

usage: issuer.py PORT USERS FILE
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

KEY = pathlib.Path("tests/fixtures/keys/ed25519.pub.pem")
SECRET = pathlib.Path("tests/fixtures/keys/ed25519.pem")
# What is left of the DER of such a key is the key itself.
BYTES = 32
GOOD_SECONDS = 3_600


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def published():
    der = base64.b64decode("".join(KEY.read_text().splitlines()[1:-1]))
    x = encoded(der[-BYTES:])
    return json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "1", "x": x}]}).encode()


def signed(text):
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        command = ["openssl", "pkeyutl", "-sign", "-inkey", SECRET, "-rawin", "-in", file.name]
        return subprocess.run(command, check=True, capture_output=True).stdout


def token(user):
    parts = [{"alg": "EdDSA", "kid": "1"}, {"id": user, "exp": int(time.time()) + GOOD_SECONDS}]
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return f"{text}.{encoded(signed(text))}"


class Issuer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(published())

    def log_message(self, *_):
        pass


def main(port, users, path):
    server = HTTPServer(("127.0.0.1", int(port)), Issuer)
    names = [f"guest{number}" for number in range(int(users))]
    pathlib.Path(path).write_text("".join(f"{name} {token(name)}\n" for name in names))
    server.serve_forever()


main(*sys.argv[1:])
