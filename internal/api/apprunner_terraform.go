package api

import (
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// What Terraform's AWS provider expects otherwise than other clients do. It compares whole structures: what an answer has and the
// configuration has not is a change to be undone, and what the configuration has no more is left out of the request.

// byTerraform tells calls of the AWS provider, whichever of Terraform, OpenTofu and the tools built on it runs it.
func byTerraform(c Call) bool { return strings.Contains(c.UserAgent, "terraform-provider-aws") }

// sayAll makes the source of an update say what it leaves out: the provider sends a source in full, without what is empty.
func sayAll(p *apprunner.SourcePatch) {
	if p == nil || p.Code == nil && p.Image == nil {
		return
	}
	unlessSent(&p.ConnectionARN, "")
	unlessSent(&p.AccessRoleARN, "")
	if i := p.Image; i != nil {
		unlessSent(&i.Configured, false)
		unlessSent(&i.StartCommand, "")
		unlessSent(&i.Port, strconv.Itoa(apprunner.DefaultPort))
		i.Env, i.Secrets = orEmpty(i.Env), orEmpty(i.Secrets)
	}
	if c := p.Code; c != nil && c.Configuration != nil && c.Configuration.Values != nil {
		v := c.Configuration.Values
		unlessSent(&v.BuildCommand, "")
		unlessSent(&v.StartCommand, "")
		v.Env, v.Secrets = orEmpty(v.Env), orEmpty(v.Secrets)
	}
}

func unlessSent[T any](sent **T, v T) {
	if *sent == nil {
		*sent = &v
	}
}

// orEmpty is a map that replaces the present one, if only by nothing.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// thinOut takes what nobody gave and only holds defaults from a Service.
func thinOut(out *wire.Service, s apprunner.Service) {
	if o := s.Observability; !o.Given && !o.Enabled {
		out.ObservabilityConfiguration = nil
	}
	i := s.Source.Image
	if i != nil && !i.Configured && i.Port == apprunner.DefaultPort && i.StartCommand == "" && len(i.Env) == 0 && len(i.Secrets) == 0 {
		out.SourceConfiguration.ImageRepository.ImageConfiguration = nil
	}
}
