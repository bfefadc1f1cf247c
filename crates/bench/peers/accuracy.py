"""Asks the libraries for every quantity that RiskQuant computes, and writes the page of both.

`python accuracy.py DIR OURS PAGE` takes the inputs of `inputs.py`, our numbers as JSON, and where
the page goes. It ends with 1 when a number differs without a reason, see `page.py`.
"""

import json
import logging
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
logging.disable(logging.ERROR)

import accuracy_portfolios
import accuracy_risk
from page import Page

HEAD = """# Accuracy

What RiskQuant computes, beside the libraries that compute it as well, on the same numbers. Written by
`./test-agents.sh --benchmark accuracy`, which fails when a number differs by more than its tolerance and no
reason stands beside it, or when a reason explains nothing any more.

The difference is the largest one per unit of the library's largest number; of a list the first number is
shown. Of portfolios the objective is compared, computed here from both sides' weights by one formula. Of
simulations the difference is told in our standard errors. "formula" means that no library has the quantity:
the formula of its source was written in Python from the named functions of the library.

The returns are seeded (`crates/bench/peers/inputs.py`): `panel`, 1,000 returns of 20 assets that five factors
make; `equal`, the equally weighted portfolio of these, brought back to its weights every period; `heavy`, 5,000
Student-t returns with four degrees of freedom; `clustered` and `clustered_heavy`, 5,000 percentages each from a
GARCH(1,1), with normal shocks and with those of a Student-t.
"""

LIBRARIES = [
    "numpy", "scipy", "pandas", "scikit-learn", "statsmodels", "arch", "empyrical-reloaded",
    "PyPortfolioOpt", "Riskfolio-Lib", "skfolio", "cvxpy", "QuantLib",
]


INPUTS = ["ret20", "heavy", "clustered", "clustered_heavy"]


def main():
    """Writes the page."""
    folder, ours, target = (Path(word) for word in sys.argv[1:4])
    given = {name: np.load(folder / f"{name}.npy") for name in INPUTS}
    given["heavy"] = given["heavy"][:5_000]
    given["equal"] = given["ret20"] @ np.full(20, 0.05)
    sheet, page = json.loads(ours.read_text()), Page()
    for part in (accuracy_risk, accuracy_portfolios):
        part.fill(page, given, sheet)
    used = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    body = "\n".join(page.lines)
    if page.faults:
        print(*page.faults, f"{len(page.faults)} of {page.rows} rows differ", sep="\n",
              file=sys.stderr)
        return 1
    target.write_text(f"{HEAD}\nLibraries: {used}.\n{body}\n")
    print(f"{target}: {page.rows} rows", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
