package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	apprunnersdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/iam"
)

func TestLimiter(t *testing.T) {
	l, now := api.NewLimiter(2), time.Unix(1_000_000, 0)
	alice := iam.Principal{ARN: "arn:aws:iam::123456789012:user/alice"}
	role := func(session string) iam.Principal {
		return iam.Principal{ARN: "arn:aws:sts::123456789012:assumed-role/r/" + session, Session: &iam.Session{RoleARN: "arn:aws:iam::123456789012:role/r"}}
	}
	count := func(p iam.Principal, operation string) (n int) {
		for l.Allow(p, "apprunner", operation, now) == nil && n < 1000 {
			n++
		}
		return n
	}
	if n := count(alice, "ListServices"); n != 100 {
		t.Errorf("%d calls at once, want 100", n)
	}
	if n := count(alice, "DescribeService"); n != 100 {
		t.Errorf("another action has %d left, want 100", n)
	}
	if n := count(role("a"), "ListServices") + count(role("b"), "ListServices"); n != 100 {
		t.Errorf("two sessions of a role have %d calls, want 100", n)
	}
	now = now.Add(3 * time.Second)
	if n := count(alice, "ListServices"); n != 6 {
		t.Errorf("%d calls after three seconds, want 6", n)
	}
	now = now.Add(-time.Hour) // a clock that is set back gives nothing and takes nothing
	if n := count(alice, "ListServices"); n != 0 {
		t.Errorf("%d calls after the clock went back, want 0", n)
	}
	for i := range 50_000 {
		if err := l.Allow(iam.Principal{ARN: fmt.Sprint(i)}, "apprunner", "ListServices", now); err != nil {
			t.Fatal(err)
		}
	}
}

// Who calls too fast is told so in a way that SDKs wait and try again; others go on.
func TestThrottledCallers(t *testing.T) {
	d := newDoor(t, func(c *api.Config) {
		now := time.Now()
		limiter := api.NewLimiter(1)
		c.Throttle = func(p iam.Principal, service, operation string, _ time.Time) error {
			return limiter.Allow(p, service, operation, now)
		}
	})
	c := apprunnersdk.NewFromConfig(d.config())
	for range 50 {
		if _, err := c.ListServices(t.Context(), &apprunnersdk.ListServicesInput{}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.ListServices(t.Context(), &apprunnersdk.ListServicesInput{})
	refused(t, err, "ThrottlingException", http.StatusBadRequest)
	if _, err := stssdk.NewFromConfig(d.config()).GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{}); err != nil {
		t.Error(err)
	}
}
