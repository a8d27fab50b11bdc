package server

import (
	"path/filepath"
	"strings"
	"time"
)

// Config is every setting of an installation. Each has a flag, an environment variable SLIPWAY_… and a key in the one YAML
// file; the zero value of a setting means its default (see [Config.WithDefaults]). Addresses are host:port; port 0 takes a free one.
type Config struct {
	DataDir    string // default /var/lib/slipway for root, else $XDG_DATA_HOME/slipway
	APIAddr    string // every AWS API, the registry, git; default 127.0.0.1:7700; TLS where it is no loopback address
	HTTPSAddr  string // the applications; default 127.0.0.1:8443
	HTTPAddr   string // redirects to HTTPS; default 127.0.0.1:8080
	HTTP3      bool   // serve HTTP/3 on the UDP port of HTTPSAddr too; default false
	EdgeLimits string // limits of the edge that differ from their defaults, as [edge.ParseLimits] reads them
	DNSAddr    string // authoritative DNS of Domain; default 127.0.0.1:5300
	Domain     string // suffix of default domains; default apprunner.localhost
	Region     string // default us-east-1
	Account    string // 12 digits; default 123456789012

	APICert  string   // certificate chain of the API listener (PEM file); "" takes one of the local CA where TLS is needed
	APIKey   string   // its key
	APINames []string // names and addresses that clients reach the API by, the first in credentials.env
	APIRate  int      // calls a second that one caller may make to one action; default 100; below 0 refuses none

	PublicAddress        string        // addresses, separated by commas, or one name, at which clients reach the applications; "" are those of HTTPSAddr
	DNSResolver          string        // host:port that custom domains are looked up at; "" takes the system's resolver
	ValidationTimeout    time.Duration // how long the owner of a custom domain may take to prove it; default 72h
	CertificateRetention time.Duration // how long certificates of unlinked domains are kept; default 168h

	ACMEDirectory string // directory URL of the certificate authority for custom domains; "": the local CA
	ACMEEmail     string // where that authority writes to
	ACMERoots     string // PEM file that authority's own HTTPS is trusted by; "" are the system's
	ACMEChallenge string // how names are proven to it: dns-01, http-01 or tls-alpn-01; default dns-01
	ACMEEABKeyID  string // binds the account there to one held already
	ACMEEABKey    string

	ServiceQuota int            // services per account and region; default 10
	Quotas       map[string]int // other quotas by the names of the setting, such as "connections"
	QuotaCeiling int            // highest value that the Service Quotas API raises a quota to; default 1000
	MaxInstances int            // highest MaxSize of an auto scaling configuration; default 25

	StartTimeout time.Duration // how long an instance may take to become healthy; default 5m
	DrainTimeout time.Duration // how long requests in flight may take to finish; default 120s
	StopGrace    time.Duration // between SIGTERM and SIGKILL of an instance; default 30s
	QuietTime    time.Duration // how long fewer instances must have been needed before some go; default 60s
	BuildTimeout time.Duration // default 30m
	Retention    time.Duration // how long a deleted service is still described; default 1h
	// MetricRetention is how long metrics are kept, minute by minute; default 360h.
	MetricRetention time.Duration
	// LowerCaseStatuses spells the statuses of auto scaling configurations and custom domains in lower case for all clients.
	LowerCaseStatuses bool
	StrictRoles       *bool // refuse access and instance roles that do not exist; default true
	// InstanceEndpoint sets AWS_ENDPOINT_URL for applications, so that their SDKs call these APIs with the instance role (§17).
	InstanceEndpoint bool
	FileSources      *bool // allow file:// repositories; default true

	TrailS3            string // S3-compatible store that audit trails write to, such as https://s3.example.com; "" takes the data directory
	TrailS3Credentials string // file with its access key, in the form of credentials.env

	EventTargets map[string]string // ARN to the URL of the web hook that stands for it
	EventSecrets string            // file with the secrets that sign what web hooks get, in lines of ARN=secret
	EventHTTP    bool              // send events to other machines by plain HTTP too; default false

	CacheDir      string              // runtime base images; default $XDG_CACHE_HOME/slipway
	RuntimeImages map[string]string   // runtime version, for example "python311" or "nodejs22", to an image reference
	Mirrors       map[string]Mirror   // image name prefix, for example "public.ecr.aws", to the registry asked instead
	AllowEgress   []string            // private networks (CIDR) that applications may reach
	ClosedZones   []string            // zones that VPC connectors cannot use
	ProviderHosts map[string][]string // hosts of a source code provider ("GITHUB") beside its own
	NetworkPool   string              // where instance networks are taken from; default 10.213.0.0/18
	LogLevel      string              // debug, info, warn or error; default info
}

// Mirror is a registry that stands in for another.
type Mirror struct {
	URL      string // host[:port][/prefix]; plain HTTP on loopback only
	Username string
	Password string
}

// base is the mirror's address with its scheme.
func (m Mirror) base() string {
	host, _, _ := strings.Cut(m.URL, "/")
	if isLoopback(host) {
		return "http://" + m.URL
	}
	return "https://" + m.URL
}

// The places inside a data directory that more than one process or room needs to know.
func (c Config) path(parts ...string) string {
	return filepath.Join(append([]string{c.DataDir}, parts...)...)
}

// CredentialsFile holds the shell lines that point AWS clients at this installation (mode 0600).
func (c Config) CredentialsFile() string { return c.path("credentials.env") }

// CAFile is the certificate authority that clients of the applications trust.
func (c Config) CAFile() string { return c.path("ca.pem") }
