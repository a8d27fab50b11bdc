package server

import (
	"slices"
	"strings"

	"slipway.dev/slipway/internal/network"
)

// isZone tells whether a text is the name of a zone of some region.
func isZone(s string) bool {
	region := s[:max(len(s)-1, 0)]
	return strings.Count(region, "-") >= 2 && slices.ContainsFunc(network.Zones(region), func(z network.Zone) bool { return z.Name == s })
}

// closedZones is the setting for zones that VPC connectors cannot use.
func closedZones() setting {
	return setting{
		name: "closed-zones", usage: "availability zones that VPC connectors cannot use", allowed: "zones such as us-east-1c, separated by commas", initial: fixed(""),
		parse: func(c *Config, s string) error {
			c.ClosedZones = nil
			for part := range strings.SplitSeq(s, ",") {
				part = strings.TrimSpace(part)
				switch {
				case part == "":
				case !isZone(part):
					return errNotAllowed
				default:
					c.ClosedZones = append(c.ClosedZones, part)
				}
			}
			slices.Sort(c.ClosedZones)
			return nil
		},
		show: func(c Config) string { return strings.Join(c.ClosedZones, ",") },
	}
}
