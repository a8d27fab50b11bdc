package console

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
)

// A connection is created, its handshake fails with a credential that the provider refuses, is completed with another, and the connection
// goes again. Somebody who may only read is told what is missing.
//
// checklist: 100, 101, 102
func TestConnections(t *testing.T) {
	h := theHouse(t)
	account := newTenant(t, h, "200000000001")
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="provider"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
	}))
	t.Cleanup(provider.Close)
	play(t, h, "connections", account.user(t, "connie", mayAll), map[string]any{"repository": provider.URL + "/team/app.git"})
	kept, err := account.apps().ListConnections(t.Context(), &apprunner.ListConnectionsInput{})
	ok(t, err)
	if list := kept.ConnectionSummaryList; len(list) != 1 || *list[0].ConnectionName != "hub-kept" || list[0].Status != types.ConnectionStatusAvailable {
		t.Errorf("the story left %+v", list)
	}
	play(t, h, "connections_denied", account.user(t, "colin", mayRead), nil)
}
