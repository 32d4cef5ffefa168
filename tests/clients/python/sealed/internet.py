"""All of the internet that the checks of `sealed/` have: run in a network of its own,
of which the interface `there` is the only way in.

Once it is told, by a line on standard input, that the interface is here, it serves one
image at every address, and redirects `/to/…` to the rest of the path. Each path that it
is asked for goes to standard error.
"""

import base64
import http.server
import subprocess
import sys

PUBLIC = "1.2.3.4"
METADATA = "169.254.169.254"
CHECKS = "10.0.0.1"

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)


class Images(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, file=sys.stderr, flush=True)
        redirect = self.path.startswith("/to/")
        self.send_response(302 if redirect else 200)
        if redirect:
            self.send_header("Location", self.path.removeprefix("/to/"))
        body = b"" if redirect else PNG
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def ip(command):
    subprocess.run(["ip", *command.split()], check=True)


def main():
    print("in a network of its own", flush=True)
    sys.stdin.readline()
    ip("link set there up")
    ip(f"address add {PUBLIC}/32 dev there")
    ip(f"address add {METADATA}/32 dev there")
    ip(f"route add {CHECKS} dev there")
    server = http.server.ThreadingHTTPServer(("", 80), Images)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
