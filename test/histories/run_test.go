package histories

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/apprunner"

	"slipway.dev/slipway/test/rig"
)

var (
	runs   = flag.Int("runs", defaultRuns, "how many histories are made")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the first run; the next ones count up")
	record = flag.String("record", "", "a file to write the last history to")
)

// The clients work this long, and the kill comes within it.
const (
	working = 1500 * time.Millisecond
	breath  = 25 * time.Millisecond // the longest pause between two calls of a client
)

func TestMain(m *testing.M) {
	code := m.Run()
	rig.Clean()
	os.Exit(code)
}

// TestHistories kills the control role under concurrent calls and checks what the clients saw.
func TestHistories(t *testing.T) {
	h := rig.Own(t, "--service-quota", "100", "--api-rate", "off", "--start-timeout", "60s", "--stop-grace", "5s", "--drain-timeout", "1s")
	h.PushApp(t, "app", "v1", "v1")
	left := [2]string{standing(t, h, "left"), standing(t, h, "right")}
	for n := range *runs {
		began := time.Now()
		calls, lost := run(t, h, left, *seed+uint64(n))
		if t.Failed() {
			t.Fatalf("to play this run again: -seed %d -runs 1", *seed+uint64(n))
		}
		t.Logf("seed %d: %d calls, %d of them lost, in %s", *seed+uint64(n), len(calls), lost, time.Since(began).Round(time.Millisecond))
		if *record != "" {
			write(t, *record, calls)
		}
	}
}

// write writes a history to a file, a call a line.
func write(t *testing.T, path string, calls []call) {
	t.Helper()
	var b bytes.Buffer
	for _, c := range calls {
		if err := json.NewEncoder(&b).Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// standing makes an auto scaling configuration that stays through all runs.
func standing(t *testing.T, h *rig.House, name string) string {
	t.Helper()
	out, err := h.Apps.CreateAutoScalingConfiguration(t.Context(), &sdk.CreateAutoScalingConfigurationInput{AutoScalingConfigurationName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return *out.AutoScalingConfiguration.AutoScalingConfigurationArn
}

// run makes one history and checks it.
func run(t *testing.T, h *rig.House, left [2]string, seed uint64) (calls []call, lost int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	w := &world{apps: once(h.Apps), run: fmt.Sprintf("r%x", rnd.Uint32()), left: left, hist: &history{began: time.Now()}, seen: map[string][]string{}}
	before, err := h.PID("control")
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for c := range 6 {
		rnd := rand.New(rand.NewPCG(seed, uint64(c)+2))
		choose := w.small
		if c < 2 {
			choose = w.large
		}
		clients.Go(func() {
			for time.Since(w.hist.began) < working {
				w.do(c, choose(rnd))
				time.Sleep(time.Duration(rnd.Int64N(int64(breath))))
			}
		})
	}
	for range 1 + rnd.IntN(4)/3 { // once, now and then twice, then perhaps while it starts
		time.Sleep(time.Duration(rnd.Int64N(int64(working / 2))))
		h.Kill(t, "control")
	}
	clients.Wait()
	h.Reborn(t, "control", before)
	w.settle(t)
	w.last()
	calls = w.hist.calls
	for object, why := range check(calls) {
		t.Errorf("seed %d: no order of the calls on %s fits the specification (%s):\n%s", seed, object, why, story(calls, object))
	}
	w.kept(t)
	w.clear(t)
	h.NoOrphans(t)
	for _, c := range calls {
		if c.Out.Lost {
			lost++
		}
	}
	return calls, lost
}

// once is a client that makes every call one time only.
func once(apps *sdk.Client) *sdk.Client {
	o := apps.Options()
	o.Retryer, o.RetryMaxAttempts = nil, 1
	return sdk.New(o)
}

// large are calls on the service.
func (w *world) large(rnd *rand.Rand) input {
	do := []string{"create", "create", "read", "read", "read", "pause", "resume", "update", "deploy", "delete"}
	return input{Object: w.objects()["service"], Do: do[rnd.IntN(len(do))]}
}

// objects are the run's objects by kind.
func (w *world) objects() map[string]string {
	all := map[string]string{}
	for _, kind := range slices.Sorted(maps.Keys(models)) {
		all[kind] = kind + "/" + w.run
	}
	return all
}

// small are calls on everything else.
func (w *world) small(rnd *rand.Rand) input {
	kinds := []string{"connection", "connection", "autoscaling", "autoscaling", "observability", "default", "tags"}
	kind := kinds[rnd.IntN(len(kinds))]
	in := input{Object: w.objects()[kind]}
	do := map[string][]string{
		"connection": {"create", "create", "delete", "read"}, "autoscaling": {"create", "create", "create", "latest", "list", "delete", "delete-all"},
		"observability": {"create", "create", "create", "latest", "list", "delete"}, "default": {"set", "read"}, "tags": {"tag", "tag", "untag", "read"},
	}[kind]
	in.Do = do[rnd.IntN(len(do))]
	switch kind + " " + in.Do {
	case "connection delete":
		in.Arg = w.met(in.Object, *partial("connection", w.run, "00000000000000000000000000000000"), rnd)
	case "autoscaling delete", "observability delete":
		if rnd.IntN(3) > 0 {
			in.Arg = w.met(in.Object, "1", rnd)
		}
	case "default set":
		in.Arg = w.left[rnd.IntN(2)]
	case "tags tag":
		in.Arg = fmt.Sprintf("%c=%d", 'a'+rune(rnd.IntN(3)), rnd.Uint32())
	case "tags untag":
		in.Arg = string('a' + rune(rnd.IntN(3)))
	}
	return in
}

// lastClient makes the calls after everybody else has ended.
const lastClient = 6

// last reads everything once more: what was acknowledged is there.
func (w *world) last() {
	for kind, object := range w.objects() {
		do := "read"
		if kind == "autoscaling" || kind == "observability" {
			do = "list"
		}
		w.do(lastClient, input{Object: object, Do: do})
	}
}

// clear deletes what the run made, so that quotas do not fill.
func (w *world) clear(t *testing.T) {
	t.Helper()
	for try := range 50 {
		left := false
		if out := w.do(lastClient, input{Object: w.objects()["connection"], Do: "read"}); out.Value != "" {
			w.do(lastClient, input{Object: w.objects()["connection"], Do: "delete", Arg: out.Value})
			left = true
		}
		w.do(lastClient, input{Object: w.objects()["autoscaling"], Do: "delete-all"})
		if out := w.do(lastClient, input{Object: w.objects()["observability"], Do: "delete"}); out.Code == "" {
			left = true
		}
		for _, k := range []string{"a", "b", "c"} {
			w.do(lastClient, input{Object: w.objects()["tags"], Do: "untag", Arg: k})
		}
		if out := w.do(lastClient, input{Object: w.objects()["service"], Do: "delete"}); out.Code != notFound {
			left = true
			time.Sleep(20 * time.Millisecond)
		}
		if !left {
			return
		}
		if try > 10 {
			time.Sleep(100 * time.Millisecond)
		}
	}
	t.Error("the resources of the run do not go away")
}

// settle waits until no operation works on the service.
func (w *world) settle(t *testing.T) {
	t.Helper()
	name := partial("service", w.run, "")
	for range 600 {
		out, err := w.apps.DescribeService(context.Background(), &sdk.DescribeServiceInput{ServiceArn: name})
		switch {
		case rig.Code(err) == notFound:
			return
		case err == nil && out.Service.Status != busy:
			w.meet(w.objects()["service"], aws.ToString(out.Service.ServiceArn))
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("an operation on service %s does not end", w.run)
}

// kept checks what no order of calls tells: acknowledged operations are listed, all have ended well, and none began before the one
// before it had ended.
func (w *world) kept(t *testing.T) {
	t.Helper()
	services, listed := map[string]bool{}, map[string]bool{}
	for _, a := range w.acks {
		if a.service != "" {
			services[a.service] = true
		}
	}
	for _, arn := range w.seen[w.objects()["service"]] {
		services[arn] = true
	}
	for arn := range services {
		out, err := w.apps.ListOperations(context.Background(), &sdk.ListOperationsInput{ServiceArn: &arn})
		if err != nil {
			t.Error(err)
			continue
		}
		for n, op := range out.OperationSummaryList { // newest first
			listed[*op.Id] = true
			switch {
			case op.EndedAt == nil || op.Status != "SUCCEEDED":
				t.Errorf("operation %s (%s) of %s is %s, ended at %v", *op.Id, op.Type, arn, op.Status, op.EndedAt)
			case n > 0 && out.OperationSummaryList[n-1].StartedAt.Before(*op.EndedAt):
				t.Errorf("operation %s of %s began before %s had ended", *out.OperationSummaryList[n-1].Id, arn, *op.Id)
			}
		}
	}
	unknown := slices.ContainsFunc(w.hist.calls, func(c call) bool { return c.In.Do == "create" && c.Out.Lost && c.In.Object == w.objects()["service"] })
	for _, a := range w.acks {
		if !listed[a.operation] && !(unknown && a.service == "") { // nobody may have met the service that it is of
			t.Errorf("operation %s was acknowledged and is not there", a.operation)
		}
	}
}
