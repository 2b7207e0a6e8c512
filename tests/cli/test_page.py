# SPDX-License-Identifier: Apache-2.0
"""The chat page of strata serve in a headless Chromium; without it (Debian: chromium) it is skipped."""
import signal
import unittest

from browser import Browser, needs_browser
from harness import StrataTest
from serving import Server

MARKDOWN = ("# Title\n\n**bold** *em* `a*b` [x](https://a.example) [y](javascript:z)\n\n- one\n- two\n\n"
            "```\n1 < 2\n```\n<b>no</b>")
HTML = ('<h2>Title</h2><p><strong>bold</strong> <em>em</em> <code>a*b</code> <a href="https://a.example">x</a> '
        '[y](javascript:z)</p><ul><li>one</li><li>two</li></ul><pre><code>1 &lt; 2</code><button>Copy</button></pre>'
        '<p>&lt;b&gt;no&lt;/b&gt;</p>')


@needs_browser
class PageTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.talking_checkpoint(), cls.environment(), "-np", 1, "-c", 512)
        cls.addClassCleanup(cls.server.stop, signal.SIGKILL)
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        self.browser.open(f"http://127.0.0.1:{self.server.port}/")
        self.browser.run("localStorage.clear()")
        self.browser.reload()
        self.browser.wait_for("document.readyState == 'complete' && document.querySelector('.model').textContent")

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])

    def answer(self):
        """The last answer's text, once it is whole."""
        self.browser.wait_for("byId('stop').hidden && document.querySelector('.message:last-child.assistant')")
        return self.browser.run("return current.messages.at(-1).content")

    def messages(self):
        return self.browser.run("return current.messages.map((one) => one.role)")

    def test_talk(self):
        browser = self.browser
        browser.run("options.limit = 12; options.temperature = 0")
        browser.type("#input", "Hello\n")
        first = self.answer()
        self.assertTrue(first)
        self.assertIn("tokens/s", browser.run("return byId('speed').textContent"))
        browser.type("#input", "Go on\n")
        browser.wait_for("current.messages.length == 4")
        self.answer()
        browser.run("[...document.querySelectorAll('.tools button')].filter((b) => b.textContent == 'Edit')[0].click()")
        self.assertEqual(browser.run("return byId('input').value"), "Hello")
        browser.type("#input", "\n")
        self.assertEqual(self.answer(), first)
        browser.run("[...document.querySelectorAll('.tools button')].at(-1).click()")
        self.assertEqual(self.answer(), first)
        self.assertEqual(self.messages(), ["user", "assistant"])
        browser.reload()
        browser.wait_for("document.readyState == 'complete' && document.querySelectorAll('.message').length == 2")
        browser.run("byId('new').click()")
        browser.type("#input", "Another\n")
        self.answer()
        self.assertEqual(browser.run("return chats.map((chat) => chat.name)"), ["Another", "Hello"])

    def test_stop(self):
        self.browser.run("options.limit = ''; options.temperature = 3")
        # The small model may be done before anybody looks: the button is pressed as soon as it is shown.
        self.browser.run("""new MutationObserver((_, observer) => {
              if (byId("stop").hidden) return;
              observer.disconnect();
              byId("stop").click();
              window.pressed = true;
            }).observe(byId("stop"), {attributes: true});""")
        self.browser.type("#input", "Hello\n")
        self.browser.wait_for("window.pressed")
        self.answer()
        self.server.wait_for(lambda: self.server.ask("/health")[1]["running"] == 0, 5)

    def test_markdown_becomes_elements(self):
        script = """const made = markdown(arguments[0], element("div"));
            for (const one of made.querySelectorAll("*")) {
              for (const name of one.getAttributeNames()) if (name != "href") one.removeAttribute(name);
            }
            return made.innerHTML;"""
        self.assertEqual(self.browser.run(script, MARKDOWN), HTML)


if __name__ == "__main__":
    unittest.main()
