package apprunner

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner/spell"
)

// Extras are the settings of a service that App Runner does not have. They travel as tags with the prefix "slipway:", so that
// stock clients and infrastructure tools can set them; the zero value is App Runner's own behaviour.
type Extras struct {
	// ScaleToZero lets the last instance go after a quiet time; requests are held while one starts (slipway:scale-to-zero=on).
	ScaleToZero bool
	// MinActive is how many instances are never frozen (slipway:min-active, 1-25): the others take a few milliseconds to thaw; 0 is the
	// default, 1. With FreezeAll all may be frozen (slipway:min-active=0).
	MinActive int
	FreezeAll bool
	// ScaleCPU adds instances when the active ones use more than this share of their CPU (slipway:scale-cpu, 1-100 percent); 0 is off.
	ScaleCPU int
	// CanaryWeight is the share of requests a new version gets for CanaryTime before it gets all (slipway:canary="10 2m", 1-99
	// percent and 1 s-1 h); 0 is off. CanaryAbort takes a version back that is being tried, and every other one before it is tried
	// (slipway:canary=abort).
	CanaryWeight int
	CanaryTime   time.Duration
	CanaryAbort  bool
	// Sticky keeps a client at its instance by a cookie (slipway:sticky=on).
	Sticky bool
	// RequestTimeout bounds one request in place of 120 s (slipway:request-timeout, 1 s-1 h); 0 is the default.
	RequestTimeout time.Duration
	// IdleTimeout ends a stream of which nothing came for so long (slipway:idle-timeout, 1 s-24 h); 0 is never.
	IdleTimeout time.Duration
	// NoUpgrade refuses WebSocket and every other upgrade (slipway:websockets=off, §19).
	NoUpgrade bool
	// H2C speaks HTTP/2 without TLS to the application, as gRPC servers need it (slipway:protocol=h2c).
	H2C bool
	// AccessLog writes one line a request to the stream "access" of the application log group (slipway:access-log=json|combined, either
	// with "+query" to log queries too); "" is off.
	AccessLog string
	// AllowIPs are the client networks that may call; none means all (slipway:allow-ips, networks or addresses separated by spaces).
	AllowIPs []netip.Prefix
	// BasicAuth are "user:bcrypt hash" pairs one of which a client must know (slipway:basic-auth, separated by spaces); none means all.
	BasicAuth []string
	// CallerPulls lets a private image of the service's own account go without an access role: it is pulled in the name of whoever creates,
	// updates or deploys the service, and only by hand (slipway:image-access=caller). It counts when the service is created.
	CallerPulls bool
	// Capabilities are kept inside the instance's own user namespace, for images that start as root and change their user
	// (slipway:capabilities, ADR 5). They count from the next start of instances on.
	Capabilities []string
}

// Canary tells whether new versions are tried before they get all requests.
func (x Extras) Canary() bool { return x.CanaryWeight > 0 || x.CanaryAbort }

// Awake is how many instances are never frozen.
func (x Extras) Awake() int {
	if x.FreezeAll {
		return 0
	}
	return max(x.MinActive, 1)
}

// ExtraPrefix begins the tags that are settings.
const ExtraPrefix = "slipway:"

// ParseExtras reads the settings among the tags of a service. A tag it does not know, or whose value is not allowed, gives an
// InvalidRequestException that names the tag, the value (unless it is a secret) and what is allowed; the other settings are
// returned all the same.
func ParseExtras(tags []Tag) (Extras, error) {
	var x Extras
	var first error
	for _, tag := range tags {
		name, ok := strings.CutPrefix(tag.Key, ExtraPrefix)
		if !ok {
			continue
		}
		if err := x.set(name, tag.Value); err != nil && first == nil {
			first = err
		}
	}
	return x, first
}

func (x *Extras) set(name, value string) (err error) {
	switch name {
	case "scale-to-zero":
		x.ScaleToZero, err = onOff(name, value)
	case "min-active":
		x.MinActive, err = number(name, value, 0, 25)
		x.FreezeAll = err == nil && x.MinActive == 0
	case "scale-cpu":
		x.ScaleCPU, err = number(name, value, 1, 100)
	case "canary":
		if x.CanaryAbort = value == "abort"; !x.CanaryAbort {
			x.CanaryWeight, x.CanaryTime, err = canary(name, value)
		}
	case "sticky":
		x.Sticky, err = onOff(name, value)
	case "request-timeout":
		x.RequestTimeout, err = span(name, value, time.Second, time.Hour)
	case "idle-timeout":
		x.IdleTimeout, err = span(name, value, time.Second, 24*time.Hour)
	case "websockets":
		var on bool
		on, err = onOff(name, value)
		x.NoUpgrade = err == nil && !on
	case "protocol":
		x.H2C = value == "h2c"
		err = oneOf(name, value, "http1", "h2c")
	case "access-log":
		if err = oneOf(name, value, "json", "combined", "json+query", "combined+query", "off"); err == nil && value != "off" {
			x.AccessLog = value
		}
	case "allow-ips":
		x.AllowIPs, err = prefixes(name, value)
	case "basic-auth":
		x.BasicAuth, err = logins(name, value)
	case "image-access":
		x.CallerPulls = value == "caller"
		err = oneOf(name, value, "role", "caller")
	case "capabilities":
		x.Capabilities, err = capabilities(name, value)
	default:
		if meant := spell.Nearest(name, extraNames); meant != "" {
			return Errorf(CodeInvalidRequest, "Tag %s%s is no setting of this server. Did you mean %s%s?", ExtraPrefix, name, ExtraPrefix, meant)
		}
		return Errorf(CodeInvalidRequest, "Tag %s%s is no setting of this server. The settings are: %s.", ExtraPrefix, name, strings.Join(extraNames, ", "))
	}
	return err
}

var extraNames = []string{
	"access-log", "allow-ips", "basic-auth", "canary", "capabilities", "idle-timeout", "image-access", "min-active", "protocol", "request-timeout",
	"scale-cpu", "scale-to-zero", "sticky", "websockets",
}

func badExtra(name, value, allowed string) error {
	return Errorf(CodeInvalidRequest, "Tag %s%s: value %q is not allowed. Allowed: %s.", ExtraPrefix, name, value, allowed)
}

func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return badExtra(name, value, strings.Join(allowed, ", "))
}

func onOff(name, value string) (bool, error) {
	switch value {
	case "on", "true":
		return true, nil
	case "off", "false":
		return false, nil
	}
	return false, badExtra(name, value, "on, off")
}

func number(name, value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, badExtra(name, value, strconv.Itoa(low)+" to "+strconv.Itoa(high))
	}
	return n, nil
}

func span(name, value string, low, high time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if n, bad := strconv.Atoi(value); bad == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < low || d > high {
		return 0, badExtra(name, value, "a time from "+low.String()+" to "+high.String()+", such as 90s")
	}
	return d, nil
}

func canary(name, value string) (weight int, during time.Duration, err error) {
	w, d, _ := strings.Cut(value, " ")
	weight, err = number(name, strings.TrimSuffix(w, "%"), 1, 99)
	if err == nil {
		during, err = span(name, strings.TrimSpace(d), time.Second, time.Hour)
	}
	if err != nil {
		return 0, 0, badExtra(name, value, `percent and time, such as "10 2m", or abort`)
	}
	return weight, during, nil
}

func prefixes(name, value string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for f := range separated(value) {
		p, err := netip.ParsePrefix(f)
		if a, bad := netip.ParseAddr(f); bad == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, badExtra(name, f, "networks or addresses separated by spaces, such as 192.0.2.0/24")
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// maxBcryptCost bounds what a password costs the front door, which all services share: a second at most.
const maxBcryptCost = "14"

// logins never puts a value into its error: it may be a password.
func logins(name, value string) ([]string, error) {
	var list []string
	for f := range separated(value) {
		user, hash, _ := strings.Cut(f, ":")
		if user == "" || len(hash) != 60 || !strings.HasPrefix(hash, "$2") || hash[4:6] > maxBcryptCost {
			return nil, Errorf(CodeInvalidRequest, "Tag %s%s: user:hash pairs are needed, the hash in bcrypt's form as `htpasswd -nbB` prints it, of a cost up to %s.",
				ExtraPrefix, name, maxBcryptCost)
		}
		list = append(list, f)
	}
	return list, nil
}

// grantable are the capabilities a service may ask for: those that mean something to the instance's own files and processes only.
var grantable = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}

func capabilities(name, value string) ([]string, error) {
	var list []string
	for f := range separated(value) {
		c := strings.TrimPrefix(strings.ToUpper(f), "CAP_")
		if !slices.Contains(grantable, c) {
			return nil, badExtra(name, f, strings.Join(grantable, ", "))
		}
		list = append(list, c)
	}
	return list, nil
}

func separated(value string) func(func(string) bool) {
	return strings.FieldsFuncSeq(value, func(c rune) bool { return c == ',' || c == ' ' || c == '+' })
}
