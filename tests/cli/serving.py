# SPDX-License-Identifier: Apache-2.0
"""A running `strata serve`, for the tests that ask it."""
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import time
from pathlib import Path

from harness import STRATA


class Server:
    """A server that is being run; `port` is where."""

    def __init__(self, model, environment, *arguments):
        self.process = subprocess.Popen([STRATA, "serve", str(model), "--port", "0", *map(str, arguments)],
                                        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.line = self.process.stdout.readline().decode()
        if not self.line.startswith("listening on http://"):
            raise AssertionError(f"{self.line!r} {self.process.communicate()[1][-500:]!r}")
        self.port = int(self.line.rsplit(":", 1)[1])

    def connect(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, path, body=None, headers=None, method=None):
        """(status, what was answered: JSON where it is)"""
        connection = self.connect()
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        connection.request(method or ("GET" if body is None else "POST"), path, data, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        is_json = response.headers.get("Content-Type") == "application/json" and content
        return response.status, json.loads(content) if is_json else content

    def events(self, path, body):
        """The events of a stream as they come."""
        connection = self.connect()
        connection.request("POST", path, json.dumps(body | {"stream": True}))
        response = connection.getresponse()
        assert response.status == 200, response.read()
        for line in response:
            if line.startswith(b"data: ") and line != b"data: [DONE]\n":
                yield json.loads(line[6:].decode("utf8", "strict"))  # no character is cut
        connection.close()

    def raw(self, data):
        """(status, body) of the answer to these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
            response = http.client.HTTPResponse(connection, method="HEAD" if data.startswith(b"HEAD") else None)
            response.begin()
            return response.status, response.read()

    def metric(self, name):
        for line in self.ask("/metrics")[1].decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(name)

    def wait_for(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("it did not come to that")
            time.sleep(0.01)

    def resident_kib(self):
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors.decode()
