package console

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
)

// Configurations and their revisions are made, one becomes the default and loses that again, and all go.
//
// checklist: 111, 112, 113
func TestAutoScalingConfigurations(t *testing.T) {
	h := theHouse(t)
	t.Cleanup(func() {
		_, err := h.Apps.UpdateDefaultAutoScalingConfiguration(context.Background(), &apprunner.UpdateDefaultAutoScalingConfigurationInput{
			AutoScalingConfigurationArn: aws.String("arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/DefaultConfiguration"),
		})
		if err != nil {
			t.Error(err)
		}
	})
	play(t, h, "autoscaling", user(t, h, "otto", mayAll), nil)
	list, err := h.Apps.ListAutoScalingConfigurations(t.Context(), &apprunner.ListAutoScalingConfigurationsInput{LatestOnly: false})
	ok(t, err)
	for _, c := range list.AutoScalingConfigurationSummaryList {
		if *c.AutoScalingConfigurationName == "busy" {
			t.Errorf("the story left %+v", c)
		}
	}
}
