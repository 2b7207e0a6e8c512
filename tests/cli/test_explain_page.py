# SPDX-License-Identifier: Apache-2.0
"""The pages of strata explain in a headless Chromium, wide and on a phone; without it (Debian: chromium) they are
skipped."""
import unittest

from browser import Browser, needs_browser
from harness import DEMO, StrataTest

WIDTHS = (1200, 390)

# What lies beside the page, but for what scrolls by itself or shows as much of a name as has room.
CUT_OFF = """
const width = document.documentElement.clientWidth, found = [];
const whole = document.documentElement.scrollWidth;
if (whole > width) found.push("the page is wider: " + whole);
for (const one of document.querySelectorAll("body *")) {
  if (one.closest(".scroll, pre, .tree, .areas, .tip, script")) continue;
  if (one.closest("svg") && !one.matches("svg, svg text")) continue;
  const box = one.getBoundingClientRect();
  const room = one.matches("svg text") ? one.closest("svg").getBoundingClientRect() : {left: 0, right: width};
  if (box.width && (box.left < room.left - 1 || box.right > room.right + 1)) {
    found.push(one.tagName + "." + one.getAttribute("class") + " " + one.textContent.slice(0, 30));
  }
}
return found;
"""

# Names in the visible roofline plot that lie on one another.
COLLISIONS = """
const boxes = [...document.querySelectorAll(".roofline text.name")].map((text) => text.getBoundingClientRect());
return boxes.filter((a, i) => a.width && boxes.some((b, j) =>
    j > i && b.width && a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2)).length;
"""

SHARES = """
return [...document.querySelectorAll("#ops-decoding .op .share")].filter((cell) => cell.offsetParent)
    .map((cell) => parseFloat(cell.textContent));
"""


@needs_browser
class ExplainPageTest(StrataTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plan, cls.measured = cls.work / "plan.html", cls.work / "measured.html"
        for model, page, arguments in ((DEMO, cls.plan, ["--machine", "avx512-zen5"]),
                                       (cls.checkpoint("qwen3-nano"), cls.measured, ["--measure", "-t", 1])):
            result = cls.strata("explain", model, "--html", page, *arguments)
            assert result.code == 0, result
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def show(self, page, width):
        self.browser.resize(width)
        self.browser.open("about:blank")
        self.browser.open(f"file://{page}")

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])

    def test_nothing_is_cut_off(self):
        for page in (self.plan, self.measured):
            for width in WIDTHS:
                with self.subTest(page=page.name, width=width):
                    self.show(page, width)
                    self.assertEqual(self.browser.run(CUT_OFF), [])
                    self.browser.run("for (const one of document.querySelectorAll('details')) one.open = true;"
                                     "for (const one of document.querySelectorAll('.table > input')) one.click();"
                                     "for (const one of document.querySelectorAll('.ops .name a')) one.click();")
                    self.assertEqual(self.browser.run(CUT_OFF), [])
                    self.assertEqual(self.browser.run(COLLISIONS), 0)

    def test_table_sorts_and_opens(self):
        self.show(self.plan, 1200)
        first = self.browser.run(SHARES)
        self.assertEqual((len(first), first), (5, sorted(first, reverse=True)))
        self.browser.click("label[for=all-decoding]")
        everything = self.browser.run(SHARES)
        self.assertGreater(len(everything), 10)
        self.browser.click("#ops-decoding th.share button")
        self.assertEqual(self.browser.run(SHARES), sorted(everything))
        self.browser.click("#ops-decoding th:first-child button")
        names = self.browser.run("return [...document.querySelectorAll('#ops-decoding .name')]"
                                 ".map((cell) => cell.textContent)")
        self.assertEqual(names, sorted(names, key=str.lower))
        self.assertFalse(self.browser.run("return document.querySelector('#ops-decoding .tree').offsetParent !== null"))
        self.browser.click("#ops-decoding .name a")
        self.assertTrue(self.browser.run("return document.querySelector('#ops-decoding .tree').offsetParent !== null"))

    def test_points_and_rows_belong_together(self):
        self.show(self.plan, 1200)
        row = self.browser.run("return document.querySelector('#ops-prefill tbody').id")
        point = f".roofline.wide [data-op={row}]"
        lit = f"document.querySelector('{point}').classList.contains('on')"
        self.browser.hover(f"#{row} .name a")
        self.browser.wait_for(lit)
        for approach in (lambda: self.browser.hover(f"{point} circle"),
                         lambda: self.browser.run(f"document.querySelector('{point}').focus()")):
            self.browser.hover("h1")
            self.browser.wait_for(f"!document.getElementById('{row}').classList.contains('on')")
            approach()
            self.browser.wait_for(f"document.getElementById('{row}').classList.contains('on')")
            self.assertIn(self.browser.run(f"return document.querySelector('#{row} .name').textContent"),
                          self.browser.run("return document.querySelector('.tip').textContent"))
        self.browser.click(f"{point} circle")
        self.browser.wait_for(f"document.querySelector('#{row} .tree').offsetParent !== null")

    def test_without_scripts(self):
        self.browser.control("Emulation.setScriptExecutionDisabled", value=True)
        self.addCleanup(self.browser.control, "Emulation.setScriptExecutionDisabled", value=False)
        row = "decoding-0"
        self.show(f"{self.plan}#{row}", 1200)
        self.assertFalse(self.browser.run("return document.documentElement.classList.contains('js')"))
        self.assertTrue(self.browser.run(f"return document.querySelector('#{row} .tree').offsetParent !== null"))
        position = ("return [...document.querySelectorAll('#ops-decoding tbody')]"
                    f".findIndex((body) => body.id == '{row}')")
        self.assertEqual(len(self.browser.run(SHARES)), 6 if self.browser.run(position) > 4 else 5)


if __name__ == "__main__":
    unittest.main()
