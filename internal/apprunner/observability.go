package apprunner

import "time"

// TracingXRay is the only vendor traces can go to (§23).
const TracingXRay = "AWSXRAY"

// ObservabilityConfiguration is one revision of an observability configuration; it never changes once made (§23).
type ObservabilityConfiguration struct {
	ARN       string
	Name      string
	Revision  int
	Latest    bool // of the active revisions of its name
	Active    bool
	Vendor    string // of traces; empty = no tracing
	CreatedAt time.Time
	DeletedAt time.Time
}

// Record is what the store keeps beside the configuration itself.
func (c ObservabilityConfiguration) Record() Record {
	return Record{ARN: c.ARN, Live: c.Active, CreatedAt: c.CreatedAt, DeletedAt: c.DeletedAt}
}

// DefaultObservability is the observability configuration every account and region has: tracing with X-Ray (§2).
func DefaultObservability(sc Scope, createdAt time.Time) ObservabilityConfiguration {
	return ObservabilityConfiguration{
		ARN: DefaultObservabilityARN(sc).String(), Name: DefaultConfigName, Revision: 1, Latest: true, Active: true, Vendor: TracingXRay, CreatedAt: createdAt,
	}
}

// ObservabilityConfigurationInput is a CreateObservabilityConfiguration call.
type ObservabilityConfigurationInput struct {
	Name   string
	Vendor string // empty = no tracing
	Tags   []Tag
}

// Check holds the rules of §2 and §23.
func (in ObservabilityConfigurationInput) Check() error {
	var f faults
	checkName(&f, "observabilityConfigurationName", in.Name, 32)
	checkTags(&f, in.Tags)
	if in.Name == DefaultConfigName {
		f.add("observabilityConfigurationName", "%q is reserved for the configuration that is provided; choose another name", in.Name)
	}
	if in.Vendor != "" && in.Vendor != TracingXRay {
		f.add("traceConfiguration.vendor", "%q is not a vendor; use %s", clip(in.Vendor), TracingXRay)
	}
	return f.err()
}
