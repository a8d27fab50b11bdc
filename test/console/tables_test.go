package console

import (
	"os"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// The wizard offers every runtime and every setting that the server has: its tables are not left behind by the server's.
func TestTheWizardKnowsWhatTheServerKnows(t *testing.T) {
	limits := source(t, "limits.ts")
	for _, r := range apprunner.Runtimes() {
		if !strings.Contains(limits, "value: '"+string(r)+"'") {
			t.Errorf("the wizard does not offer the runtime %s", r)
		}
	}
	_, err := apprunner.ParseExtras([]apprunner.Tag{{Key: "slipway:no-such"}})
	_, list, found := strings.Cut(err.Error(), "The settings are: ")
	if !found {
		t.Fatalf("the server lists no settings: %v", err)
	}
	extras := source(t, "extras.ts")
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "."), ", ") {
		if !strings.Contains(extras, "'"+name+"'") {
			t.Errorf("the wizard does not offer the setting %s", name)
		}
	}
}

// source reads a file of the form that the wizard and the Configuration tab share.
func source(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../console/src/pages/service-form/" + name)
	ok(t, err)
	return string(text)
}
