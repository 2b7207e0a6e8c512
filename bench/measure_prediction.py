#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare the machine model's predictions with what `strata explain --measure` measures, op by op.

    measure_prediction.py --strata STRATA --model bf16=CHECKPOINT_DIR [--model f32=...] [-t 1 -t 2] [--write]

For decoding (one row) and prefill (512 rows) and each number of threads: the sums over all ops; of those that take 5 us
or more the median relative error and Spearman's rank correlation; of shorter ones the error apart. Run
`strata calibrate` before: an uncalibrated machine model is a guess.
"""
import argparse
import json
import statistics
import subprocess

import compare
import results

TITLES = ["model", "step", "threads", "ops", "predicted ms", "measured ms", "median error", "rank correlation",
          "shorter ops", "their error"]
SHORT_NS = 5000  # an op that takes less is timed by what surrounds it, a barrier or a call


def explain(strata, model, rows, threads):
    command = [strata, "explain", model, "-n", str(rows), "-t", str(threads), "--measure", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"measure_prediction.py: {' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout)


def error(ops):
    errors = [abs(op["predicted_ns"] - op["measured_ns"]) / op["measured_ns"] for op in ops]
    return f"{100 * statistics.median(errors):.0f} %" if errors else ""


def ranks(values):
    """From 1; equal values share the mean of theirs."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def rank_correlation(ops):
    if len({op["measured_ns"] for op in ops}) < 2 or len({op["predicted_ns"] for op in ops}) < 2:
        return ""
    both = [ranks([op[key] for op in ops]) for key in ("predicted_ns", "measured_ns")]
    return f"{statistics.correlation(*both):.3f}"


def row(options, model, step, rows, threads):
    report = explain(options.strata, model.checkpoint, rows, threads)
    ops = [op for op in report["ops"] if op["measured_ns"] > 0]
    total = lambda key: sum(op[key] * op["count"] for op in ops) / 1e6
    longer = [op for op in ops if op["measured_ns"] >= SHORT_NS]
    shorter = [op for op in ops if op["measured_ns"] < SHORT_NS]
    return [model.label, step, str(threads), str(len(longer)), f"{total('predicted_ns'):.2f}",
            f"{total('measured_ns'):.2f}", error(longer), rank_correlation(longer), str(len(shorter)), error(shorter)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default="strata")
    parser.add_argument("--model", type=compare.parse_model, action="append", required=True, metavar="LABEL=CHECKPOINT")
    parser.add_argument("-t", "--threads", type=int, action="append", help="may be repeated; default: 1")
    parser.add_argument("--write", action="store_true", help="the table into the file of results")
    options = parser.parse_args()
    steps = [("decode, 1 row", 1), ("prefill, 512 rows", 512)]
    rows = [row(options, model, step, count, threads) for model in options.model for step, count in steps
            for threads in options.threads or [1]]
    table = results.markdown(TITLES, "llrrrrrrrr", rows, "medians of repeated runs")
    print(table, end="")
    if options.write:
        results.write_section(results.RESULTS, "Predicted against measured", table)


if __name__ == "__main__":
    main()
