# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium for tests of pages, driven by chromedriver (Debian: chromium, chromium-driver)."""
import base64
import json
import shutil
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

needs_browser = unittest.skipUnless(shutil.which("chromedriver"), "chromedriver is not installed")


class Browser:
    """WebDriver, as far as the tests need it."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.wait(self.is_ready)
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1000,700",
                            "--hide-scrollbars"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = f"/session/{self.call('/session', {'capabilities': {'alwaysMatch': wanted}})['sessionId']}"

    def is_ready(self):
        try:
            return self.call("/status")["ready"]
        except urllib.error.URLError:
            return False

    def call(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["value"]

    def open(self, url):
        self.call(self.session + "/url", {"url": url})

    def run(self, script, *arguments):
        return self.call(self.session + "/execute/sync", {"script": script, "args": arguments})

    def type(self, selector, text):
        self.call(f"{self.session}/element/{self.element(selector)[ELEMENT]}/value", {"text": text})

    def element(self, selector):
        found = self.call(self.session + "/element", {"using": "css selector", "value": selector})
        return {ELEMENT: found[ELEMENT]}

    def click(self, selector):
        self.call(f"{self.session}/element/{self.element(selector)[ELEMENT]}/click", {})

    def hover(self, selector):
        move = {"type": "pointerMove", "duration": 0, "origin": self.element(selector), "x": 0, "y": 0}
        self.call(self.session + "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [move]}]})

    def control(self, command, **parameters):
        """A command of Chrome's DevTools protocol."""
        self.call(self.session + "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width, height=900):
        self.control("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                     mobile=False)

    def screenshot(self):
        return base64.b64decode(self.call(self.session + "/screenshot"))

    def complaints(self):
        return [entry["message"] for entry in self.call(self.session + "/se/log", {"type": "browser"})]

    @staticmethod
    def wait(condition, seconds=30):
        end = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError("it did not come to that")
            time.sleep(0.05)
        return value

    def wait_for(self, expression):
        return self.wait(lambda: self.run(f"return {expression}"))

    def close(self):
        self.call(self.session, method="DELETE")
        self.driver.terminate()
        self.driver.wait()
