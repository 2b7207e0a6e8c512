#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure what each decision of the compiler is worth: the whole plan against plans with one search switched off.

    ablation.py --strata STRATA --model CHECKPOINT_DIR [--without merge-matmuls --without exact ...] [-p 64] [-n 16]
                [-t 1] [--rounds 3] [--write]

Each variant is compiled into a package of its own (`strata compile --without NAME`); then all packages are measured in
turn, --rounds times. A ratio is the variant's speed over the whole plan's within one round; medians are shown. --write
puts the table into bench/RESULTS.md.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import compare
import results

TITLES = ["model", "without", "plan's objective", "prefill t/s", "of the whole", "decode t/s", "of the whole"]
WHOLE = "(nothing)"
DEFAULTS = ["egraph", "vectorize", "algebra", "merge-matmuls", "exact", "fuse", "grid", "joint", "mcts", "order",
            "each", "rows", "split", "tiles"]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"ablation.py: {' '.join(map(str, command))}: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout


def compile_variant(options, name, folder):
    package = folder / f"{name.strip('()')}.strata"
    without = [] if name == WHOLE else ["--without", name]
    run([options.strata, "compile", options.model, "-o", package, *without])
    return package


def objective_seconds(options, package):
    stats = json.loads(run([options.strata, "explain", package, "-o", "json"]))["stats"]
    return stats["objective_ns"] / 1e9


def measure(options, packages):
    """{variant: {test: [tokens/s per round]}}"""
    rates = {name: {} for name in packages}
    for turn in range(options.rounds):
        for name in packages if turn % 2 == 0 else reversed(packages):
            command = [options.strata, "bench", str(packages[name]), "-p", options.prompt, "-n", options.generate, "-t",
                       options.threads, "-r", "1", "-o", "json"]
            for test, rate in compare.run_bench(list(map(str, command))).items():
                rates[name].setdefault(test, []).append(rate)
    return rates


def table_rows(options, rates, objectives):
    for name, tests in rates.items():
        cells = []
        for test, samples in tests.items():
            ratios = [mine / whole for mine, whole in zip(samples, rates[WHOLE][test])]
            cells += [f"{statistics.median(samples):.2f}", f"{statistics.median(ratios):.3f}"]
        objective = f"{objectives[name]:.3f} s" if objectives[name] else ""
        yield [options.label or Path(options.model).name, name, objective, *cells]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default="strata")
    parser.add_argument("--model", required=True)
    parser.add_argument("--label", help="name of the model in the table")
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("-p", "--prompt", type=int, default=64)
    parser.add_argument("-n", "--generate", type=int, default=16)
    parser.add_argument("-t", "--threads", type=int, default=1)
    parser.add_argument("--rounds", type=compare.positive, default=3)
    parser.add_argument("--write", action="store_true", help="the table into the file of results")
    parser.add_argument("--section", default="Ablation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        names = [WHOLE, *(options.without or DEFAULTS)]
        packages = {name: compile_variant(options, name, Path(folder)) for name in names}
        objectives = {name: objective_seconds(options, package) for name, package in packages.items()}
        rows = list(table_rows(options, measure(options, packages), objectives))
    note = f"pp{options.prompt}, tg{options.generate}, {options.threads} thread(s); medians of {options.rounds} rounds"
    table = results.markdown(TITLES, "llrrrrr", rows, note)
    print(table, end="")
    if options.write:
        results.write_section(results.RESULTS, options.section, table)


if __name__ == "__main__":
    main()
