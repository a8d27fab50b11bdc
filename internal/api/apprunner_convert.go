package api

import (
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// word turns an optional string of the wire into a word of ours.
func word[T ~string](p *string) *T {
	if p == nil {
		return nil
	}
	w := T(*p)
	return &w
}

func number(p *int32) *int {
	if p == nil {
		return nil
	}
	n := int(*p)
	return &n
}

// enumOut is one of our words for an answer; an empty one is left out.
func enumOut[T ~string](v T) *string { return given(string(v)) }

func createInput(in *wire.CreateServiceRequest) apprunner.CreateServiceInput {
	out := apprunner.CreateServiceInput{
		Name: val(in.ServiceName),
		Tags: tagsIn(in.Tags),
		ServicePatch: apprunner.ServicePatch{
			Source:         sourcePatch(in.SourceConfiguration),
			Instance:       instancePatch(in.InstanceConfiguration),
			HealthCheck:    healthCheckPatch(in.HealthCheckConfiguration),
			AutoScalingARN: in.AutoScalingConfigurationArn,
			Network:        networkPatch(in.NetworkConfiguration),
			Observability:  observabilityPatch(in.ObservabilityConfiguration),
		},
	}
	if in.EncryptionConfiguration != nil {
		out.KMSKey = in.EncryptionConfiguration.KmsKey
	}
	return out
}

func updateInput(c Call, in *wire.UpdateServiceRequest) apprunner.UpdateServiceInput {
	out := apprunner.UpdateServiceInput{
		ServiceARN: val(in.ServiceArn),
		ServicePatch: apprunner.ServicePatch{
			Source:         sourcePatch(in.SourceConfiguration),
			Instance:       instancePatch(in.InstanceConfiguration),
			HealthCheck:    healthCheckPatch(in.HealthCheckConfiguration),
			AutoScalingARN: in.AutoScalingConfigurationArn,
			Network:        networkPatch(in.NetworkConfiguration),
			Observability:  observabilityPatch(in.ObservabilityConfiguration),
		},
	}
	if byTerraform(c) {
		sayAll(out.Source)
	}
	return out
}

func sourcePatch(in *wire.SourceConfiguration) *apprunner.SourcePatch {
	if in == nil {
		return nil
	}
	out := &apprunner.SourcePatch{
		Code:            codePatch(in.CodeRepository),
		Image:           imagePatch(in.ImageRepository),
		AutoDeployments: in.AutoDeploymentsEnabled,
	}
	if auth := in.AuthenticationConfiguration; auth != nil {
		out.ConnectionARN, out.AccessRoleARN = auth.ConnectionArn, auth.AccessRoleArn
	}
	return out
}

func codePatch(in *wire.CodeRepository) *apprunner.CodePatch {
	if in == nil {
		return nil
	}
	out := &apprunner.CodePatch{URL: in.RepositoryUrl, SourceDirectory: in.SourceDirectory}
	if in.SourceCodeVersion != nil {
		out.Branch = in.SourceCodeVersion.Value // BRANCH is the only type there is
	}
	if c := in.CodeConfiguration; c != nil {
		out.Configuration = &apprunner.CodeConfigurationPatch{Source: word[apprunner.ConfigurationSource](c.ConfigurationSource)}
		if v := c.CodeConfigurationValues; v != nil {
			out.Configuration.Values = &apprunner.CodeValuesPatch{
				Runtime:      word[apprunner.Runtime](v.Runtime),
				BuildCommand: v.BuildCommand,
				StartCommand: v.StartCommand,
				Port:         v.Port,
				Env:          v.RuntimeEnvironmentVariables,
				Secrets:      v.RuntimeEnvironmentSecrets,
			}
		}
	}
	return out
}

func imagePatch(in *wire.ImageRepository) *apprunner.ImagePatch {
	if in == nil {
		return nil
	}
	out := &apprunner.ImagePatch{Identifier: in.ImageIdentifier, Type: word[apprunner.ImageRepositoryType](in.ImageRepositoryType)}
	if c := in.ImageConfiguration; c != nil {
		out.Configured = new(true)
		out.StartCommand, out.Port = c.StartCommand, c.Port
		out.Env, out.Secrets = c.RuntimeEnvironmentVariables, c.RuntimeEnvironmentSecrets
	}
	return out
}

func instancePatch(in *wire.InstanceConfiguration) *apprunner.InstancePatch {
	if in == nil {
		return nil
	}
	return &apprunner.InstancePatch{CPU: in.Cpu, Memory: in.Memory, RoleARN: in.InstanceRoleArn}
}

func healthCheckPatch(in *wire.HealthCheckConfiguration) *apprunner.HealthCheckPatch {
	if in == nil {
		return nil
	}
	return &apprunner.HealthCheckPatch{
		Protocol:           word[apprunner.HealthProtocol](in.Protocol),
		Path:               in.Path,
		Interval:           number(in.Interval),
		Timeout:            number(in.Timeout),
		HealthyThreshold:   number(in.HealthyThreshold),
		UnhealthyThreshold: number(in.UnhealthyThreshold),
	}
}

func networkPatch(in *wire.NetworkConfiguration) *apprunner.NetworkPatch {
	if in == nil {
		return nil
	}
	out := &apprunner.NetworkPatch{IPAddressType: word[apprunner.IPAddressType](in.IpAddressType)}
	if e := in.EgressConfiguration; e != nil {
		out.Egress, out.VPCConnectorARN = word[apprunner.EgressType](e.EgressType), e.VpcConnectorArn
	}
	if i := in.IngressConfiguration; i != nil {
		// Clients made from newer models, the Go SDK and with it Terraform among them, cannot send false: they leave the member out.
		public := i.IsPubliclyAccessible != nil && *i.IsPubliclyAccessible
		out.Public = &public
	}
	return out
}

func observabilityPatch(in *wire.ServiceObservabilityConfiguration) *apprunner.ObservabilityPatch {
	if in == nil {
		return nil
	}
	return &apprunner.ObservabilityPatch{Enabled: in.ObservabilityEnabled, ARN: in.ObservabilityConfigurationArn}
}

func tagsIn(in []wire.Tag) []apprunner.Tag {
	out := make([]apprunner.Tag, len(in))
	for i, t := range in {
		out[i] = apprunner.Tag{Key: val(t.Key), Value: val(t.Value)}
	}
	return out
}

func tagsOut(tags []apprunner.Tag) []wire.Tag {
	out := make([]wire.Tag, len(tags))
	for i, t := range tags {
		out[i] = wire.Tag{Key: &t.Key, Value: &t.Value}
	}
	return out
}

// answerTo fills what depends on who asks (§27, conflict 11).
type answerTo struct {
	// lowerCase spells the statuses of auto scaling configurations and of custom domains in lower case, for which Terraform waits.
	lowerCase bool
	// sparse leaves out structures that nobody gave and that hold nothing but defaults, which Terraform takes for somebody's change.
	sparse bool
}

// status spells a status of these two kinds.
func (a answerTo) status(word string) *string {
	if a.lowerCase {
		word = strings.ToLower(word)
	}
	return &word
}

func (a answerTo) autoScalingStatus(active bool) *string {
	return a.status(activeWord(active))
}

// activeWord is the status of what can only be active or not.
func activeWord(active bool) string {
	if active {
		return "ACTIVE"
	}
	return "INACTIVE"
}

// service is the Service object (§4).
func (a answerTo) service(s apprunner.Service) *wire.Service {
	out := &wire.Service{
		ServiceName:                     &s.Name,
		ServiceId:                       &s.ID,
		ServiceArn:                      new(s.ARN()),
		ServiceUrl:                      &s.URL,
		CreatedAt:                       &s.CreatedAt,
		UpdatedAt:                       &s.UpdatedAt,
		DeletedAt:                       moment(s.DeletedAt),
		Status:                          enumOut(s.Status),
		SourceConfiguration:             sourceOut(s.Source),
		InstanceConfiguration:           instanceOut(s.Instance),
		HealthCheckConfiguration:        healthCheckOut(s.HealthCheck),
		AutoScalingConfigurationSummary: a.autoScalingSummary(s.AutoScaling),
		NetworkConfiguration:            networkOut(s.Network),
		ObservabilityConfiguration: &wire.ServiceObservabilityConfiguration{
			ObservabilityEnabled:          &s.Observability.Enabled,
			ObservabilityConfigurationArn: given(s.Observability.ARN),
		},
	}
	if a.sparse {
		thinOut(out, s)
	}
	if s.KMSKey != "" {
		out.EncryptionConfiguration = &wire.EncryptionConfiguration{KmsKey: &s.KMSKey}
	}
	return out
}

// moment is a time for an answer; the zero time is left out.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func summaryOut(s apprunner.ServiceSummary) wire.ServiceSummary {
	return wire.ServiceSummary{
		ServiceName: &s.Name,
		ServiceId:   &s.ID,
		ServiceArn:  &s.ARN,
		ServiceUrl:  &s.URL,
		CreatedAt:   &s.CreatedAt,
		UpdatedAt:   &s.UpdatedAt,
		Status:      enumOut(s.Status),
	}
}

func operationOut(op apprunner.Operation) wire.OperationSummary {
	return wire.OperationSummary{
		Id:        &op.ID,
		Type:      enumOut(op.Type),
		Status:    enumOut(op.Status),
		TargetArn: &op.ServiceARN,
		StartedAt: &op.StartedAt,
		EndedAt:   moment(op.EndedAt),
		UpdatedAt: &op.UpdatedAt,
	}
}

func sourceOut(src apprunner.SourceConfiguration) *wire.SourceConfiguration {
	out := &wire.SourceConfiguration{AutoDeploymentsEnabled: &src.AutoDeployments}
	if src.Code != nil {
		out.CodeRepository = codeOut(*src.Code)
	}
	if src.Image != nil {
		out.ImageRepository = imageOut(*src.Image)
	}
	if src.ConnectionARN != "" || src.AccessRoleARN != "" {
		out.AuthenticationConfiguration = &wire.AuthenticationConfiguration{
			ConnectionArn: given(src.ConnectionARN),
			AccessRoleArn: given(src.AccessRoleARN),
		}
	}
	return out
}

func codeOut(c apprunner.CodeRepository) *wire.CodeRepository {
	conf := &wire.CodeConfiguration{ConfigurationSource: enumOut(c.Configuration.Source)}
	if v := c.Configuration.Values; v != nil {
		conf.CodeConfigurationValues = &wire.CodeConfigurationValues{
			Runtime:                     enumOut(v.Runtime),
			BuildCommand:                given(v.BuildCommand),
			StartCommand:                given(v.StartCommand),
			Port:                        new(strconv.Itoa(v.Port)),
			RuntimeEnvironmentVariables: filled(v.Env),
			RuntimeEnvironmentSecrets:   filled(v.Secrets),
		}
	}
	return &wire.CodeRepository{
		RepositoryUrl:     &c.URL,
		SourceCodeVersion: &wire.SourceCodeVersion{Type: new(wire.SourceCodeVersionTypeBranch), Value: &c.Branch},
		CodeConfiguration: conf,
		SourceDirectory:   given(c.SourceDirectory),
	}
}

func imageOut(i apprunner.ImageRepository) *wire.ImageRepository {
	return &wire.ImageRepository{
		ImageIdentifier:     &i.Identifier,
		ImageRepositoryType: enumOut(i.Type),
		ImageConfiguration: &wire.ImageConfiguration{
			Port:                        new(strconv.Itoa(i.Port)),
			StartCommand:                given(i.StartCommand),
			RuntimeEnvironmentVariables: filled(i.Env),
			RuntimeEnvironmentSecrets:   filled(i.Secrets),
		},
	}
}

// filled leaves an empty map out of an answer.
func filled(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

func instanceOut(i apprunner.InstanceConfiguration) *wire.InstanceConfiguration {
	return &wire.InstanceConfiguration{
		Cpu:             new(strconv.Itoa(i.CPU)),
		Memory:          new(strconv.Itoa(i.Memory)),
		InstanceRoleArn: given(i.RoleARN),
	}
}

func healthCheckOut(h apprunner.HealthCheckConfiguration) *wire.HealthCheckConfiguration {
	return &wire.HealthCheckConfiguration{
		Protocol:           enumOut(h.Protocol),
		Path:               &h.Path,
		Interval:           int32Out(h.Interval),
		Timeout:            int32Out(h.Timeout),
		HealthyThreshold:   int32Out(h.HealthyThreshold),
		UnhealthyThreshold: int32Out(h.UnhealthyThreshold),
	}
}

// int32Out is a number for an answer; ours are bounded far below 32 bits.
func int32Out(n int) *int32 {
	v := int32(n) //nolint:gosec // bounded by validation
	return &v
}

func networkOut(n apprunner.NetworkConfiguration) *wire.NetworkConfiguration {
	return &wire.NetworkConfiguration{
		EgressConfiguration:  &wire.EgressConfiguration{EgressType: enumOut(n.Egress), VpcConnectorArn: given(n.VPCConnectorARN)},
		IngressConfiguration: &wire.IngressConfiguration{IsPubliclyAccessible: &n.Public},
		IpAddressType:        enumOut(n.IPAddressType),
	}
}

// autoScalingSummary is a revision as lists, and services that use it, show it.
func (a answerTo) autoScalingSummary(c apprunner.AutoScalingConfiguration) *wire.AutoScalingConfigurationSummary {
	return &wire.AutoScalingConfigurationSummary{
		AutoScalingConfigurationArn:      &c.ARN,
		AutoScalingConfigurationName:     &c.Name,
		AutoScalingConfigurationRevision: int32Out(c.Revision),
		Status:                           a.autoScalingStatus(c.Active),
		CreatedAt:                        moment(c.CreatedAt),
		HasAssociatedService:             &c.HasAssociatedService,
		IsDefault:                        &c.IsDefault,
	}
}

func (a answerTo) autoScaling(c apprunner.AutoScalingConfiguration) *wire.AutoScalingConfiguration {
	return &wire.AutoScalingConfiguration{
		AutoScalingConfigurationArn:      &c.ARN,
		AutoScalingConfigurationName:     &c.Name,
		AutoScalingConfigurationRevision: int32Out(c.Revision),
		Latest:                           &c.Latest,
		Status:                           a.autoScalingStatus(c.Active),
		MaxConcurrency:                   int32Out(c.MaxConcurrency),
		MinSize:                          int32Out(c.MinSize),
		MaxSize:                          int32Out(c.MaxSize),
		CreatedAt:                        moment(c.CreatedAt),
		DeletedAt:                        moment(c.DeletedAt),
		HasAssociatedService:             &c.HasAssociatedService,
		IsDefault:                        &c.IsDefault,
	}
}
