# SPDX-License-Identifier: Apache-2.0
"""strata chat, fed by a pipe and in a terminal."""
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
import unittest

from harness import STRATA, StrataTest

PROMPT = ">>> "


class PipedChatTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()

    def chat(self, lines, *arguments):
        result = self.strata("chat", self.model, "--temp", 0, "-n", 6, "--ignore-eos", *arguments, stdin=lines.encode())
        self.assertEqual(result.code, 0, result)
        return result

    def test_answers_go_to_standard_output_and_the_rest_elsewhere(self):
        result = self.chat("Hello\n/stats\n")
        self.assertTrue(result.text.strip())
        self.assertIn("t/s", result.err)
        self.assertNotIn("t/s", result.text)
        self.assertNotIn(PROMPT, result.text)

    def test_exit_ends_it(self):
        self.assertEqual(self.chat("/exit\nHello\n").out, b"")

    def test_answer_is_that_of_the_rendered_template(self):
        rendered = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
        want = self.strata("run", self.model, "-p", rendered, "--temp", 0, "-n", 6, "--ignore-eos").out
        self.assertEqual(self.chat("Hello\n", "--system", "Be brief.").out, want)
        self.assertEqual(self.chat("/system Be brief.\nHello\n").out, want)

    def test_second_turn_uses_the_cache_and_gives_what_a_fresh_run_gives(self):
        result = self.chat("Hello\nGo on\n/stats\n")
        reused = int(re.search(r"(\d+) prompt tokens were in the cache", result.err).group(1))
        self.assertGreater(reused, 8)
        first = self.chat("Hello\n").text
        rendered = (f"<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n{first[:-1]}<|im_end|>\n"
                    "<|im_start|>user\nGo on<|im_end|>\n<|im_start|>assistant\n")
        fresh = self.strata("run", self.model, "-p", rendered, "--temp", 0, "-n", 6, "--ignore-eos").text
        self.assertEqual(result.text, first + fresh)

    def test_reset_forgets(self):
        self.assertEqual(self.chat("Hello\n/reset\nHello\n").text, self.chat("Hello\n").text * 2)

    def test_unknown_command_is_not_sent_to_the_model(self):
        result = self.chat("/nosuch\n/help\n")
        self.assertEqual(result.out, b"")
        self.assertIn("/nosuch", result.err)
        self.assertIn("/reset", result.err)

    def test_oldest_turns_are_left_out_when_the_context_is_full(self):
        result = self.chat("".join(f"message number {i} of some length\n" for i in range(12)), "-c", 128)
        self.assertIn("oldest messages were left out", result.err)
        self.assertEqual(result.text.count("\n") >= 12, True)

    def test_message_longer_than_the_context(self):
        result = self.chat("word " * 300 + "\nHello\n", "-c", 64)
        self.assertIn("-c", result.err)
        self.assertEqual(result.text, self.chat("Hello\n", "-c", 64).text)


class Terminal:
    """A chat in a pseudo-terminal."""

    def __init__(self, arguments, environment):
        def take_terminal():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.master, slave = pty.openpty()
        self.mode = termios.tcgetattr(slave)
        self.process = subprocess.Popen([STRATA, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave,
                                        env=environment | {"TERM": "xterm"}, start_new_session=True,
                                        preexec_fn=take_terminal)
        os.close(slave)
        self.seen = ""

    def send(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, text, timeout=60):
        """What came up to and with `text`; later output stays for the next call."""
        end = time.monotonic() + timeout
        while text not in self.seen:
            if time.monotonic() > end or not select.select([self.master], [], [], end - time.monotonic())[0]:
                raise AssertionError(f"no {text!r} in {self.seen[-500:]!r}")
            try:
                data = os.read(self.master, 4096)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"ended with {self.seen[-500:]!r}")
            self.seen += data.decode("utf8", "replace")
        before, self.seen = self.seen.split(text, 1)
        return before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        os.close(self.master)
        return code

    def finish(self):
        self.process.wait(timeout=30)
        return self.close()


class TerminalChatTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.talking_checkpoint()
        assert cls.strata("run", cls.model, "-p", "Hi", "-n", 1).code == 0

    def open(self, *arguments, model=None):
        terminal = Terminal(["chat", model or self.model, "--temp", 0, "--ignore-eos", *arguments], self.environment())
        self.addCleanup(terminal.close)
        terminal.wait_for(PROMPT)
        return terminal

    def test_asks_answers_and_leaves(self):
        terminal = self.open("-n", 4)
        terminal.send("Hello\r")
        terminal.wait_for(PROMPT)
        terminal.send("/exit\r")
        self.assertEqual(terminal.process.wait(timeout=30), 0)

    def test_control_d_leaves(self):
        terminal = self.open()
        terminal.send("\x04")
        self.assertEqual(terminal.process.wait(timeout=30), 0)

    def test_control_c_stops_the_answer_and_not_the_program(self):
        terminal = self.open("-n", -1, "-c", 512)
        terminal.send("Hello\r")
        terminal.wait_for("Hello")
        terminal.send("\x03")
        terminal.wait_for(PROMPT)
        terminal.send("/stats\r")
        terminal.wait_for("answers")
        terminal.wait_for(PROMPT)
        terminal.send("/exit\r")
        self.assertEqual(terminal.process.wait(timeout=30), 0)

    def test_control_c_twice_at_the_prompt_leaves(self):
        terminal = self.open()
        terminal.send("\x03")
        terminal.wait_for("Ctrl-C again")
        terminal.wait_for(PROMPT)
        terminal.send("\x03")
        self.assertEqual(terminal.process.wait(timeout=30), 130)

    def test_a_package_that_is_cut_ends_it_with_the_terminal_as_it_was(self):
        package = self.work / "cut.strata"
        self.assertEqual(self.strata("compile", self.model, "-o", package).code, 0)
        terminal = self.open(model=package)
        os.truncate(package, 5000)
        terminal.send("Hi\r")
        terminal.wait_for("cut while it was in use")
        terminal.wait_for(package.name)
        self.assertEqual(terminal.process.wait(timeout=30), 1)
        self.assertEqual(termios.tcgetattr(terminal.master), terminal.mode)

    def test_sigterm_at_the_prompt(self):
        terminal = self.open()
        terminal.process.send_signal(signal.SIGTERM)
        self.assertEqual(terminal.process.wait(timeout=30), 143)

    def test_history_and_characters_of_several_bytes(self):
        terminal = self.open("-n", 1)
        terminal.send("/nosüch\r")
        terminal.wait_for("/nosüch is not a command")
        terminal.wait_for(PROMPT)
        terminal.send("\x10\r")  # Ctrl-P: the line before
        terminal.wait_for("/nosüch is not a command")


if __name__ == "__main__":
    unittest.main()
