package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway.dev/slipway/test/rig"
)

// house is an installation with the stock AWS CLI at hand.
type house struct{ *rig.House }

var (
	shared     *rig.House
	sharedOnce sync.Once
	sharedErr  error
)

// startTimeout is how long applications may take to become healthy in the shared installation: long enough for an interpreter on
// a busy machine, short enough to wait for those that never will.
const startTimeout = "25s"

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of these tests wait most of their time, so more of them run at once than there are processors.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	code := m.Run()
	if shared != nil {
		code = max(code, leave(shared, code != 0))
	}
	rig.Clean()
	os.Exit(code)
}

// leave takes the shared installation down and returns 1 when anything of it is left on the machine.
func leave(h *rig.House, keep bool) int {
	if err := h.Down(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, trace := range h.Leftovers() {
		fmt.Fprintln(os.Stderr, "slipway down left behind:", trace)
		keep = true
	}
	if keep {
		fmt.Fprintln(os.Stderr, "the installation's directory is kept:", h.Dir)
		return 1
	}
	os.RemoveAll(h.Dir)
	return 0
}

// public stands in for public.ecr.aws.
var public *httptest.Server

// publish puts the test application of a version into the public registry.
func publish(t *testing.T, repository, tag, version string) {
	t.Helper()
	img, err := rig.Image(version)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(public.Listener.Addr().String() + "/" + repository + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
}

// theHouse is the installation that tests share; each works on services of its own. Its repository "app" holds the test
// application as v1 and v2.
func theHouse(t *testing.T) house {
	t.Helper()
	rig.NeedRoot(t)
	sharedOnce.Do(func() {
		public = httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
		shared, sharedErr = rig.Up("--mirrors", "public.ecr.aws="+public.Listener.Addr().String(), "--provider-hosts", "GITHUB=127.0.0.1", "--service-quota", "100", "--start-timeout", startTimeout, "--stop-grace", "5s", "--drain-timeout", "20s")
		if sharedErr == nil {
			shared.PushApp(t, "app", "v1", "v1")
			shared.PushApp(t, "app", "v2", "v2")
		}
	})
	if sharedErr != nil {
		t.Fatal(sharedErr)
	}
	return house{shared}
}

// must runs the AWS CLI, and decodes its answer into out unless that is nil.
func (h house) must(t *testing.T, out any, args ...string) {
	t.Helper()
	text, err := h.AWS(args...)
	if err != nil {
		t.Fatal(err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		t.Fatalf("aws %s: %v in %s", strings.Join(args, " "), err, text)
	}
}

// service is what the tests look at in a Service that the CLI printed.
type service struct{ ServiceName, ServiceId, ServiceArn, ServiceUrl, Status string }

type answer struct {
	Service     service
	OperationId string
}

// command makes a service with the CLI and waits until it runs.
func (h house) command(t *testing.T, name string, source any, more ...string) rig.Service {
	t.Helper()
	var a answer
	h.must(t, &a, append([]string{"apprunner", "create-service", "--service-name", name, "--source-configuration", asJSON(t, source)}, more...)...)
	if a.Service.Status != "OPERATION_IN_PROGRESS" || a.OperationId == "" {
		t.Errorf("create-service answered status %s, operation %q", a.Service.Status, a.OperationId)
	}
	t.Cleanup(func() { h.Remove(t, a.Service.ServiceArn) })
	return h.Await(t, a.Service.ServiceArn, types.ServiceStatusRunning)
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// code is what the CLI is given as SourceConfiguration of a repository with settings from the API.
func code(url string, auto bool, values map[string]any) map[string]any {
	return map[string]any{
		"AutoDeploymentsEnabled": auto,
		"CodeRepository": map[string]any{
			"RepositoryUrl": url, "SourceCodeVersion": map[string]any{"Type": "BRANCH", "Value": "main"},
			"CodeConfiguration": map[string]any{"ConfigurationSource": "API", "CodeConfigurationValues": values},
		},
	}
}
