package server

import (
	"fmt"
	"net"
	"net/http"
	"strconv"

	"slipway.dev/slipway/internal/api/signin"
	"slipway.dev/slipway/internal/console"
)

// signIn is what the console, and scripts, sign in with.
func (s *System) signIn() (http.Handler, error) {
	return signin.New(signin.Config{
		People: s.iam, Audit: s.audit, Endpoint: s.conf.APIURL(), Region: s.conf.Region, Account: s.conf.Account, Log: s.log,
	})
}

// console is the web console.
func (s *System) console() (http.Handler, error) {
	_, port, err := net.SplitHostPort(s.conf.HTTPSAddr)
	if err != nil {
		return nil, fmt.Errorf("the port of applications: %w", err)
	}
	c := console.Settings{Region: s.conf.Region, Account: s.conf.Account, Endpoint: s.conf.APIURL()}
	if c.HTTPSPort, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("the port of applications: %w", err)
	}
	if s.conf.apiTLS() && s.conf.APICert == "" {
		c.CAFile = s.conf.CAFile()
	}
	return console.New(console.Bundle(), c)
}
