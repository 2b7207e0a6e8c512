#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare the machine model's predictions with what `strata explain --measure` measures, op by op.

    measure_prediction.py --strata STRATA --model bf16=CHECKPOINT_DIR [--model f32=...] [-t 1] [--write]

For decoding (one row) and prefill (512 rows): the sums over all ops, the median relative error per op, and Spearman's
rank correlation. Run `strata calibrate` before: an uncalibrated machine model is a guess.
"""
import argparse
import json
import subprocess

import compare
import results

TITLES = ["model", "step", "ops", "predicted ms", "measured ms", "median error", "rank correlation"]


def explain(strata, model, rows, threads):
    command = [strata, "explain", model, "-n", str(rows), "-t", str(threads), "--measure", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"measure_prediction.py: {' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout)


def row(options, model, step, rows):
    report = explain(options.strata, model.checkpoint, rows, options.threads)
    total = lambda key: sum(op[key] * op["count"] for op in report["ops"]) / 1e6
    summary = report["summary"]
    return [model.label, step, len(report["ops"]), f"{total('predicted_ns'):.2f}", f"{total('measured_ns'):.2f}",
            f"{100 * summary['median_relative_error']:.0f} %", f"{summary['rank_correlation']:.3f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default="strata")
    parser.add_argument("--model", type=compare.parse_model, action="append", required=True, metavar="LABEL=CHECKPOINT")
    parser.add_argument("-t", "--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="the table into the file of results")
    options = parser.parse_args()
    steps = [("decode, 1 row", 1), ("prefill, 512 rows", 512)]
    rows = [row(options, model, step, count) for model in options.model for step, count in steps]
    table = results.markdown(TITLES, "llrrrrr", rows, f"{options.threads} thread(s), medians of repeated runs")
    print(table, end="")
    if options.write:
        results.write_section(results.RESULTS, "Predicted against measured", table)


if __name__ == "__main__":
    main()
