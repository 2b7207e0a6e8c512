# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium for tests of pages (Debian: chromium), spoken to by its DevTools protocol through a pipe."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import unittest

TIMEOUT_S = 60
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,700",
             "--remote-debugging-pipe", "about:blank"]

needs_browser = unittest.skipUnless(shutil.which("chromium"), "chromium is not installed")


def high_pipe():
    """Whose ends are none of those that the browser wants, 3 and 4."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
    return ends


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="strata-browser-")
        commands, self.to = high_pipe()
        self.back, answers = high_pipe()

        def give_pipes():
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        self.process = subprocess.Popen(["chromium", f"--user-data-dir={self.folder}", *ARGUMENTS], pass_fds=(3, 4),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=give_pipes)
        os.close(commands)
        os.close(answers)
        self.count, self.rest, self.said, self.session = 0, b"", [], None
        page = self.wait(lambda: [one for one in self.control("Target.getTargets")["targetInfos"]
                                  if one["type"] == "page"])[0]
        self.session = self.control("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.control(f"{domain}.enable")

    def receive(self):
        """The next message; complaints of the page are kept."""
        while b"\0" not in self.rest:
            if not select.select([self.back], [], [], TIMEOUT_S)[0]:
                raise AssertionError("the browser does not answer")
            part = os.read(self.back, 1 << 20)
            if not part:
                raise AssertionError("the browser has ended")
            self.rest += part
        text, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(text)
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.said.append(json.dumps(parameters["exceptionDetails"]))
        if message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("warning", "error"):
            self.said.append(parameters["entry"]["text"])
        return message

    def control(self, method, **parameters):
        """A command of the protocol, and its answer."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while (answer := self.receive()).get("id") != self.count:
            pass
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def run(self, script, *arguments):
        call = f"(function () {{ {script}\n}}).apply(null, {json.dumps(arguments)})"
        answer = self.control("Runtime.evaluate", expression=call, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"].get("exception", {}).get("description"))
        return answer["result"].get("value")

    def open(self, url):
        self.control("Page.navigate", url=url)
        self.wait_for("document.readyState == 'complete'")

    def reload(self):
        self.run("window.isOld = true")
        self.control("Page.reload")

        def is_new():
            try:
                return self.run("return !window.isOld && document.readyState == 'complete'")
            except AssertionError:  # the old page went in between
                return False
        self.wait(is_new)

    def resize(self, width, height=900):
        self.control("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                     mobile=False)

    def middle(self, selector):
        """Of an element that is brought into view."""
        return self.run("""const one = document.querySelector(arguments[0]);
            one.scrollIntoView({block: "center", behavior: "instant"});
            const box = one.getBoundingClientRect();
            return {x: box.x + box.width / 2, y: box.y + box.height / 2};""", selector)

    def hover(self, selector):
        self.control("Input.dispatchMouseEvent", type="mouseMoved", **self.middle(selector))

    def click(self, selector):
        where = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.control("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)

    def type(self, selector, text):
        """A line's end is the key Enter."""
        self.run("document.querySelector(arguments[0]).focus()", selector)
        for number, line in enumerate(text.split("\n")):
            if number:
                key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
                self.control("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
                self.control("Input.dispatchKeyEvent", type="keyUp", **key)
            if line:
                self.control("Input.insertText", text=line)

    def screenshot(self):
        return base64.b64decode(self.control("Page.captureScreenshot")["data"])

    def complaints(self):
        """Of the page, since the last call: errors and warnings."""
        self.run("")
        said, self.said = self.said, []
        return said

    @staticmethod
    def wait(condition, seconds=30):
        end = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError("it did not come to that")
            time.sleep(0.05)
        return value

    def wait_for(self, expression):
        return self.wait(lambda: self.run(f"return Boolean({expression})"))

    def close(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)
        shutil.rmtree(self.folder, ignore_errors=True)
