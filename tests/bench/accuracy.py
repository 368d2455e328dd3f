"""Score joint angles on recordings with an optical reference, beside the peers, in one process.

    python tests/bench/accuracy.py --data ../shared/data [--json rows.json] [--only linkrig/1D]

The script's own doors only: what is scored and how is `tools/bench/trials.py`, where the modes are explained.
`rom bench --data DIR` scores the same trials together with imagined treatments.
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.bench.estimate import TOLD
from tools.bench.qmt_chain import why_absent
from tools.bench.scoring import Row
from tools.bench.table import behind, page, trial_lines
from tools.bench.trials import score_folder, trial_folders

AGREED = ("trial", "joint", "method", "mode", "rmse_deg", "rom_error_deg")
"""What a row of `--json` holds, no more and no less; `rom bench --json` has cover and the rest too, and
romcap told the heading."""


def main() -> None:
    """Score a folder; print a table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", type=Path, dest="out", help="write the rows to this file")
    parser.add_argument("--only", default="", help="only trials whose folder/name holds this")
    parser.add_argument("--no-ahrs", action="store_true", help="leave out the slow filters of ahrs")
    parser.add_argument("--no-qmt", action="store_true", help="leave out qmt")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    absent = why_absent()
    if absent is not None and not options.no_qmt:
        print(absent)
    rows: list[Row] = []
    for folder, wanted in trial_folders(options.data, options.only):
        for scored in score_folder(folder, wanted, print, ahrs=not options.no_ahrs, qmt=not options.no_qmt):
            rows += scored
            for row in scored:
                print(_line(row), flush=True)
    print(f"\n{page(trial_lines(rows))}")
    for sentence in behind(rows).sentences():
        print(sentence)
    if options.out is not None:
        agreed = [{name: row[name] for name in AGREED} for row in rows if row["method"] != TOLD]
        options.out.write_text(json.dumps(agreed, indent=1), encoding="utf-8")


def _line(row: Row) -> str:
    numbers = [
        f"{v:7.2f}" if isinstance(v, float) else "      -" for v in (row["rmse_deg"], row["rom_error_deg"])
    ]
    shares = [
        f"{100 * v:4.0f} %" if isinstance(v, float) else "      "
        for v in (row[n] for n in ("known", "coverage95", "range_coverage95", "range_coverage95_of_both"))
    ]
    names = f"{row['trial']:42s} {row['joint']:24s} {row['method']:14s} {row['mode']:14s}"
    held = f"angle in 95 % {shares[1]} range {shares[2]}, of both {shares[3]}"
    return f"{names} {numbers[0]} {numbers[1]} known {shares[0]} {held}"


if __name__ == "__main__":
    main()
