package api

import (
	"context"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe/alarms"
	"slipway.dev/slipway/internal/observe/dashboards"
	"slipway.dev/slipway/internal/wire/cloudwatch"
)

// dashboardStore is what the CloudWatch API needs of the dashboards.
type dashboardStore interface {
	Put(context.Context, dashboards.Dashboard) error
	Get(ctx context.Context, account, name string) (dashboards.Dashboard, error)
	List(ctx context.Context, account string) ([]dashboards.Dashboard, error)
	Delete(ctx context.Context, account string, names []string) error
	Tag(ctx context.Context, account, name string, tags map[string]string) error
	Untag(ctx context.Context, account, name string, keys []string) error
}

// onDashboard asks for an action on a dashboard.
func (w *cloudWatchAPI) onDashboard(ctx context.Context, c Call, action, name string) iam.Request {
	q := iam.Request{Action: "cloudwatch:" + action, Resource: dashboards.ARN(c.Scope.Account, name), Context: map[string][]string{}}
	if d, err := w.Dashboards.Get(ctx, c.Scope.Account, name); err == nil { // of one that is not there nothing is known
		for k, v := range d.Tags {
			q.Context["aws:ResourceTag/"+k] = []string{v}
		}
	}
	return q
}

func (w *cloudWatchAPI) mayPutDashboard(ctx context.Context, c Call, in *cloudwatch.PutDashboardInput) ([]iam.Request, error) {
	q := w.onDashboard(ctx, c, "PutDashboard", val(in.DashboardName))
	requestTags(q.Context, metricTags(in.Tags))
	return []iam.Request{q}, nil
}

func (w *cloudWatchAPI) mayGetDashboard(ctx context.Context, c Call, in *cloudwatch.GetDashboardInput) ([]iam.Request, error) {
	return []iam.Request{w.onDashboard(ctx, c, "GetDashboard", val(in.DashboardName))}, nil
}

func (w *cloudWatchAPI) mayDeleteDashboards(ctx context.Context, c Call, in *cloudwatch.DeleteDashboardsInput) (asked []iam.Request, err error) {
	for _, name := range in.DashboardNames {
		asked = append(asked, w.onDashboard(ctx, c, "DeleteDashboards", name))
	}
	if len(asked) == 0 {
		asked = append(asked, iam.Request{Action: "cloudwatch:DeleteDashboards", Resource: dashboards.ARN(c.Scope.Account, "*")})
	}
	return asked, nil
}

func (w *cloudWatchAPI) putDashboard(ctx context.Context, c Call, in *cloudwatch.PutDashboardInput) (*cloudwatch.PutDashboardOutput, error) {
	d := dashboards.Dashboard{Account: c.Scope.Account, Name: *in.DashboardName, Body: *in.DashboardBody, Tags: metricTagMap(in.Tags)}
	if err := w.Dashboards.Put(ctx, d); err != nil {
		return nil, err
	}
	return &cloudwatch.PutDashboardOutput{DashboardValidationMessages: []cloudwatch.DashboardValidationMessage{}}, nil
}

func (w *cloudWatchAPI) getDashboard(ctx context.Context, c Call, in *cloudwatch.GetDashboardInput) (*cloudwatch.GetDashboardOutput, error) {
	d, err := w.Dashboards.Get(ctx, c.Scope.Account, *in.DashboardName)
	if err != nil {
		return nil, err
	}
	return &cloudwatch.GetDashboardOutput{DashboardArn: new(d.ARN()), DashboardBody: &d.Body, DashboardName: &d.Name}, nil
}

// dashboardsPerPage is how many dashboards ListDashboards answers with at once.
const dashboardsPerPage int32 = 100

func (w *cloudWatchAPI) listDashboards(ctx context.Context, c Call, in *cloudwatch.ListDashboardsInput) (*cloudwatch.ListDashboardsOutput, error) {
	all, err := w.Dashboards.List(ctx, c.Scope.Account)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d dashboards.Dashboard) bool { return !strings.HasPrefix(d.Name, val(in.DashboardNamePrefix)) })
	all, next, err := metricsPage(w, c, "ListDashboards", all, func(d dashboards.Dashboard) string { return d.Name }, in.DashboardNamePrefix, dashboardsPerPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatch.ListDashboardsOutput{DashboardEntries: make([]cloudwatch.DashboardEntry, len(all)), NextToken: next}
	for i, d := range all {
		out.DashboardEntries[i] = cloudwatch.DashboardEntry{DashboardName: &d.Name, DashboardArn: new(d.ARN()), LastModified: &d.Modified, Size: new(int64(len(d.Body)))}
	}
	return out, nil
}

func (w *cloudWatchAPI) deleteDashboards(ctx context.Context, c Call, in *cloudwatch.DeleteDashboardsInput) (*cloudwatch.DeleteDashboardsOutput, error) {
	return &cloudwatch.DeleteDashboardsOutput{}, w.Dashboards.Delete(ctx, c.Scope.Account, in.DashboardNames)
}

// alarmOrDashboard is the alarm or the dashboard that an ARN in a request names; both are empty where it names neither.
func alarmOrDashboard(c Call, arn *string) (alarm, dashboard string) {
	if name, is := strings.CutPrefix(val(arn), alarms.ARN(c.Scope, "")); is {
		return name, ""
	}
	dashboard, is := strings.CutPrefix(val(arn), dashboards.ARN(c.Scope.Account, ""))
	if !is {
		return "", ""
	}
	return "", dashboard
}

// onTaggedMetric asks for an action on the alarm or dashboard whose ARN a request holds.
func onTaggedMetric[In any](w *cloudWatchAPI, action string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		switch alarm, dashboard := alarmOrDashboard(c, of(in)); {
		case alarm != "":
			return []iam.Request{w.onAlarm(ctx, c, action, alarm)}, nil
		case dashboard != "":
			return []iam.Request{w.onDashboard(ctx, c, action, dashboard)}, nil
		}
		return []iam.Request{{Action: "cloudwatch:" + action, Resource: "*"}}, nil // the action will say that it is none
	}
}

func (w *cloudWatchAPI) mayTag(ctx context.Context, c Call, in *cloudwatch.TagResourceInput) ([]iam.Request, error) {
	asked, err := onTaggedMetric(w, "TagResource", func(in *cloudwatch.TagResourceInput) *string { return in.ResourceARN })(ctx, c, in)
	for i := range asked {
		if asked[i].Context == nil {
			asked[i].Context = map[string][]string{}
		}
		requestTags(asked[i].Context, metricTags(in.Tags))
	}
	return asked, err
}

func noneTagged(arn *string) error {
	return apprunner.Errorf(apprunner.CodeNotFound, "There is no alarm or dashboard %s in this account and region.", val(arn))
}

// tagsKnow words that what a tag is for is not there, as the operations on tags do.
func tagsKnow(arn *string, err error) error {
	if code := apprunner.CodeOf(err); err != nil && (code == alarms.CodeNotFound || code == dashboards.CodeNotFound) {
		return noneTagged(arn)
	}
	return err
}

func (w *cloudWatchAPI) tag(ctx context.Context, c Call, in *cloudwatch.TagResourceInput) (*cloudwatch.TagResourceOutput, error) {
	alarm, dashboard := alarmOrDashboard(c, in.ResourceARN)
	err := noneTagged(in.ResourceARN)
	switch {
	case alarm != "":
		err = w.Alarms.Tag(ctx, c.Scope, alarm, metricTagMap(in.Tags))
	case dashboard != "":
		err = w.Dashboards.Tag(ctx, c.Scope.Account, dashboard, metricTagMap(in.Tags))
	}
	return &cloudwatch.TagResourceOutput{}, tagsKnow(in.ResourceARN, err)
}

func (w *cloudWatchAPI) untag(ctx context.Context, c Call, in *cloudwatch.UntagResourceInput) (*cloudwatch.UntagResourceOutput, error) {
	alarm, dashboard := alarmOrDashboard(c, in.ResourceARN)
	err := noneTagged(in.ResourceARN)
	switch {
	case alarm != "":
		err = w.Alarms.Untag(ctx, c.Scope, alarm, in.TagKeys)
	case dashboard != "":
		err = w.Dashboards.Untag(ctx, c.Scope.Account, dashboard, in.TagKeys)
	}
	return &cloudwatch.UntagResourceOutput{}, tagsKnow(in.ResourceARN, err)
}

func (w *cloudWatchAPI) listTags(ctx context.Context, c Call, in *cloudwatch.ListTagsForResourceInput) (*cloudwatch.ListTagsForResourceOutput, error) {
	var tags map[string]string
	alarm, dashboard := alarmOrDashboard(c, in.ResourceARN)
	err := noneTagged(in.ResourceARN)
	switch {
	case alarm != "":
		var a alarms.Alarm
		a, err = w.Alarms.Get(ctx, c.Scope, alarm)
		tags = a.Tags
	case dashboard != "":
		var d dashboards.Dashboard
		d, err = w.Dashboards.Get(ctx, c.Scope.Account, dashboard)
		tags = d.Tags
	}
	if err != nil {
		return nil, tagsKnow(in.ResourceARN, err)
	}
	out := &cloudwatch.ListTagsForResourceOutput{Tags: []cloudwatch.Tag{}}
	for _, k := range sortedKeys(tags) {
		out.Tags = append(out.Tags, cloudwatch.Tag{Key: &k, Value: new(tags[k])})
	}
	return out, nil
}
