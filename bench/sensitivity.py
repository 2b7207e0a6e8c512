#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which figure of the machine file moves which decision: plans for machines that differ from one in a single figure.

    sensitivity.py --strata STRATA --model bf16=CHECKPOINT_DIR [--model f16=...] [--machine NAME] [-t 2] [--write]

Every figure is scaled by each of its factors, and `strata explain --machine FILE --dump DIR` plans the models for it:
nothing is compiled or timed. The plans are compared with that of the machine as it is, decision by decision. A figure
that moves no decision may still move the predicted time of the workload: its largest change is in the last column.
"""
import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path

import compare
import results

MACHINES = Path(__file__).resolve().parent.parent / "machines"
TITLES = ["figure", "times", "decisions that it moves", "objective"]
# What a machine file's `core` means where it is silent (docs/machines.md).
CORE = {"fma_latency_slots": 8.0, "reduction_step_slots": 4.0, "tile_store_slots": 16.0, "misses_in_flight": 40.0,
        "cold_lines": 2.0, "page_walks_in_flight": 2.0, "reused_share": 0.125, "reused_of_shared": 0.125,
        "block_share": 0.8125, "near_share": 0.25, "pages_walked": 64.0, "grain_elements": 4096}
SECTION = "Figures of the machine and decisions of the plan"


def scaled_table(table, chosen, factor):
    """Rates by threads; `chosen` says which counts are scaled."""
    return {count: rate * factor if chosen(int(count)) else rate for count, rate in table.items()}


def figures(machine):
    """(name, factors, change): `change` edits a copy of the machine file in place."""
    def set_level(index, key, convert=float):
        def change(document, factor):
            level = document["memory"][index]
            level[key] = convert(level[key] * factor)
        return change

    def set_rate(index, chosen):
        def change(document, factor):
            level = document["memory"][index]
            for key in ("read_bytes_per_s", "write_bytes_per_s"):
                if key in level:
                    level[key] = scaled_table(level[key], chosen, factor)
        return change

    def set_unit(index):
        def change(document, factor):
            document["units"][index]["ops_per_s"] *= factor
        return change

    def set_top(key):
        def change(document, factor):
            document[key] *= factor
        return change

    def set_core(key, part=None):
        def change(document, factor):
            core = document.setdefault("core", {})
            if part is None:
                core[key] = type(CORE[key])(core.get(key, CORE[key]) * factor)
            else:
                core[key] = {name: slots * factor if part in (name, "all") else slots
                             for name, slots in core[key].items()}
        return change

    def set_registers(key):
        def change(document, factor):
            document["vector_registers"][key] = int(document["vector_registers"][key] * factor)
            if key == "bytes":
                for unit in document["units"]:
                    unit["lanes"] = int(unit["lanes"] * factor)
        return change

    def set_cores(document, factor):
        document["cores"] = max(1, int(document["cores"] * factor))
        for level in document["memory"]:
            level["shared_by"] = min(level["shared_by"], document["cores"])
            for key in ("read_bytes_per_s", "write_bytes_per_s"):
                if key in level:
                    level[key] = {n: rate for n, rate in level[key].items() if int(n) <= document["cores"]}

    def set_contention(document, factor):
        document["contention"] = document.get("contention", 0.1) * factor

    def drop_feature(key):
        def change(document, _):
            document["vector_registers"][key] = False
        return change

    def drop_unit(index):
        def change(document, _):
            del document["units"][index]
        return change

    around = (1 / 4, 4)
    levels = machine["memory"]
    for index, level in enumerate(levels):
        is_last = index == len(levels) - 1
        sizes = (1 / 16,) if is_last else (1 / 8, 1 / 4, 4)
        yield f"{level['name']} capacity", sizes, set_level(index, "capacity_bytes", int)
        yield f"{level['name']} bandwidth, one core", around, set_rate(index, lambda n: n == 1)
        yield f"{level['name']} bandwidth, all cores", around, set_rate(index, lambda n: n > 1)
        yield f"{level['name']} bandwidth", around, set_rate(index, lambda n: True)
        yield f"{level['name']} latency", (1 / 4, 4, 100), set_level(index, "latency_s")
    for index, unit in enumerate(machine["units"]):
        yield f"{unit['name']} rate", around, set_unit(index)
        if index > 0:
            yield f"{unit['name']} removed", (0,), drop_unit(index)
    yield "registers, number", (1 / 4, 1 / 2, 2), set_registers("count")
    yield "registers, bytes", (1 / 2,), set_registers("bytes")
    for key in ("masks", "byte_lookup"):
        if machine["vector_registers"].get(key):
            yield f"registers without {key}", (0,), drop_feature(key)
    yield "cores", (1 / 2, 4, 16), set_cores
    for key in sorted(machine.get("core", {}).get("scalar_slots", {})):
        yield f"slots of {key}", (1 / 4, 4), set_core("scalar_slots", key)
    yield "slots of all functions", (1 / 4, 4), set_core("scalar_slots", "all")
    for key in sorted(machine.get("core", {}).get("decode_slots", {})):
        yield f"slots of decoding {key}", (1 / 4, 4), set_core("decode_slots", key)
    for key in CORE:
        factors = (1 / 2, 4) if key == "page_walks_in_flight" else (1 / 4,) if key == "block_share" else (1 / 4, 4)
        yield f"core.{key}", factors, set_core(key)
    yield "contention", (1 / 10, 4), set_contention
    for key in ("barrier_s", "op_overhead_s", "storage_read_bytes_per_s"):
        yield key, (1 / 10, 10, 500) if key == "barrier_s" else (1 / 10, 10), set_top(key)


def plan(options, checkpoint, machine, folder):
    """{decision: text} of a plan, and its objective in seconds."""
    document, dump = folder / "machine.json", folder / "dump"
    document.write_text(json.dumps(machine), encoding="utf-8")
    command = [options.strata, "explain", checkpoint, "--machine", document, "--dump", dump, "-o", "json"]
    command += ["-t", options.threads] if options.threads else []
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"sensitivity.py: {done.stderr.strip().splitlines()[-1:]}")
    found = decisions({path.name: path.read_text(encoding="utf-8") for path in sorted(dump.iterdir())})
    for path in dump.iterdir():
        path.unlink()
    return found, json.loads(done.stdout)["stats"]["objective_ns"] / 1e9


def weights(programs):
    """{(function, matrix): layouts}, a merged product's matrices by themselves."""
    found = {}
    for function, signature in re.findall(r"func @(\S+)\((.*)\)", programs):
        for names, layout in re.findall(r"%(\S+)\.weight_*: \S+\[[^]]*\](<[^>]*>)?", signature):
            for name in names.split("_and_"):
                found.setdefault((function, name), set()).add(layout)
    return sorted((key, sorted(layouts)) for key, layouts in found.items())


def decisions(dump):
    """What the dumped passes decided: {decision: comparable}."""
    programs = "".join(text for name, text in dump.items() if name.endswith("egraph.ir"))
    trees = "".join(text for name, text in dump.items() if name.endswith("schedule.txt"))
    lines = [re.sub(r"%\S+", "%", line.strip()) for line in programs.splitlines() if " = " in line]
    known = weights(programs)
    coded = re.compile(r", (bf16_12|f16_15)")
    plain = [(key, [coded.sub("", layout) for layout in layouts]) for key, layouts in known]
    loops = lambda pattern: sorted(set(re.findall(rf"^\s*({pattern}.*)$", trees, re.M)))
    moves = r"matmul|pack\(|weight |slice\(|reshape\(|concat\(|call |get\("
    other = [line for line in lines if not re.search(moves, line)]
    return {
        "encoding of weights": [(key, coded.findall(str(layouts))) for key, layouts in known],
        "layout of weights": plain,
        "layout of caches": sorted(set(re.findall(r"%._cache\S*: \S+\[[^]]*\](<[^>]*>)?", programs))),
        "merged products": sorted(set(re.findall(r"%(\S+_and_\S+):", programs))),
        "rows rounded to pairs": sum("dtype = bf16" in line and "pack(" in line for line in lines),
        "row tile": sorted(set(re.findall(r": \w+\[seq, \d+\]<(\d+)@0", programs))),
        "lanes of other ops": sorted(set(other)),
        "blocks": loops(r"serial \S+ by \d\d+"),
        "units of division": loops("parallel"),
        "panels and prefetch": loops("leaf"),
    }


def factor_text(factor):
    return "" if factor == 0 else f"{factor:g}" if factor >= 1 else f"1/{1 / factor:g}"


def rows_of(options, machine, folder):
    whole = {model.label: plan(options, model.checkpoint, machine, folder) for model in options.model}
    labels = [model.label for model in options.model]
    for name, factors, change in figures(machine):
        for factor in factors:
            document = json.loads(json.dumps(machine))
            change(document, factor)
            moved, shift = {}, 0.0
            for model in options.model:
                found, objective = plan(options, model.checkpoint, document, folder)
                before, objective_before = whole[model.label]
                for decision, value in found.items():
                    if value != before[decision]:
                        moved.setdefault(decision, []).append(model.label)
                shift = max(shift, objective / objective_before - 1, key=abs)
            said = [decision if who == labels else f"{decision} ({', '.join(who)})" for decision, who in moved.items()]
            yield [name, factor_text(factor), "; ".join(said) or "none", f"{100 * shift:+.2f} %"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default="strata")
    parser.add_argument("--model", type=compare.parse_model, action="append", required=True, metavar="LABEL=CHECKPOINT")
    parser.add_argument("--machine", default="avx512-zen4", help="a name of machines/, or a file")
    parser.add_argument("-t", "--threads", type=int, help="default: all cores of the machine")
    parser.add_argument("--write", action="store_true", help="the table into the file of results")
    options = parser.parse_args()
    path = Path(options.machine)
    machine = json.loads((path if path.is_file() else MACHINES / f"{options.machine}.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        rows = list(rows_of(options, machine, Path(folder)))
    labels = ", ".join(model.label for model in options.model)
    note = f"plans of {labels} for {machine['name']}, {options.threads or machine['cores']} threads"
    table = results.markdown(TITLES, "lrlr", rows, note)
    print(table, end="")
    if options.write:
        results.write_section(results.RESULTS, SECTION, table)


if __name__ == "__main__":
    main()
