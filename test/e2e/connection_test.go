package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestPrivateRepository: a private repository is deployed with a connection whose handshake was completed, and not without; a public
// one needs none. The credential appears nowhere.
//
// checklist: 38, 99, 100
func TestPrivateRepository(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	const token = "ghp_0123456789abcdefghij"
	g := rig.NewGit(t, map[string]string{"server.py": reporter})
	at := rig.Provider(t, g, token)
	values := &types.CodeConfigurationValues{Runtime: types.RuntimePython311, StartCommand: aws.String("python3 server.py"), RuntimeEnvironmentVariables: map[string]string{"A": "b"}}

	public := h.Create(t, "public-source", rig.CodeSource(at+"/public.git", values), types.ServiceStatusRunning, rig.Small)
	public.Says(t, "/", `"A": "b"`)

	closed := h.Create(t, "closed-source", rig.CodeSource(at+"/private.git", values), types.ServiceStatusCreateFailed, rig.Small)
	conn, err := h.Apps.CreateConnection(t.Context(), &apprunner.CreateConnectionInput{ConnectionName: aws.String("hub-1"), ProviderType: types.ProviderTypeGithub})
	if err != nil {
		t.Fatal(err)
	}
	arn := conn.Connection.ConnectionArn
	private := rig.CodeSource(at+"/private.git", values)
	private.AuthenticationConfiguration = &types.AuthenticationConfiguration{ConnectionArn: arn}
	update := &apprunner.UpdateServiceInput{ServiceArn: closed.ServiceArn, SourceConfiguration: private}
	if _, err := h.Apps.UpdateService(t.Context(), update); rig.Code(err) != "InvalidRequestException" || !strings.Contains(err.Error(), "PENDING_HANDSHAKE") {
		t.Errorf("a connection that waits for its handshake is used: %v", err)
	}

	complete := func(token string) (string, error) {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return h.Slipway("connection", "complete", "--data-dir", h.Dir, "--arn", *arn, "--token-file", file, "--repository", at+"/private.git")
	}
	if out, err := complete("ghp_wrong"); err == nil || !strings.Contains(out, "\nERROR\n") || !strings.Contains(out, "the provider refuses the credential") {
		t.Errorf("a token that the provider refuses: %v\n%s", err, out)
	}
	out, err := complete(token)
	if err != nil || !strings.HasSuffix(out, "\nAVAILABLE\n") {
		t.Fatalf("slipway connection complete: %v\n%s", err, out)
	}
	s := closed.Update(t, update, types.ServiceStatusRunning)
	s.Says(t, "/", `"A": "b"`)
	another := h.Create(t, "private-source", private, types.ServiceStatusRunning, rig.Small)
	another.Says(t, "/", `"A": "b"`)
	if story := s.Story() + out; strings.Contains(story, token) {
		t.Errorf("the credential is told:\n%s", story)
	}
	if _, err := h.Apps.DeleteConnection(t.Context(), &apprunner.DeleteConnectionInput{ConnectionArn: arn}); rig.Code(err) != "InvalidRequestException" {
		t.Errorf("a connection in use is deleted: %v", err)
	}
}
