package apprunner

import "time"

// What a member of an auto scaling configuration is when it is not given (§12.1).
const (
	DefaultMaxConcurrency = 100
	DefaultMinSize        = 1
	DefaultMaxSize        = 25
)

const (
	maxConcurrencyLimit = 200
	minSizeLimit        = 25
)

// DefaultAutoScaling is the auto scaling configuration every account and region has from the start (§12.5).
func DefaultAutoScaling(sc Scope, createdAt time.Time) AutoScalingConfiguration {
	return AutoScalingConfiguration{
		ARN: DefaultAutoScalingARN(sc).String(), Name: DefaultConfigName, Revision: 1, Latest: true, IsDefault: true, Active: true,
		MaxConcurrency: DefaultMaxConcurrency, MinSize: DefaultMinSize, MaxSize: DefaultMaxSize, CreatedAt: createdAt,
	}
}

// AutoScalingConfigurationInput is a CreateAutoScalingConfiguration call; what is nil takes its default, not the value of an earlier
// revision (§12.3).
type AutoScalingConfigurationInput struct {
	Name                             string
	MaxConcurrency, MinSize, MaxSize *int
	Tags                             []Tag
}

// Settle fills the defaults and checks the rules of §12.1. maxInstances is the installation's upper bound of MaxSize.
func (in AutoScalingConfigurationInput) Settle(maxInstances int) (AutoScalingConfiguration, error) {
	c := AutoScalingConfiguration{
		Name: in.Name, MaxConcurrency: DefaultMaxConcurrency, MinSize: DefaultMinSize, MaxSize: min(DefaultMaxSize, maxInstances), Active: true,
	}
	set(&c.MaxConcurrency, in.MaxConcurrency)
	set(&c.MinSize, in.MinSize)
	set(&c.MaxSize, in.MaxSize)
	var f faults
	checkName(&f, "autoScalingConfigurationName", in.Name, 32)
	checkTags(&f, in.Tags)
	if c.MaxConcurrency < 1 || c.MaxConcurrency > maxConcurrencyLimit {
		f.add("maxConcurrency", "%d is not allowed; use 1 to %d", c.MaxConcurrency, maxConcurrencyLimit)
	}
	if c.MinSize < 1 || c.MinSize > minSizeLimit {
		f.add("minSize", "%d is not allowed; use 1 to %d", c.MinSize, minSizeLimit)
	}
	switch {
	case c.MaxSize < 1 || c.MaxSize > maxInstances:
		f.add("maxSize", "%d is not allowed; use 1 to %d", c.MaxSize, maxInstances)
	case c.MinSize > c.MaxSize:
		f.add("minSize", "%d is larger than maxSize %d", c.MinSize, c.MaxSize)
	}
	return c, f.err()
}

// Record is what the store keeps beside the configuration itself.
func (c AutoScalingConfiguration) Record() Record {
	return Record{ARN: c.ARN, Live: c.Active, CreatedAt: c.CreatedAt, DeletedAt: c.DeletedAt}
}
