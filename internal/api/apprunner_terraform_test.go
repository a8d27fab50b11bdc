package api_test

import (
	"fmt"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

const terraform = "APN/1.0 HashiCorp/1.0 Terraform/1.12.6 (+https://www.terraform.io) terraform-provider-aws/5.46.0"

// Terraform is not shown what nobody gave, which it would take for a change to be undone; all others are shown the defaults.
func TestTerraformIsShownWhatWasGiven(t *testing.T) {
	w := newWorld(t)
	const observability = `"ObservabilityConfiguration":{"ObservabilityEnabled":false}`
	public := func(name, image, more string) string {
		return fmt.Sprintf(`{"ServiceName":%q,"SourceConfiguration":{"ImageRepository":{"ImageIdentifier":"public.ecr.aws/a/b:1","ImageRepositoryType":"ECR_PUBLIC"%s}}%s}`, name, image, more)
	}
	for _, tc := range []struct {
		name, body           string
		observability, image bool
	}{
		{"nothing-given", public("nothing-given", "", ""), false, false},
		{"switched-off", public("switched-off", "", ","+observability), true, false},
		{"default-port", public("default-port", `,"ImageConfiguration":{"Port":"8080"}`, ""), false, true},
		{"other-port", public("other-port", `,"ImageConfiguration":{"Port":"80"}`, ""), false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, created := w.post(t, "apprunner", "AppRunner.CreateService", tc.body, "User-Agent", terraform)
			if strings.Contains(created, observability) != tc.observability || strings.Contains(created, `"ImageConfiguration"`) != tc.image {
				t.Errorf("Terraform sees %s", created)
			}
			_, arn, _ := strings.Cut(created, `"ServiceArn":"`)
			arn, _, _ = strings.Cut(arn, `"`)
			_, plain := w.post(t, "apprunner", "AppRunner.DescribeService", `{"ServiceArn":"`+arn+`"}`)
			if !strings.Contains(plain, observability) || !strings.Contains(plain, `"ImageConfiguration":{"Port":"`) {
				t.Errorf("other clients see %s", plain)
			}
			w.settle(t, arn, apprunner.StatusRunning)
			if _, again := w.post(t, "apprunner", "AppRunner.DescribeService", `{"ServiceArn":"`+arn+`"}`, "User-Agent", terraform); strings.Contains(again, `"ImageConfiguration"`) != tc.image {
				t.Errorf("Terraform then sees %s", again)
			}
		})
	}
}

// Terraform sends a source in full and leaves out what is empty, so what it leaves out goes; for others what is absent stays.
func TestTerraformSendsSourcesInFull(t *testing.T) {
	w := newWorld(t)
	for i, tc := range []struct {
		agent, want string
	}{
		{"aws-cli/2.15", `"ImageConfiguration":{"RuntimeEnvironmentVariables":{"GREETING":"hello"},"StartCommand":"serve","Port":"80"}`},
		{terraform, `"ImageConfiguration":{"Port":"80"}`},
	} {
		name := fmt.Sprintf("source-%d", i)
		source := func(conf string) string {
			return `"SourceConfiguration":{"ImageRepository":{"ImageIdentifier":"public.ecr.aws/a/b:1","ImageRepositoryType":"ECR_PUBLIC","ImageConfiguration":` + conf + `}}}`
		}
		_, created := w.post(t, "apprunner", "AppRunner.CreateService", `{"ServiceName":"`+name+`",`+source(`{"Port":"80","StartCommand":"serve","RuntimeEnvironmentVariables":{"GREETING":"hello"}}`), "User-Agent", tc.agent)
		_, arn, _ := strings.Cut(created, `"ServiceArn":"`)
		arn, _, _ = strings.Cut(arn, `"`)
		w.settle(t, arn, apprunner.StatusRunning)
		_, updated := w.post(t, "apprunner", "AppRunner.UpdateService", `{"ServiceArn":"`+arn+`",`+source(`{"Port":"80"}`), "User-Agent", tc.agent)
		if !strings.Contains(updated, tc.want) {
			t.Errorf("%s: got %s\nwant %s", tc.agent, updated, tc.want)
		}
	}
}
