"""Tails, volatility, covariances, track records and simulations by the libraries."""

import arch
import empyrical as em
import numpy as np
import pandas as pd
import QuantLib as ql
import riskfolio as rp
import riskfolio.src.GerberStatistic as gerber
import statsmodels.api as sm
from arch.bootstrap import optimal_block_length
from arch.univariate import EWMAVariance, ZeroMean
from pypfopt.risk_models import CovarianceShrinkage
from scipy import optimize, stats
from scipy.special import xlogy
from skfolio import measures as sk
from skfolio.moments import GerberCovariance
from skfolio.utils.stats import cov_nearest
from sklearn.covariance import ledoit_wolf, oas

YEAR = 252


def fill(page, given, sheet):
    """Writes the sections."""
    tails(page, given, sheet)
    backtests(page, given, sheet)
    volatility(page, given, sheet)
    covariances(page, given["ret20"], sheet)
    track(page, given, sheet)
    simulations(page, sheet)


def tails(page, given, sheet):
    x, heavy = given["equal"], given["heavy"]
    page.section("Tail losses", "`equal` and `heavy`, one period; 95 % where nothing else is said")
    rules = sheet["quantile_rules"]
    page.row("quantile at 0.0123, 13 rules", sheet["quantiles"], "numpy",
             [np.quantile(x, 0.0123, method=rule) for rule in rules], 1e-12)
    var, es = sheet["historical"]
    page.row("historical VaR", var, "numpy", -np.quantile(x, 0.05), 1e-12)
    page.row("historical VaR", var, "empyrical", -em.value_at_risk(x, 0.05), 1e-12)
    page.row("historical VaR", var, "Riskfolio-Lib", rp.VaR_Hist(x.reshape(-1, 1), 0.05),
             why="takes an order statistic; ours interpolates (type 7), and has 13 rules to choose from")
    page.row("historical VaR", var, "skfolio", sk.value_at_risk(x, 0.95),
             why="takes an order statistic, as above")
    page.row("historical ES", es, "Riskfolio-Lib", rp.CVaR_Hist(x.reshape(-1, 1), 0.05))
    page.row("historical ES", es, "skfolio", sk.cvar(x, 0.95))
    page.row("historical ES", es, "empyrical", -em.conditional_value_at_risk(x, 0.05))
    mean, deviation, z = x.mean(), x.std(ddof=1), stats.norm.ppf(0.05)
    page.row("normal VaR", sheet["normal"][0], "scipy", -stats.norm(mean, deviation).ppf(0.05))
    page.row("normal ES", sheet["normal"][1], "scipy, formula",
             -mean + deviation * stats.norm.pdf(z) / 0.05)
    for name, values in (("cornish_fisher", x), ("cornish_fisher_heavy", heavy)):
        s, k, d = stats.skew(values), stats.kurtosis(values), values.std(ddof=1)
        bent = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
        which = "`heavy`" if values is heavy else "`equal`"
        page.row(f"Cornish-Fisher VaR, {which}", np.ravel(sheet[name])[0], "scipy, formula",
                 -(values.mean() + bent * d))
    nu, location, scale = stats.t.fit(heavy)
    page.row("Student-t fit: degrees, location, scale", sheet["student_fit"][:3], "scipy",
             [nu, location, scale], 1e-4)
    page.row("Student-t fit: log-likelihood", sheet["student_fit"][3], "scipy",
             stats.t.logpdf(heavy, nu, location, scale).sum(), 1e-9)
    nu, location, scale = sheet["student_fit"][:3]
    page.row("Student-t VaR 99 %, at our fit", sheet["student"][0], "scipy",
             -stats.t(nu, location, scale).ppf(0.01))
    shortfall = -stats.t(nu, location, scale).expect(ub=stats.t(nu, location, scale).ppf(0.01)) / 0.01
    page.row("Student-t ES 99 %, at our fit", sheet["student"][1], "scipy", shortfall, 1e-6)
    pareto(page, -heavy, sheet)
    tail = np.sort(-heavy)[::-1]
    page.row("Hill, 250 losses", sheet["hill"], "numpy, formula",
             np.log(tail[:250] / tail[250]).mean())
    aged(page, x, sheet)
    smooth = ZeroMean(x * 100, volatility=EWMAVariance(0.94)).fit(disp="off")
    next_deviation = np.sqrt(smooth.forecast(horizon=1).variance.to_numpy()[-1, 0]) / 100
    page.row("EWMA VaR", sheet["ewma"][0], "arch, scipy", -z * next_deviation, 1e-9)
    shocks = x / (smooth.conditional_volatility / 100) * next_deviation
    worst = np.sort(shocks)[:50]
    page.row("filtered historical VaR, ES", sheet["filtered"], "arch, numpy",
             [-np.quantile(shocks, 0.05), -worst.mean()], 1e-9)
    covariance, weights = np.cov(given["ret20"].T), np.full(20, 0.05)
    part = covariance @ weights / np.sqrt(weights @ covariance @ weights)
    page.row("components of the normal VaR", sheet["components"], "numpy, formula",
             weights * (-given["ret20"].mean(axis=0) - z * part))
    risk = rp.Risk_Contribution(pd.DataFrame(weights), pd.DataFrame(given["ret20"]),
                                pd.DataFrame(covariance), rm="MV")
    deviations = (np.array(sheet["components"]) + weights * given["ret20"].mean(axis=0)) / -z
    page.row("components of the deviation", deviations, "Riskfolio-Lib", np.ravel(risk), 1e-5)


def pareto(page, losses, sheet):
    start = sheet["pareto_threshold"]
    page.row("Pareto threshold, 10 % of `heavy`", start, "numpy", np.sort(losses)[-501])
    excess = losses[losses > start] - start
    shape, _, scale = stats.genpareto.fit(excess, floc=0)
    page.row("Pareto fit: shape, scale", sheet["pareto_fit"][:2], "scipy", [shape, scale], 1e-3)
    page.row("Pareto fit: log-likelihood", sheet["pareto_fit"][2], "scipy",
             stats.genpareto.logpdf(excess, shape, 0, scale).sum(), 1e-7)
    shape, scale = sheet["pareto_fit"][:2]
    var = start + stats.genpareto.isf(0.01 * len(losses) / len(excess), shape, 0, scale)
    page.row("Pareto VaR, ES 99 %, at our fit", sheet["pareto"], "scipy, formula",
             [var, (var + scale - shape * start) / (1 - shape)])


def aged(page, x, sheet):
    weights = 0.98 ** np.arange(len(x))[::-1]
    order = np.argsort(x)
    reached = np.cumsum((weights / weights.sum())[order])
    place = int(np.searchsorted(reached, 0.05))
    before = reached[place - 1]
    share = (weights / weights.sum())[order]
    mean = (share[:place] @ x[order][:place] + (0.05 - before) * x[order][place]) / 0.05
    page.row("age-weighted VaR, ES", sheet["age_weighted"], "numpy, formula",
             [-x[order][place], -mean])


def backtests(page, given, sheet):
    hits = -given["equal"] > 0.017
    n, count = len(hits), int(hits.sum())
    page.section("Back-tests of VaR", "`equal` against a constant VaR of 0.017 at 95 %")
    page.row("breaches", sheet["breaches"], "numpy", count)
    ratio = 2 * (stats.binom.logpmf(count, n, count / n) - stats.binom.logpmf(count, n, 0.05))
    page.row("Kupiec: statistic, p", sheet["kupiec"], "scipy",
             [ratio, stats.chi2.sf(ratio, 1)], 1e-9)
    before, after = hits[:-1], hits[1:]
    moves = np.array([[np.sum((before == a) & (after == b)) for b in (0, 1)] for a in (0, 1)])
    own = moves / moves.sum(axis=1, keepdims=True)
    one = moves.sum(axis=0) / moves.sum()
    chain = 2 * (xlogy(moves, own).sum() - xlogy(moves.sum(axis=0), one).sum())
    page.row("Christoffersen: statistic, p", sheet["independence"], "scipy, formula",
             [chain, stats.chi2.sf(chain, 1)], 1e-9)
    both = ratio + chain
    page.row("both together: statistic, p", sheet["conditional"], "scipy, formula",
             [both, stats.chi2.sf(both, 2)], 1e-9)
    page.row("traffic light: P(X <= x), P(X >= x)", sheet["traffic_light"], "scipy",
             [stats.binom.cdf(count, n, 0.05), stats.binom.sf(count - 1, n, 0.05)], 1e-9)


def volatility(page, given, sheet):
    x = given["clustered"]
    page.section(
        "Volatility",
        "`clustered` for normal shocks, `clustered_heavy` for Student-t; a constant mean; errors are "
        "standard errors",
    )
    models = {
        "garch": ("GARCH(1,1)", {"vol": "GARCH"}),
        "gjr": ("GJR(1,1)", {"vol": "GARCH", "o": 1}),
        "egarch": ("EGARCH(1,1)", {"vol": "EGARCH", "o": 1}),
        "garch_t": ("GARCH(1,1) Student-t", {"vol": "GARCH", "dist": "t"}),
        "gjr_t": ("GJR(1,1) Student-t", {"vol": "GARCH", "o": 1, "dist": "t"}),
        "egarch_t": ("EGARCH(1,1) Student-t", {"vol": "EGARCH", "o": 1, "dist": "t"}),
    }
    for name, (title, words) in models.items():
        values = given["clustered_heavy" if "dist" in words else "clustered"]
        model = arch.arch_model(values, rescale=False, **words)
        fit = model.fit(disp="off", tol=1e-12, options={"maxiter": 1_000})
        ours = sheet[name]
        page.row(f"{title}: log-likelihood", ours["log_likelihood"], "arch", fit.loglikelihood)
        page.row(f"{title}: parameters", ours["coefficients"], "arch", fit.params, 1e-4)
        classic = model.fit(disp="off", tol=1e-12, cov_type="classic").std_err
        for kind, theirs in (("classic", classic), ("robust", fit.std_err)):
            mine, start = ours[kind], 0
            if name == "egarch":
                page.row(f"{title}: error of the mean, {kind}", mine[0], "arch", theirs.iloc[0], 1e-2,
                         "the likelihood bends sharply where a return equals the mean, and arch's "
                         "finite step goes over one such point")
                start = 1
            what = "errors of the others" if start else "errors"
            page.row(f"{title}: {what}, {kind}", mine[start:], "arch", theirs.iloc[start:], 1e-2)
        ahead = fit.forecast(horizon=1).variance.to_numpy()[-1, 0]
        page.row(f"{title}: next variance", ours["next_variance"], "arch", ahead, 1e-4)
    smooth = ZeroMean(x, volatility=EWMAVariance(0.94)).fit(disp="off")
    ahead = smooth.forecast(horizon=1).variance.to_numpy()[-1, 0]
    page.row("EWMA variance, 1,000th and next", sheet["ewma_variances"], "arch",
             [smooth.conditional_volatility[999] ** 2, ahead])
    page.row("realised volatility, annual", sheet["realised"], "numpy, formula",
             np.sqrt((x**2).mean() * YEAR))
    page.row("bipower volatility, annual", sheet["bipower"], "numpy, formula",
             np.sqrt(np.pi / 2 * np.mean(np.abs(x[1:] * x[:-1])) * YEAR))
    page.row("block lengths: stationary, circular", sheet["block_length"], "arch",
             optimal_block_length(x).to_numpy()[0])


def covariances(page, x, sheet):
    page.section("Covariances and correlations", "`panel`; all entries of the matrix")
    table = pd.DataFrame(x)
    page.row("sample", sheet["covariance_sample"], "numpy", np.cov(x.T), 1e-12)
    ewm = table.ewm(alpha=0.06, adjust=True).cov(bias=True).to_numpy()[-20:]
    weights = 0.94 ** np.arange(len(x))[::-1]
    page.row("EWMA 0.94", sheet["covariance_ewma"], "pandas", ewm,
             why="pandas takes deviations from the weighted mean, ours from the mean of the sample")
    centred = x - x.mean(axis=0)
    page.row("EWMA 0.94", sheet["covariance_ewma"], "numpy, formula",
             (centred * (weights / weights.sum())[:, None]).T @ centred)
    page.row("Ledoit-Wolf, identity", sheet["covariance_ledoit_wolf"], "scikit-learn",
             ledoit_wolf(x)[0])
    shrunk = CovarianceShrinkage(table, returns_data=True, frequency=1)
    page.row("Ledoit-Wolf, constant correlation", sheet["covariance_constant_correlation"],
             "PyPortfolioOpt", shrunk.ledoit_wolf("constant_correlation"),
             why="its intensity mixes a covariance over n - 1 with moments over n")
    page.row("Ledoit-Wolf, constant correlation", sheet["covariance_constant_correlation"],
             "numpy, formula", constant_correlation(x) * len(x) / (len(x) - 1))
    page.row("Ledoit-Wolf, single factor", sheet["covariance_single_factor"],
             "PyPortfolioOpt", shrunk.ledoit_wolf("single_factor"))
    page.row("OAS", sheet["covariance_oas"], "scikit-learn", oas(x)[0])
    page.row("Gerber 1", sheet["covariance_gerber_one"], "Riskfolio-Lib",
             gerber.gerber_cov_stat1(table, threshold=0.5))
    page.row("Gerber 1", sheet["covariance_gerber_one"], "skfolio",
             GerberCovariance(threshold=0.5, psd_variant=True, nearest=False).fit(x).covariance_)
    page.row("Gerber 2", sheet["covariance_gerber_two"], "Riskfolio-Lib",
             gerber.gerber_cov_stat2(table, threshold=0.5))
    page.row("Gerber 2", sheet["covariance_gerber_two"], "skfolio",
             GerberCovariance(threshold=0.5, psd_variant=False, nearest=False).fit(x).covariance_)
    page.row("denoised, constant residual", sheet["covariance_denoised"], "Riskfolio-Lib",
             rp.covar_matrix(table, method="fixed", bWidth=0.01, detone=False), 1e-4)
    page.row("correlations of the first asset", sheet["correlation"], "numpy",
             np.corrcoef(x.T)[0], 1e-12)
    tau = np.array([[stats.kendalltau(x[:, i], x[:, j])[0] for j in range(20)] for i in range(20)])
    page.row("correlation by Kendall's tau", sheet["rank_correlation"], "scipy",
             np.sin(np.pi / 2 * tau))
    impossible = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    near = cov_nearest(impossible, higham=True, higham_max_iteration=10_000)
    page.row("nearest correlation (Higham)", sheet["nearest"], "skfolio",
             [near[0, 1], near[0, 2], near[1, 2]], 1e-6)


def constant_correlation(x):
    """Ledoit & Wolf (2004, "Honey, I shrunk the sample covariance matrix"), appendix A and B."""
    n, assets = x.shape
    y = x - x.mean(axis=0)
    sample = y.T @ y / n
    deviation = np.sqrt(np.diag(sample))
    off = ~np.eye(assets, dtype=bool)
    mean = (sample / np.outer(deviation, deviation))[off].mean()
    target = np.where(off, mean * np.outer(deviation, deviation), sample)
    products = y[:, :, None] * y[:, None, :] - sample
    pi = (products**2).mean(axis=0)
    squares = y**2 - np.diag(sample)
    theta = (squares[:, :, None] * products).mean(axis=0)
    pull = theta * deviation / deviation[:, None]
    rho = np.trace(pi) + mean / 2 * (pull + pull.T)[off].sum()
    intensity = (pi.sum() - rho) / ((target - sample) ** 2).sum() / n
    return intensity * target + (1 - intensity) * sample


def track(page, given, sheet):
    x, b, rate = given["equal"], given["ret20"][:, 0], sheet["rate"]
    page.section(
        "Track records",
        "`equal`; benchmark: the first asset; 252 periods a year, 2 % a year free of risk",
    )
    wealth = np.cumprod(1 + x)
    for quantity, name, theirs in (
        ("volatility", "volatility", em.annual_volatility(x, annualization=YEAR)),
        ("Sharpe ratio", "sharpe", em.sharpe_ratio(x, risk_free=rate, annualization=YEAR)),
        ("Sortino ratio", "sortino", em.sortino_ratio(x, required_return=rate, annualization=YEAR)),
        ("maximum drawdown", "max_drawdown", -em.max_drawdown(x)),
        ("growth a year", "cagr", em.cagr(x, annualization=YEAR)),
        ("Calmar ratio", "calmar", em.calmar_ratio(x, annualization=YEAR)),
        ("Omega ratio", "omega", em.omega_ratio(x, risk_free=rate, annualization=YEAR)),
        ("tail ratio", "tail_ratio", em.tail_ratio(x)),
        ("beta", "beta", em.beta(x, b, risk_free=rate)),
    ):
        page.row(quantity, sheet[name], "empyrical", theirs)
    alpha = em.alpha(x, b, risk_free=rate, annualization=YEAR)
    page.row("alpha a year", sheet["alpha"], "empyrical", alpha,
             why="compounds the alpha of a period; ours is Jensen's regression, times the periods")
    page.row("alpha a period", sheet["alpha"] / YEAR, "empyrical", (1 + alpha) ** (1 / YEAR) - 1)
    page.row("information ratio", sheet["information"], "empyrical",
             em.excess_sharpe(x, b) * np.sqrt(YEAR))
    page.row("tracking error", sheet["tracking_error"], "numpy", np.std(x - b, ddof=1) * YEAR**0.5)
    page.row("up capture", sheet["up_capture"], "empyrical", em.up_capture(x, b))
    page.row("down capture", sheet["down_capture"], "empyrical", em.down_capture(x, b))
    page.row("correlation", sheet["correlation_benchmark"], "scipy", stats.pearsonr(x, b)[0])
    page.row("ulcer index", sheet["ulcer"], "Riskfolio-Lib", rp.UCI_Rel(x.reshape(-1, 1)))
    page.row("mean drawdown", sheet["pain"], "Riskfolio-Lib", rp.ADD_Rel(x.reshape(-1, 1)))
    falls = 1 - wealth / np.maximum(1, np.maximum.accumulate(wealth))
    page.row("ulcer index", sheet["ulcer"], "numpy, formula", np.sqrt((falls**2).mean()))
    page.row("skewness", sheet["skewness"], "scipy", stats.skew(x))
    page.row("excess kurtosis", sheet["kurtosis"], "scipy", stats.kurtosis(x))
    sharpe, s, k = (x.mean() - rate) / x.std(ddof=1), stats.skew(x), stats.kurtosis(x) + 3
    spread = np.sqrt(1 - s * sharpe + (k - 1) / 4 * sharpe**2)
    page.row("error of the Sharpe ratio", sheet["sharpe_error"], "scipy, formula",
             spread / np.sqrt(len(x)))
    page.row("probabilistic Sharpe ratio", sheet["probabilistic_sharpe"], "scipy, formula",
             stats.norm.cdf(sharpe * np.sqrt(len(x) - 1) / spread))
    tilted = np.arange(1, 21) / 210
    page.row("effective assets", sheet["effective_assets"], "skfolio",
             sk.effective_number_assets(tilted))
    panel = given["ret20"]
    fits = [sm.OLS(panel[:, i], sm.add_constant(panel[:, :3])).fit() for i in (3, 4)]
    page.row("factor betas", sheet["factor_betas"], "statsmodels", [f.params[1:] for f in fits])
    page.row("factor R squared", sheet["factor_r_squared"], "statsmodels", [f.rsquared for f in fits])


def simulations(page, sheet):
    page.section(
        "Simulations",
        "400,000 paths of 100 over a year; portfolios of two assets, 524,288 paths, 99 %",
    )
    law = stats.lognorm(0.2, scale=100 * np.exp(0.05 - 0.02))
    low, start = law.ppf(0.05), 100.0
    gbm = {
        "mean": law.mean(), "profit_probability": law.sf(start), "value_at_risk": start - low,
        "expected_shortfall": start - law.expect(ub=low) / 0.05, "percentile_95": law.ppf(0.95),
    }
    compare(page, "geometric Brownian motion", sheet["gbm"], "scipy", gbm)
    jumps = np.arange(60)
    chances = stats.poisson.pmf(jumps, 1.5)
    spreads = np.sqrt(0.15**2 + jumps * 0.1**2)
    growth = 0.05 - 0.15**2 / 2 - 1.5 * (np.exp(-0.08 + 0.1**2 / 2) - 1)
    centres = np.log(start) + growth - 0.08 * jumps

    def below(level):
        return chances @ stats.norm.cdf((np.log(level) - centres) / spreads)

    def put(strike):
        z = (np.log(strike) - centres) / spreads
        means = np.exp(centres + spreads**2 / 2) * stats.norm.cdf(z - spreads)
        return strike * below(strike) - chances @ means

    compare(page, "Merton jumps", sheet["merton"], "scipy, formula", ends(below, put, 0.05))
    compare(page, "Heston volatility", sheet["heston"], "QuantLib", ends(*heston(start), 0.03))
    deviation = np.sqrt(0.36 * 4e-4 + 2 * 0.24 * 1e-4 + 0.16 * 2.25e-4)
    z = stats.norm.ppf(0.01)
    normal = [-z * deviation, stats.norm.pdf(z) / 0.01 * deviation]
    unit = stats.t(5)
    scale, q = deviation * np.sqrt(3 / 5), unit.ppf(0.01)
    student = [-q * scale, unit.pdf(q) / 0.01 * (5 + q**2) / 4 * scale]
    for name, title, exact in (
        ("joint_normal", "normal portfolio", normal),
        ("joint_normal_sobol", "normal portfolio, Sobol points", normal),
        ("joint_student", "Student-t portfolio, 5 degrees", student),
    ):
        for figure, estimate, value in zip(("VaR", "ES"), sheet[name], exact):
            page.sampled(f"{title}: {figure}", estimate, "scipy", value)
    points = stats.qmc.Sobol(20, scramble=False, bits=32).random(1_024)
    page.row("Sobol points, 1,024 x 20", sheet["sobol"], "scipy", points, 1e-15)


def heston(start):
    """The law of the end of a year, out of the prices of options on it."""
    today, count = ql.Date(2, 1, 2026), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    drift, none = (
        ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count)) for rate in (0.03, 0.0)
    )
    spot = ql.QuoteHandle(ql.SimpleQuote(start))
    process = ql.HestonProcess(drift, none, spot, 0.04, 2.0, 0.05, 0.4, -0.6)
    engine = ql.AnalyticHestonEngine(ql.HestonModel(process), 1e-12, 100_000)
    exercise = ql.EuropeanExercise(today + 365)

    def put(strike):
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, strike), exercise)
        option.setPricingEngine(engine)
        return option.NPV() * np.exp(0.03)

    return lambda level: (put(level + 0.01) - put(level - 0.01)) / 0.02, put


def ends(below, put, drift, start=100.0):
    """What a law says by its distribution function and its mean shortfall below a level."""

    def at(probability):
        return optimize.brentq(lambda level: below(level) - probability, 20.0, 300.0, xtol=1e-9)

    low = at(0.05)
    return {
        "mean": start * np.exp(drift), "profit_probability": 1 - below(start),
        "value_at_risk": start - low, "expected_shortfall": start - low + put(low) / 0.05,
        "percentile_95": at(0.95),
    }


def compare(page, title, ours, library, exact):
    for figure, value in exact.items():
        page.sampled(f"{title}: {figure.replace('_', ' ')}", ours[figure], library, value)
