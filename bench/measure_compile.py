#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure what compiling, starting and running a model cost: seconds and memory.

    measure_compile.py --strata STRATA --model CHECKPOINT_DIR [--few-layers CHECKPOINT_DIR] [-t 2] [--starts 5]
                       [--write [--section NAME]]

Cold: `strata compile` with an empty cache. --few-layers names a checkpoint of the same geometry with fewer layers (see
make_checkpoint.py --layers): the ratio of the compile times, packing of weights aside, says what depth costs. Start:
the whole of `strata logits MODEL --tokens 1` once the package is in the cache. Memory: the peak resident set of
`strata bench`, and for compiling also the peak of the memory that is not mapped from files, over all processes.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import results

SAMPLE_EVERY = 0.05  # s


@dataclass
class Run:
    seconds: float
    peak_resident: int  # bytes; of the largest process
    peak_anonymous: int  # bytes; sampled, summed over the process and its descendants
    stderr: str


def parents():
    """{process: its parent} of all that live."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        found[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    return found


def descendants(pid):
    """The process and all below it, as far as they still live."""
    parent_of, found = parents(), {pid}
    while more := {child for child, parent in parent_of.items() if parent in found} - found:
        found |= more
    return found


def anonymous_bytes(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    match = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
    return int(match.group(1)) * 1024 if match else 0


class PeakSampler(threading.Thread):
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.done = pid, 0, threading.Event()

    def run(self):
        while not self.done.wait(SAMPLE_EVERY):
            self.peak = max(self.peak, sum(map(anonymous_bytes, descendants(self.pid))))


def measured(command, cache):
    """Runs the command with STRATA_CACHE at `cache`; a failure ends the program."""
    with tempfile.TemporaryFile("w+") as errors:
        began = time.monotonic()
        try:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors,
                                       env=os.environ | {"STRATA_CACHE": str(cache)})
        except OSError as error:
            raise SystemExit(f"measure_compile.py: {command[0]}: {error.strerror}; give the program's path")
        sampler = PeakSampler(process.pid)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        sampler.done.set()
        sampler.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        text = errors.read()
    if process.returncode != 0:
        reason = (text.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"measure_compile.py: {' '.join(command)}: exit code {process.returncode}: {reason}")
    return Run(seconds, usage.ru_maxrss * 1024, sampler.peak, text)


def packing_seconds(stderr):
    """Of the line in which `strata compile` reports its stages."""
    match = re.search(r"\bpack (\d+\.\d+) s\b", stderr)
    if not match:
        raise SystemExit("measure_compile.py: `strata compile` did not report its stages on stderr")
    return float(match.group(1))


def weight_bytes(checkpoint):
    return sum(path.stat().st_size for path in Path(checkpoint).glob("*.safetensors"))


def compile_cold(options, checkpoint, folder):
    """Leaves no package behind; the cache stays empty before and after."""
    package = Path(folder) / "model.strata"
    command = [options.strata, "compile", checkpoint, "-o", str(package), "-t", str(options.threads)]
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        run = measured(command, cache)
    package.unlink()
    return run


def start_seconds(options, folder, cache):
    command = [options.strata, "logits", options.model, "--tokens", "1", "-o", str(Path(folder) / "logits.npy"),
               "-t", str(options.threads)]
    measured(command, cache)
    return statistics.median(measured(command, cache).seconds for _ in range(options.starts))


def running(options, cache):
    command = [options.strata, "bench", options.model, "-p", "512", "-n", "32", "-r", "1", "-t", str(options.threads)]
    return measured(command, cache)


def mebibytes(count):
    return f"{count / 2**20:.0f} MiB"


def rows_of(options, folder):
    cold = compile_cold(options, options.model, folder)
    weights = weight_bytes(options.model)
    yield "compile and pack, cold", f"{cold.seconds:.2f} s"
    yield "of it packing", f"{packing_seconds(cold.stderr):.2f} s"
    yield "peak memory of compiling, mapped files aside", mebibytes(cold.peak_anonymous)
    if options.few_layers:
        few = compile_cold(options, options.few_layers, folder)
        ratio = (cold.seconds - packing_seconds(cold.stderr)) / (few.seconds - packing_seconds(few.stderr))
        yield "compile time over that of the model with few layers, packing aside", f"{ratio:.2f}"
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        start = start_seconds(options, folder, cache)
        yield f"start, compiled and cached (median of {options.starts})", f"{start:.2f} s"
        run = running(options, cache)
        yield "weights", mebibytes(weights)
        yield "peak memory of running, 512 + 32 tokens", mebibytes(run.peak_resident)
        yield "peak memory of running over weights", f"{run.peak_resident / weights:.3f}"


def parse_options(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default="strata")
    parser.add_argument("--model", required=True)
    parser.add_argument("--few-layers")
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count())
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--scratch", help="folder with room for two packages; the system's temporary folder otherwise")
    parser.add_argument("--write", action="store_true", help="the table into the file of results")
    parser.add_argument("--section", default="Compiling and starting", help="heading of the table to write")
    parser.add_argument("--results", type=Path, default=results.RESULTS, help="instead of bench/RESULTS.md")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_options(arguments)
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        rows = []
        for row in rows_of(options, folder):
            print(f"{row[0]}: {row[1]}", file=sys.stderr, flush=True)
            rows.append(row)
    note = f"{Path(options.model).resolve().name}, {options.threads} threads"
    table = results.markdown(["what", "measured"], "lr", rows, note)
    print(table, end="")
    if options.write:
        results.write_section(options.results, options.section, table)


if __name__ == "__main__":
    main()
