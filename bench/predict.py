# SPDX-License-Identifier: Apache-2.0
"""What is predicted for machines that are not at hand, and what each decision is worth there; nothing is timed.

    predict.py --strata STRATA --model NAME=FOLDER ... [--without fuse ...] [--workload prompt=4096,generate=128]

FOLDER may hold config.json alone. The machines are those of machines/ with other cores, caches and bandwidths: see
MACHINES.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import results

ROOT = Path(__file__).resolve().parents[1]
TITLES = ["machine", "model", "without", "prefill ms", "of the whole", "decode ms", "of the whole", "barriers a token"]
WHOLE = "(nothing)"
DEFAULTS = ["fuse", "grid", "joint", "mcts", "order", "each", "rows", "split", "tiles"]


def rates(one, all_, cores):
    """Bytes per second of one core and of all."""
    return {"1": one, str(cores): all_}


def with_cores(name, cores, l2=None, l3=None, l3_shared=None, dram=None, barrier=None):
    """A machine of machines/ with so many cores; what is not said stays as it is for one core."""
    machine = json.loads((ROOT / f"machines/{name}.json").read_text())
    machine |= {"name": f"{name}-{cores}", "cores": cores}
    machine.pop("processors", None)
    for level in machine["memory"]:
        one = level["read_bytes_per_s"]["1"]
        level["read_bytes_per_s"] = rates(one, one * cores, cores)
        if "write_bytes_per_s" in level:
            one = level["write_bytes_per_s"]["1"]
            level["write_bytes_per_s"] = rates(one, one * cores, cores)
    memory = {level["name"]: level for level in machine["memory"]}
    memory["L2"]["capacity_bytes"] = l2 or memory["L2"]["capacity_bytes"]
    memory["L3"]["capacity_bytes"] = l3 or memory["L3"]["capacity_bytes"]
    memory["L3"]["shared_by"] = l3_shared or cores
    memory["DRAM"]["shared_by"] = cores
    memory["DRAM"]["read_bytes_per_s"] = dict(dram)
    memory["DRAM"].pop("write_bytes_per_s", None)
    machine["barrier_s"] = barrier
    return machine


# Figures of the kind that such machines have; DRAM's by the threads that read it.
MACHINES = {
    "64 cores, 4 NUMA domains": with_cores(
        "avx512-zen4", 64, l3_shared=8, barrier=2e-6,
        dram={"1": 30e9, "2": 58e9, "8": 180e9, "16": 200e9, "32": 380e9, "64": 400e9}),
    "4 cores, AVX2, 256 KiB of L2": with_cores(
        "avx2-generic", 4, l2=262144, l3=8388608, barrier=2e-7, dram={"1": 20e9, "2": 32e9, "4": 36e9}),
    "64 cores, Arm": with_cores(
        "neon-generic", 64, barrier=1.5e-6, dram={"1": 20e9, "8": 120e9, "32": 200e9, "64": 220e9}),
}


def plan(options, folder, machine, without):
    command = [options.strata, "compile", folder, "--plan-only", "-o", "json", "-q", "--machine", machine, "--workload",
               options.workload, *(["--without", without] if without else [])]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"predict.py: {' '.join(map(str, command))}: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout)


def rows_of(options, folder):
    for title, machine in MACHINES.items():
        path = Path(folder) / f"{machine['name']}.json"
        path.write_text(json.dumps(machine))
        for name, model in options.model:
            whole = plan(options, model, path, None)
            for without in [WHOLE, *(options.without or DEFAULTS)]:
                found = whole if without == WHOLE else plan(options, model, path, without)
                cells = []
                for key in ("prefill_s", "decode_s"):
                    seconds = found["predicted"][key]
                    cells += [f"{1e3 * seconds:.3f}", f"{seconds / whole['predicted'][key]:.4f}"]
                yield [title, name, without, *cells, found["barriers_per_token"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default="strata")
    parser.add_argument("--model", action="append", required=True, type=lambda text: tuple(text.split("=", 1)))
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--workload", default="prompt=4096,generate=128")
    parser.add_argument("--write", action="store_true", help="the table into the file of results")
    parser.add_argument("--section", default="Predicted for other machines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = list(rows_of(options, folder))
    table = results.markdown(TITLES, "lllrrrrr", rows, f"plans for {options.workload}, predicted")
    print(table, end="")
    if options.write:
        results.write_section(results.RESULTS, options.section, table)


if __name__ == "__main__":
    main()
