package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"slipway.dev/slipway/test/rig"
)

// outcome is what a client heard of a call: it was done, refused, or nothing.
type outcome int

const (
	unheard outcome = iota
	done
	denied
)

// writers make things through two APIs until stop, and remember by name what they heard.
type writers struct {
	house
	mu    sync.Mutex
	heard map[string]outcome
	group sync.WaitGroup
}

// work is one writer. Every third of its calls is one that must be refused.
func (w *writers) work(ctx context.Context, n int, stop <-chan struct{}) {
	ids, apps := iam.NewFromConfig(w.root()), apprunner.NewFromConfig(w.root())
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		name := fmt.Sprintf("w%d-%04d", n, i)
		var err error
		switch i % 3 {
		case 0:
			_, err = ids.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})
		case 1:
			_, err = apps.CreateConnection(ctx, &apprunner.CreateConnectionInput{ConnectionName: &name, ProviderType: types.ProviderTypeGithub})
			if err == nil { // there may only be so many
				arn := w.connection(ctx, apps, name)
				_, _ = apps.DeleteConnection(ctx, &apprunner.DeleteConnectionInput{ConnectionArn: &arn})
			}
		case 2:
			_, err = ids.CreateUser(ctx, &iam.CreateUserInput{UserName: &name, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/Nothing")})
		}
		w.hear(name, err)
	}
}

func (w *writers) connection(ctx context.Context, apps *apprunner.Client, name string) string {
	list, err := apps.ListConnections(ctx, &apprunner.ListConnectionsInput{ConnectionName: &name})
	if err != nil || len(list.ConnectionSummaryList) == 0 {
		return ""
	}
	return *list.ConnectionSummaryList[0].ConnectionArn
}

func (w *writers) hear(name string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil:
		w.heard[name] = done
	case rig.Code(err) != "" && !strings.Contains(rig.Code(err), "Internal") && !strings.Contains(rig.Code(err), "ServiceFailure"):
		w.heard[name] = denied
	default:
		w.heard[name] = unheard
	}
}

// TestRecordsSurviveKills: the control plane is killed again and again while clients write. Afterwards every change that a client
// was told of has exactly one record, what was refused has one that says so, no record tells of a change that is not there, and the
// chain of records is whole.
//
// checklist: 167
func TestRecordsSurviveKills(t *testing.T) {
	t.Parallel()
	h := house{rig.Own(t, "--api-rate", "off")}
	w := &writers{house: h, heard: map[string]outcome{}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	stop := make(chan struct{})
	for n := range 4 {
		w.group.Go(func() { w.work(ctx, n, stop) })
	}
	for kill := range 6 {
		pid, err := h.PID("control")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(150+70*kill) * time.Millisecond) // somewhere amid the writing
		h.Kill(t, "control")
		h.Reborn(t, "control", pid)
	}
	time.Sleep(200 * time.Millisecond)
	close(stop)
	w.group.Wait()
	time.Sleep(500 * time.Millisecond) // records of answers follow in batches of 100 ms
	w.check(t, w.users(t), w.records(t))
	text, err := h.Slipway("audit", "verify", "--data-dir", h.Dir)
	if err != nil || !strings.Contains(text, "all as they were written") {
		t.Errorf("slipway audit verify: %v\n%s", err, text)
	}
}

// record is what the check looks at in a record.
type record struct {
	EventID, EventName, ErrorCode string
	RequestParameters             struct{ UserName, ConnectionName string }
}

// records asks CloudTrail for the records of the makings, by name.
func (w *writers) records(t *testing.T) map[string][]record {
	t.Helper()
	out := map[string][]record{}
	for _, made := range []string{"CreateUser", "CreateConnection"} {
		var list struct {
			Events []struct{ CloudTrailEvent string }
		}
		w.must(t, &list, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue="+made)
		for _, e := range list.Events {
			var r record
			if err := json.Unmarshal([]byte(e.CloudTrailEvent), &r); err != nil {
				t.Fatal(err)
			}
			name := r.RequestParameters.UserName + r.RequestParameters.ConnectionName
			out[name] = append(out[name], r)
		}
	}
	return out
}

func (w *writers) users(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	// With retries: without them this version of the SDK may close a long answer while it reads it.
	ids := iam.NewFromConfig(w.root(), func(o *iam.Options) { o.Retryer = retry.NewStandard() })
	for p := iam.NewListUsersPaginator(ids, &iam.ListUsersInput{MaxItems: aws.Int32(1000)}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			out[*u.UserName] = true
		}
	}
	return out
}

func (w *writers) check(t *testing.T, users map[string]bool, records map[string][]record) {
	t.Helper()
	var counts [3]int
	for name, heard := range w.heard {
		counts[heard]++
		list := records[name]
		if len(list) > 1 {
			t.Errorf("%s has %d records", name, len(list))
			continue
		}
		succeeded := len(list) == 1 && list[0].ErrorCode == ""
		switch {
		case heard == done && !succeeded:
			t.Errorf("%s was made, but its record is %+v", name, list)
		case heard == denied && (len(list) != 1 || succeeded):
			t.Errorf("%s was refused, but its record is %+v", name, list)
		}
		if len(list) == 1 && list[0].EventName == "CreateUser" && succeeded != users[name] {
			t.Errorf("%s is there: %v, but its record is %+v", name, users[name], list)
		}
		if users[name] && len(list) == 0 {
			t.Errorf("%s is there without a record", name)
		}
	}
	if counts[done] < 20 || counts[denied] < 5 || counts[unheard] == 0 {
		t.Errorf("%d calls were done, %d refused and %d unheard of: too few to tell anything", counts[done], counts[denied], counts[unheard])
	}
	t.Logf("%d done, %d refused, %d unheard of", counts[done], counts[denied], counts[unheard])
}
