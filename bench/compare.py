#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure `strata bench` and its peers in turn, on the same geometry, and print the ratios with their spread.

    compare.py --strata STRATA --model bf16=CHECKPOINT_DIR,MODEL.gguf [--model f32=...] [-p 512] [-n 64] [-t 1,2]
               [--pairs 5] [--llama-bench PATH] [--peer NAME=PATH ...] [--write [--section NAME]]

The programs run one after the other, --pairs times, the order turned round each time: a change of the machine's state
hits all of them. A ratio is formed within one round; its median and range are shown. Without --llama-bench the
`llama-bench` on PATH is taken; where there is none, or a model has no GGUF, ours is measured alone. A peer is any
program with llama-bench's options and JSON; further options may follow its path, in quotes. --write puts the table into
bench/RESULTS.md, in place of the section's last one.
"""
import argparse
import json
import shlex
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import results

TITLES = ["model", "test", "threads", "strata t/s", "peer", "peer t/s", "ratio", "min .. max"]
OURS = "strata"


@dataclass
class Model:
    label: str
    checkpoint: str
    gguf: str | None


@dataclass
class Samples:
    """Tokens/s of one model, test and thread count: {program: [a figure per round]}."""
    rates: dict = field(default_factory=dict)

    def add(self, program, rate):
        self.rates.setdefault(program, []).append(rate)

    def ratios(self, peer):
        return [ours / theirs for ours, theirs in zip(self.rates[OURS], self.rates[peer])]


def parse_model(text):
    label, _, paths = text.partition("=")
    checkpoint, _, gguf = paths.partition(",")
    if not label or not checkpoint:
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=CHECKPOINT[,GGUF]")
    return Model(label, checkpoint, gguf or None)


def parse_peer(text):
    name, _, path = text.partition("=")
    if not name or not path or name == OURS:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH")
    return name, path


def bench_command(program, path, model, options, threads):
    """`path` may carry options of the peer."""
    command = [path, "bench", model.checkpoint] if program == OURS else [*shlex.split(path), "-m", model.gguf]
    tests = ["-p", options.prompt, "-n", options.generate, "-t", threads]
    return command + [*map(str, tests), "-r", "1", "-o", "json"]


def test_name(row):
    return f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"


def run_bench(command):
    """{test: tokens/s} of one run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SystemExit(f"compare.py: {command[0]}: {error.strerror}; give the program's path")
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"compare.py: {' '.join(command)}: exit code {done.returncode}: {reason}")
    try:
        rows = json.loads(done.stdout)
        return {test_name(row): statistics.median(row["samples_ts"]) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"compare.py: {' '.join(command)}: not llama-bench's JSON: {error}")


def measure(model, threads, programs, options):
    """{test: Samples}; `programs` is {name: path} with ours first."""
    usable = {name: path for name, path in programs.items() if name == OURS or model.gguf}
    tests = {}
    for turn in range(options.pairs):
        order = list(usable) if turn % 2 == 0 else list(reversed(usable))
        for program in order:
            for test, rate in run_bench(bench_command(program, usable[program], model, options, threads)).items():
                tests.setdefault(test, Samples()).add(program, rate)
        print(f"{model.label}, {threads} threads: round {turn + 1} of {options.pairs}", file=sys.stderr)
    return tests


def table_rows(model, threads, tests):
    for test, samples in tests.items():
        ours = f"{statistics.median(samples.rates[OURS]):.2f}"
        peers = [name for name in samples.rates if name != OURS]
        if not peers:
            yield [model.label, test, threads, ours, "", "", "", ""]
        for peer in sorted(peers):
            ratios = samples.ratios(peer)
            yield [model.label, test, threads, ours, peer, f"{statistics.median(samples.rates[peer]):.2f}",
                   f"{statistics.median(ratios):.3f}", f"{min(ratios):.3f} .. {max(ratios):.3f}"]


def programs_of(options):
    llama = options.llama_bench or shutil.which("llama-bench")
    programs = {OURS: options.strata} | ({"llama.cpp": llama} if llama else {}) | dict(options.peer)
    if len(programs) == 1:
        print("compare.py: no llama-bench on PATH and no --peer; measuring strata alone", file=sys.stderr)
    return programs


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def parse_options(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default="strata")
    parser.add_argument("--model", type=parse_model, action="append", required=True, metavar="LABEL=CHECKPOINT[,GGUF]")
    parser.add_argument("--llama-bench", metavar="PATH")
    parser.add_argument("--peer", type=parse_peer, action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("-p", "--prompt", type=int, default=512)
    parser.add_argument("-n", "--generate", type=int, default=64)
    parser.add_argument("-t", "--threads", type=lambda text: [positive(part) for part in text.split(",")], default=[1])
    parser.add_argument("--pairs", type=positive, default=5)
    parser.add_argument("--write", action="store_true", help="the table into the file of results")
    parser.add_argument("--section", default="Strata and its peers", help="heading of the table to write")
    parser.add_argument("--results", type=Path, default=results.RESULTS, help="instead of bench/RESULTS.md")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_options(arguments)
    programs = programs_of(options)
    rows = [row for model in options.model for threads in options.threads
            for row in table_rows(model, threads, measure(model, threads, programs, options))]
    table = results.markdown(TITLES, "llrrlrrl", rows, f"medians of {options.pairs} interleaved rounds")
    print(table, end="")
    if options.write:
        results.write_section(options.results, options.section, table)


if __name__ == "__main__":
    main()
