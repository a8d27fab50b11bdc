package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestMinSize: a service with a minimum of three instances has three, all of them serve, one that is killed comes back, and a
// deployment replaces all without a failed request.
//
// checklist: 82, 106
func TestMinSize(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	conf, err := h.Apps.CreateAutoScalingConfiguration(t.Context(), &apprunner.CreateAutoScalingConfigurationInput{
		AutoScalingConfigurationName: aws.String("three"), MinSize: aws.Int32(3), MaxSize: aws.Int32(5),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := h.Create(t, "three-of-them", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) {
		in.AutoScalingConfigurationArn = conf.AutoScalingConfiguration.AutoScalingConfigurationArn
	})
	three := s.Instances(t, "active")
	if len(three) != 3 {
		t.Fatalf("instances %v", three)
	}
	load := s.Load(rig.Pressure{Path: "/", Rate: 60})
	for range 200 {
		if len(load.Report().Bodies) == 3 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n := len(load.Report().Bodies); n != 3 {
		t.Errorf("requests were answered by %d of three instances", n)
	}
	s.Deploy(t)
	load.Stop().Unharmed(t)
	for n, id := range s.Instances(t, "active") {
		if id == three[n] {
			t.Errorf("instance %s outlived the deployment", id)
		}
	}
	pid, err := h.Init(s.Instances(t, "active")[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if strings.Contains(s.Events(), "is replaced") && len(s.Instances(t, "active")) == 3 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if now := s.Instances(t, "active"); len(now) != 3 {
		t.Errorf("instances %v", now)
	}
	s.Says(t, "/", "hello v1")
}

// TestRequestsInFlight: a request that an instance is working on is answered by it, whatever the service is told meanwhile.
//
// checklist: 82
func TestRequestsInFlight(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "in-flight", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	for name, do := range map[string]func(){
		"deployment": func() { s.Deploy(t) }, "update": func() {
			s.Update(t, &apprunner.UpdateServiceInput{InstanceConfiguration: &types.InstanceConfiguration{Memory: aws.String("1024")}}, types.ServiceStatusRunning)
		},
	} {
		answered := make(chan string, 1)
		begun := make(chan struct{})
		go func() {
			close(begun)
			status, body, err := s.Get("/slow?ms=2500")
			answered <- fmt.Sprint(status, " ", strings.TrimSpace(body), " ", err)
		}()
		<-begun
		s.Busy(t)
		do()
		if got := <-answered; got != "200 done <nil>" {
			t.Errorf("a request during a %s is answered %s", name, got)
		}
	}
	answered := make(chan int, 1)
	go func() {
		status, _, _ := s.Get("/slow?ms=1500")
		answered <- status
	}()
	s.Busy(t)
	s.Pause(t)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("a request during a pause is answered %d", status)
	}
}

// TestUnhealthyInstanceIsReplaced: an instance that runs but fails its checks is replaced, and the reason told.
//
// checklist: 94, 106
func TestUnhealthyInstanceIsReplaced(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "falls-ill", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, httpCheck, func(in *apprunner.CreateServiceInput) {
		in.HealthCheckConfiguration.UnhealthyThreshold = aws.Int32(2)
	})
	ill := s.Instances(t, "active")[0]
	s.Says(t, "/health?set=503", "")
	for range 150 {
		if now := s.Instances(t, "active"); len(now) == 1 && now[0] != ill {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	watched{s}.becomes(t, "hello v1")
	if now := s.Instances(t, "active"); len(now) != 1 || now[0] == ill {
		t.Errorf("instances %v, the ill one was %s", now, ill)
	}
	if events := s.Events(); !strings.Contains(events, ill+" failed its health checks") || !strings.Contains(events, "503") {
		t.Errorf("events:\n%s", events)
	}
}

// TestPublicImage: a public image deploys without a role; automatic deployment is not to be had for it.
//
// checklist: 32, 33, 35
func TestPublicImage(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	publish(t, "aws-containers/hello-app-runner", "latest", "public")
	source := func(auto *bool) *types.SourceConfiguration {
		return &types.SourceConfiguration{AutoDeploymentsEnabled: auto, ImageRepository: &types.ImageRepository{
			ImageIdentifier: aws.String("public.ecr.aws/aws-containers/hello-app-runner:latest"), ImageRepositoryType: types.ImageRepositoryTypeEcrPublic,
			ImageConfiguration: &types.ImageConfiguration{Port: aws.String("8000")},
		}}
	}
	s := h.Create(t, "public-image", source(nil), types.ServiceStatusRunning, rig.Small)
	s.Says(t, "/", "hello public")
	if *s.SourceConfiguration.AutoDeploymentsEnabled {
		t.Error("automatic deployment is on for a public image")
	}
	_, err := h.Apps.CreateService(t.Context(), &apprunner.CreateServiceInput{ServiceName: aws.String("public-auto"), SourceConfiguration: source(aws.Bool(true))})
	if rig.Code(err) != "InvalidRequestException" {
		t.Errorf("automatic deployment of a public image: %v", err)
	}
}

// TestNobodyGetsInUnsigned: no API, registry or repository answers without credentials, or with wrong ones.
//
// checklist: 4
func TestNobodyGetsInUnsigned(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	post := func(header map[string]string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Env["AWS_ENDPOINT_URL"]+"/", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		req.Header.Set("X-Amz-Target", "AppRunner.ListServices")
		for k, v := range header {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || strings.Contains(string(body), "ServiceSummaryList") {
			t.Errorf("answer %s, %v", body, err)
		}
		return res.StatusCode
	}
	if code := post(nil); code != http.StatusForbidden {
		t.Errorf("an unsigned call answers %d", code)
	}
	stale := "AWS4-HMAC-SHA256 Credential=" + h.Env["AWS_ACCESS_KEY_ID"] + "/20200101/us-east-1/apprunner/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0", 64)
	if code := post(map[string]string{"Authorization": stale, "X-Amz-Date": "20200101T000000Z"}); code != http.StatusForbidden {
		t.Errorf("a call with an old and wrong signature answers %d", code)
	}
	for path, want := range map[string]int{"/v2/": http.StatusUnauthorized, "/v2/app/tags/list": http.StatusUnauthorized, "/git/x.git/info/refs?service=git-upload-pack": http.StatusUnauthorized} {
		res, err := http.Get(h.Env["AWS_ENDPOINT_URL"] + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s answers %s to nobody", path, res.Status)
		}
	}
	for _, change := range []string{"AWS_SECRET_ACCESS_KEY=wrong", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE"} {
		if out, err := h.AWSWith([]string{change}, "apprunner", "list-services"); err == nil {
			t.Errorf("with %s list-services says %s", change, out)
		}
	}
}

// TestEdgeRestart: a front door that is killed is there again at once; those who come meanwhile wait, and new certificates and
// routes are not needed for it.
func TestEdgeRestart(t *testing.T) {
	t.Parallel()
	h := rig.Own(t)
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "edge-restart", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	load := s.Load(rig.Pressure{Path: "/", Rate: 50, Forgive: true})
	for range 3 {
		before, err := h.PID("edge")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		h.Kill(t, "edge")
		h.Reborn(t, "edge", before)
	}
	s.Deploy(t)
	load.Stop().Unharmed(t)
	h.NoOrphans(t)
}
