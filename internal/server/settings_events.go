package server

import (
	"strings"

	"slipway.dev/slipway/internal/observe/events"
)

// eventSettings are those of the event bus.
func eventSettings() []setting {
	return []setting{
		eventTargets(),
		fileSetting("event-secrets", "secrets that sign what web hooks get (docs/events.md)", func(c *Config) *string { return &c.EventSecrets }),
		choice("event-http", "send events to other machines by plain HTTP too", "false", func(c *Config, v bool) { c.EventHTTP = v }, func(c Config) string {
			if !c.EventHTTP {
				return ""
			}
			return "true"
		}),
	}
}

// eventTargets is the setting that gives ARNs an address. Addresses may hold passwords and tokens.
func eventTargets() setting {
	return setting{
		name: "event-targets", usage: "web hooks that events for an ARN are sent to", secret: true, initial: fixed(""),
		allowed: "ARN=URL, separated by commas, such as arn:aws:sns:us-east-1:123456789012:alarms=https://hooks.example.com/alarms; a comma in a URL is %2C",
		parse: func(c *Config, s string) error {
			m, err := pairs(s)
			if err != nil {
				return err
			}
			for arn, url := range m {
				// Whether plain HTTP may leave the machine is another setting, looked at when all are known.
				if !strings.HasPrefix(arn, "arn:") || (events.Endpoint{URL: url, Plain: true}).Check() != nil {
					return errNotAllowed
				}
			}
			c.EventTargets = m
			return nil
		},
		show: func(c Config) string {
			m := map[string]string{}
			for arn := range c.EventTargets {
				m[arn] = "***"
			}
			return showPairs(m)
		},
	}
}
