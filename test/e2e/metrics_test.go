package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"slipway.dev/slipway/test/rig"
)

// figures is what the CLI prints of a metric.
type figures struct {
	Label      string
	Datapoints []struct {
		Sum, Average, Maximum, SampleCount float64
		Unit                               string
		ExtendedStatistics                 map[string]float64
	}
}

// dimensionsOf are the dimensions of a service, as the CLI takes them.
func dimensionsOf(s rig.Service) []string {
	return []string{"--dimensions", "Name=ServiceName,Value=" + *s.ServiceName, "Name=ServiceID,Value=" + *s.ServiceId}
}

// statistics reads a metric of a service with the stock CLI, two hours as one period.
func (h house) statistics(t *testing.T, s rig.Service, name string, more ...string) (f figures) {
	t.Helper()
	from := time.Now().Add(-time.Hour).UTC()
	args := []string{
		"cloudwatch", "get-metric-statistics", "--namespace", "AWS/AppRunner", "--metric-name", name, "--period", "7200",
		"--start-time", from.Format(time.RFC3339), "--end-time", from.Add(2 * time.Hour).Format(time.RFC3339),
	}
	h.must(t, &f, slices.Concat(args, dimensionsOf(s), more)...)
	return f
}

// figures is the Go SDK's client of CloudWatch.
func (h house) figures() *cloudwatch.Client {
	return cloudwatch.NewFromConfig(aws.Config{
		Region: h.Env["AWS_REGION"], BaseEndpoint: aws.String(h.Env["AWS_ENDPOINT_URL"]),
		Credentials: credentials.NewStaticCredentialsProvider(h.Env["AWS_ACCESS_KEY_ID"], h.Env["AWS_SECRET_ACCESS_KEY"], ""),
	})
}

// ask sends requests to a service, so many by path.
func ask(t *testing.T, s rig.Service, paths map[string]int) {
	t.Helper()
	for path, times := range paths {
		for range times {
			if _, _, err := s.Get(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestMetricsOfAService: what a service does shows in CloudWatch at once, to the stock CLI and the Go SDK; so does what its instances use.
//
// checklist: 154, 155, 156, 157
func TestMetricsOfAService(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "figures", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	ask(t, s, map[string]int{"/": 4, "/status?code=404": 2, "/status?code=503": 1, "/slow?ms=300": 1})
	for name, want := range map[string]float64{"Requests": 8, "2xxStatusResponses": 5, "4xxStatusResponses": 2, "5xxStatusResponses": 1} {
		eventually(t, fmt.Sprint(want, " ", name), func() bool {
			f := h.statistics(t, s, name, "--statistics", "Sum")
			return len(f.Datapoints) == 1 && f.Datapoints[0].Sum == want && f.Datapoints[0].Unit == "Count" && f.Label == name
		})
	}
	latency := h.statistics(t, s, "RequestLatency", "--statistics", "Average", "SampleCount", "--extended-statistics", "p50", "p99")
	if len(latency.Datapoints) != 1 || latency.Datapoints[0].SampleCount != 8 || latency.Datapoints[0].Unit != "Milliseconds" ||
		latency.Datapoints[0].ExtendedStatistics["p99"] < 290 || latency.Datapoints[0].ExtendedStatistics["p50"] >= latency.Datapoints[0].ExtendedStatistics["p99"] {
		t.Errorf("%+v", latency)
	}
	active := h.statistics(t, s, "ActiveInstances", "--statistics", "Maximum")
	if len(active.Datapoints) != 1 || active.Datapoints[0].Maximum != 1 {
		t.Errorf("%+v", active)
	}
	h.listed(t, s)
	h.used(t, s)
}

// listed looks for the metrics of a service, and of its instance, in the lists.
func (h house) listed(t *testing.T, s rig.Service) {
	t.Helper()
	names := func(more ...string) (out []string) {
		var list struct {
			Metrics []struct {
				MetricName string
				Dimensions []struct{ Name, Value string }
			}
		}
		args := []string{"cloudwatch", "list-metrics", "--namespace", "AWS/AppRunner", "--recently-active", "PT3H", "--dimensions", "Name=ServiceName,Value=" + *s.ServiceName}
		h.must(t, &list, append(args, more...)...)
		for _, m := range list.Metrics {
			out = append(out, fmt.Sprint(m.MetricName, len(m.Dimensions)))
		}
		slices.Sort(out)
		return out
	}
	want := []string{
		"2xxStatusResponses2", "4xxStatusResponses2", "5xxStatusResponses2", "ActiveInstances2", "CPUUtilization2", "CPUUtilization3", "Concurrency2",
		"MemoryUtilization2", "MemoryUtilization3", "RequestLatency2", "Requests2",
	}
	var got []string
	eventually(t, strings.Join(want, " "), func() bool { got = names(); return slices.Equal(got, want) })
	if instances := names("Name=Instance"); !slices.Equal(instances, []string{"CPUUtilization3", "MemoryUtilization3"}) {
		t.Errorf("with an instance: %q", instances)
	}
}

// used lets the instance compute and reads how much of its processor it used, by the Go SDK's GetMetricData and metric math.
func (h house) used(t *testing.T, s rig.Service) {
	t.Helper()
	ids := s.Instances(t, "active")
	if len(ids) != 1 {
		t.Fatalf("instances: %q", ids)
	}
	dimensions := []cwtypes.Dimension{
		{Name: aws.String("ServiceName"), Value: s.ServiceName}, {Name: aws.String("ServiceID"), Value: s.ServiceId}, {Name: aws.String("Instance"), Value: &ids[0]},
	}
	stat := func(name string) *cwtypes.MetricStat {
		return &cwtypes.MetricStat{Metric: &cwtypes.Metric{Namespace: aws.String("AWS/AppRunner"), MetricName: &name, Dimensions: dimensions}, Period: aws.Int32(60), Stat: aws.String("Maximum")}
	}
	in := &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now().Add(time.Hour)),
		MetricDataQueries: []cwtypes.MetricDataQuery{
			{Id: aws.String("cpu"), MetricStat: stat("CPUUtilization")},
			{Id: aws.String("memory"), MetricStat: stat("MemoryUtilization")},
			{Id: aws.String("both"), Expression: aws.String("MIN([cpu, memory])"), Label: aws.String("the lesser")},
		},
	}
	var out *cloudwatch.GetMetricDataOutput
	eventually(t, "a busy processor", func() bool {
		ask(t, s, map[string]int{"/burn?ms=1000": 1})
		var err error
		if out, err = h.figures().GetMetricData(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		cpu := out.MetricDataResults[0].Values
		return len(cpu) > 0 && slices.Max(cpu) > 10
	})
	cpu, memory := slices.Max(out.MetricDataResults[0].Values), slices.Max(out.MetricDataResults[1].Values)
	if cpu > 150 || memory <= 0 || memory > 100 || len(out.MetricDataResults[2].Values) == 0 || *out.MetricDataResults[2].Label != "the lesser" {
		t.Errorf("%+v", out.MetricDataResults)
	}
}

// TestMetricAlarm: an alarm on a metric of a real service goes into alarm when a minute is over the threshold; it tells the web hook that
// stands for its action, and, through a rule, the event bus. Values that a client puts do the same at once. What was measured, and what was
// not yet, outlives the kill of the process that measures.
//
// checklist: 154, 158
func TestMetricAlarm(t *testing.T) {
	t.Parallel()
	hook := newHooks(t)
	h := withHooks(t, hook, "pager", "rule")
	h.PushApp(t, "app", "v1", "v1")
	h.rule(t, "alarms", `{"source":["aws.cloudwatch"],"detail-type":["CloudWatch Alarm State Change"],"detail":{"state":{"value":["ALARM"]}}}`, hookARN("rule"))
	s := h.Create(t, "watched", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	h.must(t, nil, slices.Concat([]string{
		"cloudwatch", "put-metric-alarm", "--alarm-name", "busy", "--namespace", "AWS/AppRunner", "--metric-name", "Requests", "--statistic", "Sum", "--period", "60",
		"--evaluation-periods", "1", "--threshold", "3", "--comparison-operator", "GreaterThanOrEqualToThreshold", "--alarm-actions", hookARN("pager"),
	}, dimensionsOf(s))...)
	h.alarmsByHand(t, hook)
	requests := 0.0
	eventually(t, "the service is busy in some minute", func() bool {
		ask(t, s, map[string]int{"/": 3})
		requests += 3
		return h.stateOf(t, "busy") == "ALARM"
	})
	eventually(t, "the actions and the rule have heard of it", func() bool {
		at := func(path string) int {
			return len(slices.DeleteFunc(hook.at(path), func(e busEvent) bool { return e.Detail["alarmName"] != "busy" }))
		}
		return at("/pager") == 1 && at("/rule") == 1
	})
	e := hook.at("/pager")
	last := e[len(e)-1]
	if last.DetailType != "CloudWatch Alarm State Change" || last.Source != "aws.cloudwatch" || !last.signed || last.Resources[0] != "arn:aws:cloudwatch:us-east-1:123456789012:alarm:busy" {
		t.Errorf("%+v", last)
	}
	h.Kill(t, "control")
	eventually(t, "every request is counted once", func() bool {
		f := h.statistics(t, s, "Requests", "--statistics", "Sum")
		return len(f.Datapoints) == 1 && f.Datapoints[0].Sum == requests
	})
}

// stateOf is the state of an alarm.
func (h house) stateOf(t *testing.T, name string) string {
	t.Helper()
	var out struct{ MetricAlarms []struct{ StateValue string } }
	h.must(t, &out, "cloudwatch", "describe-alarms", "--alarm-names", name)
	if len(out.MetricAlarms) != 1 {
		t.Fatalf("alarm %s: %+v", name, out)
	}
	return out.MetricAlarms[0].StateValue
}

// alarmsByHand has an alarm over values that the test puts, and sets the state of another.
func (h house) alarmsByHand(t *testing.T, hook *hooks) {
	t.Helper()
	c, minute := h.figures(), time.Now().Truncate(time.Minute)
	in := &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop")}
	for ago := range 4 {
		in.MetricData = append(in.MetricData, cwtypes.MetricDatum{MetricName: aws.String("Errors"), Value: aws.Float64(7), Timestamp: aws.Time(minute.Add(-time.Duration(ago+1) * time.Minute))})
	}
	if _, err := c.PutMetricData(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	h.must(t, nil, "cloudwatch", "put-metric-alarm", "--alarm-name", "errors", "--namespace", "Shop", "--metric-name", "Errors", "--statistic", "Sum", "--period", "60",
		"--evaluation-periods", "3", "--datapoints-to-alarm", "2", "--threshold", "5", "--comparison-operator", "GreaterThanThreshold", "--alarm-actions", hookARN("pager"))
	eventually(t, "an alarm over what is there already", func() bool { return h.stateOf(t, "errors") == "ALARM" })
	h.must(t, nil, "cloudwatch", "set-alarm-state", "--alarm-name", "errors", "--state-value", "OK", "--state-reason", "a test")
	eventually(t, "the action has heard of the alarm", func() bool {
		return slices.ContainsFunc(hook.at("/pager"), func(e busEvent) bool { return e.Detail["alarmName"] == "errors" })
	})
	var history struct {
		AlarmHistoryItems []struct{ HistorySummary string }
	}
	h.must(t, &history, "cloudwatch", "describe-alarm-history", "--alarm-name", "errors", "--scan-by", "TimestampAscending")
	if n := len(history.AlarmHistoryItems); n < 4 || history.AlarmHistoryItems[0].HistorySummary != `Alarm "errors" created` {
		t.Errorf("%+v", history)
	}
	h.must(t, nil, "cloudwatch", "delete-alarms", "--alarm-names", "errors")
}
