package apprunner

import "time"

// ServiceStatus is the status of a service; no other value is ever shown (§5.1).
type ServiceStatus string

// The statuses of a service.
const (
	StatusCreateFailed ServiceStatus = "CREATE_FAILED"
	StatusRunning      ServiceStatus = "RUNNING"
	StatusDeleted      ServiceStatus = "DELETED"
	StatusDeleteFailed ServiceStatus = "DELETE_FAILED"
	StatusPaused       ServiceStatus = "PAUSED"
	StatusInProgress   ServiceStatus = "OPERATION_IN_PROGRESS"
)

// Service is an App Runner service as its owner configured it, with defaults filled, and where it stands (§4).
type Service struct {
	Scope
	ID        string
	Name      string
	URL       string // host name only: no scheme, no slash
	Status    ServiceStatus
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt time.Time // zero unless deleted

	Settings

	// DeploymentID names the deployment whose instances serve; empty before the first one succeeded.
	DeploymentID string
	// SecretsID names the values of secrets that further instances of that deployment get: the operation that read them.
	SecretsID string `json:",omitempty"`
}

// Summary is the service as lists show it.
func (s Service) Summary() ServiceSummary {
	return ServiceSummary{ARN: s.ARN(), ID: s.ID, Name: s.Name, URL: s.URL, Status: s.Status, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
}

// References are the full ARNs of the resources that the settings point to.
func (s Settings) References() []string {
	var list []string
	for _, arn := range []string{s.AutoScaling.ARN, s.Source.ConnectionARN, s.Network.VPCConnectorARN, s.Observability.ARN} {
		if arn != "" {
			list = append(list, arn)
		}
	}
	return list
}

// ARN is the service's full name.
func (s Service) ARN() string { return ServiceARN(s.Scope, s.Name, s.ID).String() }

// LogGroup is the name of one of the service's two log groups, "service" or "application" (§21).
func (s Service) LogGroup(kind string) string {
	return "/aws/apprunner/" + s.Name + "/" + s.ID + "/" + kind
}

// Settings is the part of a service that an update can change. It is what an operation keeps to roll back to.
type Settings struct {
	Source        SourceConfiguration
	Instance      InstanceConfiguration
	HealthCheck   HealthCheckConfiguration
	AutoScaling   AutoScalingConfiguration // the revision in use; revisions never change
	Network       NetworkConfiguration
	Observability ServiceObservability
	KMSKey        string // key ARN; fixed for the life of the service

	// AutoScalingByName says that the configuration was given without a revision: the next update takes the newest (§12.2).
	AutoScalingByName bool `json:",omitempty"`
}

// SourceConfiguration says where the application comes from: exactly one of Code and Image is set (§6.1).
type SourceConfiguration struct {
	Code            *CodeRepository  `json:",omitempty"`
	Image           *ImageRepository `json:",omitempty"`
	AutoDeployments bool
	ConnectionARN   string
	AccessRoleARN   string
	CallerPulls     bool `json:",omitempty"` // no access role: images are pulled with the rights of the caller (slipway:image-access)
}

// CodeRepository is a branch of a git repository and how to build it.
type CodeRepository struct {
	URL             string
	Branch          string
	SourceDirectory string // from the repository root, with a leading "/"
	Configuration   CodeConfiguration
}

// ConfigurationSource says where build and run settings are read from.
type ConfigurationSource string

// The two places settings come from.
const (
	ConfigurationFromRepository ConfigurationSource = "REPOSITORY" // apprunner.yaml, read at each deployment
	ConfigurationFromAPI        ConfigurationSource = "API"
)

// CodeConfiguration holds the build and run settings of a code service.
type CodeConfiguration struct {
	Source ConfigurationSource
	Values *CodeConfigurationValues `json:",omitempty"` // set when Source is API
}

// CodeConfigurationValues are the settings given through the API.
type CodeConfigurationValues struct {
	Runtime      Runtime
	BuildCommand string
	StartCommand string
	Port         int // 1-65535
	Env          map[string]string
	Secrets      map[string]string // variable name -> reference, never a value
}

// ImageRepositoryType tells private from public image repositories.
type ImageRepositoryType string

// The two types.
const (
	ImageECR       ImageRepositoryType = "ECR"
	ImageECRPublic ImageRepositoryType = "ECR_PUBLIC"
)

// ImageRepository is a container image and how to start it.
type ImageRepository struct {
	Identifier   string
	Type         ImageRepositoryType
	StartCommand string // replaces the image's CMD; ENTRYPOINT stays (§14)
	Port         int
	Env          map[string]string
	Secrets      map[string]string
	Configured   bool `json:",omitempty"` // a caller gave an ImageConfiguration, if only with defaults
}

// InstanceConfiguration is the size and the role of each instance.
type InstanceConfiguration struct {
	CPU     int // units, 1024 = 1 vCPU
	Memory  int // MiB
	RoleARN string
}

// HealthProtocol is how an instance is checked.
type HealthProtocol string

// The protocols.
const (
	HealthTCP  HealthProtocol = "TCP"
	HealthHTTP HealthProtocol = "HTTP"
)

// HealthCheckConfiguration says when an instance counts as healthy (§6.3). Interval and Timeout are seconds.
type HealthCheckConfiguration struct {
	Protocol           HealthProtocol
	Path               string
	Interval           int
	Timeout            int
	HealthyThreshold   int
	UnhealthyThreshold int
}

// EgressType says where outgoing traffic of the application goes.
type EgressType string

// The egress types.
const (
	EgressDefault EgressType = "DEFAULT"
	EgressVPC     EgressType = "VPC"
)

// IPAddressType says which addresses the default domain has.
type IPAddressType string

// The address types.
const (
	IPv4      IPAddressType = "IPV4"
	DualStack IPAddressType = "DUAL_STACK"
)

// NetworkConfiguration says how traffic enters and leaves.
type NetworkConfiguration struct {
	Egress          EgressType
	VPCConnectorARN string
	Public          bool
	IPAddressType   IPAddressType
}

// ServiceObservability switches tracing of a service.
type ServiceObservability struct {
	Enabled bool
	ARN     string // of the observability configuration in use, in full; empty unless enabled
	Given   bool   `json:",omitempty"` // a caller named it, if only to switch it off
}

// AutoScalingConfiguration is one revision of an auto scaling configuration; it never changes once made (§12).
type AutoScalingConfiguration struct {
	ARN                  string
	Name                 string
	Revision             int
	Latest               bool
	IsDefault            bool
	HasAssociatedService bool
	Active               bool
	MaxConcurrency       int
	MinSize              int
	MaxSize              int
	CreatedAt            time.Time
	DeletedAt            time.Time
}

// Tag is one label of a resource.
type Tag struct{ Key, Value string }

// RunConfiguration is how instances of one deployment start: what apprunner.yaml or the API said, settled at build time.
type RunConfiguration struct {
	Command string   // through /bin/sh -c; empty = the image's own command
	Args    []string // replaces the image's CMD when not nil (image services with a StartCommand)
	Port    int
	PortEnv string // a second variable that holds the port, beside PORT; empty = none
	Env     map[string]string
	Secrets map[string]string
}

// Deployment is one version of the application, ready to start again at any time.
type Deployment struct {
	ID          string // the operation id that made it, without dashes
	ServiceARN  string
	CreatedAt   time.Time
	ImageDigest string // manifest digest in the installation's own store
	Version     string // the commit, or the digest that the image's tag stood for
	Run         RunConfiguration
}

// Phase is what part an instance plays in the service's traffic.
type Phase string

// The phases of an instance, in the order it goes through them.
const (
	PhaseStandby  Phase = "standby"  // of a deployment under way: health-checked, no requests
	PhaseCanary   Phase = "canary"   // of a deployment under way: takes a share of the requests
	PhaseActive   Phase = "active"   // takes requests while healthy
	PhaseDraining Phase = "draining" // finishes the requests it has
)

// Instance is one running copy of the application, as control wants it.
type Instance struct {
	ID           string
	ServiceARN   string
	DeploymentID string
	OperationID  string // the operation that started it; empty for a replacement
	Phase        Phase
	Reserve      bool   // active, but takes requests only when the others are full; it may be frozen meanwhile
	Address      string // ip:port; empty until started
	CreatedAt    time.Time
	DrainSince   time.Time // when it became draining
}
