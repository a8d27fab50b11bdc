// Package expr computes metric math (CloudWatch, "Using math expressions"): arithmetic, comparisons and functions over numbers, time series
// and lists of time series. [Parse] reads an expression, [Expr.Names] tells what it is made of, [Expr.Eval] computes it. It is pure: it knows
// neither where series come from nor what time it is.
//
// Two series are joined at the moments that both have; FILL gives one a value where it has none. Not there are the functions that search for
// metrics, look for anomalies or query Metrics Insights.
package expr
