package edge

import (
	"net/http"
	"strings"
	"testing"
)

func TestDisguisedFieldsEndHere(t *testing.T) {
	allFronts(t, func(*Config) {}, func(t *testing.T, h *house, c *http.Client) {
		s := newSpy(t)
		h.publish(nil, Target{InstanceID: "i1", Address: s.address, Phase: Active})
		req, _ := http.NewRequest("GET", "https://"+appHost+"/", nil)
		for _, name := range []string{"x_forwarded_for", "X_FORWARDED-PROTO", "Content_Length", "Transfer_Encoding", "X_Request_Id", "My_Own", "Content_Type"} {
			req.Header[name] = []string{"disguised"}
		}
		resp, err := c.Do(req)
		check(t, err)
		read(t, resp)
		seen := strings.ToLower(strings.Join(s.take(), ""))
		if strings.Count(seen, "disguised") != 2 || !strings.Contains(seen, "my_own") || !strings.Contains(seen, "content_type") {
			t.Errorf("the application saw %s", seen)
		}
	})
}
