"""A small web server that greets NAME, in nothing but the standard library."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.environ.get("NAME", "world")
PORT = int(os.environ.get("PORT", "8080"))


class Greeting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"Hello, {NAME}!\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"greeting {NAME} on port {PORT}", flush=True)
    ThreadingHTTPServer(("0.0.0.0", PORT), Greeting).serve_forever()
