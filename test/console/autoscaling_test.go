package console

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
)

// Configurations and their revisions are made, one becomes the default and loses that again, and all go.
//
// checklist: 111, 112, 113
func TestAutoScalingConfigurations(t *testing.T) {
	h := theHouse(t)
	account := newTenant(t, h, "200000000002")
	play(t, h, "autoscaling", account.user(t, "otto", mayAll), nil)
	list, err := account.apps().ListAutoScalingConfigurations(t.Context(), &apprunner.ListAutoScalingConfigurationsInput{LatestOnly: false})
	ok(t, err)
	for _, c := range list.AutoScalingConfigurationSummaryList {
		if *c.AutoScalingConfigurationName == "busy" {
			t.Errorf("the story left %+v", c)
		}
	}
}
