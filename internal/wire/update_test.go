package wire_test

import (
	"reflect"
	"testing"

	"slipway.dev/slipway/internal/wire/apprunner"
)

// TestUpdateCannotRename: name and encryption key are fixed for the life of a service because UpdateService has no such members.
//
// checklist: 87
func TestUpdateCannotRename(t *testing.T) {
	in := reflect.TypeFor[apprunner.UpdateServiceRequest]()
	if _, ok := in.FieldByName("ServiceArn"); !ok {
		t.Fatal("the request has no ServiceArn; this test looks at the wrong type")
	}
	for _, member := range []string{"ServiceName", "EncryptionConfiguration", "Tags"} {
		if _, ok := in.FieldByName(member); ok {
			t.Errorf("UpdateService has a member %s", member)
		}
	}
}
