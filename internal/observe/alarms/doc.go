// Package alarms watches metrics (adjacent §5, CloudWatch alarms). An alarm holds the values of a metric, or of metric math, against a
// threshold, period by period, and is in one of three states. When the state changes, an event tells so on the account's event bus, and goes
// to the alarm's actions for the new state; that, the new state and the history of the alarm are one transaction.
//
// [Evaluate] decides and is pure. [Alarms.Run] has it decide about all alarms whenever a minute of metrics is complete, and at once about those
// that are made or changed. Nothing runs meanwhile, and alarms are not kept in memory.
package alarms
