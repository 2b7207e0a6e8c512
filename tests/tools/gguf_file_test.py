# SPDX-License-Identifier: Apache-2.0
"""What the tests take for the meaning of GGUF's blocks is that of the `gguf` package, as golden.txt has it."""
import sys
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gguf_file  # noqa: E402

GOLDEN = Path(__file__).resolve().parents[1] / "blocks/golden.txt"


class GgufFileTest(unittest.TestCase):
    def test_blocks_are_dequantised_as_defined(self):
        lines = [line.split() for line in GOLDEN.read_text().splitlines() if not line.startswith("#")]
        self.assertEqual([line[0] for line in lines], list(gguf_file.BLOCKS))
        for name, digest, *first in lines:
            with self.subTest(name):
                values = gguf_file.dequantise(name, gguf_file.random_blocks(name, 64)).astype("<f4")
                self.assertEqual([f"{bits:08x}" for bits in values.view("<u4").ravel()[:8]], first)
                self.assertEqual(f"{gguf_file.fnv1a(values.tobytes()):016x}", digest)

    def test_rows_in_pairs_come_back(self):
        rows = np.arange(24).reshape(12, 2)
        stored = gguf_file.paired(rows, 3)
        self.assertEqual(stored[:4, 0].tolist(), [0, 4, 2, 6])
        self.assertTrue((gguf_file.unpaired(stored, 3) == rows).all())


if __name__ == "__main__":
    unittest.main()
