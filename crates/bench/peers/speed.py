"""Runs the libraries that RiskQuant is measured against, one job a line.

`python speed.py DIR` reads names of jobs and answers each with one line of JSON: `ms`, the
processor time of the run that took least, and `answer`, the numbers it gave; or `error`. Which job
is which call stands in JOBS; reading inputs and importing is never timed. A library's own form of
the returns (a table of pandas) is made beforehand, as ours is.
"""

import json
import logging
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import riskfolio as rp
from arch import arch_model
from pypfopt import EfficientCVaR, EfficientFrontier, HRPOpt
from skfolio import RiskMeasure
from skfolio.optimization import MeanRisk, ObjectiveFunction, RiskBudgeting
from sklearn.covariance import ledoit_wolf

warnings.filterwarnings("ignore")
logging.disable(logging.ERROR)

FOLDER = Path(sys.argv[1])
# A job is run until it had this much processor time, twice at least.
ENOUGH_S = 0.4


def read(name):
    return np.load(FOLDER / f"{name}.npy")


RETURNS = {n: read(f"ret{n}") for n in (20, 100, 500)}
TABLES = {n: pd.DataFrame(x, columns=[f"A{i:03}" for i in range(n)]) for n, x in RETURNS.items()}
HEAVY, CLUSTERED = read("heavy"), read("clustered")
LOWER = np.linalg.cholesky(np.cov(RETURNS[20].T))
EQUAL = np.full(20, 0.05)


def simulated_tail():
    shocks = np.random.default_rng(1).standard_normal((1_000_000, 20))
    outcomes = (shocks @ LOWER.T) @ EQUAL
    quantile = np.quantile(outcomes, 0.01)
    return [-quantile, -outcomes[outcomes <= quantile].mean()]


def historical_tail():
    ascending = np.sort(HEAVY)
    place = 0.01 * (len(ascending) - 1)
    below, share = int(place), place - int(place)
    quantile = ascending[below] + share * (ascending[below + 1] - ascending[below])
    return [-quantile, -ascending[:10_000].mean()]


def weights_by_name(weights):
    return [weights[name] for name in sorted(weights)]


def pypfopt_sharpe(n):
    table = TABLES[n]
    frontier = EfficientFrontier(table.mean() * 252, table.cov() * 252)
    return weights_by_name(frontier.max_sharpe(0.0))


def riskfolio_optimum(n, risk, objective):
    portfolio = rp.Portfolio(returns=TABLES[n], alpha=0.05)
    portfolio.assets_stats(method_mu="hist", method_cov="hist")
    weights = portfolio.optimization(
        model="Classic", rm=risk, obj=objective, rf=0, l=0, hist=True
    )
    if weights is None:
        raise RuntimeError("no solution")
    return weights.to_numpy().ravel()


def riskfolio_parity(n):
    portfolio = rp.Portfolio(returns=TABLES[n])
    portfolio.assets_stats()
    weights = portfolio.rp_optimization(rm="MV")
    if weights is None:
        raise RuntimeError("no solution")
    return weights.to_numpy().ravel()


def riskfolio_hrp(n):
    weights = rp.HCPortfolio(returns=TABLES[n]).optimization(
        model="HRP", codependence="pearson", rm="MV", linkage="single", leaf_order=False
    )
    return weights.to_numpy().ravel()


def arch_fit():
    fit = arch_model(CLUSTERED, rescale=False).fit(disp="off")
    return [fit.loglikelihood, *fit.params]


def jobs():
    """Every job by name."""
    made = {
        "simulated numpy": simulated_tail,
        "historical numpy": historical_tail,
        "garch arch": arch_fit,
        "ledoit_wolf sklearn": lambda: ledoit_wolf(RETURNS[500])[0][0],
    }
    for n in (20, 100, 500):
        ratio = ObjectiveFunction.MAXIMIZE_RATIO
        made |= {
            f"sharpe {n} pypfopt": lambda n=n: pypfopt_sharpe(n),
            f"sharpe {n} riskfolio": lambda n=n: riskfolio_optimum(n, "MV", "Sharpe"),
            f"sharpe {n} skfolio": lambda n=n: (
                MeanRisk(objective_function=ratio).fit(TABLES[n]).weights_
            ),
        }
    made |= {
        "cvar 500 pypfopt": lambda: weights_by_name(
            EfficientCVaR(None, TABLES[500], beta=0.95).min_cvar()
        ),
        "cvar 500 riskfolio": lambda: riskfolio_optimum(500, "CVaR", "MinRisk"),
        "cvar 500 skfolio": lambda: (
            MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=0.95).fit(TABLES[500]).weights_
        ),
        "parity 500 riskfolio": lambda: riskfolio_parity(500),
        "parity 500 skfolio": lambda: RiskBudgeting().fit(TABLES[500]).weights_,
        "hrp 500 pypfopt": lambda: weights_by_name(HRPOpt(TABLES[500]).optimize()),
        "hrp 500 riskfolio": lambda: riskfolio_hrp(500),
    }
    return made


def answer(job):
    """Runs a job and tells what it took."""
    spent, runs, least = 0.0, 0, float("inf")
    while runs < 2 or (spent < ENOUGH_S and runs < 50):
        begun = time.process_time()
        found = job()
        took = time.process_time() - begun
        spent, runs, least = spent + took, runs + 1, min(least, took)
        if took > 4 * ENOUGH_S:
            break
    return {"ms": least * 1e3, "answer": [float(value) for value in found]}


if __name__ == "__main__":
    # What a library prints must not stand between the answers.
    out, sys.stdout = os.fdopen(os.dup(1), "w", buffering=1), sys.stderr
    known = jobs()
    out.write("ready\n")
    for line in sys.stdin:
        try:
            reply = answer(known[line.strip()])
        except Exception as error:  # A library that fails is a finding, whatever it raises.
            reply = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
        out.write(json.dumps(reply) + "\n")
