// Package metrics keeps figures over time, minute by minute, and answers questions about them (adjacent §5, CloudWatch).
//
// Figures come in through [Metrics.Add]: from whoever measures services, and from clients (PutMetricData). All values of one metric in one
// minute are rolled up into a [Point]: count, sum, extremes, and a sketch of how the values are spread. Points can be merged, so that any
// longer period, and its percentiles, are made of those of its minutes. A row of the database holds a minute of all metrics that share their
// dimensions. Nothing is kept in memory, and nothing runs while nobody adds or asks.
//
// [Metrics.Read] gives a metric period by period, [Metrics.Data] answers several queries at once, metric math included (package expr), and
// [Metrics.List] tells what there is. Dashboards are texts that are kept beside.
//
// This package knows accounts and regions, never services, and never how AWS spells a request.
package metrics
