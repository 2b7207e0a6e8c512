# SPDX-License-Identifier: Apache-2.0
"""strata pull, list and rm against a server on loopback; the cache against huggingface_hub where it is installed."""
import importlib.util
import json
import os
import unittest

from harness import StrataTest, like_another
from hub_server import Hub


class PullTest(StrataTest):
    optimises = False

    def setUp(self):
        model = self.talking_checkpoint()
        files = {path.name: path.read_bytes() for path in model.iterdir()}
        files["README.md"] = b"not needed"
        files["additional_chat_templates/tool_use.jinja"] = b"{{ messages[0].content }}"
        self.hub = Hub(files, large=["model.safetensors", "tokenizer.json"])
        self.addCleanup(self.hub.stop)
        self.home = self.work / self.id().rsplit(".", 1)[1]
        self.env = {"HF_ENDPOINT": self.hub.endpoint, "HF_HOME": str(self.home), "HF_TOKEN": "", "HF_HUB_CACHE": "",
                    "HUGGINGFACE_HUB_CACHE": "", "HF_HUB_OFFLINE": "", "HF_TOKEN_PATH": ""}
        self.folder = self.home / "hub/models--Org--Name"

    def run_strata(self, *arguments, **more):
        return self.strata(*arguments, env=self.env | more)

    def assert_whole(self):
        snapshot = self.folder / "snapshots" / self.hub.revision
        self.assertEqual((self.folder / "refs/main").read_text(), self.hub.revision)
        for path, content in self.hub.files.items():
            if path == "README.md":
                self.assertFalse((snapshot / path).exists())
                continue
            self.assertEqual((snapshot / path).read_bytes(), content)
            self.assertTrue((snapshot / path).is_symlink())
            self.assertEqual((snapshot / path).resolve().name, self.hub.digest(path))
            self.assertFalse(os.path.isabs(os.readlink(snapshot / path)))
        self.assertEqual([path for path in (self.folder / "blobs").iterdir() if path.suffix], [])

    def contents(self):
        return [path for path, _ in self.hub.requests if "/resolve/" in path]

    def test_pull_run_list_and_remove(self):
        result = self.run_strata("pull", "Org/Name")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(result.text.strip(), str(self.folder / "snapshots" / self.hub.revision))
        self.assert_whole()
        self.hub.requests.clear()
        self.assertEqual(self.run_strata("pull", "Org/Name").code, 0)
        self.assertEqual(self.contents(), [])  # nothing twice
        run = ("run", "Org/Name", "-p", "The sun", "-n", 4, "--temp", 0)
        self.hub.requests.clear()
        made = self.run_strata(*run)
        self.assertEqual(made.code, 0, made)
        self.assertEqual(made.text, self.strata("run", self.talking_checkpoint(), *run[2:]).text)
        self.assertEqual(self.hub.requests, [])  # what is there needs no network
        listed = json.loads(self.run_strata("list", "-o", "json").text)["models"]
        sizes = sum(len(content) for path, content in self.hub.files.items() if path != "README.md")
        models = [(one["name"], one["bytes"]) for one in listed if one["kind"] == "model"]
        self.assertEqual(models, [("Org/Name", sizes)])
        package = next(one["name"] for one in listed if one["kind"] == "package")
        self.assertIn("Org/Name  model", self.run_strata("list").text)
        for name in ("Org/Name", package):
            self.assertEqual(self.run_strata("rm", name).code, 0)
            self.assert_error(self.run_strata("rm", name), 2, "there is no model")
        self.assertFalse(self.folder.exists())
        self.assert_error(self.run_strata(*run, HF_HUB_OFFLINE="1"), 3, "HF_HUB_OFFLINE")

    def test_new_revision_takes_what_changed(self):
        self.assertEqual(self.run_strata("pull", "Org/Name").code, 0)
        self.hub.revision = "d" * 40
        self.hub.files["generation_config.json"] = b"{}"
        self.hub.requests.clear()
        self.assertEqual(self.run_strata("pull", "Org/Name").code, 0)
        self.assertEqual(len(self.contents()), 1)
        self.assert_whole()

    def test_what_breaks_off_goes_on(self):
        self.hub.faults = {"cut"}
        size = len(self.hub.files["model.safetensors"])
        self.hub.cut_at = size // 3
        result = self.run_strata("pull", "Org/Name")
        self.assertEqual(result.code, 0, result)
        self.assert_whole()
        ranges = [headers["Range"] for path, headers in self.hub.requests if "Range" in headers]
        self.assertIn(f"bytes={size // 3}-", ranges)

    @like_another
    def test_server_without_ranges_begins_anew(self):
        blob = self.folder / "blobs" / (self.hub.digest("model.safetensors") + ".incomplete")
        blob.parent.mkdir(parents=True)
        blob.write_bytes(b"some other bytes")
        self.hub.faults = {"no range"}
        self.assertEqual(self.run_strata("pull", "Org/Name").code, 0)
        self.assert_whole()

    def test_lies_are_found(self):
        for fault, words in (("damaged", "damaged"), ("small", "can't be read"), ("large", "longer than"),
                             ("escape", "rfilename"), ("html", "JSON")):
            with self.subTest(fault):
                self.hub.faults = {fault}
                result = self.run_strata("pull", "Org/Name")
                self.assertIn(result.code, (3, 5), result)
                self.assertIn(words, result.err)
                self.assertEqual(len(result.errors), 1, result)
                self.assertFalse((self.folder / "refs/main").exists())
        self.assertFalse((self.home / "evil").exists())
        self.hub.faults = set()
        blob = self.folder / "blobs" / (self.hub.digest("model.safetensors") + ".incomplete")
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(b"x" * 100)  # somebody's
        self.assert_error(self.run_strata("pull", "Org/Name"), 3, "damaged")
        self.assertEqual(self.run_strata("pull", "Org/Name").code, 0)
        self.assert_whole()

    def test_token_is_for_the_hub_alone(self):
        self.hub.token = "hf_secret"
        self.assert_error(self.run_strata("pull", "Org/Name"), 3, "HF_TOKEN")
        (self.home).mkdir(exist_ok=True)
        (self.home / "token").write_text("hf_secret\n")
        self.hub.requests.clear()
        self.assertEqual(self.run_strata("pull", "Org/Name").code, 0)
        self.assert_whole()
        redirected = [headers for _, headers in self.hub.requests if headers["Host"].startswith("localhost")]
        self.assertEqual(len(redirected), 2)
        self.assertTrue(all("Authorization" not in headers for headers in redirected))

    def test_wrong_names_and_servers(self):
        self.assert_error(self.run_strata("pull", "Name"), 2, "ORG/NAME")
        self.assert_error(self.run_strata("pull", "Org/Other"), 3, "no such model")
        self.assert_error(self.run_strata("pull", "Org/Name:a.gguf"), 3, "no file a.gguf")
        self.assert_error(self.run_strata("pull", "Org/Name", HF_ENDPOINT="ftp://x"), 2, "HF_ENDPOINT")
        self.assert_error(self.run_strata("pull", "Org/Name", HF_ENDPOINT="http://127.0.0.1:1"), 5, "can't be read")
        self.assert_error(self.run_strata("info", "Org/Other"), 3, "no such model")
        self.hub.files = {"x-Q4-00001-of-00002.gguf": b"a", "x-Q4-00002-of-00002.gguf": b"b", "y.gguf": b"c"}
        self.assert_error(self.run_strata("pull", "Org/Name"), 3, "y.gguf")
        result = self.run_strata("pull", "Org/Name:x-Q4-00001-of-00002.gguf")
        self.assertEqual(result.code, 0, result)
        snapshot = self.folder / "snapshots" / self.hub.revision
        self.assertEqual(sorted(path.name for path in snapshot.iterdir()),
                         ["x-Q4-00001-of-00002.gguf", "x-Q4-00002-of-00002.gguf"])

    def test_cache_is_that_of_huggingface_hub(self):
        if importlib.util.find_spec("huggingface_hub") is None:
            self.skipTest("huggingface_hub is not installed")
        self.assertEqual(self.run_strata("pull", "Org/Name").code, 0)
        import huggingface_hub
        path = huggingface_hub.snapshot_download("Org/Name", cache_dir=self.home / "hub", local_files_only=True)
        self.assertEqual(path, str(self.folder / "snapshots" / self.hub.revision))
        info = huggingface_hub.scan_cache_dir(self.home / "hub")
        self.assertEqual([repo.repo_id for repo in info.repos], ["Org/Name"])
        self.assertFalse(info.warnings)


if __name__ == "__main__":
    unittest.main()
