package server

import (
	"net/http"

	"slipway.dev/slipway/internal/api/signin"
)

// signIn serves the pages on which people sign in.
func (s *System) signIn(aws http.Handler) (http.Handler, error) {
	c := signin.Config{
		People: s.iam, Audit: s.audit, API: aws, Endpoint: s.conf.APIURL(), Region: s.conf.Region, Account: s.conf.Account, Log: s.log,
	}
	if s.conf.apiTLS() && s.conf.APICert == "" {
		c.CAFile = s.conf.CAFile()
	}
	return signin.New(c)
}
