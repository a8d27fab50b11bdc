package build

import (
	"maps"
	"path"
	"slices"
	"strings"
)

const (
	cacheMount  = "/var/cache/slipway" // the service's package caches, mounted in builds only
	caPath      = "/etc/ssl/certs/ca-certificates.crt"
	defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// passedOn are the variables of the server's own environment that build commands get too: how packages are reached from this
// network. None of them gets into an image. Names are compared without regard to case.
var passedOn = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
	"NPM_CONFIG_REGISTRY", "NPM_CONFIG_STRICT_SSL", "YARN_REGISTRY",
	"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "UV_INDEX_URL",
	"GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "GOFLAGS", "GOTOOLCHAIN",
}

// PassedOn picks from an environment what Config.BuildEnv takes over from the server's own.
func PassedOn(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(item string) bool {
		name, _, _ := strings.Cut(item, "=")
		return !slices.Contains(passedOn, strings.ToUpper(name))
	})
}

// env is the environment of build commands: the runtime's, where caches lie, what the operator's network needs, and last what
// the configuration file says. The application's variables are not in it (§13.3).
func (j *job) env() []string {
	vars := map[string]string{"PATH": defaultPath, "HOME": "/root", "LANG": "C.UTF-8"}
	add := func(list []string) {
		for _, item := range list {
			if name, value, ok := strings.Cut(item, "="); ok {
				vars[name] = value
			}
		}
	}
	add(j.base.Env)
	for name, dir := range cacheVariables {
		vars[name] = path.Join(cacheMount, dir)
	}
	// Chatter that only makes sense to a person at a terminal.
	add([]string{
		"npm_config_update_notifier=false", "npm_config_fund=false", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_ROOT_USER_ACTION=ignore",
		"PIP_NO_INPUT=1", "DEBIAN_FRONTEND=noninteractive",
	})
	if j.builder.ca != nil {
		for _, name := range []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"} {
			vars[name] = caPath
		}
	}
	add(j.builder.BuildEnv)
	maps.Copy(vars, j.plan.env)
	list := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		list = append(list, name+"="+vars[name])
	}
	return list
}
