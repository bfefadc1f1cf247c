//! Covariances and portfolios that do not exist.

use quant::covariance::CovarianceError;
use quant::hierarchy::{ClusterPart, HierarchyError};
use quant::portfolio::{Constraint, PortfolioError};
use quant::views::ViewError;
use serde_json::json;
use wire::Failure;

use super::{Fields, of_stats, refused};

/// The name of an asset by its number.
fn name_of(names: &[String], asset: usize) -> String {
    names.get(asset).cloned().unwrap_or_else(|| asset.to_string())
}

/// A covariance that does not exist; `names` are the assets.
pub(crate) fn of_covariance(
    error: CovarianceError,
    names: &[String],
    fields: &Fields<'_>,
) -> Failure {
    let told = error.to_string();
    match error {
        CovarianceError::Returns(error) => of_stats(error, fields),
        CovarianceError::AssetCount(count) => {
            let value = format!("{count} values");
            Failure::invalid("assets", value, "must have from 1 to 2000", json!(names.first()))
        }
        CovarianceError::Length { field, len, assets } => {
            let rule = format!("must have {assets}, one for each asset");
            Failure::invalid((fields.series)(field), format!("{len} values"), &rule, json!([]))
        }
        CovarianceError::ConstantAsset { asset } => {
            let asset = name_of(names, asset);
            let message = format!("{asset} is constant, so that it has no correlation");
            Failure::refused("CONSTANT_ASSET", message).with("asset", json!(asset))
        }
        CovarianceError::Entry { row, column, value, rule } => {
            let field = format!("{}[{row}][{column}]", (fields.series)("covariance"));
            Failure::invalid(&field, value, &format!("must be {rule}"), json!(0.0004))
        }
        CovarianceError::NotSemidefinite { asset } => {
            Failure::refused("NOT_POSITIVE_SEMIDEFINITE", told)
                .with("asset", json!(name_of(names, asset)))
        }
        CovarianceError::NoVariance => Failure::refused("NO_VARIANCE", told),
        CovarianceError::Parameter { field, value, rule } => fields.parameter(field, value, rule),
        CovarianceError::NothingReachesThreshold { asset, threshold } => {
            let asset = name_of(names, asset);
            let message = format!("no return of {asset} reaches its threshold of {threshold:e}");
            refused("NOTHING_REACHES_THRESHOLD", message, &[("threshold", threshold)])
                .with("asset", json!(asset))
        }
        CovarianceError::NotConverged { error, tolerance, .. } => {
            refused("NOT_CONVERGED", told, &[("error", error), ("tolerance", tolerance)])
        }
    }
}

/// A portfolio that does not exist; `names` are the assets.
pub(crate) fn of_portfolio(
    error: PortfolioError,
    names: &[String],
    fields: &Fields<'_>,
) -> Failure {
    match error {
        PortfolioError::Returns(error) => of_stats(error, fields),
        PortfolioError::Covariance(error) => of_covariance(error, names, fields),
        PortfolioError::AssetCount(count) => {
            let value = format!("{count} values");
            Failure::invalid("assets", value, "must have from 1 to 2000", json!(names.first()))
        }
        PortfolioError::Length { field, len, assets } => {
            let field = (fields.series)(field);
            let rule = format!("must have {assets}, one for each of assets");
            Failure::invalid(field, format!("{len} values"), &rule, (fields.example)(field))
        }
        PortfolioError::Bound { asset, lower, upper } => {
            let rule = "must have a least weight of at least -100, not above a largest of at most \
                        100";
            Failure::invalid(
                &name_of(names, asset),
                format!("{lower} to {upper}"),
                rule,
                json!([0.0, 1.0]),
            )
        }
        PortfolioError::Limit { field, value, rule } => fields.parameter(field, value, rule),
        PortfolioError::Range { field, min, max } => {
            let field = (fields.series)(field);
            let rule = "must be finite, the least not above the largest";
            Failure::invalid(field, format!("{min} to {max}"), rule, (fields.example)(field))
        }
        PortfolioError::Group { group, .. } => {
            let field = format!("groups[{group}].assets");
            let rule = "must name assets of the portfolio, each once";
            Failure::invalid(&field, "something else", rule, json!([names.first()]))
        }
        PortfolioError::WeightSum { field, sum } => {
            let field = (fields.series)(field);
            Failure::invalid(
                field,
                format!("{sum} in sum"),
                "must sum to 1",
                (fields.example)(field),
            )
        }
        PortfolioError::Rate { field, value } => fields.parameter(field, value, "finite"),
        PortfolioError::Budget { asset, value } => {
            let field = format!("risk_budgets[{asset}]");
            Failure::invalid(&field, value, "must be positive", json!(0.5))
        }
        PortfolioError::BudgetSum(sum) => {
            let example = (fields.example)("risk_budgets");
            Failure::invalid("risk_budgets", format!("{sum} in sum"), "must sum to 1", example)
        }
        PortfolioError::TooFewAssets { assets_max, forced } => {
            let rule = format!("must be at least {forced}, as many as the bounds force to be held");
            Failure::invalid("assets_max", assets_max, &rule, json!(forced))
        }
        other => of_no_answer(other, names),
    }
}

/// A question that is well put and has no answer.
fn of_no_answer(error: PortfolioError, names: &[String]) -> Failure {
    let name = |asset: usize| name_of(names, asset);
    let refused = |reason| Failure::refused(reason, error.to_string());
    match error {
        PortfolioError::TargetUnreachable { target, min, max } => {
            refused("TARGET_RETURN_UNREACHABLE")
                .with("target_return", json!(target))
                .with("reachable_min", json!(min))
                .with("reachable_max", json!(max))
        }
        PortfolioError::NothingBeatsRiskFree { asset, mean, risk_free } => {
            let asset = name(asset);
            let message = format!(
                "no asset beats the risk-free {risk_free} per period: the best, {asset}, expects \
                 {mean}"
            );
            Failure::refused("NO_ASSET_BEATS_RISK_FREE", message)
                .with("asset", json!(asset))
                .with("expected_return", json!(mean))
                .with("risk_free_per_period", json!(risk_free))
        }
        PortfolioError::ConstraintsBelowRiskFree { best, risk_free } => {
            refused("BOUNDS_BELOW_RISK_FREE")
                .with("expected_return", json!(best + risk_free))
                .with("risk_free_per_period", json!(risk_free))
        }
        PortfolioError::RisklessExcess => refused("RISKLESS_EXCESS_RETURN"),
        PortfolioError::NotVerified { gap, .. } => {
            let failure = refused("NO_VERIFIED_OPTIMUM");
            if gap.is_finite() { failure.with("gap", json!(gap)) } else { failure }
        }
        PortfolioError::Infeasible { ref conflict } => {
            let conflict: Vec<String> = conflict.iter().map(|limit| told(*limit, names)).collect();
            let message = format!("no portfolio keeps to all of: {}", conflict.join("; "));
            Failure::refused("INFEASIBLE", message).with("conflict", json!(conflict))
        }
        PortfolioError::Ruinous { worst_loss } => {
            refused("RUINOUS").with("worst_loss", json!(worst_loss))
        }
        PortfolioError::RisklessMix => refused("RISKLESS_MIX"),
        PortfolioError::BudgetNotReached { error } => {
            refused("BUDGET_NOT_REACHED").with("error", json!(error))
        }
        PortfolioError::NoSubsetFound { assets_max } => {
            refused("NO_SUBSET_FOUND").with("assets_max", json!(assets_max))
        }
        // The others are about inputs, or cannot occur with inputs made from one list of assets.
        _ => refused("NO_COVARIANCE"),
    }
}

/// A limit with the names of its assets; groups are counted from zero.
pub(crate) fn told(limit: Constraint, names: &[String]) -> String {
    match limit {
        Constraint::LowerBound(asset) => format!("the least weight of {}", name_of(names, asset)),
        Constraint::UpperBound(asset) => format!("the largest weight of {}", name_of(names, asset)),
        other => other.to_string(),
    }
}

/// A hierarchy that does not exist; `names` are the assets.
pub(crate) fn of_hierarchy(
    error: HierarchyError,
    names: &[String],
    fields: &Fields<'_>,
) -> Failure {
    match error {
        HierarchyError::ConstantAsset { asset } => {
            of_covariance(CovarianceError::ConstantAsset { asset }, names, fields)
        }
        HierarchyError::ClusterCount { clusters, assets } => {
            fields.parameter("clusters", clusters, &format!("from 1 to {assets}"))
        }
        HierarchyError::Part { part, error } => {
            let part = match part {
                ClusterPart::Within(cluster) => format!("cluster {cluster}"),
                ClusterPart::Between => "all clusters together".to_owned(),
            };
            // Within a part, assets have other numbers than outside.
            let Failure { code, message, data } = of_portfolio(*error, &[], fields);
            Failure { code, message: format!("{part}: {message}"), data }
        }
    }
}

/// Views that cannot be taken in.
pub(crate) fn of_views(error: ViewError, names: &[String], fields: &Fields<'_>) -> Failure {
    let told = error.to_string();
    match error {
        ViewError::Numbers(error) => of_stats(error, fields),
        ViewError::Length { field, len, required } => {
            let field = (fields.series)(field);
            let rule = format!("must have {required}");
            Failure::invalid(field, format!("{len} values"), &rule, (fields.example)(field))
        }
        ViewError::Parameter { field, value, rule } => fields.parameter(field, value, rule),
        ViewError::View { field, view, value, rule } => {
            let field = format!("views[{view}].{field}");
            Failure::invalid(&field, value, &format!("must be {rule}"), json!(0.5))
        }
        ViewError::Empty { view } => {
            let field = format!("views[{view}].loadings");
            Failure::invalid(&field, "zero", "must have one that is not zero", json!([1.0, -1.0]))
        }
        ViewError::MarketSum(sum) => {
            let example = (fields.example)("market_weights");
            Failure::invalid("market_weights", format!("{sum} in sum"), "must sum to 1", example)
        }
        ViewError::Dependent { view } => {
            Failure::refused("DEPENDENT_VIEWS", told).with("view", json!(view))
        }
        ViewError::Posterior(error) => of_portfolio(error, names, fields),
    }
}
