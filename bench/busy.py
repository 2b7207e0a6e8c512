#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure `strata bench` beside busy programs: what a thread more is worth there, and what a change costs or gains.

    busy.py --strata STRATA --model LABEL=CHECKPOINT [--model ...] [--against OLD] [--spinners 0,2] [-t 1,2,4]
            [-p 0] [-n 32] [-r 2] [--rounds 5] [--processors 0,1] [--write [--section NAME]]

Beside each number of spinning programs, every thread count of every program is run in turn, --rounds times, the order
turned round each time; a ratio is formed within one round, and its median and range are shown. "of smaller": the speed
over that of the smaller thread count that was fastest by its median. "of old": over that of --against, with as many
threads. --processors confines everything to these: -t 4 on two of them asks for more threads than may be used. The
programs' own caches are kept apart. --write puts the table into bench/RESULTS.md, in place of the section's last one.
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import results

TITLES = ["model", "test", "busy programs", "threads", "t/s", "of smaller", "min .. max", "of old", "min .. max"]
SPIN = [sys.executable, "-c", "while True: pass"]


def parse_model(text):
    label, _, path = text.partition("=")
    if not label or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=CHECKPOINT")
    return label, path


def integers(text):
    return [int(item) for item in text.split(",")]


@contextlib.contextmanager
def spinning(count):
    programs = [subprocess.Popen(SPIN) for _ in range(count)]
    try:
        yield programs
    finally:
        for program in programs:
            program.kill()
            program.wait()


def rates(program, cache, path, threads, options):
    """{test: tokens/s} of one run."""
    command = [program, "bench", path, "-p", options.prompt, "-n", options.generate, "-t", threads,
               "-r", options.repetitions, "-o", "json"]
    done = subprocess.run([str(item) for item in command], capture_output=True, text=True, check=False,
                          env=os.environ | {"STRATA_CACHE": cache})
    if done.returncode != 0:
        raise SystemExit(f"busy.py: {program}: exit code {done.returncode}: {done.stderr.strip()}")
    name = lambda row: f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"
    return {name(row): statistics.median(row["samples_ts"]) for row in json.loads(done.stdout)}


def measure(path, programs, options):
    """{(program, threads, test): [tokens/s of each round]}."""
    found = {}
    cases = [(name, threads) for threads in options.threads for name in programs]
    for turn in range(options.rounds):
        for name, threads in cases if turn % 2 == 0 else reversed(cases):
            program, cache = programs[name]
            for test, rate in rates(program, cache, path, threads, options).items():
                found.setdefault((name, threads, test), []).append(rate)
    return found


def spread(ours, theirs):
    """A cell with the median ratio, and one with its range."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    return [f"{statistics.median(ratios):.3f}", f"{min(ratios):.3f} .. {max(ratios):.3f}"]


def table_rows(label, spinners, found):
    for (name, threads, test), ours in found.items():
        if name != "new":
            continue
        smaller = [rates for (other, fewer, same), rates in found.items()
                   if (other, same) == (name, test) and fewer < threads]
        best = max(smaller, key=statistics.median, default=None)
        old = found.get(("old", threads, test))
        yield [label, test, spinners, threads, f"{statistics.median(ours):.2f}",
               *(spread(ours, best) if best else ["", ""]), *(spread(ours, old) if old else ["", ""])]


def parse_options(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", required=True)
    parser.add_argument("--against", help="another build, to measure beside it")
    parser.add_argument("--model", type=parse_model, action="append", required=True, metavar="LABEL=CHECKPOINT")
    parser.add_argument("--spinners", type=integers, default=[0, 2])
    parser.add_argument("-t", "--threads", type=integers, default=[1, 2, 4])
    parser.add_argument("-p", "--prompt", type=int, default=0)
    parser.add_argument("-n", "--generate", type=int, default=32)
    parser.add_argument("-r", "--repetitions", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processors", type=integers, help="that everything is confined to")
    parser.add_argument("--write", action="store_true", help="the table into the file of results")
    parser.add_argument("--section", default="Beside busy programs", help="heading of the table to write")
    parser.add_argument("--results", type=Path, default=results.RESULTS, help="instead of bench/RESULTS.md")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_options(arguments)
    if options.processors:
        os.sched_setaffinity(0, options.processors)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = {"new": options.strata} | ({"old": options.against} if options.against else {})
        programs = {name: (path, str(Path(folder) / name)) for name, path in paths.items()}
        for label, path in options.model:
            for program, cache in programs.values():
                rates(program, cache, path, 1, options)  # compiles
            for spinners in options.spinners:
                with spinning(spinners):
                    found = measure(path, programs, options)
                rows += table_rows(label, spinners, found)
                print(f"{label}, {spinners} busy programs: done", file=sys.stderr)
    note = f"{len(os.sched_getaffinity(0))} processors, medians of {options.rounds} rounds in turn"
    table = results.markdown(TITLES, "llrrrrlrl", rows, note)
    print(table, end="")
    if options.write:
        results.write_section(options.results, options.section, table)


if __name__ == "__main__":
    main()
