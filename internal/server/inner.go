package server

import "net/http"

// inner is what instances reach of this machine: the credentials of their role, and the AWS APIs and the registry to use them with.
// Git, webhooks, metrics and the console are not for them.
func (s *System) inner() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.creds)
	mux.Handle("/v2/", s.images.Registry())
	mux.Handle("/", s.front.aws)
	return mux
}
