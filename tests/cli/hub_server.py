# SPDX-License-Identifier: Apache-2.0
"""A server on loopback that speaks as much of the Hub's protocol as `strata pull` uses, and can misbehave."""
import hashlib
import http.server
import json
import socket
import threading


class Hub:
    """One repository, Org/Name. `faults` are words: cut, damaged, escape, html, large, no range, small."""

    def __init__(self, files, large=()):
        self.files = dict(files)  # path: bytes
        self.large = set(large)
        self.revision = "a" * 40
        self.faults = set()
        self.cut_at = 0  # bytes of each answer with content, where "cut" is among the faults
        self.requests = []  # (path, headers)
        self.token = None  # that is wanted
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                hub.requests.append((self.path, dict(self.headers)))
                hub.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)  # where redirections lead
        self.other.daemon_threads = True
        for server in (self.server, self.other):
            server.handle_error = lambda *_: None  # a client that has gone
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self):
        for server in (self.server, self.other):
            server.shutdown()
            server.server_close()

    def digest(self, path):
        content = self.files[path]
        if path in self.large:
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def description(self):
        siblings = []
        for path, content in self.files.items():
            size = len(content) + (7 if "small" in self.faults else -1 if "large" in self.faults else 0)
            entry = {"rfilename": path, "size": size, "blobId": self.digest(path)}
            if path in self.large:
                entry["blobId"] = "b" * 40
                entry["lfs"] = {"sha256": self.digest(path), "size": size, "pointerSize": 130}
            siblings.append(entry)
        if "escape" in self.faults:
            siblings.append({"rfilename": "../../evil", "size": 1, "blobId": "c" * 40})
        return json.dumps({"id": "Org/Name", "sha": self.revision, "siblings": siblings}).encode()

    def answer(self, request):
        if self.token and request.server is self.server and \
                request.headers.get("Authorization") != f"Bearer {self.token}":
            return self.send(request, 401, b"no")
        if request.path.startswith("/api/models/Org/Name/revision/main"):
            body = b"<html>" if "html" in self.faults else self.description()
            return self.send(request, 200, body)
        prefix = f"/Org/Name/resolve/{self.revision}/"
        path = request.path.removeprefix(prefix)
        if not request.path.startswith(prefix) or path not in self.files:
            return self.send(request, 404, b"nothing")
        if path in self.large and request.server is self.server:
            request.send_response(302)
            request.send_header("Location", f"http://localhost:{self.other.server_port}{request.path}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return None
        return self.content(request, self.files[path])

    def content(self, request, content):
        if "damaged" in self.faults:
            content = content[:-1] + b"\0"
        begin, status = 0, 200
        if "Range" in request.headers and "no range" not in self.faults:
            begin, status = int(request.headers["Range"].removeprefix("bytes=").rstrip("-")), 206
        if begin > len(content):
            return self.send(request, 416, b"")
        part = content[begin:]
        request.send_response(status)
        request.send_header("Content-Length", str(len(part)))
        if status == 206:
            request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        if "cut" in self.faults and len(part) > self.cut_at:
            request.wfile.write(part[:self.cut_at])
            request.wfile.flush()
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
        else:
            request.wfile.write(part)
        return None

    @staticmethod
    def send(request, status, body):
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
