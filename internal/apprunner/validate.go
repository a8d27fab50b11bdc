package apprunner

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner/pattern"
)

// faults gathers what is wrong with a request, so that a caller sees all of it at once.
type faults struct{ list []string }

func (f *faults) add(path, format string, args ...any) {
	f.list = append(f.list, path+" "+fmt.Sprintf(format, args...))
}

func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	msg := strings.Join(f.list, "; ")
	if len(msg) > 590 { // the model allows 600 characters (§1.3)
		msg = msg[:587] + "…"
	}
	return Errorf(CodeInvalidRequest, "%s.", msg)
}

var (
	cpuUnits    = map[string]int{"256": 256, "512": 512, "1024": 1024, "2048": 2048, "4096": 4096, "0.25 vCPU": 256, "0.5 vCPU": 512, "1 vCPU": 1024, "2 vCPU": 2048, "4 vCPU": 4096}
	memoryUnits = map[string]int{
		"512": 512, "1024": 1024, "2048": 2048, "3072": 3072, "4096": 4096, "6144": 6144, "8192": 8192, "10240": 10240, "12288": 12288,
		"0.5 GB": 512, "1 GB": 1024, "2 GB": 2048, "3 GB": 3072, "4 GB": 4096, "6 GB": 6144, "8 GB": 8192, "10 GB": 10240, "12 GB": 12288,
	}
	memoryForCPU = map[int][]int{ // §6.2
		256: {512, 1024}, 512: {1024}, 1024: {2048, 3072, 4096}, 2048: {4096, 6144}, 4096: {8192, 10240, 12288},
	}
)

// ParseCPU reads a Cpu value in any spelling of §6.2 and returns units (1024 = 1 vCPU).
func ParseCPU(s string) (units int, ok bool) { units, ok = cpuUnits[s]; return units, ok }

// ParseMemory reads a Memory value in any spelling of §6.2 and returns MiB.
func ParseMemory(s string) (mib int, ok bool) { mib, ok = memoryUnits[s]; return mib, ok }

func parsePort(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= 65535 && strconv.Itoa(n) == s
}

// check finds what is not allowed in complete settings: the rules that span members (§6).
func (s Settings) check(f *faults) {
	s.Source.check(f)
	s.Instance.check(f)
	s.HealthCheck.check(f)
	s.Network.check(f)
	if s.Observability.ARN != "" && !s.Observability.Enabled {
		f.add("observabilityConfiguration.observabilityConfigurationArn", "is only allowed with observabilityEnabled true")
	}
	if s.Instance.RoleARN == "" && len(s.Source.secrets()) > 0 {
		f.add("instanceConfiguration.instanceRoleArn", "is required with runtimeEnvironmentSecrets: the role is what may read them")
	}
}

func (c SourceConfiguration) secrets() map[string]string {
	switch {
	case c.Image != nil:
		return c.Image.Secrets
	case c.Code != nil && c.Code.Configuration.Values != nil:
		return c.Code.Configuration.Values.Secrets
	}
	return nil
}

func (c SourceConfiguration) check(f *faults) {
	switch {
	case c.Code != nil:
		c.Code.check(f)
		if c.AccessRoleARN != "" {
			f.add("sourceConfiguration.authenticationConfiguration.accessRoleArn", "is for image services; a code service uses connectionArn")
		}
	case c.Image != nil:
		c.Image.check(f)
		if c.ConnectionARN != "" {
			f.add("sourceConfiguration.authenticationConfiguration.connectionArn", "is for code services; a private image uses accessRoleArn")
		}
		if c.Image.Type == ImageECR && c.AccessRoleARN == "" && !c.CallerPulls {
			f.add("sourceConfiguration.authenticationConfiguration.accessRoleArn", "is required for a private ECR image")
		}
	}
}

func (c CodeRepository) check(f *faults) {
	const at = "sourceConfiguration.codeRepository"
	if c.URL == "" {
		f.add(at+".repositoryUrl", "is required")
	} else if u, err := url.Parse(c.URL); err == nil && u.User != nil && u.Scheme != "ssh" {
		f.add(at+".repositoryUrl", "holds credentials; give them to a connection, never in the URL")
	}
	if c.Branch == "" {
		f.add(at+".sourceCodeVersion", "is required and names a branch")
	}
	if slices.Contains(strings.Split(c.SourceDirectory, "/"), "..") {
		f.add(at+".sourceDirectory", "%q leaves the repository; \"..\" is not allowed", clip(c.SourceDirectory))
	}
	const conf = at + ".codeConfiguration"
	switch c.Configuration.Source {
	case "":
		f.add(conf, "is required at creation, with configurationSource API or REPOSITORY")
	case ConfigurationFromAPI:
		if c.Configuration.Values == nil {
			f.add(conf+".codeConfigurationValues", "is required when configurationSource is API")
			return
		}
		c.Configuration.Values.check(conf+".codeConfigurationValues", f)
	case ConfigurationFromRepository:
	}
}

func (v CodeConfigurationValues) check(at string, f *faults) {
	if v.Runtime == "" {
		f.add(at+".runtime", "is required")
	} else if !slices.Contains(Runtimes(), v.Runtime) {
		f.add(at+".runtime", "%q is not a runtime; use one of %v", clip(string(v.Runtime)), Runtimes())
	}
	if v.StartCommand == "" {
		f.add(at+".startCommand", "is required: it starts the application")
	}
	checkEnvironment(at, v.Env, v.Secrets, f)
}

var (
	ecrIdentifier       = pattern.Of(`^([0-9]{12})\.dkr\.ecr\.([a-z-]+-[0-9])\.amazonaws\.com/((?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*)(?::([\w+=._:/@-]+)|@([\w:]+))?$`)
	ecrPublicIdentifier = pattern.Of(`^public\.ecr\.aws/.+/(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*(?::[\w+=._:/@-]+|@[\w:]+)?$`)
)

// ECRAccount returns the account and region that a private ECR image identifier names.
func ECRAccount(identifier string) (Scope, bool) {
	m := ecrIdentifier.FindStringSubmatch(identifier)
	if m == nil {
		return Scope{}, false
	}
	return Scope{Account: m[1], Region: m[2]}, true
}

func (c ImageRepository) check(f *faults) {
	const at = "sourceConfiguration.imageRepository"
	switch {
	case c.Identifier == "":
		f.add(at+".imageIdentifier", "is required")
	case c.Type == "":
		f.add(at+".imageRepositoryType", "is required: ECR or ECR_PUBLIC")
	case c.Type == ImageECR && !ecrIdentifier.MatchString(c.Identifier):
		f.add(at+".imageIdentifier", "%q does not fit imageRepositoryType ECR; the form is <account>.dkr.ecr.<region>.amazonaws.com/<repository>[:<tag>|@<digest>]", clip(c.Identifier))
	case c.Type == ImageECRPublic && !ecrPublicIdentifier.MatchString(c.Identifier):
		f.add(at+".imageIdentifier", "%q does not fit imageRepositoryType ECR_PUBLIC; the form is public.ecr.aws/<alias>/<repository>[:<tag>|@<digest>]", clip(c.Identifier))
	}
	checkEnvironment(at+".imageConfiguration", c.Env, c.Secrets, f)
}

// checkEnvironment holds §17: reserved names, names in both maps, what no environment can hold, and the form of references. Names and
// values are sensitive, so a message names a variable only where the name itself is reserved or nothing else tells which one is meant.
func checkEnvironment(at string, env, secrets map[string]string, f *faults) {
	for _, m := range []struct {
		member string
		values map[string]string
	}{{"runtimeEnvironmentVariables", env}, {"runtimeEnvironmentSecrets", secrets}} {
		path := at + "." + m.member
		for name, value := range m.values {
			switch {
			case name == "PORT":
				f.add(path, "sets PORT, which is reserved: it always holds the configured port")
			case strings.HasPrefix(name, "AWSAPPRUNNER"):
				f.add(path, "sets a name that starts with AWSAPPRUNNER; that prefix is reserved")
			case name == "" || strings.ContainsAny(name, "=\x00"):
				f.add(path, "has a name that is empty or holds \"=\" or NUL")
			case strings.ContainsRune(value, 0):
				f.add(path, "has a value that holds NUL")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if _, err := ParseSecretReference(secrets[name]); err != nil {
			f.add(at+".runtimeEnvironmentSecrets", "holds for %s a reference that is %v", clip(name), err)
		}
	}
	for name := range env {
		if _, both := secrets[name]; both {
			f.add(at, "sets the same name in runtimeEnvironmentVariables and runtimeEnvironmentSecrets")
			return
		}
	}
}

func (c InstanceConfiguration) check(f *faults) {
	if c.CPU == 0 || c.Memory == 0 {
		return // already told
	}
	if allowed := memoryForCPU[c.CPU]; !slices.Contains(allowed, c.Memory) {
		f.add("instanceConfiguration", "memory %d MB is not allowed with cpu %d; allowed with it: %v", c.Memory, c.CPU, allowed)
	}
}

func (c HealthCheckConfiguration) check(f *faults) {
	if c.Interval < c.Timeout {
		f.add("healthCheckConfiguration", "interval %d s is smaller than timeout %d s; it must be at least as long", c.Interval, c.Timeout)
	}
	if c.Protocol == HealthHTTP && !strings.HasPrefix(c.Path, "/") {
		f.add("healthCheckConfiguration.path", "%q must begin with \"/\"", clip(c.Path))
	}
}

func (c NetworkConfiguration) check(f *faults) {
	const at = "networkConfiguration.egressConfiguration.vpcConnectorArn"
	switch {
	case c.Egress == EgressVPC && c.VPCConnectorARN == "":
		f.add(at, "is required with egressType VPC")
	case c.Egress == EgressDefault && c.VPCConnectorARN != "":
		f.add(at, "is only allowed with egressType VPC")
	}
}

// WorkFor tells how much an update from before to after has to do (§7.3).
func WorkFor(p ServicePatch, status ServiceStatus, before, after Settings) Work {
	if status == StatusCreateFailed {
		return WorkRebuild
	}
	b := before
	b.Source.AutoDeployments = after.Source.AutoDeployments
	b.Network.Public, b.Network.IPAddressType = after.Network.Public, after.Network.IPAddressType
	b.AutoScalingByName = after.AutoScalingByName
	if b.AutoScaling.ARN == after.AutoScaling.ARN {
		b.AutoScaling = after.AutoScaling // the flags beside a revision change without the revision
	}
	b.remember(after)
	switch {
	case equal(b, after):
		return WorkNothing
	case p.Source != nil && (p.Source.Code != nil || p.Source.Image != nil):
		return WorkRebuild
	}
	return WorkRestart
}

// remember takes over what settings only remember of how they were given, which changes nothing of the application.
func (s *Settings) remember(from Settings) {
	s.Observability.Given = from.Observability.Given
	if s.Source.Image != nil && from.Source.Image != nil {
		image := *s.Source.Image
		image.Configured = from.Source.Image.Configured
		s.Source.Image = &image
	}
}

// equal compares by content; settings hold only plain data.
func equal[T any](a, b T) bool { return reflect.DeepEqual(a, b) }

// AutoDeploymentsDefault is the value of AutoDeploymentsEnabled when it is not sent, and whether true is allowed (§6.1).
func (c SourceConfiguration) AutoDeploymentsDefault(own Scope) (byDefault, allowed bool) {
	if c.Image == nil {
		return true, true
	}
	if c.CallerPulls {
		return false, false // a push has no caller whose rights would count
	}
	sc, private := ECRAccount(c.Image.Identifier)
	same := private && c.Image.Type == ImageECR && sc.Account == own.Account
	return same, same
}

// CheckServiceName holds the name rule of §2.
func CheckServiceName(name string) error {
	var f faults
	checkName(&f, "serviceName", name, 40)
	return f.err()
}

var resourceName = pattern.Of(`^[A-Za-z0-9][A-Za-z0-9_-]{3,}$`)

// checkName holds the name rule of §2, which differs between the kinds in the length only.
func checkName(f *faults, member, name string, longest int) {
	if !resourceName.MatchString(name) || len(name) > longest {
		f.add(member, "%q is not allowed; use 4 to %d letters, digits, \"-\" and \"_\", beginning with a letter or digit", clip(name), longest)
	}
}

// MaxTags is how many tags a resource may hold (§6.4).
const MaxTags = 50

// CheckTags holds §6.4 for the tags of one request.
func CheckTags(tags []Tag) error {
	var f faults
	checkTags(&f, tags)
	return f.err()
}

func checkTags(f *faults, tags []Tag) {
	seen := make(map[string]bool, len(tags))
	for i, t := range tags {
		at := fmt.Sprintf("tags.%d", i+1)
		switch {
		case t.Key == "" || len([]rune(t.Key)) > 128:
			f.add(at+".key", "must have 1 to 128 characters")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			f.add(at+".key", "%q begins with aws:, which is reserved", clip(t.Key))
		case seen[t.Key]:
			f.add(at+".key", "%q is given twice", clip(t.Key))
		case len([]rune(t.Value)) > 256:
			f.add(at+".value", "must have at most 256 characters")
		default:
			if _, err := ParseExtras([]Tag{t}); err != nil {
				f.add(at, "%s", strings.TrimSuffix(err.Error(), "."))
			}
		}
		seen[t.Key] = true
	}
	if len(tags) > MaxTags {
		f.add("tags", "holds %d tags; a resource may have at most %d", len(tags), MaxTags)
	}
}
