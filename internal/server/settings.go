package server

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/edge"
)

// setting is one row of the table of settings. Its name is the flag without dashes and the key in the file; the environment
// variable is made from it. A value has one text form in all three places.
type setting struct {
	name    string
	usage   string
	allowed string // what a value may be, for messages
	initial func(env func(string) string) string
	parse   func(c *Config, text string) error
	show    func(c Config) string // "" while the setting has its zero value
	secret  bool
}

// EnvName is the environment variable of a setting.
func EnvName(name string) string {
	return "SLIPWAY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func fixed(text string) func(func(string) string) string {
	return func(func(string) string) string { return text }
}

// text makes a setting of a string.
func text(name, usage, initial, allowed string, ok func(string) bool, field func(*Config) *string) setting {
	return setting{
		name: name, usage: usage, allowed: allowed, initial: fixed(initial),
		parse: func(c *Config, s string) error {
			if !ok(s) {
				return errNotAllowed
			}
			*field(c) = s
			return nil
		},
		show: func(c Config) string { return *field(&c) },
	}
}

// duration makes a setting of a time span.
func duration(name, usage, initial string, field func(*Config) *time.Duration) setting {
	return setting{
		name: name, usage: usage, allowed: "a time such as 90s, 5m or 1h30m, from 1s", initial: fixed(initial),
		parse: func(c *Config, s string) error {
			d, err := time.ParseDuration(s)
			if err != nil || d < time.Second {
				return errNotAllowed
			}
			*field(c) = d
			return nil
		},
		show: func(c Config) string {
			if *field(&c) == 0 {
				return ""
			}
			return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(field(&c).String())
		},
	}
}

// choice makes a setting of true or false.
func choice(name, usage, initial string, set func(*Config, bool), get func(Config) string) setting {
	return setting{
		name: name, usage: usage, allowed: "true or false", initial: fixed(initial),
		parse: func(c *Config, s string) error {
			v, err := strconv.ParseBool(s)
			if err != nil {
				return errNotAllowed
			}
			set(c, v)
			return nil
		},
		show: get,
	}
}

// settings is the table, in the order it is shown.
func settings() []setting {
	return slices.Concat([]setting{
		pathSetting("data-dir", "where everything is kept", defaultDataDir, func(c *Config) *string { return &c.DataDir }),
		text("api-addr", "address of the AWS APIs, the registry and git", "127.0.0.1:7700", addressAllowed, isAddress, func(c *Config) *string { return &c.APIAddr }),
		fileSetting("api-cert", "certificate chain of the API's TLS (default: of the local CA, where the address is no loopback one)", func(c *Config) *string { return &c.APICert }),
		fileSetting("api-key", "key of the API's certificate", func(c *Config) *string { return &c.APIKey }),
		apiNames(), apiRate(),
		text("https-addr", "address of the applications", "127.0.0.1:8443", addressAllowed, isAddress, func(c *Config) *string { return &c.HTTPSAddr }),
		text("http-addr", "address that redirects to HTTPS", "127.0.0.1:8080", addressAllowed, isAddress, func(c *Config) *string { return &c.HTTPAddr }),
		choice("http3", "serve HTTP/3 on the UDP port of https-addr too", "false", func(c *Config, v bool) { c.HTTP3 = v }, func(c Config) string {
			if !c.HTTP3 {
				return ""
			}
			return "true"
		}),
		edgeLimits(),
		text("dns-addr", "address of the DNS server for the domain", "127.0.0.1:5300", addressAllowed, isAddress, func(c *Config) *string { return &c.DNSAddr }),
		text("domain", "suffix of the applications' names", "apprunner.localhost", "a domain name in lower case", domainName.MatchString, func(c *Config) *string { return &c.Domain }),
		text("region", "AWS region this installation plays", "us-east-1", "a region name such as us-east-1", regionName.MatchString, func(c *Config) *string { return &c.Region }),
		text("account", "AWS account this installation plays", "123456789012", "12 digits", accountID.MatchString, func(c *Config) *string { return &c.Account }),
	}, domainSettings(), eventSettings(), limits(), []setting{
		duration("start-timeout", "how long an instance may take to become healthy", "5m", func(c *Config) *time.Duration { return &c.StartTimeout }),
		duration("drain-timeout", "how long requests in flight may take to finish", "120s", func(c *Config) *time.Duration { return &c.DrainTimeout }),
		duration("stop-grace", "time between SIGTERM and SIGKILL of an instance", "30s", func(c *Config) *time.Duration { return &c.StopGrace }),
		duration("quiet-time", "how long fewer instances must have been needed before some go", "60s", func(c *Config) *time.Duration { return &c.QuietTime }),
		duration("build-timeout", "how long a build may take", "30m", func(c *Config) *time.Duration { return &c.BuildTimeout }),
		duration("metric-retention", "how long metrics are kept, minute by minute", "360h", func(c *Config) *time.Duration { return &c.MetricRetention }),
		duration("retention", "how long a deleted service is still described", "1h", func(c *Config) *time.Duration { return &c.Retention }),
		choice("strict-roles", "refuse access and instance roles that do not exist", "true", func(c *Config, v bool) { c.StrictRoles = &v }, func(c Config) string {
			if c.StrictRoles == nil {
				return ""
			}
			return strconv.FormatBool(*c.StrictRoles)
		}),
		choice("instance-endpoint", "point the AWS SDKs of applications to these APIs (AWS_ENDPOINT_URL)", "false", func(c *Config, v bool) { c.InstanceEndpoint = v }, func(c Config) string {
			if !c.InstanceEndpoint {
				return ""
			}
			return "true"
		}),
		choice("file-sources", "allow file:// repositories", "true", func(c *Config, v bool) { c.FileSources = &v }, func(c Config) string {
			if c.FileSources == nil {
				return ""
			}
			return strconv.FormatBool(*c.FileSources)
		}),
		text("trail-s3", "S3-compatible store that audit trails write to (default: the data directory)", "", "an http:// or https:// URL without a path",
			isOriginOrNone, func(c *Config) *string { return &c.TrailS3 }),
		fileSetting("trail-s3-credentials", "access key of that store, in the form of credentials.env", func(c *Config) *string { return &c.TrailS3Credentials }),
		pathSetting("cache-dir", "where runtime base images are kept", defaultCacheDir, func(c *Config) *string { return &c.CacheDir }),
		runtimeImages(), mirrors(), allowEgress(), closedZones(), providerHosts(), lowerCaseStatuses(),
		text("network-pool", "where instance networks are taken from", "10.213.0.0/18", "an IPv4 network from /18 to /24, such as 10.213.0.0/18", isPool, func(c *Config) *string { return &c.NetworkPool }),
		text("log-level", "how much Slipway says", "info", "debug, info, warn or error", func(s string) bool {
			return slices.Contains([]string{"debug", "info", "warn", "error"}, s)
		}, func(c *Config) *string { return &c.LogLevel }),
	})
}

// edgeLimits says which of several limits is wrong.
func edgeLimits() setting {
	anything := func(string) bool { return true }
	s := text("edge-limits", "what clients may cost (docs/limits.md)", "", "limits such as head-bytes=32768 client-idle=30s", anything, func(c *Config) *string { return &c.EdgeLimits })
	keep := s.parse
	s.parse = func(c *Config, v string) error {
		if _, err := edge.ParseLimits(v); err != nil {
			return err
		}
		return keep(c, v)
	}
	return s
}

// fileSetting makes a setting of a file that may be left out.
func fileSetting(name, usage string, field func(*Config) *string) setting {
	s := pathSetting(name, usage, fixed(""), field)
	s.allowed = "a file that is there and can be read"
	parse := s.parse
	s.parse = func(c *Config, v string) error {
		if v == "" {
			*field(c) = ""
			return nil
		}
		if !isReadableFile(v) {
			return errNotAllowed
		}
		return parse(c, v)
	}
	return s
}

// isReadableFile finds out at the start what otherwise is noticed when the file is needed, days later.
func isReadableFile(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

func apiNames() setting {
	return setting{
		name: "api-names", usage: "what clients reach the API by", allowed: "names and addresses, separated by commas", initial: fixed(""),
		parse: func(c *Config, s string) error {
			c.APINames = nil
			for part := range strings.SplitSeq(s, ",") {
				if part = strings.TrimSpace(part); part == "" {
					continue
				}
				if _, err := netip.ParseAddr(part); err != nil && !domainName.MatchString(part) {
					return errNotAllowed
				}
				c.APINames = append(c.APINames, part)
			}
			return nil
		},
		show: func(c Config) string { return strings.Join(c.APINames, ",") },
	}
}

func apiRate() setting {
	return setting{
		name: "api-rate", usage: "calls a second of one caller to one action", allowed: "a whole number from 1, or off", initial: fixed(strconv.Itoa(api.DefaultRate)),
		parse: func(c *Config, s string) (err error) {
			if s == "off" {
				c.APIRate = -1
				return nil
			}
			if c.APIRate, err = strconv.Atoi(s); err != nil || c.APIRate < 1 {
				return errNotAllowed
			}
			return nil
		},
		show: func(c Config) string {
			switch {
			case c.APIRate < 0:
				return "off"
			case c.APIRate == 0:
				return ""
			}
			return strconv.Itoa(c.APIRate)
		},
	}
}

const addressAllowed = "host:port, port 0 to 65535"

var (
	domainName = pattern.Of(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
	regionName = pattern.Of(`^[a-z]{2,}(-[a-z]+)*-[0-9]{1,2}$`)
	accountID  = pattern.Of(`^[0-9]{12}$`)
)

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func isLoopback(s string) bool {
	host, _, err := net.SplitHostPort(s)
	if err != nil || !isAddress(s) {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func isPool(s string) bool {
	p, err := netip.ParsePrefix(s)
	return err == nil && p.Addr().Is4() && p.Bits() >= 18 && p.Bits() <= 24 && p == p.Masked()
}

func pathSetting(name, usage string, initial func(func(string) string) string, field func(*Config) *string) setting {
	s := text(name, usage, "", "a folder", func(s string) bool { return s != "" }, field)
	s.initial = initial
	s.parse = func(c *Config, v string) error {
		abs, err := filepath.Abs(v)
		if v == "" || err != nil {
			return errNotAllowed
		}
		*field(c) = abs
		return nil
	}
	return s
}

func defaultDataDir(env func(string) string) string {
	if os.Geteuid() == 0 {
		return "/var/lib/slipway"
	}
	return filepath.Join(xdg(env, "XDG_DATA_HOME", ".local/share"), "slipway")
}

func defaultCacheDir(env func(string) string) string {
	return filepath.Join(xdg(env, "XDG_CACHE_HOME", ".cache"), "slipway")
}

func xdg(env func(string) string, name, otherwise string) string {
	if dir := env(name); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(env("HOME"), otherwise)
}

// pairs reads "name=value,name=value".
func pairs(s string) (map[string]string, error) {
	m := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		k, v, ok := strings.Cut(part, "=")
		if !ok || k == "" || v == "" {
			return nil, errNotAllowed
		}
		m[k] = v
	}
	return m, nil
}

func showPairs(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, ",")
}

func runtimeImages() setting {
	return setting{
		name: "runtime-images", usage: "base image of each runtime", allowed: "runtime=image, separated by commas, such as python311=registry.example/python:3.11",
		initial: fixed(""),
		parse: func(c *Config, s string) (err error) {
			c.RuntimeImages, err = pairs(s)
			return err
		},
		show: func(c Config) string { return showPairs(c.RuntimeImages) },
	}
}

func mirrors() setting {
	return setting{
		name: "mirrors", usage: "registries that stand in for others", allowed: "prefix=[user:password@]host[:port][/prefix], separated by commas",
		initial: fixed(""), secret: true,
		parse: func(c *Config, s string) error {
			m, err := pairs(s)
			if err != nil {
				return err
			}
			c.Mirrors = map[string]Mirror{}
			for prefix, v := range m {
				if c.Mirrors[prefix], err = parseMirror(v); err != nil {
					return err
				}
			}
			return nil
		},
		show: func(c Config) string {
			m := map[string]string{}
			for prefix, mirror := range c.Mirrors {
				m[prefix] = mirror.URL
				if mirror.Username != "" {
					m[prefix] = mirror.Username + ":***@" + mirror.URL
				}
			}
			return showPairs(m)
		},
	}
}

func parseMirror(s string) (Mirror, error) {
	u, err := url.Parse("//" + s)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return Mirror{}, errNotAllowed
	}
	m := Mirror{URL: u.Host + strings.TrimSuffix(u.Path, "/")}
	if u.User != nil {
		m.Username = u.User.Username()
		m.Password, _ = u.User.Password()
	}
	return m, nil
}

func allowEgress() setting {
	return setting{
		name: "allow-egress", usage: "private networks that applications may reach", allowed: "networks such as 10.1.0.0/16, separated by commas", initial: fixed(""),
		parse: func(c *Config, s string) error {
			c.AllowEgress = nil
			for part := range strings.SplitSeq(s, ",") {
				if part = strings.TrimSpace(part); part == "" {
					continue
				}
				p, err := netip.ParsePrefix(part)
				if err != nil {
					return errNotAllowed
				}
				c.AllowEgress = append(c.AllowEgress, p.Masked().String())
			}
			return nil
		},
		show: func(c Config) string { return strings.Join(c.AllowEgress, ",") },
	}
}

// refusal is the message for a value that a setting cannot have. A flag and a variable have the name of the setting, a place in a file
// has not.
func (s setting) refusal(g given, why error) error {
	value, from := strconv.Quote(g.value), g.from
	if s.secret {
		value = "the value"
	}
	if g.inFile {
		from += ": " + s.name
	}
	if errors.Is(why, errNotAllowed) || s.secret {
		return fmt.Errorf("%s: %s is not allowed; allowed is %s", from, value, s.allowed)
	}
	return fmt.Errorf("%s: %s is not allowed: %w; allowed is %s", from, value, why, s.allowed)
}
