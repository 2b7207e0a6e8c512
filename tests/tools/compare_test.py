# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import json
import stat
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import compare  # noqa: E402
import results  # noqa: E402

# Answers like llama-bench, with a rate taken from a list that each call shortens, and logs its own name.
FAKE = """#!{python}
import json, sys
from pathlib import Path
folder, name, arguments = Path({folder!r}), {name!r}, sys.argv[1:]
with open(folder / "calls", "a") as calls:
    print(name, *arguments, file=calls)
rates = json.loads((folder / (name + ".rates")).read_text())
(folder / (name + ".rates")).write_text(json.dumps(rates[1:]))
value = lambda flag: int(arguments[arguments.index(flag) + 1])
print(json.dumps([
    {{"n_prompt": value("-p"), "n_gen": 0, "samples_ts": [10 * rates[0]]}},
    {{"n_prompt": 0, "n_gen": value("-n"), "samples_ts": [rates[0]]}}]))
"""


class CompareTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def program(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def fake(self, name, rates):
        (self.folder / f"{name}.rates").write_text(json.dumps(rates))
        return self.program(name, FAKE.format(python=sys.executable, folder=str(self.folder), name=name))

    def calls(self):
        return (self.folder / "calls").read_text().splitlines()

    def run_compare(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            compare.main([*arguments, "--results", str(self.folder / "RESULTS.md")])
        return out.getvalue()

    def test_shows_the_median_and_range_of_the_ratios_of_each_round(self):
        ours, theirs = self.fake("strata", [8.0, 9.0, 30.0]), self.fake("peer", [10.0, 10.0, 20.0])
        out = self.run_compare("--strata", ours, "--llama-bench", theirs, "--model", "f32=m,m.gguf", "--pairs", "3",
                               "-p", "512", "-n", "64")
        self.assertIn("| f32 | tg64 | 1 | 9.00 | llama.cpp | 10.00 | 0.900 | 0.800 .. 1.500 |", out)
        self.assertIn("| f32 | pp512 | 1 | 90.00 | llama.cpp | 100.00 | 0.900 | 0.800 .. 1.500 |", out)

    def test_turns_the_order_round_each_round(self):
        ours, theirs = self.fake("strata", [1.0] * 2), self.fake("peer", [1.0] * 2)
        self.run_compare("--strata", ours, "--llama-bench", theirs, "--model", "f32=m,m.gguf", "--pairs", "2")
        self.assertEqual([line.split()[0] for line in self.calls()], ["strata", "peer", "peer", "strata"])

    def test_passes_each_program_its_own_model_and_the_same_test(self):
        ours, theirs = self.fake("strata", [1.0]), self.fake("peer", [1.0])
        self.run_compare("--strata", ours, "--llama-bench", theirs, "--model", "f32=folder,file.gguf", "--pairs", "1",
                         "-p", "7", "-n", "5", "-t", "2")
        tail = "-p 7 -n 5 -t 2 -r 1 -o json"
        self.assertEqual(self.calls(), [f"strata bench folder {tail}", f"peer -m file.gguf {tail}"])

    def test_passes_on_the_options_that_follow_a_peers_path(self):
        ours, theirs = self.fake("strata", [1.0]), self.fake("peer", [1.0])
        self.run_compare("--strata", ours, "--peer", f"repacked={theirs} -rtr 1", "--model", "f32=m,m.gguf",
                         "--pairs", "1")
        self.assertTrue(self.calls()[-1].startswith("peer -rtr 1 -m m.gguf"), self.calls())

    def test_measures_every_peer_model_and_thread_count(self):
        programs = [self.fake(name, [1.0] * 4) for name in ("strata", "a", "b")]
        out = self.run_compare("--strata", programs[0], "--llama-bench", programs[1], "--peer", f"other={programs[2]}",
                               "--model", "f32=m,m.gguf", "--model", "bf16=n,n.gguf", "-t", "1,2", "--pairs", "1")
        rows = [line for line in out.splitlines() if line.startswith(("| f32", "| bf16"))]
        self.assertEqual(len(rows), 2 * 2 * 2 * 2)  # models, thread counts, tests, peers

    def test_measures_alone_where_there_is_no_gguf(self):
        ours, theirs = self.fake("strata", [4.0]), self.fake("peer", [])
        out = self.run_compare("--strata", ours, "--llama-bench", theirs, "--model", "f32=m", "--pairs", "1")
        self.assertIn("| f32 | tg64 | 1 | 4.00 |  |  |  |  |", out)

    def test_writes_its_table_only_when_asked(self):
        ours, target = self.fake("strata", [1.0, 2.0, 3.0]), self.folder / "RESULTS.md"
        target.write_text("# Results\n")
        arguments = ["--strata", ours, "--model", "f32=m", "--pairs", "1", "--section", "Speed"]
        self.run_compare(*arguments)
        self.assertEqual(target.read_text(), "# Results\n")
        self.run_compare(*arguments, "--write")
        self.run_compare(*arguments, "--write")
        self.assertIn("| 3.00 |", target.read_text())
        self.assertNotIn("| 2.00 |", target.read_text())

    def assert_fails(self, message, *arguments):
        with self.assertRaises(SystemExit) as caught:
            self.run_compare(*arguments)
        self.assertIn(message, str(caught.exception))

    def test_a_failing_program_is_named_with_its_last_line(self):
        broken = self.program("broken", "#!/bin/sh\necho first >&2\necho no such model >&2\nexit 3\n")
        self.assert_fails("exit code 3: no such model", "--strata", broken, "--model", "f32=m")

    def test_output_other_than_json_is_refused(self):
        chatty = self.program("chatty", "#!/bin/sh\necho hello\n")
        self.assert_fails("not llama-bench's JSON", "--strata", chatty, "--model", "f32=m")

    def test_a_missing_program_is_named(self):
        self.assert_fails("/nowhere/strata: No such file", "--strata", "/nowhere/strata", "--model", "f32=m")

    def test_a_model_without_a_label_is_a_usage_error(self):
        self.assert_fails("2", "--model", "checkpoint")


class SectionTest(unittest.TestCase):
    def test_a_new_section_is_appended(self):
        text = results.replace_section("# Results\n", "Speed", "table one\n")
        self.assertTrue(text.startswith("# Results\n\n## Speed\n"))
        self.assertIn("table one", text)

    def test_a_section_is_replaced_in_its_place(self):
        text = results.replace_section("# Results\n", "Speed", "table one\n") + "\nafter\n"
        text = results.replace_section(text, "Memory", "table two\n")
        text = results.replace_section(text, "Speed", "table three\n")
        self.assertNotIn("table one", text)
        self.assertLess(text.index("table three"), text.index("after"))
        self.assertLess(text.index("after"), text.index("table two"))

    def test_a_missing_end_marker_is_refused(self):
        with self.assertRaises(SystemExit):
            results.replace_section("<!-- generated: Speed -->\nhand-written\n", "Speed", "table\n")


if __name__ == "__main__":
    unittest.main()
