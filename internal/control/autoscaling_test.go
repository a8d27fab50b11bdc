package control_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
)

const prefix = "arn:aws:apprunner:us-east-1:123456789012:"

func (h *house) scaling(t *testing.T, name string) apprunner.AutoScalingConfiguration {
	t.Helper()
	conf, err := h.CreateAutoScalingConfiguration(t.Context(), scope, apprunner.AutoScalingConfigurationInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

// code wants an error with a code; "" wants none.
func code(t *testing.T, what string, err error, want apprunner.Code) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || apprunner.CodeOf(err) != want) {
		t.Errorf("%s: %v; want %s", what, err, want)
	}
}

const (
	ir = apprunner.CodeInvalidRequest
	is = apprunner.CodeInvalidState
	nf = apprunner.CodeNotFound
	sq = apprunner.CodeQuotaExceeded
)

// checklist: 19, 103, 108, 111
func TestAutoScalingRevisions(t *testing.T) {
	h := open(t, nil)
	first := h.scaling(t, "burst")
	if first.Revision != 1 || !first.Latest || !first.Active || first.IsDefault || first.MaxConcurrency != 100 || first.MinSize != 1 || first.MaxSize != 25 {
		t.Errorf("first revision %+v", first)
	}
	if !strings.HasPrefix(first.ARN, prefix+"autoscalingconfiguration/burst/1/") || len(first.ARN[strings.LastIndex(first.ARN, "/")+1:]) != 32 {
		t.Errorf("ARN %s", first.ARN)
	}
	second, err := h.CreateAutoScalingConfiguration(t.Context(), scope, apprunner.AutoScalingConfigurationInput{Name: "burst", MinSize: p(3), MaxSize: p(4), MaxConcurrency: p(7)})
	if err != nil || second.Revision != 2 {
		t.Fatalf("%+v, %v", second, err)
	}
	third := h.scaling(t, "burst")
	if third.MinSize != 1 {
		t.Error("a revision takes defaults, not the values of the one before")
	}
	old, err := h.DescribeAutoScalingConfiguration(t.Context(), scope, second.ARN)
	if err != nil || old.Latest || old.MinSize != 3 {
		t.Errorf("an existing revision stays as it is, but for latest: %+v, %v", old, err)
	}
	for arn, want := range map[string]int{"burst": 3, "burst/2": 2, "burst/1": 1, "DefaultConfiguration": 1} {
		if got, err := h.DescribeAutoScalingConfiguration(t.Context(), scope, prefix+"autoscalingconfiguration/"+arn); err != nil || got.Revision != want {
			t.Errorf("%s: revision %d, %v", arn, got.Revision, err)
		}
	}
	list := func(name string, latest bool) (got []string) {
		all, err := h.ListAutoScalingConfigurations(t.Context(), scope, name, latest)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			got = append(got, fmt.Sprintf("%s/%d", c.Name, c.Revision))
		}
		return got
	}
	for name, tc := range map[string]struct{ got, want []string }{
		"latest of all": {list("", true), []string{"DefaultConfiguration/1", "burst/3"}},
		"all":           {list("", false), []string{"DefaultConfiguration/1", "burst/3", "burst/2", "burst/1"}},
		"one name":      {list("burst", false), []string{"burst/3", "burst/2", "burst/1"}},
		"unknown name":  {list("none", false), nil},
	} {
		if fmt.Sprint(tc.got) != fmt.Sprint(tc.want) {
			t.Errorf("%s: %v", name, tc.got)
		}
	}
}

// checklist: 112
func TestAutoScalingDeletion(t *testing.T) {
	h := open(t, nil)
	first, second := h.scaling(t, "burst"), h.scaling(t, "burst")
	if err := h.TagResource(t.Context(), scope, second.ARN, []apprunner.Tag{{Key: "k", Value: "v"}}); err != nil {
		t.Fatal(err)
	}
	gone, err := h.DeleteAutoScalingConfiguration(t.Context(), scope, prefix+"autoscalingconfiguration/burst")
	if err != nil || gone.ARN != second.ARN || gone.Active || gone.Latest || gone.DeletedAt.IsZero() {
		t.Fatalf("by name the latest goes: %+v, %v", gone, err)
	}
	if got, err := h.DescribeAutoScalingConfiguration(t.Context(), scope, first.ARN); err != nil || !got.Latest {
		t.Errorf("the highest remaining revision becomes the latest: %+v, %v", got, err)
	}
	if got, err := h.DescribeAutoScalingConfiguration(t.Context(), scope, second.ARN); err != nil || got.Active {
		t.Errorf("a deleted revision is described: %+v, %v", got, err)
	}
	_, err = h.DescribeAutoScalingConfiguration(t.Context(), scope, prefix+"autoscalingconfiguration/burst/2")
	code(t, "a deleted revision without its id", err, nf)
	_, err = h.ListTagsForResource(t.Context(), scope, second.ARN)
	code(t, "tags of a deleted revision", err, nf)
	_, err = h.DeleteAutoScalingConfiguration(t.Context(), scope, second.ARN)
	code(t, "deleted again", err, nf)
	if third := h.scaling(t, "burst"); third.Revision != 3 {
		t.Errorf("revision %d: numbers are never used again", third.Revision)
	}
	h.now = h.now.Add(61 * time.Minute)
	_, err = h.DescribeAutoScalingConfiguration(t.Context(), scope, second.ARN)
	code(t, "after the retention", err, nf)
	if err := h.Forget(t.Context(), h.now); err != nil {
		t.Fatal(err)
	}
	if fourth := h.scaling(t, "burst"); fourth.Revision != 4 {
		t.Errorf("revision %d: numbers are remembered when records are forgotten", fourth.Revision)
	}
}

func TestAllRevisionsGoOrNone(t *testing.T) {
	h := open(t, nil)
	first := h.scaling(t, "burst")
	h.scaling(t, "burst")
	in := codeInput("web-app")
	in.AutoScalingARN = &first.ARN
	s, _, err := h.CreateService(t.Context(), scope, in)
	if err != nil {
		t.Fatal(err)
	}
	name := prefix + "autoscalingconfiguration/burst"
	_, err = h.DeleteAllAutoScalingRevisions(t.Context(), scope, name)
	code(t, "one is in use", err, ir)
	_, err = h.DeleteAutoScalingConfiguration(t.Context(), scope, first.ARN)
	code(t, "in use", err, ir)
	_, err = h.DeleteAllAutoScalingRevisions(t.Context(), scope, name+"/1")
	code(t, "all of one revision", err, ir)
	if list, _ := h.ListAutoScalingConfigurations(t.Context(), scope, "burst", false); len(list) != 2 {
		t.Errorf("%d revisions left of 2", len(list))
	}
	h.settle(t, s.ARN(), apprunner.StatusDeleted)
	if gone, err := h.DeleteAllAutoScalingRevisions(t.Context(), scope, name); err != nil || gone.ARN != name || gone.Active {
		t.Errorf("%+v, %v", gone, err)
	}
	_, err = h.DeleteAllAutoScalingRevisions(t.Context(), scope, name)
	code(t, "again", err, nf)
}

func TestDefaultAutoScaling(t *testing.T) {
	h := open(t, nil)
	provided := apprunner.DefaultAutoScalingARN(scope).String()
	_, err := h.DeleteAutoScalingConfiguration(t.Context(), scope, provided)
	code(t, "the default is not deleted", err, ir)
	old := h.create(t, "old-one")
	mine := h.scaling(t, "mine")
	for range 2 { // repeating it succeeds
		if got, err := h.UpdateDefaultAutoScalingConfiguration(t.Context(), scope, prefix+"autoscalingconfiguration/mine"); err != nil || !got.IsDefault || got.ARN != mine.ARN {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if got, _ := h.DescribeAutoScalingConfiguration(t.Context(), scope, provided); got.IsDefault || !got.HasAssociatedService {
		t.Errorf("the one before: %+v", got)
	}
	if s := h.create(t, "new-one"); s.AutoScaling.ARN != mine.ARN || !s.AutoScaling.IsDefault {
		t.Errorf("new services get the default: %+v", s.AutoScaling)
	}
	if s, _ := h.DescribeService(t.Context(), scope, old.ARN()); s.AutoScaling.ARN != provided || s.AutoScaling.IsDefault {
		t.Errorf("present services keep theirs, shown as it is now: %+v", s.AutoScaling)
	}
	_, err = h.UpdateDefaultAutoScalingConfiguration(t.Context(), scope, prefix+"autoscalingconfiguration/none")
	code(t, "unknown", err, nf)
	other := apprunner.Scope{Account: scope.Account, Region: "eu-west-1"}
	if list, err := h.ListAutoScalingConfigurations(t.Context(), other, "", false); err != nil || len(list) != 1 || !list[0].IsDefault {
		t.Errorf("another region has its own default: %+v, %v", list, err)
	}

	// The provided one is a configuration like any other (§12.3).
	h.settle(t, old.ARN(), apprunner.StatusDeleted)
	if next := h.scaling(t, apprunner.DefaultConfigName); next.Revision != 2 {
		t.Errorf("revision %d", next.Revision)
	}
	if _, err := h.DeleteAutoScalingConfiguration(t.Context(), scope, provided); err != nil {
		t.Errorf("no longer the default and not in use: %v", err)
	}
	_, err = h.DescribeAutoScalingConfiguration(t.Context(), scope, prefix+"autoscalingconfiguration/DefaultConfiguration/1")
	code(t, "the provided one stays deleted", err, nf)
}

func TestAutoScalingRefusals(t *testing.T) {
	h := open(t, func(c *control.Config) { c.MaxInstances = 30 })
	for name, in := range map[string]apprunner.AutoScalingConfigurationInput{
		"short name":         {Name: "abc"},
		"long name":          {Name: strings.Repeat("a", 33)},
		"min over max":       {Name: "name", MinSize: p(5), MaxSize: p(4)},
		"no concurrency":     {Name: "name", MaxConcurrency: p(0)},
		"much concurrency":   {Name: "name", MaxConcurrency: p(201)},
		"over the upper":     {Name: "name", MaxSize: p(31)},
		"tags of Amazon's":   {Name: "name", Tags: []apprunner.Tag{{Key: "aws:x"}}},
		"no instance at all": {Name: "name", MinSize: p(0)},
	} {
		_, err := h.CreateAutoScalingConfiguration(t.Context(), scope, in)
		code(t, name, err, ir)
	}
	for _, arn := range []string{
		prefix + "autoscalingconfiguration/none", prefix + "connection/none", prefix + "autoscalingconfiguration/DefaultConfiguration/2",
		strings.Replace(apprunner.DefaultAutoScalingARN(scope).String(), "us-east-1", "eu-west-1", 1), apprunner.DefaultAutoScalingARN(scope).String()[:100] + "2",
	} {
		_, err := h.DescribeAutoScalingConfiguration(t.Context(), scope, arn)
		code(t, arn, err, nf)
	}
}

// checklist: 22, 23
func TestAutoScalingQuotas(t *testing.T) {
	h := open(t, nil)
	for i := range 10 {
		h.scaling(t, fmt.Sprintf("name-%d", i))
	}
	in := apprunner.AutoScalingConfigurationInput{Name: "name-10"}
	_, err := h.CreateAutoScalingConfiguration(t.Context(), scope, in)
	code(t, "the eleventh name", err, sq)
	for range 9 {
		h.scaling(t, "name-0")
	}
	in.Name = "name-0"
	_, err = h.CreateAutoScalingConfiguration(t.Context(), scope, in)
	code(t, "the eleventh revision", err, sq)
	if _, err := h.DeleteAutoScalingConfiguration(t.Context(), scope, prefix+"autoscalingconfiguration/name-0/4"); err != nil {
		t.Fatal(err)
	}
	if conf := h.scaling(t, "name-0"); conf.Revision != 11 {
		t.Errorf("revision %d", conf.Revision)
	}
	_, err = h.RaiseQuota(t.Context(), scope, apprunner.QuotaAutoScalingRevisions, 20, "")
	code(t, "the quota of revisions is raised", err, is)
}

// checklist: 109, 110
func TestServicesFollowNames(t *testing.T) {
	h := open(t, nil)
	first := h.scaling(t, "burst")
	name := prefix + "autoscalingconfiguration/burst"
	create := func(service, arn string) apprunner.Service {
		in := codeInput(service)
		in.AutoScalingARN = &arn
		s, _, err := h.CreateService(t.Context(), scope, in)
		if err != nil {
			t.Fatal(err)
		}
		h.settle(t, s.ARN(), apprunner.StatusRunning)
		return s
	}
	byName, pinned := create("by-name", name), create("pinned", name+"/1")
	second := h.scaling(t, "burst")
	if s, _ := h.DescribeService(t.Context(), scope, byName.ARN()); s.AutoScaling.ARN != first.ARN || !s.AutoScaling.Active {
		t.Errorf("a newer revision changes nothing by itself: %+v", s.AutoScaling)
	}
	update := func(s apprunner.Service) apprunner.Service {
		got, _, err := h.UpdateService(t.Context(), scope, apprunner.UpdateServiceInput{ServiceARN: s.ARN()})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if s := update(byName); s.AutoScaling.ARN != second.ARN {
		t.Errorf("bound by name, the update takes the newest: %+v", s.AutoScaling)
	}
	if ops, _ := h.ListOperations(t.Context(), scope, byName.ARN(), apprunner.Place{}, 0); ops[0].Work != apprunner.WorkRestart {
		t.Errorf("work %s: another revision redeploys (§7.3)", ops[0].Work)
	}
	if s := update(pinned); s.AutoScaling.ARN != first.ARN {
		t.Errorf("bound to a revision, it stays: %+v", s.AutoScaling)
	}
	users := func(arn string) (names string) {
		list, err := h.ListServicesForAutoScalingConfiguration(t.Context(), scope, arn)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			names += s.Name + " "
		}
		return names
	}
	if got := users(name); got != "by-name " {
		t.Errorf("services of the latest: %s", got)
	}
	_, err := h.DeleteAutoScalingConfiguration(t.Context(), scope, first.ARN)
	code(t, "what a running operation may go back to is in use", err, ir)
	h.settle(t, byName.ARN(), apprunner.StatusRunning)
	if got := users(name + "/1"); got != "pinned " {
		t.Errorf("services of the first: %s", got)
	}
}
