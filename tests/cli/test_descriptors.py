# SPDX-License-Identifier: Apache-2.0
"""Standard descriptors that are closed, full or broken: nothing hangs, no text is lost with exit code 0."""
import os
import pty
import resource
import signal
import subprocess
import unittest

from harness import DEMO, STRATA, StrataTest

ALL = (0, 1, 2)
TIMEOUT_S = 120


class DescriptorsTest(StrataTest):
    optimises = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()
        cls.ir = cls.work / "small.ir"
        cls.ir.write_text("module m {\n  func @f(%x: f32[4, 8]) {\n    %0 = add(%x, %x) : f32[4, 8]\n"
                          "    return %0\n  }\n}\n")
        cls.text = cls.work / "text.txt"
        cls.text.write_text("In the beginning God created the heaven and the earth. " * 8)
        cls.messages = cls.work / "messages.json"
        cls.messages.write_text('{"messages": [{"role": "user", "content": "Hi"}]}')
        cls.package = cls.work / "model.strata"
        assert cls.strata("compile", cls.model, "-o", cls.package).code == 0

    @property
    def readers(self):
        """Commands that take their text from standard input."""
        return [["tokenize", self.model], ["tokenize", self.model, "--jsonl", "-"], ["detokenize", self.model],
                ["detokenize", self.model, "--jsonl", "-"], ["template", self.model],
                ["template", self.model, "--jsonl", "-"], ["run", self.package, "-n", 2],
                ["chat", self.package, "-n", 2], ["perplexity", self.package, "-f", "-", "-c", 16], ["opt", "-"]]

    @property
    def writers(self):
        """Every command that has something to say on standard output."""
        return [["--help"], ["--version"], ["tokenize", self.model, "--text", "Hi"],
                ["detokenize", self.model, "--tokens", "1,2"], ["template", self.model, "-f", self.messages],
                ["run", self.package, "-p", "Hi", "-n", 2], ["info", self.model], ["info", self.package],
                ["opt", self.ir], ["perplexity", self.package, "-f", self.text, "-c", 16], ["explain", self.package],
                ["bench", self.package, "-p", 2, "-n", 2, "-r", 1]]

    def with_closed(self, closed, arguments, **options):
        """Runs the program with some of descriptors 0 to 2 closed."""
        def close():
            for descriptor in closed:
                os.close(descriptor)
        streams = {0: "stdin", 1: "stdout", 2: "stderr"}
        given = {streams[d]: subprocess.PIPE for d in ALL if d not in closed and d > 0} | options
        given.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([STRATA, *map(str, arguments)], env=self.environment(), preexec_fn=close, **given)
        out, err = process.communicate(timeout=TIMEOUT_S)
        return process.returncode, out or b"", (err or b"").decode()

    def assert_one_line(self, code, err, want):
        self.assertEqual(code, want, err)
        self.assertEqual(err.count("strata: error: "), 1, err)

    def test_closed_input(self):
        for arguments in self.readers:
            with self.subTest(" ".join(map(str, arguments))):
                code, out, err = self.with_closed([0], [*arguments, "-q"])
                self.assert_one_line(code, err, 2)
                self.assertIn("standard input", err)
                self.assertEqual(out, b"")

    def test_closed_output(self):
        for arguments in self.writers:
            with self.subTest(" ".join(map(str, arguments))):
                code, _, err = self.with_closed([1], arguments)
                self.assert_one_line(code, err, 5)
                self.assertIn("standard output", err)

    def test_all_closed(self):
        for arguments in self.writers:
            with self.subTest(" ".join(map(str, arguments))):
                self.assertEqual(self.with_closed(ALL, arguments)[0], 5)

    def test_closed_errors_lose_the_messages_only(self):
        code, out, _ = self.with_closed([2], ["run", self.model, "-p", "Hi", "-n", 2, "--temp", 0])
        self.assertEqual((code, out), (0, self.strata("run", self.model, "-p", "Hi", "-n", 2, "--temp", 0).out))

    def test_files_do_not_land_on_the_closed_ones(self):
        package = self.work / "closed.strata"
        for closed in ([0], [1], [2], ALL):
            package.unlink(missing_ok=True)
            self.assertEqual(self.with_closed(closed, ["compile", self.model, "-o", package])[0], 0)
            self.assertEqual(package.read_bytes(), self.package.read_bytes())
            logits = self.work / "closed.npy"
            self.assertEqual(self.with_closed(closed, ["logits", package, "--tokens", "1,2", "-o", logits])[0], 0)
            self.assertEqual(logits.read_bytes()[:6], b"\x93NUMPY")

    def test_full_output(self):
        for arguments in self.writers:
            with self.subTest(" ".join(map(str, arguments))), open("/dev/full", "wb") as full:
                code, _, err = self.with_closed([], arguments, stdout=full)
                self.assert_one_line(code, err, 5)

    def test_output_larger_than_files_may_be(self):
        """SIGXFSZ: no death without a word."""
        for arguments in self.writers[2:]:
            with self.subTest(" ".join(map(str, arguments))), open(self.work / "limited", "wb") as output:
                process = subprocess.run([STRATA, *map(str, arguments)], env=self.environment(), stdout=output,
                                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=TIMEOUT_S,
                                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
                self.assert_one_line(process.returncode, process.stderr.decode(), 5)

    def test_files_larger_than_they_may_be(self):
        folder = self.work / "limited-files"
        folder.mkdir()
        for arguments in (["compile", self.model, "-o", folder / "x.strata"],
                          ["logits", self.package, "--tokens", "1,2", "-o", folder / "x.npy"]):
            process = subprocess.run([STRATA, *map(str, arguments)], env=self.environment(), capture_output=True,
                                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
            self.assert_one_line(process.returncode, process.stderr.decode(), 5)
            self.assertEqual(os.listdir(folder), [])

    def test_reader_that_is_gone(self):
        for arguments in self.writers[2:]:
            with self.subTest(" ".join(map(str, arguments))):
                reader, writer = os.pipe()
                os.close(reader)
                code, _, err = self.with_closed([], [*arguments, "-q"], stdout=writer)
                os.close(writer)
                self.assertEqual((code, err), (5, ""))

    def test_terminal_that_is_gone(self):
        """Writing to it is EIO."""
        master, slave = pty.openpty()
        os.close(master)
        code, _, err = self.with_closed([], ["tokenize", self.model, "--text", "Hi"], stdout=slave)
        os.close(slave)
        self.assert_one_line(code, err, 5)

    def test_output_that_does_not_block(self):
        """A pipe with O_NONBLOCK gets all of a text that it can't hold at once."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        text = self.work / "long.txt"
        text.write_text("In the beginning. " * 60000)
        with subprocess.Popen([STRATA, "tokenize", str(DEMO), "-f", str(text)], env=self.environment(), stdout=writer,
                              stderr=subprocess.PIPE) as process:
            os.close(writer)
            with os.fdopen(reader, "rb") as file:
                out = file.read()
            self.assertEqual(process.wait(), 0, process.stderr.read())
        self.assertEqual(out, self.strata("tokenize", DEMO, "-f", text).out)

    def test_hangup_ignored_as_under_nohup(self):
        with subprocess.Popen([STRATA, "tokenize", str(self.model)], env=self.environment(), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE,
                              preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
            process.send_signal(signal.SIGHUP)
            self.assertTrue(process.communicate(b"Hi", timeout=TIMEOUT_S)[0])
            self.assertEqual(process.returncode, 0)


if __name__ == "__main__":
    unittest.main()
