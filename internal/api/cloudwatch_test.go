package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/observe/alarms"
	"slipway.dev/slipway/internal/observe/dashboards"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/store"
)

// newCloudWatch serves metrics, alarms and dashboards over a database.
func newCloudWatch(t *testing.T, db *store.DB, tokens *api.Tokens) (*api.Service, *metrics.Metrics, *alarms.Alarms) {
	t.Helper()
	ctx := context.Background()
	ok(t, observe.PrepareEvents(ctx, db))
	data, err := metrics.Open(ctx, metrics.Config{DB: db, Retention: 15 * 24 * time.Hour, Now: time.Now})
	ok(t, err)
	watch, err := alarms.Open(ctx, alarms.Config{DB: db, Metrics: data, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ok(t, err)
	boards, err := dashboards.Open(ctx, dashboards.Config{DB: db, Now: time.Now})
	ok(t, err)
	service, err := api.NewCloudWatch(api.CloudWatchConfig{
		Metrics: data, Alarms: watch, Dashboards: boards, Tokens: tokens, Now: time.Now, Catch: func(context.Context) error { return nil },
	})
	ok(t, err)
	return service, data, watch
}

// figuresWorld is a door that serves CloudWatch, and the Go SDK's client of it, which speaks CBOR.
func figuresWorld(t *testing.T) (*door, *cloudwatch.Client, *alarms.Alarms) {
	t.Helper()
	var watch *alarms.Alarms
	d := newDoor(t, func(c *api.Config) {
		tokens, err := api.NewTokens([]byte("0123456789abcdef"))
		ok(t, err)
		var service *api.Service
		service, _, watch = newCloudWatch(t, openStore(t), tokens)
		c.Services = append(c.Services, service)
	})
	return d, cloudwatch.NewFromConfig(d.config()), watch
}

// sale is a value of a metric.
func sale(v float64, ago time.Duration, dimensions ...string) types.MetricDatum {
	m := types.MetricDatum{MetricName: aws.String("Sales"), Value: &v, Unit: types.StandardUnitCount, Timestamp: aws.Time(time.Now().Add(-ago))}
	for i := 0; i < len(dimensions); i += 2 {
		m.Dimensions = append(m.Dimensions, types.Dimension{Name: &dimensions[i], Value: &dimensions[i+1]})
	}
	return m
}

func sales(span time.Duration, more ...func(*cloudwatch.GetMetricStatisticsInput)) *cloudwatch.GetMetricStatisticsInput {
	in := &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("Shop"), MetricName: aws.String("Sales"), Period: aws.Int32(3600), Statistics: []types.Statistic{types.StatisticSum, types.StatisticSampleCount},
		ExtendedStatistics: []string{"p50"}, StartTime: aws.Time(time.Now().Add(-span)), EndTime: aws.Time(time.Now().Add(time.Minute)),
	}
	for _, f := range more {
		f(in)
	}
	return in
}

// What a client puts is listed and read again, large bodies, which the SDK compresses, included.
func TestPutAndReadMetrics(t *testing.T) {
	d, c, _ := figuresWorld(t)
	ctx := t.Context()
	in := &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop")}
	for i := range 400 {
		in.MetricData = append(in.MetricData, sale(float64(i%4), time.Minute, "Till", fmt.Sprint(i%40)))
	}
	in.MetricData = append(in.MetricData, types.MetricDatum{MetricName: aws.String("Sales"), Values: []float64{5, 6}, Counts: []float64{2, 1}, Unit: types.StandardUnitCount})
	in.MetricData = append(in.MetricData, types.MetricDatum{
		MetricName: aws.String("Waits"), StatisticValues: &types.StatisticSet{SampleCount: aws.Float64(3), Sum: aws.Float64(9), Minimum: aws.Float64(1), Maximum: aws.Float64(5)},
	})
	if _, err := c.PutMetricData(ctx, in); err != nil {
		t.Fatal(err)
	}
	if record, text := d.last(t); record.EventSource != "monitoring.amazonaws.com" || record.EventName != "PutMetricData" {
		t.Error(text)
	}
	out, err := c.GetMetricStatistics(ctx, sales(time.Hour))
	if err != nil || len(out.Datapoints) != 1 || *out.Datapoints[0].Sum != 16 || *out.Datapoints[0].SampleCount != 3 || out.Datapoints[0].Unit != types.StandardUnitCount {
		t.Fatalf("%+v, %v", out, err)
	}
	if p := out.Datapoints[0].ExtendedStatistics["p50"]; p < 4.9 || p > 5.1 {
		t.Errorf("p50 is %v", p)
	}
	for i, pages := 0, cloudwatch.NewListMetricsPaginator(c, &cloudwatch.ListMetricsInput{Namespace: aws.String("Shop"), Dimensions: []types.DimensionFilter{{Name: aws.String("Till")}}}); pages.HasMorePages(); i++ {
		page, err := pages.NextPage(ctx)
		if err != nil || len(page.Metrics) != 40 {
			t.Fatalf("page %d: %d metrics, %v", i, len(page.Metrics), err)
		}
	}
}

// Values come page by page where they are many; every page holds what the one before left.
func TestPagesOfData(t *testing.T) {
	_, c, _ := figuresWorld(t)
	in := &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop")}
	for i := range 7 {
		in.MetricData = append(in.MetricData, sale(float64(i), time.Duration(i+1)*time.Minute))
	}
	_, err := c.PutMetricData(t.Context(), in)
	ok(t, err)
	stat := &types.MetricStat{Metric: &types.Metric{Namespace: aws.String("Shop"), MetricName: aws.String("Sales")}, Period: aws.Int32(60), Stat: aws.String("Sum")}
	pages := cloudwatch.NewGetMetricDataPaginator(c, &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now()), MaxDatapoints: aws.Int32(3), ScanBy: types.ScanByTimestampDescending,
		MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("a"), MetricStat: stat}, {Id: aws.String("b"), Expression: aws.String("a * 10"), Label: aws.String("tenfold")}},
	})
	got := map[string][]float64{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		ok(t, err)
		n := 0
		for _, r := range page.MetricDataResults {
			got[*r.Id+" "+*r.Label] = append(got[*r.Id+" "+*r.Label], r.Values...)
			n += len(r.Values)
		}
		if n > 3 {
			t.Errorf("a page of %d", n)
		}
	}
	if !slices.Equal(got["a Sales"], []float64{0, 1, 2, 3, 4, 5, 6}) || !slices.Equal(got["b tenfold"], []float64{0, 10, 20, 30, 40, 50, 60}) {
		t.Errorf("%v", got)
	}
}

// Older clients speak JSON or the query protocol; the codes of errors are those they know.
//
// checklist: 154
func TestOlderProtocolsOfCloudWatch(t *testing.T) {
	d, c, _ := figuresWorld(t)
	_, err := c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop"), MetricData: []types.MetricDatum{sale(4, time.Minute)}})
	ok(t, err)
	if status, body := d.post(t, "monitoring", "GraniteServiceVersion20100801.ListMetrics", `{}`); status != http.StatusOK || !strings.Contains(body, `"MetricName":"Sales"`) {
		t.Errorf("%d %s", status, body)
	}
	status, body := d.post(t, "monitoring", "GraniteServiceVersion20100801.GetDashboard", `{"DashboardName":"none"}`)
	if status != http.StatusNotFound || !strings.Contains(body, "#DashboardNotFoundError") {
		t.Errorf("%d %s", status, body)
	}
	out, worked := d.aws(t, "cloudwatch", "list-metrics")
	if !worked || !strings.Contains(out, "Sales") {
		t.Errorf("the CLI: %s", out)
	}
	form := func(body string) (int, string) {
		return d.post(t, "monitoring", "", body, "Content-Type", "application/x-www-form-urlencoded")
	}
	if status, body := form("Action=ListMetrics&Version=2010-08-01&Namespace=Shop"); status != http.StatusOK || !strings.Contains(body, "<MetricName>Sales</MetricName>") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := form("Action=GetDashboard&Version=2010-08-01&DashboardName=none"); status != http.StatusNotFound || !strings.Contains(body, "<Code>ResourceNotFound</Code>") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := form("Action=PutMetricData&Version=2010-08-01&Namespace=AWS%2FX&MetricData.member.1.MetricName=a&MetricData.member.1.Value=1"); status != http.StatusBadRequest || !strings.Contains(body, "<Code>InvalidParameterValue</Code>") {
		t.Errorf("%d %s", status, body)
	}
}

// In CBOR the shape of an error is in the body, and the code of the query protocol in a header.
func TestErrorsInCBOR(t *testing.T) {
	d, c, _ := figuresWorld(t)
	_, err := c.GetDashboard(t.Context(), &cloudwatch.GetDashboardInput{DashboardName: aws.String("none")})
	refused(t, err, "ResourceNotFound", http.StatusNotFound)
	nobody := cloudwatch.NewFromConfig(d.user(t, "nobody").config())
	_, err = nobody.ListMetrics(t.Context(), nil)
	refused(t, err, "AccessDenied", http.StatusForbidden)
	_, err = c.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{AlarmName: aws.String("a"), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1), ComparisonOperator: "Upwards"})
	refused(t, err, "ValidationError", http.StatusBadRequest)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/service/GraniteServiceVersion20100801/operation/ListMetrics", nil)
	ok(t, err)
	req.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	res, err := http.DefaultClient.Do(req)
	ok(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	ok(t, err)
	if res.StatusCode != http.StatusForbidden || res.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" || res.Header.Get("X-Amzn-Query-Error") != "MissingAuthenticationToken;Sender" || !strings.Contains(string(text), "MissingAuthenticationTokenException") {
		t.Errorf("%d %v %q", res.StatusCode, res.Header, text)
	}
}

// A body that says it is compressed and is not, or is a bomb, is refused by any API.
func TestCompressedBodies(t *testing.T) {
	d, _, _ := figuresWorld(t)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := z.Write(make([]byte, 20<<20))
	ok(t, errors.Join(err, z.Close()))
	var small bytes.Buffer
	z = gzip.NewWriter(&small)
	_, err = z.Write([]byte(`{"Namespace":"Shop"}`))
	ok(t, errors.Join(err, z.Close()))
	for name, tc := range map[string]struct {
		body   string
		status int
	}{"plain": {"{}", http.StatusBadRequest}, "a bomb": {bomb.String(), http.StatusRequestEntityTooLarge}, "cut off": {small.String()[:12], http.StatusBadRequest}, "fine": {small.String(), http.StatusOK}} {
		if status, body := d.post(t, "monitoring", "GraniteServiceVersion20100801.ListMetrics", tc.body, "Content-Encoding", "gzip"); status != tc.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// checklist: 158
func TestAlarmsOverTheWire(t *testing.T) {
	d, c, watch := figuresWorld(t)
	ctx := t.Context()
	put := &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("slow"), AlarmDescription: aws.String("d"), Namespace: aws.String("Shop"), MetricName: aws.String("Sales"), ExtendedStatistic: aws.String("p99"), Period: aws.Int32(60),
		Dimensions: []types.Dimension{{Name: aws.String("Till"), Value: aws.String("1")}}, EvaluationPeriods: aws.Int32(3), DatapointsToAlarm: aws.Int32(2), Threshold: aws.Float64(2.5),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, TreatMissingData: aws.String("notBreaching"), AlarmActions: []string{"arn:aws:sns:us-east-1:123456789012:t"},
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
	}
	_, err := c.PutMetricAlarm(ctx, put)
	ok(t, err)
	if record, text := d.last(t); !slices.Contains(record.Resources, observe.AuditResource{Type: "AWS::CloudWatch::Alarm", Name: "slow"}) {
		t.Error(text)
	}
	_, err = c.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("math"), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1), ComparisonOperator: types.ComparisonOperatorLessThanThreshold,
		Metrics: []types.MetricDataQuery{
			{Id: aws.String("e"), Expression: aws.String("m * 2")},
			{Id: aws.String("m"), ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{Metric: &types.Metric{Namespace: aws.String("Shop"), MetricName: aws.String("Sales")}, Period: aws.Int32(60), Stat: aws.String("Sum")}},
		},
	})
	ok(t, err)
	all, err := c.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{})
	ok(t, err)
	if len(all.MetricAlarms) != 2 || *all.MetricAlarms[0].AlarmName != "math" || len(all.MetricAlarms[0].Metrics) != 2 || all.MetricAlarms[0].MetricName != nil {
		t.Fatalf("%+v", all.MetricAlarms)
	}
	a := all.MetricAlarms[1]
	if a.StateValue != types.StateValueInsufficientData || *a.ExtendedStatistic != "p99" || a.Statistic != "" || *a.DatapointsToAlarm != 2 || *a.Threshold != 2.5 || len(a.Dimensions) != 1 || !*a.ActionsEnabled {
		t.Errorf("%+v", a)
	}
	_, err = c.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop"), MetricData: []types.MetricDatum{
		sale(9, time.Minute, "Till", "1"), sale(9, 2*time.Minute, "Till", "1"), sale(9, 3*time.Minute, "Till", "1"),
	}})
	ok(t, err)
	ok(t, watch.Evaluate(ctx))
	in, err := c.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{StateValue: types.StateValueAlarm, AlarmNamePrefix: aws.String("s"), ActionPrefix: aws.String("arn:aws:sns")})
	if err != nil || len(in.MetricAlarms) != 1 || !strings.Contains(*in.MetricAlarms[0].StateReason, "Threshold Crossed") {
		t.Errorf("%+v, %v", in, err)
	}
	forMetric, err := c.DescribeAlarmsForMetric(ctx, &cloudwatch.DescribeAlarmsForMetricInput{Namespace: aws.String("Shop"), MetricName: aws.String("Sales"), Dimensions: put.Dimensions})
	if err != nil || len(forMetric.MetricAlarms) != 1 {
		t.Errorf("%+v, %v", forMetric, err)
	}
	history, err := c.DescribeAlarmHistory(ctx, &cloudwatch.DescribeAlarmHistoryInput{AlarmName: aws.String("slow"), HistoryItemType: types.HistoryItemTypeStateUpdate})
	if err != nil || len(history.AlarmHistoryItems) != 1 || *history.AlarmHistoryItems[0].HistorySummary != "Alarm updated from INSUFFICIENT_DATA to ALARM" {
		t.Errorf("%+v, %v", history, err)
	}
	_, err = c.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("none"), StateValue: types.StateValueOk, StateReason: aws.String("r")})
	refused(t, err, "ResourceNotFound", http.StatusNotFound)
	_, err = c.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"slow", "math"}})
	ok(t, err)
}

func TestDashboardsAndTags(t *testing.T) {
	_, c, _ := figuresWorld(t)
	ctx := t.Context()
	body := `{"widgets":[{"type":"metric","properties":{"metrics":[["AWS/AppRunner","Requests"]]}}]}`
	_, err := c.PutDashboard(ctx, &cloudwatch.PutDashboardInput{DashboardName: aws.String("shop"), DashboardBody: &body})
	ok(t, err)
	got, err := c.GetDashboard(ctx, &cloudwatch.GetDashboardInput{DashboardName: aws.String("shop")})
	if err != nil || *got.DashboardBody != body || *got.DashboardArn != "arn:aws:cloudwatch::123456789012:dashboard/shop" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, wrong := range []string{"", "[]", `{"widgets":{}}`, `{}`, `{"widgets":[{}]}`} {
		_, err = c.PutDashboard(ctx, &cloudwatch.PutDashboardInput{DashboardName: aws.String("shop"), DashboardBody: &wrong})
		refused(t, err, "InvalidParameterInput", http.StatusBadRequest)
	}
	_, err = c.PutDashboard(ctx, &cloudwatch.PutDashboardInput{DashboardName: aws.String("a b"), DashboardBody: &body})
	refused(t, err, "InvalidParameterValue", http.StatusBadRequest)
	_, err = c.TagResource(ctx, &cloudwatch.TagResourceInput{ResourceARN: got.DashboardArn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}})
	ok(t, err)
	_, err = c.UntagResource(ctx, &cloudwatch.UntagResourceInput{ResourceARN: got.DashboardArn, TagKeys: []string{"a"}})
	ok(t, err)
	tags, err := c.ListTagsForResource(ctx, &cloudwatch.ListTagsForResourceInput{ResourceARN: got.DashboardArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "b" {
		t.Errorf("%+v, %v", tags, err)
	}
	_, err = c.ListTagsForResource(ctx, &cloudwatch.ListTagsForResourceInput{ResourceARN: aws.String("arn:aws:cloudwatch:us-east-1:123456789012:alarm:none")})
	refused(t, err, "ResourceNotFoundException", http.StatusNotFound)
	list, err := c.ListDashboards(ctx, &cloudwatch.ListDashboardsInput{DashboardNamePrefix: aws.String("sh")})
	if err != nil || len(list.DashboardEntries) != 1 || *list.DashboardEntries[0].Size != int64(len(body)) {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = c.DeleteDashboards(ctx, &cloudwatch.DeleteDashboardsInput{DashboardNames: []string{"shop", "none"}})
	refused(t, err, "ResourceNotFound", http.StatusNotFound)
	_, err = c.DeleteDashboards(ctx, &cloudwatch.DeleteDashboardsInput{DashboardNames: []string{"shop"}})
	ok(t, err)
}

func TestRefusedMetrics(t *testing.T) {
	_, c, _ := figuresWorld(t)
	ctx := t.Context()
	for name, change := range map[string]func(*types.MetricDatum){
		"old": func(m *types.MetricDatum) { m.Timestamp = aws.Time(time.Now().Add(-15 * 24 * time.Hour)) }, "early": func(m *types.MetricDatum) { m.Timestamp = aws.Time(time.Now().Add(3 * time.Hour)) },
		"huge": func(m *types.MetricDatum) { m.Value = aws.Float64(1e300) }, "counts without values": func(m *types.MetricDatum) { m.Counts = []float64{1} },
		"two forms": func(m *types.MetricDatum) { m.Values = []float64{1} }, "no form": func(m *types.MetricDatum) { m.Value = nil },
		"twice the dimension": func(m *types.MetricDatum) {
			m.Dimensions = []types.Dimension{{Name: aws.String("a"), Value: aws.String("1")}, {Name: aws.String("a"), Value: aws.String("2")}}
		},
	} {
		m := sale(1, 0)
		change(&m)
		if _, err := c.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop"), MetricData: []types.MetricDatum{m}}); err == nil || !strings.Contains(err.Error(), "InvalidParameter") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tc := range map[string]struct {
		change func(*cloudwatch.GetMetricStatisticsInput)
		code   string
	}{
		"too many": {func(in *cloudwatch.GetMetricStatisticsInput) {
			in.Period = aws.Int32(60)
			in.StartTime = aws.Time(time.Now().Add(-48 * time.Hour))
		}, "InvalidParameterCombination"},
		"a second":      {func(in *cloudwatch.GetMetricStatisticsInput) { in.Period = aws.Int32(1) }, "InvalidParameterValue"},
		"no statistics": {func(in *cloudwatch.GetMetricStatisticsInput) { in.Statistics, in.ExtendedStatistics = nil, nil }, "MissingParameter"},
		"a bad one":     {func(in *cloudwatch.GetMetricStatisticsInput) { in.ExtendedStatistics = []string{"tm99"} }, "InvalidParameterValue"},
		"backwards":     {func(in *cloudwatch.GetMetricStatisticsInput) { in.EndTime = in.StartTime }, "InvalidParameterValue"},
	} {
		_, err := c.GetMetricStatistics(ctx, sales(time.Hour, tc.change))
		t.Run(name, func(t *testing.T) { refused(t, err, tc.code, http.StatusBadRequest) })
	}
}
