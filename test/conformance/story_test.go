package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/apprunner"
	"slipway.dev/slipway/test/rig"
)

func TestMain(m *testing.M) {
	code := m.Run()
	rig.Clean()
	os.Exit(code)
}

// storyStep is one call of the story in testdata/apprunner.json, which every client plays. Strings may hold ${name} of what was saved
// before.
type storyStep struct {
	Do    string            `json:"do"` // the action
	Input map[string]any    `json:"input"`
	Save  map[string]string `json:"save,omitempty"`  // name: place in the answer, such as Service.ServiceArn or Tags.0.Value
	Want  map[string]any    `json:"want,omitempty"`  // place: value
	Until map[string]any    `json:"until,omitempty"` // the call is repeated until the place has the value
	Error string            `json:"error,omitempty"` // the class that the client must have for the refusal
	Pages *storyPages       `json:"pages,omitempty"` // the client goes through all pages
}

type storyPages struct {
	Key   string `json:"key"`
	Size  int    `json:"size"`  // entries a page
	Least int    `json:"least"` // entries in all
}

type story struct {
	Vars  map[string]string `json:"vars"`
	Steps []storyStep       `json:"steps"`
}

// stage is an installation of the built program with an image in its registry.
func stage(t *testing.T) (*front, *rig.House) {
	t.Helper()
	h := rig.Own(t, "--quotas", "connections=2", "--start-timeout", "60s", "--stop-grace", "5s", "--drain-timeout", "1s", "--api-rate", "off")
	h.PushApp(t, "app", "v1", "v1")
	return &front{url: h.Env["AWS_ENDPOINT_URL"], region: h.Env["AWS_REGION"], key: iam.AccessKey{ID: h.Env["AWS_ACCESS_KEY_ID"], Secret: h.Env["AWS_SECRET_ACCESS_KEY"]}}, h
}

// tale is the story with the names of one client, in a VPC of its own.
func tale(t *testing.T, h *rig.House, run string) story {
	t.Helper()
	vpc := h.NewVPC(t, "10.20.0.0/16")
	return story{Steps: steps(t), Vars: map[string]string{
		"run": run, "image": rig.Identifier("app", "v1"), "role": *rig.ImageSource("app", "v1", nil).AuthenticationConfiguration.AccessRoleArn,
		"subnet": vpc.Subnets[0], "group": vpc.Group, "vpc": vpc.ID, "endpoint": vpc.EndpointID,
	}}
}

func steps(t *testing.T) (list []storyStep) {
	t.Helper()
	b, err := os.ReadFile("testdata/apprunner.json")
	check(t, err)
	check(t, json.Unmarshal(b, &list))
	return list
}

func (s story) json(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(s)
	check(t, err)
	return string(b)
}

// The story leaves out no action, no list that has pages, and no class of error but that of a fault.
func TestTheStoryIsWhole(t *testing.T) {
	missing := map[string]bool{}
	for _, op := range wire.API.Operations {
		missing[op.Name] = true
		if op.Paginated {
			missing["pages of "+op.Name] = true
		}
		for _, e := range op.Errors {
			missing[e] = e != "InternalServiceErrorException"
		}
	}
	for _, step := range steps(t) {
		delete(missing, step.Do)
		delete(missing, step.Error)
		if step.Pages != nil {
			delete(missing, "pages of "+step.Do)
		}
	}
	for what, yes := range missing {
		if yes {
			t.Errorf("the story lacks %s", what)
		}
	}
}

// client is what tells the story: it makes a call and returns the answer as JSON knows it, or an error with its class, which is empty
// where the client has none for it.
type client interface {
	call(action string, input map[string]any) (answer any, class string, err error)
	pages(action string, input map[string]any, p storyPages) ([]any, error)
}

// play has a client tell the story.
func (s story) play(t *testing.T, c client) {
	t.Helper()
	for n, step := range s.Steps {
		if err := s.step(c, step); err != nil {
			t.Fatalf("step %d, %s %v: %v", n, step.Do, s.fill(step.Input), err)
		}
	}
}

func (s story) step(c client, step storyStep) error {
	input, _ := s.fill(step.Input).(map[string]any)
	if step.Pages != nil {
		return s.pages(c, step, input)
	}
	for place, value := range step.Until {
		return s.until(c, step.Do, input, place, value)
	}
	answer, class, err := c.call(step.Do, input)
	if class != step.Error || (err != nil) != (step.Error != "") {
		return errors.Join(fmt.Errorf("class %q, want %q", class, step.Error), err)
	}
	for place, value := range step.Want {
		if got, want := fmt.Sprint(at(answer, place)), fmt.Sprint(s.fill(value)); got != want {
			return fmt.Errorf("%s is %s, want %s", place, got, want)
		}
	}
	for name, place := range step.Save {
		s.Vars[name] = fmt.Sprint(at(answer, place))
	}
	return nil
}

func (s story) pages(c client, step storyStep, input map[string]any) error {
	found, err := c.pages(step.Do, input, *step.Pages)
	if err != nil {
		return err
	}
	if len(found) < step.Pages.Least {
		return fmt.Errorf("%d entries in pages, want %d", len(found), step.Pages.Least)
	}
	seen := map[string]bool{}
	for _, f := range found {
		if text := fmt.Sprint(f); seen[text] {
			return fmt.Errorf("an entry shows twice: %s", text)
		} else {
			seen[text] = true
		}
	}
	return nil
}

// until repeats a call as a waiter does.
func (s story) until(c client, action string, input map[string]any, place string, value any) error {
	for range 600 {
		answer, _, err := c.call(action, input)
		switch {
		case err != nil:
			return err
		case at(answer, place) == value:
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s does not become %v", place, value)
}

// fill puts what is known into the strings of a value.
func (s story) fill(v any) any {
	switch v := v.(type) {
	case string:
		for name, text := range s.Vars {
			v = strings.ReplaceAll(v, "${"+name+"}", text)
		}
		return v
	case []any:
		list := slices.Clone(v)
		for n := range list {
			list[n] = s.fill(list[n])
		}
		return list
	case map[string]any:
		m := map[string]any{}
		for k := range v {
			m[k] = s.fill(v[k])
		}
		return m
	}
	return v
}

// at is what stands at a place in an answer.
func at(answer any, place string) any {
	for part := range strings.SplitSeq(place, ".") {
		switch v := answer.(type) {
		case map[string]any:
			answer = v[part]
		case []any:
			n, err := strconv.Atoi(part)
			if err != nil || n >= len(v) {
				return nil
			}
			answer = v[n]
		}
	}
	return answer
}
