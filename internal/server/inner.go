package server

import (
	"net/http"
	"net/netip"
)

// inner is what instances reach of this machine: the credentials of their role, and the AWS APIs and the registry to use them with.
// Git, webhooks, metrics and the console are not for them. Instances that call out through a VPC find nothing here but credentials: the
// APIs are reached through an endpoint of the VPC.
func (s *System) inner() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.creds)
	mux.Handle("/v2/", s.images.Registry())
	mux.Handle("/", s.front.aws)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		credentials := r.Method == http.MethodGet && r.URL.Path == "/"
		if err != nil || !credentials && s.driver.Enclosed(from.Addr()) {
			http.Error(w, "the outgoing traffic of this service goes through a VPC; create an interface endpoint for the API in it", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
