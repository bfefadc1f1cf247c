"""Portfolios by the libraries."""

import cvxpy as cp
import numpy as np
import pandas as pd
import riskfolio as rp
from pypfopt import (
    BlackLittermanModel,
    DiscreteAllocation,
    EfficientCDaR,
    EfficientCVaR,
    EfficientFrontier,
    EfficientSemivariance,
    HRPOpt,
)
from scipy import optimize
from scipy.cluster.hierarchy import leaves_list, linkage as linked, optimal_leaf_ordering
from scipy.spatial.distance import squareform
from skfolio import RiskMeasure
from skfolio.cluster import HierarchicalClustering, LinkageMethod
from skfolio.optimization import (
    HierarchicalRiskParity,
    MaximumDiversification,
    MeanRisk,
    ObjectiveFunction,
    RiskBudgeting,
)

ASSETS = 20
FALLING = np.arange(ASSETS, 0, -1) / (ASSETS * (ASSETS + 1) / 2)


def fill(page, given, sheet):
    """Writes the sections."""
    panel = Panel(given["ret20"])
    optima(page, panel, sheet)
    budgets(page, panel, sheet)
    trees(page, panel, sheet)
    views(page, panel, sheet)
    sizes(page, panel, sheet)


class Panel:
    """Returns, their moments, and what a portfolio of them risks."""

    def __init__(self, returns):
        self.x = returns
        self.table = pd.DataFrame(returns, columns=[f"A{i:02}" for i in range(ASSETS)])
        self.mean, self.covariance = returns.mean(axis=0), np.cov(returns.T)

    def deviation(self, weights):
        return np.sqrt(weights @ self.covariance @ weights)

    def sharpe(self, weights):
        return self.mean @ weights / self.deviation(weights)

    def cvar(self, weights):
        return -np.sort(self.x @ weights)[:50].mean()

    def cdar(self, weights):
        path = np.r_[0, np.cumsum(self.x @ weights)]
        return np.sort((np.maximum.accumulate(path) - path)[1:])[-50:].mean()

    def below_mean(self, weights):
        made = self.x @ weights
        return (np.minimum(made - made.mean(), 0) ** 2).mean()

    def below_zero(self, weights):
        return (np.minimum(self.x @ weights, 0) ** 2).mean()

    def diversification(self, weights):
        return np.sqrt(np.diag(self.covariance)) @ weights / self.deviation(weights)

    def utility(self, weights):
        return self.mean @ weights - 4 * self.deviation(weights) ** 2

    def growth(self, weights):
        return np.log1p(self.x @ weights).mean()

    def tracking(self, weights):
        return self.deviation(weights - FALLING)

    def riskfolio(self, risk, objective):
        portfolio = rp.Portfolio(returns=self.table, alpha=0.05)
        portfolio.assets_stats(method_mu="hist", method_cov="hist")
        weights = portfolio.optimization(
            model="Classic", rm=risk, obj=objective, rf=0, l=0, hist=True
        )
        return weights.to_numpy().ravel()

    def skfolio(self, **words):
        return MeanRisk(**words).fit(self.table).weights_

    def named(self, weights):
        return np.array([weights[name] for name in sorted(weights)])

    def exact(self, build):
        """Solves a problem stated in cvxpy; `build` gives objective and constraints."""
        w = cp.Variable(ASSETS)
        objective, constraints = build(w)
        problem = cp.Problem(objective, [cp.sum(w) == 1, w >= 0, *constraints])
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
        return w.value


def optima(page, p, sheet):
    page.section(
        "Optimal portfolios", "`panel`, long-only, per period; each optimum of ours is proved to 1e-6"
    )
    mean, covariance, table = p.mean, p.covariance, p.table

    def frontier(means=None):
        return EfficientFrontier(means, covariance)

    ratio = ObjectiveFunction.MAXIMIZE_RATIO
    w = "minimum_variance"
    page.weights("minimum variance: deviation", sheet[w], "PyPortfolioOpt",
                 [*frontier().min_volatility().values()], p.deviation)
    page.weights("minimum variance: deviation", sheet[w], "Riskfolio-Lib",
                 p.riskfolio("MV", "MinRisk"), p.deviation)
    page.weights("minimum variance: deviation", sheet[w], "skfolio", p.skfolio(), p.deviation)
    w = "maximum_sharpe"
    page.weights("maximum Sharpe: ratio", sheet[w], "PyPortfolioOpt",
                 [*frontier(mean).max_sharpe(0.0).values()], p.sharpe)
    page.weights("maximum Sharpe: ratio", sheet[w], "Riskfolio-Lib",
                 p.riskfolio("MV", "Sharpe"), p.sharpe)
    page.weights("maximum Sharpe: ratio", sheet[w], "skfolio",
                 p.skfolio(objective_function=ratio), p.sharpe, 1e-5)
    w = "minimum_cvar"
    page.weights("minimum CVaR 95 %", sheet[w], "PyPortfolioOpt",
                 p.named(EfficientCVaR(None, table, beta=0.95).min_cvar()), p.cvar)
    page.weights("minimum CVaR 95 %", sheet[w], "Riskfolio-Lib", p.riskfolio("CVaR", "MinRisk"), p.cvar)
    page.weights("minimum CVaR 95 %", sheet[w], "skfolio",
                 p.skfolio(risk_measure=RiskMeasure.CVAR, cvar_beta=0.95), p.cvar)
    w = "minimum_cdar"
    page.weights("minimum CDaR 95 %", sheet[w], "PyPortfolioOpt",
                 p.named(EfficientCDaR(table.mean(), table, beta=0.95).min_cdar()), p.cdar)
    page.weights("minimum CDaR 95 %", sheet[w], "Riskfolio-Lib", p.riskfolio("CDaR", "MinRisk"), p.cdar)
    page.weights("minimum CDaR 95 %", sheet[w], "skfolio",
                 p.skfolio(risk_measure=RiskMeasure.CDAR, cdar_beta=0.95), p.cdar)
    w = "minimum_semivariance"
    page.weights("minimum semivariance, below the mean", sheet[w], "Riskfolio-Lib",
                 p.riskfolio("MSV", "MinRisk"), p.below_mean)
    page.weights("minimum semivariance, below the mean", sheet[w], "skfolio",
                 p.skfolio(risk_measure=RiskMeasure.SEMI_VARIANCE), p.below_mean)
    w = "minimum_semivariance_zero"
    least = EfficientSemivariance(table.mean(), table, solver="CLARABEL").min_semivariance()
    page.weights("minimum semivariance, below zero", sheet[w], "PyPortfolioOpt", p.named(least),
                 p.below_zero)
    page.weights("minimum semivariance, below zero", sheet[w], "Riskfolio-Lib",
                 p.riskfolio("SLPM", "MinRisk"), p.below_zero)
    page.weights("maximum diversification: ratio", sheet["maximum_diversification"], "skfolio",
                 MaximumDiversification().fit(table).weights_, p.diversification)
    w = "maximum_utility"
    page.weights("maximum utility, aversion 8", sheet[w], "PyPortfolioOpt",
                 [*frontier(mean).max_quadratic_utility(8).values()], p.utility)
    page.weights("maximum utility, aversion 8", sheet[w], "skfolio",
                 p.skfolio(objective_function=ObjectiveFunction.MAXIMIZE_UTILITY, risk_aversion=4.0),
                 p.utility)
    w = "maximum_growth"
    page.weights("maximum growth", sheet[w], "cvxpy",
                 p.exact(lambda w: (cp.Maximize(cp.sum(cp.log1p(p.x @ w)) / len(p.x)), [])), p.growth)
    root = np.linalg.cholesky(covariance).T
    page.weights("minimum tracking error, weights to 6 %", sheet["minimum_tracking"], "cvxpy",
                 p.exact(lambda w: (cp.Minimize(cp.norm(root @ (w - FALLING))), [w <= 0.06])),
                 p.tracking)
    targets = sheet["frontier_returns"]
    theirs = [p.deviation(np.array([*frontier(mean).efficient_return(t).values()]))
              for t in targets[1:-1]]
    page.row("efficient frontier: 6 deviations at given returns", sheet["frontier_deviations"][1:-1],
             "PyPortfolioOpt", theirs, 1e-6)
    points = MeanRisk(min_return=list(targets[1:-1])).fit(table).weights_
    page.row("efficient frontier: 6 deviations at given returns", sheet["frontier_deviations"][1:-1],
             "skfolio", [p.deviation(w) for w in points], 1e-5)


def budgets(page, p, sheet):
    page.section("Shares of risk", "`panel`; weights")
    portfolio = rp.Portfolio(returns=p.table)
    portfolio.assets_stats()
    falling = {name: budget for name, budget in zip(p.table.columns, FALLING)}
    page.row("risk parity", sheet["risk_parity"], "Riskfolio-Lib",
             portfolio.rp_optimization(rm="MV"), 1e-4)
    page.row("risk parity", sheet["risk_parity"], "skfolio",
             RiskBudgeting().fit(p.table).weights_, 1e-4)
    page.row("risk budgets", sheet["risk_budgets"], "Riskfolio-Lib",
             portfolio.rp_optimization(rm="MV", b=FALLING.reshape(-1, 1)), 1e-4)
    page.row("risk budgets", sheet["risk_budgets"], "skfolio",
             RiskBudgeting(risk_budget=falling).fit(p.table).weights_, 1e-4)
    for name, shares in (("risk_parity", np.full(ASSETS, 1 / ASSETS)), ("risk_budgets", FALLING)):
        weights = np.array(sheet[name])
        parts = weights * (p.covariance @ weights) / p.deviation(weights) ** 2
        page.row(f"{name.replace('_', ' ')}: shares reached", parts, "numpy, formula", shares)


def trees(page, p, sheet):
    page.section("Hierarchies", "`panel`; weights")

    def riskfolio(model, linkage, **words):
        words = {"leaf_order": False, "rm": "MV", "codependence": "pearson"} | words
        tree = rp.HCPortfolio(returns=p.table)
        weights = tree.optimization(model=model, linkage=linkage, **words)
        return tree, weights.to_numpy().ravel()

    correlation = np.corrcoef(p.x.T)
    distance = np.sqrt(np.clip((1 - correlation) / 2, 0, 1))
    np.fill_diagonal(distance, 0)
    longer = "SciPy's order, from which it starts, is longer than ours, the shortest of all"
    for linkage in ("single", "ward"):
        pairs = squareform(distance, checks=False)
        order = leaves_list(optimal_leaf_ordering(linked(pairs, linkage), pairs))
        mine = np.array(sheet[f"hrp_{linkage}_order"])
        lengths = [distance[o[:-1], o[1:]].sum() for o in (mine, order)]
        if lengths[0] > lengths[1] * (1 + 1e-12):
            page.faults.append(f"{linkage}: an order is shorter than ours: {lengths}")
        page.row(f"optimal leaf order, {linkage}: length", lengths[0], "scipy", lengths[1],
                 why="SciPy's order is longer; ours was compared with every order under the tree")
        ours = sheet[f"hrp_{linkage}"]
        page.row(f"HRP, {linkage}", ours, "PyPortfolioOpt",
                 p.named(HRPOpt(p.table).optimize(linkage_method=linkage)))
        page.row(f"HRP, {linkage}", ours, "Riskfolio-Lib", riskfolio("HRP", linkage)[1])
        ours = sheet[f"hrp_{linkage}_optimal"]
        page.row(f"HRP, {linkage}, optimal leaf order", ours, "Riskfolio-Lib",
                 riskfolio("HRP", linkage, leaf_order=True)[1], why=longer)
        clustering = HierarchicalClustering(linkage_method=LinkageMethod[linkage.upper()])
        hrp = HierarchicalRiskParity(hierarchical_clustering_estimator=clustering)
        page.row(f"HRP, {linkage}, optimal leaf order", ours, "skfolio", hrp.fit(p.table).weights_, why=longer)
    page.row("HERC, ward, 4 clusters", sheet["herc"], "Riskfolio-Lib", riskfolio("HERC", "ward", k=4)[1])
    tree, weights = riskfolio("HERC", "ward", max_k=10, opt_k_method="twodiff")
    page.row("clusters by the two-order difference", sheet["herc_gap_clusters"], "Riskfolio-Lib", tree.k)
    page.row("HERC, ward, that many", sheet["herc_gap"], "Riskfolio-Lib", weights)
    page.weights("NCO, ward, 4 clusters, minimum variance: deviation", sheet["nco_variance"],
                 "Riskfolio-Lib", riskfolio("NCO", "ward", k=4, obj="MinRisk")[1], p.deviation)
    page.weights("NCO, ward, 4 clusters, maximum Sharpe over -0.001", sheet["nco_sharpe"],
                 "Riskfolio-Lib", riskfolio("NCO", "ward", k=4, obj="Sharpe", rf=-0.001)[1],
                 lambda w: (p.mean @ w + 0.001) / p.deviation(w))


def views(page, p, sheet):
    page.section("Views", "`panel`; equilibrium of falling weights, two views, tau 0.05")
    loadings = np.zeros((2, ASSETS))
    loadings[0, 0], loadings[1, 3], loadings[1, 7] = 1.0, 1.0, -1.0
    common = {"pi": 2.5 * p.covariance @ FALLING, "P": loadings,
              "Q": np.array([0.001, 0.0004]), "tau": 0.05}
    for name, title, words in (
        ("black_litterman", "Black-Litterman", {}),
        ("black_litterman_idzorek", "Black-Litterman, Idzorek's confidences",
         {"omega": "idzorek", "view_confidences": [0.6, 0.3]}),
    ):
        model = BlackLittermanModel(p.covariance, **common, **words)
        page.row(f"{title}: means", sheet[name], "PyPortfolioOpt", model.bl_returns())
        page.row(f"{title}: covariance", sheet[f"{name}_covariance"], "PyPortfolioOpt", model.bl_cov())


def sizes(page, p, sheet):
    page.section("Sizes", "the first assets of `panel`")
    first = p.x[:, 0]
    found = optimize.minimize_scalar(lambda f: -np.log1p(f * first).mean(), bounds=(0, 15),
                                     method="bounded", options={"xatol": 1e-12})
    page.row("Kelly stake of a sample", sheet["kelly"][0], "scipy", found.x, 1e-6)
    page.row("growth at it", sheet["kelly"][1], "scipy", -found.fun)
    page.row("Kelly stakes of three assets", sheet["kelly_assets"], "numpy",
             np.linalg.solve(p.covariance[:3, :3], p.mean[:3]))
    costs, lots, cash = np.array(sheet["lot_costs"]), np.array(sheet["lots"]), 10_000_000
    targets = np.array(sheet["risk_parity"])
    bought = DiscreteAllocation(
        dict(enumerate(targets)), pd.Series(costs.astype(float)), total_portfolio_value=cash
    )
    theirs = bought.lp_portfolio()[0]
    theirs = np.array([theirs.get(i, 0) for i in range(ASSETS)])

    def distance(chosen):
        return np.abs(targets * cash - chosen * costs).sum() + cash - chosen @ costs

    page.row("whole lots: distance from the weights, and cash left", distance(lots), "PyPortfolioOpt",
             distance(theirs))
