package apprunner

import "time"

// DefaultAutoScaling is the auto scaling configuration every account and region has from the start (§12.5).
func DefaultAutoScaling(sc Scope, createdAt time.Time) AutoScalingConfiguration {
	return AutoScalingConfiguration{
		ARN: DefaultAutoScalingARN(sc).String(), Name: DefaultConfigName, Revision: 1, Latest: true, IsDefault: true, Active: true,
		MaxConcurrency: 100, MinSize: 1, MaxSize: 25, CreatedAt: createdAt,
	}
}
