package api_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// How many values are needed for an alarm is shown where somebody said it, be it as many as there are.
func TestAlarmsShowTheValuesThatWereGiven(t *testing.T) {
	_, c, _ := figuresWorld(t)
	for name, needed := range map[string]*int32{"not given": nil, "two": aws.Int32(2), "all": aws.Int32(3)} {
		_, err := c.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
			AlarmName: &name, Namespace: aws.String("Shop"), MetricName: aws.String("Sales"), Statistic: types.StatisticSum, Period: aws.Int32(60),
			EvaluationPeriods: aws.Int32(3), DatapointsToAlarm: needed, Threshold: aws.Float64(1), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
		})
		ok(t, err)
		out, err := c.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
		if ok(t, err); len(out.MetricAlarms) != 1 || (out.MetricAlarms[0].DatapointsToAlarm == nil) != (needed == nil) || aws.ToInt32(out.MetricAlarms[0].DatapointsToAlarm) != aws.ToInt32(needed) {
			t.Errorf("%s: %+v", name, out.MetricAlarms)
		}
	}
}
