# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of a store that does what networks and bad stores do. `with Proxy(endpoint) as proxy:` then proxy.endpoint.

Clients see the store through it, under its own name (the Host header goes through, so signatures hold when the client signs for the
proxy's address). What it is to do comes as the body of PUT /.fault: `FAULT METHOD COUNT [ARGUMENT]`, the next COUNT requests of METHOD
(or `any`). GET /.fault says how many of them have come. Faults:
  status N      answer N (503 SlowDown, 500 InternalError, …) without asking the store
  lost          pass the request on, then close without an answer
  refuse        close without passing it on
  cut           half of the answer's body, then close
  short         a Content-Length and a body that are one byte less than the store's
  flip          one bit of the answer's body is another
  flip-sent     one bit of the request's body is another
  etag          another ETag than the store's
  slow MS       wait before passing it on
  skew SECONDS  403 RequestTimeTooSkewed with a Date that is off
  repeat        the answer to the last GET again
  skip          a page of a listing lacks every second of its keys
  expired       400 ExpiredToken"""
import email.utils
import http.client
import random
import re
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler

CODES = {503: "SlowDown", 500: "InternalError", 403: "AccessDenied", 400: "ExpiredToken", 429: "TooManyRequests"}


def flipped(body):
    at = random.randrange(len(body)) if body else 0
    return body[:at] + bytes([body[at] ^ 4]) + body[at + 1:] if body else body


def skipped(body):
    """A listing without every second <Contents>."""
    entries = re.findall(rb"<Contents>.*?</Contents>", body, re.S)
    for entry in entries[::2]:
        body = body.replace(entry, b"")
    return body


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/.fault":
            self.answer(200, [], self.server.proxy.control(self.command, body.decode()))
            return
        fault, argument = self.server.proxy.take(self.command)
        if fault in ("status", "skew", "expired"):
            self.make_up(fault, argument)
        elif fault == "refuse":
            self.hang_up()
        elif fault == "repeat" and self.server.proxy.last:
            self.answer(*self.server.proxy.last)
        else:
            if fault == "slow":
                time.sleep(argument / 1000)
            self.spoil(fault, *self.ask(flipped(body) if fault == "flip-sent" else body))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    def ask(self, body):
        """The store's answer: status, headers, body."""
        connection = http.client.HTTPConnection(self.server.proxy.host, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        read = answer.read()
        headers = [(n, v) for n, v in answer.getheaders() if n.lower() not in ("transfer-encoding", "connection", "content-length")]
        length = answer.getheader("Content-Length")
        connection.close()
        if self.command == "HEAD" and length is not None:
            headers.append(("Content-Length", length))
        if self.command == "GET":
            self.server.proxy.last = (answer.status, headers, read)
        return answer.status, headers, read

    def spoil(self, fault, status, headers, body):
        if fault == "etag":
            headers = [(n, '"0123456789abcdef0123456789abcdef"' if n.lower() == "etag" else v) for n, v in headers]
        if fault == "lost":
            self.hang_up()
        elif fault == "cut":
            self.answer(status, headers, body, send=len(body) // 2)
            self.hang_up()
        else:
            self.answer(status, headers, {"flip": flipped, "short": lambda b: b[:-1], "skip": skipped}.get(fault, bytes)(body))

    def make_up(self, fault, argument):
        status = {"skew": 403, "expired": 400}.get(fault, argument)
        code = {"skew": "RequestTimeTooSkewed", "expired": "ExpiredToken"}.get(fault, CODES.get(argument, "InternalError"))
        date = email.utils.formatdate(time.time() + (argument if fault == "skew" else 0), usegmt=True)
        self.answer(status, [("Date", date), ("x-amz-request-id", "made-up")],
                    f"<Error><Code>{code}</Code><Message>made up</Message></Error>".encode())

    def answer(self, status, headers, body, send=None):
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Unknown')}"] + [f"{n}: {v}" for n, v in headers]
        if not any(n == "Content-Length" for n, _ in headers) and status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        if self.command != "HEAD":
            self.wfile.write(body[:send])

    def hang_up(self):
        self.close_connection = True


class Threads(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 64


class Proxy:
    def __init__(self, endpoint):
        self.host = re.fullmatch(r"http://(.*)", endpoint)[1]
        self.lock = threading.Lock()
        self.rule, self.came, self.last = None, 0, None

    def __enter__(self):
        self.server = Threads(("127.0.0.1", 0), Handler)
        self.server.proxy = self
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def control(self, method, text):
        with self.lock:
            if method == "PUT":
                fault, wanted, count, *argument = text.split()
                self.rule = [fault, wanted, int(count), int(argument[0]) if argument else 0]
                self.came = 0
            return str(self.came).encode()

    def take(self, method):
        """What is to be done to this request: (fault or None, argument)."""
        with self.lock:
            rule = self.rule
            if not rule or rule[2] == 0 or rule[1] not in (method, "any"):
                return None, 0
            rule[2] -= 1
            self.came += 1
            return rule[0], rule[3]
