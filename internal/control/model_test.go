package control_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
)

// believed is the simplest thing that behaves as control must: maps, no store.
type believed struct {
	last     map[string]int      // name of a configuration -> highest revision ever given
	revision map[string]revision // ARN -> an active revision
	standard string              // ARN of the default; empty = the provided one
	services map[string]*tenant  // name -> a service that is not deleted
	tags     map[string]map[string]string
}

type revision struct {
	name   string
	number int
}

type tenant struct {
	arn, uses string
	busy      bool
}

func (b *believed) latest(name string) (arn string) {
	best := 0
	for a, r := range b.revision {
		if r.name == name && r.number > best {
			arn, best = a, r.number
		}
	}
	return arn
}

func (b *believed) active(name string) (n int) {
	for _, r := range b.revision {
		if r.name == name {
			n++
		}
	}
	return n
}

func (b *believed) used(arn string) bool {
	for _, s := range b.services {
		if s.uses == arn {
			return true
		}
	}
	return false
}

// machine drives control and the model side by side.
type machine struct {
	h *house
	b believed
}

const modelQuota = 3

var modelNames = []string{"aaaa", "bbbb"}

func newMachine(t *testing.T) *machine {
	t.Helper()
	h := open(t, func(c *control.Config) {
		c.Quotas = map[string]int{apprunner.QuotaAutoScalingRevisions: modelQuota, apprunner.QuotaServices: modelQuota}
	})
	return &machine{h: h, b: believed{last: map[string]int{}, revision: map[string]revision{}, services: map[string]*tenant{}, tags: map[string]map[string]string{}}}
}

func want(t *rapid.T, what string, err error, code apprunner.Code) bool {
	if code == "" && err != nil || code != "" && (err == nil || apprunner.CodeOf(err) != code) {
		t.Fatalf("%s: %v; the model says %q", what, err, code)
	}
	return err == nil
}

func (m *machine) createConfiguration(t *rapid.T) {
	name := rapid.SampledFrom(modelNames).Draw(t, "name")
	conf, err := m.h.CreateAutoScalingConfiguration(t.Context(), scope, apprunner.AutoScalingConfigurationInput{Name: name})
	code := apprunner.Code("")
	if m.b.active(name) >= modelQuota {
		code = sq
	}
	if !want(t, "create "+name, err, code) {
		return
	}
	m.b.last[name]++
	if conf.Revision != m.b.last[name] || !conf.Latest {
		t.Fatalf("revision %d, latest %v; the model says %d", conf.Revision, conf.Latest, m.b.last[name])
	}
	m.b.revision[conf.ARN] = revision{name, conf.Revision}
}

// any draws a configuration: by name, by name and revision, in full, or one that is not there.
func (m *machine) any(t *rapid.T) (given, full string) {
	name := rapid.SampledFrom(modelNames).Draw(t, "name")
	if rapid.Bool().Draw(t, "by name") {
		return prefix + "autoscalingconfiguration/" + name, m.b.latest(name)
	}
	number := rapid.IntRange(1, 4).Draw(t, "revision")
	given = fmt.Sprintf("%sautoscalingconfiguration/%s/%d", prefix, name, number)
	for arn, r := range m.b.revision {
		if r == (revision{name, number}) {
			full = arn
		}
	}
	if full != "" && rapid.Bool().Draw(t, "in full") {
		given = full
	}
	return given, full
}

func (m *machine) deleteConfiguration(t *rapid.T) {
	given, full := m.any(t)
	_, err := m.h.DeleteAutoScalingConfiguration(t.Context(), scope, given)
	code := apprunner.Code("")
	switch {
	case full == "":
		code = nf
	case m.b.used(full) || m.b.standard == full:
		code = ir
	}
	if want(t, "delete "+given, err, code) {
		delete(m.b.revision, full)
		delete(m.b.tags, full)
	}
}

func (m *machine) setDefault(t *rapid.T) {
	given, full := m.any(t)
	_, err := m.h.UpdateDefaultAutoScalingConfiguration(t.Context(), scope, given)
	if full == "" {
		want(t, "default "+given, err, nf)
	} else if want(t, "default "+given, err, "") {
		m.b.standard = full
	}
}

func (m *machine) createService(t *rapid.T) {
	name := rapid.SampledFrom([]string{"web-1", "web-2", "web-3", "web-4"}).Draw(t, "service")
	in := codeInput(name)
	uses := m.b.standard
	if uses == "" {
		uses = apprunner.DefaultAutoScalingARN(scope).String()
	}
	code := apprunner.Code("")
	if rapid.Bool().Draw(t, "with a configuration") {
		given, full := m.any(t)
		in.AutoScalingARN = &given
		if uses = full; full == "" {
			code = ir
		}
	}
	switch {
	case code != "":
	case m.b.services[name] != nil:
		code = ir
	case len(m.b.services) >= modelQuota:
		code = sq
	}
	s, _, err := m.h.CreateService(t.Context(), scope, in)
	if !want(t, "create service "+name, err, code) {
		return
	}
	if s.AutoScaling.ARN != uses {
		t.Fatalf("the service uses %s; the model says %s", s.AutoScaling.ARN, uses)
	}
	m.b.services[name] = &tenant{arn: s.ARN(), uses: uses, busy: true}
}

func (m *machine) service(t *rapid.T) (string, *tenant) {
	var names []string
	for n := range m.b.services {
		names = append(names, n)
	}
	if len(names) == 0 {
		t.Skip("no service")
	}
	slices.Sort(names)
	n := rapid.SampledFrom(names).Draw(t, "which")
	return n, m.b.services[n]
}

func (m *machine) finish(tt *testing.T) func(*rapid.T) {
	return func(t *rapid.T) {
		_, s := m.service(t)
		m.h.settle(tt, s.arn, apprunner.StatusRunning)
		s.busy = false
	}
}

func (m *machine) deleteService(tt *testing.T) func(*rapid.T) {
	return func(t *rapid.T) {
		name, s := m.service(t)
		_, _, err := m.h.DeleteService(t.Context(), scope, s.arn)
		code := apprunner.Code("")
		if s.busy {
			code = is
		}
		if want(t, "delete service", err, code) {
			m.h.settle(tt, s.arn, apprunner.StatusDeleted)
			delete(m.b.services, name)
			delete(m.b.tags, s.arn)
		}
	}
}

func (m *machine) tag(t *rapid.T) {
	given, full := m.any(t)
	key, value := rapid.SampledFrom([]string{"a", "A", "b"}).Draw(t, "key"), rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "value")
	if rapid.Bool().Draw(t, "untag") {
		err := m.h.UntagResource(t.Context(), scope, given, []string{key})
		if full == "" {
			want(t, "untag "+given, err, nf)
		} else if want(t, "untag "+given, err, "") {
			delete(m.b.tags[full], key)
		}
		return
	}
	err := m.h.TagResource(t.Context(), scope, given, []apprunner.Tag{{Key: key, Value: value}})
	if full == "" {
		want(t, "tag "+given, err, nf)
		return
	}
	want(t, "tag "+given, err, "")
	if m.b.tags[full] == nil {
		m.b.tags[full] = map[string]string{}
	}
	m.b.tags[full][key] = value
}

// check compares everything that can be asked.
func (m *machine) check(t *rapid.T) {
	list, err := m.h.ListAutoScalingConfigurations(t.Context(), scope, "", false)
	want(t, "list configurations", err, "")
	if len(list) != len(m.b.revision)+1 { // and the provided one
		t.Fatalf("%d configurations; the model says %d", len(list), len(m.b.revision)+1)
	}
	for _, c := range list[1:] {
		r, known := m.b.revision[c.ARN]
		if !known || c.Revision != r.number || c.Latest != (m.b.latest(r.name) == c.ARN) || c.IsDefault != (m.b.standard == c.ARN) || c.HasAssociatedService != m.b.used(c.ARN) {
			t.Fatalf("%+v; the model says %+v, default %s", c, r, m.b.standard)
		}
	}
	services, err := m.h.ListServices(t.Context(), scope, apprunner.Place{}, 0)
	want(t, "list services", err, "")
	if len(services) != len(m.b.services) {
		t.Fatalf("%d services; the model says %d", len(services), len(m.b.services))
	}
	for arn := range m.b.revision {
		tags, err := m.h.ListTagsForResource(t.Context(), scope, arn)
		want(t, "tags", err, "")
		if len(tags) != len(m.b.tags[arn]) {
			t.Fatalf("%s has tags %v; the model says %v", arn, tags, m.b.tags[arn])
		}
		for _, tag := range tags {
			if v, known := m.b.tags[arn][tag.Key]; !known || v != tag.Value {
				t.Fatalf("%s has tags %v; the model says %v", arn, tags, m.b.tags[arn])
			}
		}
	}
}

// TestControlBehavesAsItsModel plays random histories against a simple model.
//
// checklist: 90, 108, 110, 112
func TestControlBehavesAsItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t)
		defer m.h.db.Close()
		rt.Repeat(map[string]func(*rapid.T){
			"create configuration": m.createConfiguration, "delete configuration": m.deleteConfiguration, "set default": m.setDefault, "tag": m.tag,
			"create service": m.createService, "finish": m.finish(t), "delete service": m.deleteService(t), "": m.check,
		})
	})
}
