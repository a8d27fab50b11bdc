package server

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// quotaNames are the quotas (§3) as the setting names them; services have a setting of their own.
func quotaNames() map[string]string {
	return map[string]string{
		"connections":             apprunner.QuotaConnections,
		"autoscaling-names":       apprunner.QuotaAutoScalingNames,
		"autoscaling-revisions":   apprunner.QuotaAutoScalingRevisions,
		"observability-names":     apprunner.QuotaObservabilityNames,
		"observability-revisions": apprunner.QuotaObservabilityRevisions,
		"vpc-connectors":          apprunner.QuotaVPCConnectors,
		"vpc-ingress-connections": apprunner.QuotaVPCIngressPerService,
		"domains":                 apprunner.QuotaDomainsPerService,
	}
}

// limits are the settings about how much there may be.
func limits() []setting {
	return []setting{
		wholeNumber("service-quota", "services per account and region", 10, func(c *Config) *int { return &c.ServiceQuota }),
		quotas(),
		wholeNumber("quota-ceiling", "highest value that the Service Quotas API raises a quota to", 1000, func(c *Config) *int { return &c.QuotaCeiling }),
		wholeNumber("max-instances", "highest MaxSize of an auto scaling configuration", apprunner.DefaultMaxSize, func(c *Config) *int { return &c.MaxInstances }),
	}
}

// wholeNumber makes a setting of a number from 1.
func wholeNumber(name, usage string, initial int, field func(*Config) *int) setting {
	return setting{
		name: name, usage: usage, allowed: "a whole number from 1", initial: fixed(strconv.Itoa(initial)),
		parse: func(c *Config, s string) error {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 {
				return errNotAllowed
			}
			*field(c) = n
			return nil
		},
		show: func(c Config) string {
			if *field(&c) == 0 {
				return ""
			}
			return strconv.Itoa(*field(&c))
		},
	}
}

func quotas() setting {
	names := quotaNames()
	return setting{
		name: "quotas", usage: "other quotas per account and region", initial: fixed(""),
		allowed: "name=number, separated by commas, with the names " + strings.Join(slices.Sorted(maps.Keys(names)), ", "),
		parse: func(c *Config, s string) error {
			m, err := pairs(s)
			if err != nil {
				return err
			}
			c.Quotas = map[string]int{}
			for name, value := range m {
				n, err := strconv.Atoi(value)
				if names[name] == "" || err != nil || n < 0 {
					return errNotAllowed
				}
				c.Quotas[name] = n
			}
			return nil
		},
		show: func(c Config) string {
			m := map[string]string{}
			for name, n := range c.Quotas {
				m[name] = strconv.Itoa(n)
			}
			return showPairs(m)
		},
	}
}

// quotaValues are the configured quotas by the code of the Service Quotas API.
func (c Config) quotaValues() map[string]int {
	codes, values := quotaNames(), map[string]int{}
	for name, n := range c.Quotas {
		values[codes[name]] = n
	}
	return values
}

// providerHosts is the setting of hosts that connections may be used for beside those of the provider itself.
func providerHosts() setting {
	return setting{
		name: "provider-hosts", usage: "hosts of source code providers beside their own, such as enterprise servers", initial: fixed(""),
		allowed: "GITHUB=host or BITBUCKET=host, separated by commas, several hosts of one provider by +",
		parse: func(c *Config, s string) error {
			m, err := pairs(s)
			if err != nil {
				return err
			}
			c.ProviderHosts = map[string][]string{}
			for provider, hosts := range m {
				if provider != string(apprunner.ProviderGitHub) && provider != string(apprunner.ProviderBitbucket) {
					return errNotAllowed
				}
				for host := range strings.SplitSeq(hosts, "+") {
					if !domainName.MatchString(host) {
						return errNotAllowed
					}
					c.ProviderHosts[provider] = append(c.ProviderHosts[provider], host)
				}
			}
			return nil
		},
		show: func(c Config) string {
			m := map[string]string{}
			for provider, hosts := range c.ProviderHosts {
				m[provider] = strings.Join(hosts, "+")
			}
			return showPairs(m)
		},
	}
}

// providers are the hosts of each provider in our own words.
func (c Config) providers() map[apprunner.ProviderType][]string {
	m := map[apprunner.ProviderType][]string{}
	for provider, hosts := range c.ProviderHosts {
		m[apprunner.ProviderType(provider)] = hosts
	}
	return m
}

// lowerCaseStatuses is the setting that lets tools beside Terraform see the statuses that it waits for (§27, conflict 11).
func lowerCaseStatuses() setting {
	return choice("lower-case-statuses", "spell the statuses of auto scaling configurations and custom domains in lower case for all clients", "false",
		func(c *Config, v bool) { c.LowerCaseStatuses = v }, func(c Config) string {
			if !c.LowerCaseStatuses {
				return ""
			}
			return "true"
		})
}
