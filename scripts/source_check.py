# SPDX-License-Identifier: Apache-2.0
"""The command line of a script that looks for faults in the sources."""
import argparse
import sys
from pathlib import Path


def run(name, description, find, self_test, nothing):
    """Prints what `find(root)` yields, a line each, and exits with 1; with nothing found, `nothing`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        self_test()
        print(f"{name}: self-test passed")
        return
    messages = list(find(options.root))
    print("\n".join(messages) or f"{name}: {nothing}")
    sys.exit(1 if messages else 0)
