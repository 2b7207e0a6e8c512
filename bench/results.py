# SPDX-License-Identifier: Apache-2.0
"""Tables in bench/RESULTS.md: each stands between two marker comments and is replaced as a whole."""
import datetime
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"


def cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")


def markdown(titles, alignment, rows, note):
    """A table; `alignment` has l or r for each column; below it the processor, the note and the day."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "|".join({"l": "---", "r": "--:"}[a] for a in alignment) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + f"\n\n{cpu_name()}; {note}, {datetime.date.today().isoformat()}.\n"


def replace_section(text, section, table):
    """`text` with the section's table replaced, or the section appended when it is new."""
    begin, end = f"<!-- generated: {section} -->", f"<!-- end of {section} -->"
    block = f"{begin}\n\n{table}\n{end}"
    before, found, rest = text.partition(begin)
    if not found:
        return f"{text.rstrip()}\n\n## {section}\n\n{block}\n".lstrip()
    _, closed, after = rest.partition(end)
    if not closed:
        raise SystemExit(f"{begin} has no {end}; restore the missing marker")
    return before + block + after


def write_section(path, section, table):
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(replace_section(text, section, table), encoding="utf-8")
