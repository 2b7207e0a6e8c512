# SPDX-License-Identifier: Apache-2.0
"""compile --plan-only and explain on meshes of machines: published geometries from config.json alone, what is said of
placements, collectives and memory, what is refused."""
import json
import unittest
from xml.etree import ElementTree

from harness import ROOT, StrataTest, like_another, load_module, sample

MESHES = ["gpu8-generic", "cpu4-100g", "numa4-64", "gpu1024-generic"]
GEOMETRIES = ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b", "qwen3-14b", "qwen3-32b"]
make_checkpoint = load_module(ROOT / "bench/make_checkpoint.py")


class MeshTest(StrataTest):
    def geometry(self, preset, **changes):
        folder = self.work / preset
        folder.mkdir(exist_ok=True)
        config = make_checkpoint.config_of(preset, "bf16") | changes
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
        return folder

    def mesh_of(self, name, **changes):
        path = self.work / f"{name}-here.json"
        path.write_text(json.dumps(json.loads((ROOT / f"machines/{name}.json").read_text()) | changes))
        return path

    def plan(self, model, machine, *arguments):
        result = self.strata("compile", model, "--plan-only", "-o", "json", "--machine", machine, *arguments)
        self.assertEqual(result.code, 0, result)
        return json.loads(result.text)

    def check(self, plan):
        devices = 1
        for axis in plan["mesh"]:
            devices *= axis["extent"]
        self.assertEqual(plan["memory_bytes_per_device"], [sum(plan["memory"].values())] * devices)
        self.assertEqual(plan["memory"]["weights"] + plan["memory"]["caches"],
                         sum(stored["bytes"] for stored in plan["stored"]))
        sent = {axis["name"]: 0 for axis in plan["mesh"]}
        for collective in plan["collectives_per_layer"]:
            self.assertIn(collective["kind"], ("all-gather", "reduce-scatter", "all-reduce", "all-to-all"))
            if collective["version"] == "decode":
                sent[collective["axis"]] += collective["bytes"] * collective["count"]
        for axis, sent_bytes in sent.items():
            self.assertAlmostEqual(plan["bytes_per_link"][axis], sent_bytes, delta=1 + 1e-3 * sent_bytes)
        self.assertLess(plan["search"]["gap"], 0.05)
        counted = [item for key in ("placements", "collectives_per_layer") for item in plan[key]
                   if item["version"] == "decode" and item["predicted_ns"] > 0]
        self.assertEqual(plan["barriers_per_token"], sum(item["count"] for item in counted))
        self.assertLess(0, plan["predicted"]["decode_s"])

    def test_experts_are_divided_by_their_columns(self):
        plan = self.plan(self.geometry("qwen3-235b-a22b"), "cpu4-100g")
        self.check(plan)
        self.assertLess(plan["memory"]["weights"], 0.28 * 470e9)
        placed = {item["op"]: item["placement"] for item in plan["placements"] if item["version"] == "decode"}
        self.assertEqual([placed[f"layer.{name}_proj"] for name in ("gate", "up", "down")],
                         ["{node: S(2)}", "{node: S(2)}", "{node: P}"])
        model = self.geometry("qwen3-235b-a22b")
        self.assert_error(self.strata("compile", model, "--plan-only", "--machine", "numa4-64"), 5, "96.00 GiB")

    def test_published_geometries_on_all_meshes(self):
        for mesh in MESHES:
            before = 0
            for preset in sample(GEOMETRIES):
                with self.subTest(mesh, preset=preset):
                    plan = self.plan(self.geometry(preset), mesh)
                    self.check(plan)
                    self.assertGreater(plan["predicted"]["decode_s"], before)
                    before = plan["predicted"]["decode_s"]

    @like_another
    def test_the_search_takes_little_work(self):
        """Entries of tables that are looked at, about a nanosecond each, for a 4 x 8 mesh."""
        axes = json.loads((ROOT / "machines/gpu1024-generic.json").read_text())["mesh"]
        machine = self.mesh_of("gpu1024-generic", mesh=[axes[0] | {"extent": 4}, axes[1]])
        for workload in ("batch=1", "batch=64"):
            plan = self.plan(self.geometry("qwen3-32b"), machine, "--workload", workload)
            self.check(plan)
            self.assertLess(plan["search"]["work"], 2e8)

    def test_two_all_reduces_a_layer(self):
        model = self.geometry("qwen3-32b")
        plan = self.plan(model, "gpu8-generic")
        in_layers = [(c["kind"], c["value"], c["count"]) for c in plan["collectives_per_layer"]
                     if c["version"] == "decode" and c["function"] == "layer"]
        self.assertEqual(in_layers, [("all-reduce", "layer.o_proj", 64), ("all-reduce", "layer.down_proj", 64)])
        placements = {p["op"]: p["placement"] for p in plan["placements"] if p["version"] == "decode"}
        self.assertEqual(placements["layer.attention"], "{gpu: S(1)}")
        self.assertEqual(placements["layer.down_proj"], "{gpu: P}")
        self.assertEqual(plan, self.plan(model, "gpu8-generic"))
        text = self.strata("compile", model, "--plan-only", "--machine", "gpu8-generic")
        self.assertIn("S(1): parts of the tensor's axis 1, counted from 0", text.text)
        self.assertRegex(text.text, r"all-reduce over gpu of [\d.]+ KiB for layer\.add\.down_proj: \{gpu: P\} -> B")
        explained = self.strata("explain", model, "--machine", "gpu8-generic")
        markdown = self.strata("compile", model, "--plan-only", "--machine", "gpu8-generic", "-o", "md")
        self.assertEqual((explained.code, explained.text), (0, markdown.text))
        self.assertRegex(markdown.text, r"^# qwen3-32b on gpu8-generic, .*\n\n(- .*\n)+\n```\n[^`]*\n```\n$")

    @like_another
    def test_one_device_takes_what_a_machine_by_itself_does(self):
        """The prediction on the share of a device is the one for a machine, where the share is all."""
        model = self.geometry("qwen3-0.6b")
        alone = self.plan(model, "avx512-zen4", "-t", "2")
        mesh = [{"name": "node", "extent": 2, "link": {"latency_s": {"0": 1}, "bytes_per_s": 1e9}}]
        plan = self.plan(model, self.mesh_of("avx512-zen4", mesh=mesh))
        self.assertEqual(plan["collectives_per_layer"], [])
        for key, seconds in alone["predicted"].items():
            self.assertLess(abs(plan["predicted"][key] / seconds - 1), 0.1, key)
        self.assertEqual(plan["memory"]["weights"], alone["memory"]["weights"])
        self.assertEqual(plan["memory"]["caches"], alone["memory"]["caches"])

    @like_another
    def test_the_workload_changes_the_plan(self):
        model = self.geometry("qwen3-8b")
        one = self.plan(model, "gpu8-generic")
        many = self.plan(model, "gpu8-generic", "--workload", "batch=4096,prompt=128")
        self.check(many)
        placements = {p["op"]: p["placement"] for p in many["placements"] if p["version"] == "decode"}
        self.assertEqual(placements["layer.add.down_proj"], "{gpu: S(sequences)}")
        self.assertLess(one["memory"]["weights"], many["memory"]["weights"])

    @like_another
    def test_fewer_devices_where_that_is_faster(self):
        model, seconds = self.geometry("qwen3-0.6b"), {}
        axis, = json.loads((ROOT / "machines/gpu8-generic.json").read_text())["mesh"]
        for extent in (4, 8, 16, 32, 64):
            machine = self.mesh_of("gpu8-generic", mesh=[axis | {"extent": extent}])
            plan = self.plan(model, machine)
            self.check(plan)
            used = plan["mesh"][0]
            self.assertEqual(used["of"], extent)
            seconds[extent] = plan["search"]["seconds"]
        self.assertLess(used["extent"], 64)
        self.assertEqual(seconds[64], seconds[used["extent"]])
        self.assertEqual(sorted(seconds.values(), reverse=True), list(seconds.values()))
        idle = self.plan(model, "gpu1024-generic")["mesh"]
        self.assertEqual([axis["extent"] for axis in idle], [1, 8])  # 8 x 128 are as fast
        text = self.strata("compile", model, "--plan-only", "--machine", machine).text
        self.assertIn(f"{used['extent']} devices (gpu {used['extent']} of 64) of 128 cores", text)

    def test_mistakes(self):
        model = self.geometry("qwen3-32b")
        result = self.strata("compile", model, "--plan-only", "--machine", "numa4-64",
                             "--workload", "prompt=4096,batch=4000")
        self.assert_error(result, 5, "doesn't fit", "each of the 4 devices", "GiB")
        small = json.loads((ROOT / "machines/numa4-64.json").read_text())["memory"]
        small[-1]["capacity_bytes"] = 1000000
        result = self.strata("compile", model, "--plan-only", "--machine", self.mesh_of("numa4-64", memory=small))
        self.assert_error(result, 5, "GiB and has 976.56 KiB")
        self.assert_error(self.strata("compile", model, "-o", self.work / "x.strata", "--machine", "gpu8-generic"), 2,
                          "gpu8-generic", "--plan-only")
        unlinked = self.mesh_of("avx512-zen4", mesh=[{"name": "node", "extent": 2}])
        self.assert_error(self.strata("compile", model, "--plan-only", "--machine", unlinked), 2, "node", "no link")
        axis = {"extent": 2, "link": {"latency_s": {"0": 1e-6}, "bytes_per_s": 1e9}}
        four = self.mesh_of("avx512-zen4", mesh=[axis | {"name": name} for name in "abcd"])
        self.assert_error(self.strata("compile", model, "--plan-only", "--machine", four), 2, "4 axes", "3 at most")

    def test_options_without_meaning(self):
        model = self.geometry("qwen3-0.6b")
        plan = ["compile", model, "--plan-only", "--machine"]
        for option in (["--dump", self.work / "ir"], ["--without", "fuse"], ["--time-limit", 2]):
            self.assert_error(self.strata(*plan, "gpu8-generic", *option), 2, option[0], "plan for devices")
        for machine in ("gpu8-generic", "avx512-zen4"):
            self.assert_error(self.strata(*plan, machine, "--tune", 5), 2, "--tune", "--plan-only")
        for option in (["--op", "layer.q_proj"], ["-n", 1], ["--without", "rows"]):
            result = self.strata("explain", model, "--machine", "gpu8-generic", *option)
            self.assert_error(result, 2, option[0].replace("-n", "--rows"), "plan for devices")

    def test_one_machine(self):
        """A mesh of one machine is that machine; no code is made for an accelerator, of which there may be one."""
        model = self.geometry("qwen3-0.6b")
        link = {"latency_s": {"0": 1e-6}, "bytes_per_s": 1e9}
        axes = [{"name": "node", "extent": 1, "link": link}]
        for changes in ({"mesh": axes}, {"mesh": []}):
            machine = self.mesh_of("gpu8-generic", **changes)
            self.assert_error(self.strata("compile", model, "-o", self.work / "x.strata", "--machine", machine), 2,
                              "no code is made", "--plan-only")
            text = self.strata("compile", model, "--plan-only", "--machine", machine, "-o", "md").text
            self.assertRegex(text, r"1 device (\(node 1\) )?of 128 cores")
            self.assertEqual(self.strata("explain", model, "--machine", machine).text, text)
        machine = self.mesh_of("avx512-zen4", mesh=axes)
        self.assertEqual(self.plan(model, machine), self.plan(model, "avx512-zen4"))
        self.assert_error(self.strata("compile", model, "-o", self.work / "x.strata", "--machine", machine), 3,
                          "no model.safetensors")

    @like_another
    def test_workloads_and_threads_that_are_too_large(self):
        model = self.geometry("qwen3-0.6b", max_position_embeddings=100)
        result = self.strata("compile", model, "--plan-only", "--machine", "gpu8-generic")
        self.assertIn("for prompt=80,generate=20,batch=1\n", result.text)
        self.assertRegex(result.err, "prompt=512,generate=128,batch=1 is longer than the model's context.*prompt=80,")
        fits = self.strata("compile", model, "--plan-only", "--machine", "gpu8-generic", "--workload",
                           "prompt=80,generate=20", "-t", "16")
        self.assertEqual(fits.err, "")
        self.assertIn("8 devices (gpu 8) of 16 cores", fits.text)
        for command in (["compile", model, "--plan-only"], ["explain", model]):
            result = self.strata(*command, "--machine", "gpu8-generic", "-t", "200")
            self.assertIn("-t 200 is more than the cores of the machine 'gpu8-generic': planned for 128", result.err)

    @like_another
    def test_page(self):
        path = self.work / "mesh.html"
        result = self.strata("explain", self.geometry("qwen3-32b"), "--machine", "gpu1024-generic", "--html", path)
        self.assertEqual(result.code, 0, result)
        page = ElementTree.fromstring(path.read_text().partition("\n")[2])
        rows = page.findall(".//tbody/tr")
        self.assertIn("collective", [row.get("class") for row in rows])
        drawn = {cell.text for row in rows for cell in row.findall("td")}
        self.assertIn("layer.down_proj", drawn)
        self.assertNotIn("layer.reshape.q_proj", drawn)  # a view


if __name__ == "__main__":
    unittest.main()
