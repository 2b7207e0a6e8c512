#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Predicted scaling of published geometries over the devices of a mesh, as a table of bench/RESULTS.md.

    scaling.py [--strata build/release/strata] [--presets qwen3-0.6b,qwen3-8b,qwen3-32b] [--machines cpu4-100g,...]
               [--batches 1,1024] [--write]

Of each machine's mesh the innermost axis is filled first, in powers of two. Times are of a step of decoding, a token of
each sequence, and of all prompts. Ideal is the time of the fewest devices that hold the model, divided by the devices.
No weights are needed.
"""
import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import make_checkpoint
import results

ROOT = Path(__file__).resolve().parent.parent
SECTION = "Predicted scaling over a mesh"
TITLES = ["geometry", "machine", "sequences", "devices", "decode ms", "of ideal", "prompts ms", "of ideal",
          "GiB a device", "collectives a layer", "planned in s"]


def extents_of(axes, devices):
    """The axes with so many devices in all, innermost first."""
    sized = []
    for axis in reversed(axes):
        extent = min(axis["extent"], devices)
        devices //= extent
        sized.insert(0, axis | {"extent": extent})
    return sized


def planned(strata, preset, machine, workload, folder):
    """The plan, or None where the model doesn't fit; and the seconds that it took."""
    (folder / "machine.json").write_text(json.dumps(machine))
    config = make_checkpoint.config_of(preset, "bf16")
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    command = [strata, "compile", folder, "--plan-only", "-o", "json", "--machine", folder / "machine.json",
               "--workload", workload]
    start = time.monotonic()
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    seconds = time.monotonic() - start
    if result.returncode not in (0, 5):
        raise SystemExit(result.stderr)
    return (json.loads(result.stdout) if result.returncode == 0 else None), seconds


def row(name, plan, devices, seconds, first):
    if plan is None:
        return [*name, devices, "doesn't fit", "", "", "", "", "", f"{seconds:.2f}"]
    cells = [*name, devices]
    for key in ("decode_s", "prefill_s"):
        ideal = first[1]["predicted"][key] * first[0] / devices
        cells += [f"{1e3 * plan['predicted'][key]:.2f}", f"{ideal / plan['predicted'][key]:.1%}"]
    in_layer = [c for c in plan["collectives_per_layer"] if c["function"] == "layer" and c["version"] == "decode"]
    return cells + [f"{plan['memory_bytes_per_device'][0] / 2**30:.2f}", len(in_layer), f"{seconds:.2f}"]


def scaling(options, machine_name, batch, folder):
    machine = json.loads((ROOT / f"machines/{machine_name}.json").read_text())
    axes, most = machine["mesh"], 1
    for axis in axes:
        most *= axis["extent"]
    for preset in options.presets.split(","):
        first, devices = None, 1
        while devices <= most:
            machine["mesh"] = extents_of(axes, devices)
            workload = f"prompt=512,generate=128,batch={batch}"
            plan, seconds = planned(options.strata, preset, machine, workload, folder)
            if first is None and plan is not None:
                first = (devices, plan)
            yield row([preset, machine_name, batch], plan, devices, seconds, first)
            devices *= 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default=ROOT / "build/release/strata")
    parser.add_argument("--presets", default="qwen3-0.6b,qwen3-8b,qwen3-32b")
    parser.add_argument("--machines", default="gpu1024-generic,cpu4-100g,numa4-64")
    parser.add_argument("--batches", default="1,1024")
    parser.add_argument("--write", action="store_true", help="replace the table of bench/RESULTS.md")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for machine in options.machines.split(","):
            for batch in map(int, options.batches.split(",")):
                rows += scaling(options, machine, batch, Path(folder))
    table = results.markdown(TITLES, "llrrrrrrrrr", rows, "plans for prompt=512,generate=128, predicted")
    print(table)
    if options.write:
        results.write_section(results.RESULTS, SECTION, table)


if __name__ == "__main__":
    main()
