//go:build e2e

package conformance

import "testing"

const javascriptMetrics = `
const { CloudWatchClient, PutMetricDataCommand, GetMetricDataCommand, GetMetricStatisticsCommand, ListMetricsCommand, PutMetricAlarmCommand,
  DescribeAlarmsCommand, GetDashboardCommand, PutDashboardCommand, ResourceNotFound, DashboardNotFoundError } = require("@aws-sdk/client-cloudwatch");
const faults = [];
const want = (ok, text) => { if (!ok) faults.push(text); };
(async () => {
  const client = new CloudWatchClient({ endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION, maxAttempts: 1 });
  const Namespace = "Shop", Dimensions = [{ Name: "Till", Value: "1" }], minute = new Date(Math.floor(Date.now() / 60000) * 60000 - 60000);
  await client.send(new PutMetricDataCommand({ Namespace, MetricData: [
    { MetricName: "Sales", Dimensions, Timestamp: minute, Values: [1, 2.5], Counts: [3, 1], Unit: "Count" },
    ...Array.from({ length: 300 }, (_, i) => ({ MetricName: "Many" + i, Timestamp: minute, Value: i })) ] }));
  const range = { StartTime: new Date(+minute - 600000), EndTime: new Date(+minute + 120000) };
  const one = await client.send(new GetMetricStatisticsCommand({ Namespace, MetricName: "Sales", Dimensions, Period: 60, Statistics: ["Sum", "SampleCount"], ExtendedStatistics: ["p99"], ...range }));
  want(one.Datapoints.length === 1 && one.Datapoints[0].Sum === 5.5 && +one.Datapoints[0].Timestamp === +minute && one.Datapoints[0].ExtendedStatistics.p99 > 2.4, "GetMetricStatistics: " + JSON.stringify(one));
  const many = await client.send(new GetMetricDataCommand({ ...range, MetricDataQueries: [
    { Id: "a", MetricStat: { Metric: { Namespace, MetricName: "Sales", Dimensions }, Period: 60, Stat: "Average" } }, { Id: "b", Expression: "a * 2" } ] }));
  want(many.MetricDataResults.length === 2 && many.MetricDataResults[1].Values[0] === 2.75 && many.MetricDataResults[0].StatusCode === "Complete" &&
    many.MetricDataResults[0].Timestamps[0] instanceof Date, "GetMetricData: " + JSON.stringify(many));
  const list = await client.send(new ListMetricsCommand({ Namespace, MetricName: "Sales" }));
  want(list.Metrics.length === 1 && list.Metrics[0].Dimensions[0].Value === "1", "ListMetrics: " + JSON.stringify(list));
  await client.send(new PutMetricAlarmCommand({ AlarmName: "a", Namespace, MetricName: "Sales", Dimensions, Statistic: "Sum", Period: 60, EvaluationPeriods: 1, Threshold: 1.5, ComparisonOperator: "GreaterThanThreshold" }));
  const { MetricAlarms } = await client.send(new DescribeAlarmsCommand({}));
  want(MetricAlarms.length === 1 && MetricAlarms[0].Threshold === 1.5 && MetricAlarms[0].StateUpdatedTimestamp instanceof Date, "DescribeAlarms: " + JSON.stringify(MetricAlarms));
  const DashboardBody = JSON.stringify({ widgets: [] });
  await client.send(new PutDashboardCommand({ DashboardName: "d", DashboardBody }));
  want((await client.send(new GetDashboardCommand({ DashboardName: "d" }))).DashboardBody === DashboardBody, "GetDashboard");
  try { await client.send(new GetDashboardCommand({ DashboardName: "none" })); want(false, "not refused"); } catch (e) {
    want((e instanceof DashboardNotFoundError || e instanceof ResourceNotFound) && e.$metadata.httpStatusCode === 404 && /none/.test(e.message), "no dashboard: " + e.name + " " + e);
  }
})().catch(e => faults.push(String(e.stack))).finally(() => { faults.forEach(f => console.log(f)); process.exit(faults.length ? 1 : 0); });
`

// checklist: 154
func TestJavaScriptSDKReadsMetrics(t *testing.T) {
	tellStory(t, "@aws-sdk/client-cloudwatch@3", javascriptMetrics)
}
