package apprunner

import "maps"

// ServicePatch is what a caller sent for a service: an absent member is nil and keeps its present value (update, §7.2) or takes
// the default (create). Maps replace the whole map; an empty map clears it.
type ServicePatch struct {
	Source         *SourcePatch
	Instance       *InstancePatch
	HealthCheck    *HealthCheckPatch
	AutoScalingARN *string // full or partial
	Network        *NetworkPatch
	Observability  *ObservabilityPatch
	KMSKey         *string // creation only
}

// CreateServiceInput is a CreateService call.
type CreateServiceInput struct {
	Name string
	Tags []Tag
	ServicePatch
}

// UpdateServiceInput is an UpdateService call.
type UpdateServiceInput struct {
	ServiceARN string
	ServicePatch
}

// SourcePatch is a partial SourceConfiguration.
type SourcePatch struct {
	Code            *CodePatch
	Image           *ImagePatch
	AutoDeployments *bool
	ConnectionARN   *string
	AccessRoleARN   *string
}

// CodePatch is a partial CodeRepository.
type CodePatch struct {
	URL             *string
	Branch          *string
	SourceDirectory *string
	Configuration   *CodeConfigurationPatch
}

// CodeConfigurationPatch is a partial CodeConfiguration.
type CodeConfigurationPatch struct {
	Source *ConfigurationSource
	Values *CodeValuesPatch
}

// CodeValuesPatch is a partial CodeConfigurationValues.
type CodeValuesPatch struct {
	Runtime      *Runtime
	BuildCommand *string
	StartCommand *string
	Port         *string
	Env          map[string]string
	Secrets      map[string]string
}

// ImagePatch is a partial ImageRepository.
type ImagePatch struct {
	Identifier   *string
	Type         *ImageRepositoryType
	StartCommand *string
	Port         *string
	Env          map[string]string
	Secrets      map[string]string
	Configured   *bool // whether there is an ImageConfiguration
}

// InstancePatch is a partial InstanceConfiguration, in the spellings callers use ("1024", "1 vCPU", "2 GB").
type InstancePatch struct {
	CPU     *string
	Memory  *string
	RoleARN *string
}

// HealthCheckPatch is a partial HealthCheckConfiguration.
type HealthCheckPatch struct {
	Protocol           *HealthProtocol
	Path               *string
	Interval           *int
	Timeout            *int
	HealthyThreshold   *int
	UnhealthyThreshold *int
}

// NetworkPatch is a partial NetworkConfiguration.
type NetworkPatch struct {
	Egress          *EgressType
	VPCConnectorARN *string
	Public          *bool
	IPAddressType   *IPAddressType
}

// ObservabilityPatch is an ObservabilityConfiguration as sent.
type ObservabilityPatch struct {
	Enabled *bool
	ARN     *string
}

// DefaultSettings is what a service has before its creator says anything (§6).
func DefaultSettings() Settings {
	return Settings{
		Instance: InstanceConfiguration{CPU: 1024, Memory: 2048},
		HealthCheck: HealthCheckConfiguration{
			Protocol: HealthTCP, Path: "/", Interval: 5, Timeout: 2, HealthyThreshold: 1, UnhealthyThreshold: 5,
		},
		Network: NetworkConfiguration{Egress: EgressDefault, Public: true, IPAddressType: IPv4},
	}
}

// Apply returns s with the patch laid over it. The auto scaling configuration is not touched: finding the revision an ARN
// names is the caller's business. All faults come back in one Error of CodeInvalidRequest. The settings that come back are
// complete and allowed, or the error is not nil.
func (s Settings) Apply(p ServicePatch) (Settings, error) {
	var f faults
	if p.Source != nil {
		s.Source = s.Source.apply(*p.Source, &f)
	}
	if p.Instance != nil {
		s.Instance = s.Instance.apply(*p.Instance, &f)
	}
	if p.HealthCheck != nil {
		s.HealthCheck = s.HealthCheck.apply(*p.HealthCheck)
	}
	if p.Network != nil {
		s.Network = s.Network.apply(*p.Network)
	}
	if p.Observability != nil {
		s.Observability = s.Observability.apply(*p.Observability)
	}
	set(&s.KMSKey, p.KMSKey)
	s.check(&f)
	return s, f.err()
}

func (c SourceConfiguration) apply(p SourcePatch, f *faults) SourceConfiguration {
	fresh := c.Code == nil && c.Image == nil
	if p.Code != nil && p.Image != nil {
		f.add("sourceConfiguration", "holds both codeRepository and imageRepository; exactly one is allowed")
		return c
	}
	switch {
	case p.Code != nil && c.Image != nil:
		f.add("sourceConfiguration", "holds codeRepository, but this is an image service; the source type of a service cannot change, create a new service instead")
		return c
	case p.Image != nil && c.Code != nil:
		f.add("sourceConfiguration", "holds imageRepository, but this is a code service; the source type of a service cannot change, create a new service instead")
		return c
	case p.Code != nil:
		code := CodeRepository{SourceDirectory: "/"}
		if c.Code != nil {
			code = *c.Code
		}
		code = code.apply(*p.Code, f)
		c.Code = &code
	case p.Image != nil:
		image := ImageRepository{Port: DefaultPort}
		if c.Image != nil {
			image = *c.Image
		}
		image = image.apply(*p.Image, f)
		c.Image = &image
	case fresh:
		f.add("sourceConfiguration", "holds neither codeRepository nor imageRepository; exactly one is required")
		return c
	}
	set(&c.ConnectionARN, p.ConnectionARN)
	set(&c.AccessRoleARN, p.AccessRoleARN)
	if c.Image != nil && c.Image.Type == ImageECRPublic {
		c.AccessRoleARN = "" // public images need no role; one that is given is ignored (§14)
	}
	c.CallerPulls = c.CallerPulls && c.AccessRoleARN == "" && c.Image != nil && c.Image.Type == ImageECR
	return c
}

// DefaultPort is where an application listens unless told otherwise (§6.1).
const DefaultPort = 8080

func (c CodeRepository) apply(p CodePatch, f *faults) CodeRepository {
	set(&c.URL, p.URL)
	set(&c.Branch, p.Branch)
	set(&c.SourceDirectory, p.SourceDirectory)
	if len(c.SourceDirectory) > 0 && c.SourceDirectory[0] != '/' {
		c.SourceDirectory = "/" + c.SourceDirectory
	}
	if p.Configuration == nil {
		return c
	}
	set(&c.Configuration.Source, p.Configuration.Source)
	if c.Configuration.Source != ConfigurationFromAPI {
		c.Configuration.Values = nil // the file counts; values sent are ignored (§6.1)
		return c
	}
	if p.Configuration.Values != nil {
		v := CodeConfigurationValues{Port: DefaultPort}
		if c.Configuration.Values != nil {
			v = *c.Configuration.Values
		}
		v = v.apply(*p.Configuration.Values, f)
		c.Configuration.Values = &v
	}
	return c
}

func (v CodeConfigurationValues) apply(p CodeValuesPatch, f *faults) CodeConfigurationValues {
	const at = "sourceConfiguration.codeRepository.codeConfiguration.codeConfigurationValues"
	set(&v.Runtime, p.Runtime)
	set(&v.BuildCommand, p.BuildCommand)
	set(&v.StartCommand, p.StartCommand)
	setPort(&v.Port, p.Port, at+".port", f)
	v.Env = replaceMap(v.Env, p.Env)
	v.Secrets = replaceMap(v.Secrets, p.Secrets)
	return v
}

func (c ImageRepository) apply(p ImagePatch, f *faults) ImageRepository {
	set(&c.Identifier, p.Identifier)
	set(&c.Type, p.Type)
	set(&c.StartCommand, p.StartCommand)
	setPort(&c.Port, p.Port, "sourceConfiguration.imageRepository.imageConfiguration.port", f)
	c.Env = replaceMap(c.Env, p.Env)
	c.Secrets = replaceMap(c.Secrets, p.Secrets)
	set(&c.Configured, p.Configured)
	return c
}

func (c InstanceConfiguration) apply(p InstancePatch, f *faults) InstanceConfiguration {
	if p.CPU != nil {
		n, ok := ParseCPU(*p.CPU)
		if !ok {
			f.add("instanceConfiguration.cpu", "%q is not allowed; use 256, 512, 1024, 2048, 4096 or 0.25, 0.5, 1, 2, 4 followed by \" vCPU\"", clip(*p.CPU))
		}
		c.CPU = n
	}
	if p.Memory != nil {
		n, ok := ParseMemory(*p.Memory)
		if !ok {
			f.add("instanceConfiguration.memory", "%q is not allowed; use 512, 1024, 2048, 3072, 4096, 6144, 8192, 10240, 12288 or 0.5, 1, 2, 3, 4, 6, 8, 10, 12 followed by \" GB\"", clip(*p.Memory))
		}
		c.Memory = n
	}
	set(&c.RoleARN, p.RoleARN)
	return c
}

func (c HealthCheckConfiguration) apply(p HealthCheckPatch) HealthCheckConfiguration {
	set(&c.Protocol, p.Protocol)
	set(&c.Path, p.Path)
	set(&c.Interval, p.Interval)
	set(&c.Timeout, p.Timeout)
	set(&c.HealthyThreshold, p.HealthyThreshold)
	set(&c.UnhealthyThreshold, p.UnhealthyThreshold)
	return c
}

func (c NetworkConfiguration) apply(p NetworkPatch) NetworkConfiguration {
	set(&c.Egress, p.Egress)
	set(&c.VPCConnectorARN, p.VPCConnectorARN)
	if p.Egress != nil && *p.Egress == EgressDefault && p.VPCConnectorARN == nil {
		c.VPCConnectorARN = "" // going back to DEFAULT removes the connector (§7.2)
	}
	set(&c.Public, p.Public)
	set(&c.IPAddressType, p.IPAddressType)
	return c
}

func (c ServiceObservability) apply(p ObservabilityPatch) ServiceObservability {
	c.Given = true
	set(&c.Enabled, p.Enabled)
	set(&c.ARN, p.ARN)
	if !c.Enabled && p.ARN == nil {
		c.ARN = ""
	}
	return c
}

// set lays a sent value over the present one.
func set[T any](dst, sent *T) {
	if sent != nil {
		*dst = *sent
	}
}

func setPort(dst *int, sent *string, path string, f *faults) {
	if sent == nil {
		return
	}
	n, ok := parsePort(*sent)
	if !ok {
		f.add(path, "%q is not allowed; a port is a whole number from 1 to 65535", clip(*sent))
	}
	*dst = n
}

func replaceMap(present, sent map[string]string) map[string]string {
	if sent == nil {
		return present
	}
	if len(sent) == 0 {
		return nil // as if there had never been one
	}
	return maps.Clone(sent)
}
