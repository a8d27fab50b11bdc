package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

func good[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// as wants an error of an SDK type.
func as[E error](t *testing.T, what string, err error) {
	t.Helper()
	var want E
	if !errors.As(err, &want) {
		t.Errorf("%s: %v; want %T", what, err, want)
	}
}

const arnHead = "arn:aws:apprunner:us-east-1:123456789012:"

// checklist: 2, 3, 20, 108, 111, 112
func TestAutoScalingThroughTheSDK(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	create := func(name string) types.AutoScalingConfiguration {
		out := good[*sdk.CreateAutoScalingConfigurationOutput](t)(w.sdk.CreateAutoScalingConfiguration(ctx, &sdk.CreateAutoScalingConfigurationInput{
			AutoScalingConfigurationName: &name, MaxConcurrency: aws.Int32(50), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		}))
		return *out.AutoScalingConfiguration
	}
	for _, name := range []string{"zebra", "alpha", "zebra", "alpha-2", "zebra"} {
		create(name)
	}
	var got []string
	pages := sdk.NewListAutoScalingConfigurationsPaginator(w.sdk, &sdk.ListAutoScalingConfigurationsInput{LatestOnly: false, MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		p := good[*sdk.ListAutoScalingConfigurationsOutput](t)(pages.NextPage(ctx))
		for _, c := range p.AutoScalingConfigurationSummaryList {
			got = append(got, fmt.Sprintf("%s/%d", *c.AutoScalingConfigurationName, c.AutoScalingConfigurationRevision))
		}
	}
	// The SDK leaves LatestOnly out when it is false, so the default, true, holds (§12.4).
	if diff := cmp.Diff([]string{"DefaultConfiguration/1", "alpha/1", "alpha-2/1", "zebra/3"}, got); diff != "" {
		t.Error(diff)
	}
	_, body := w.post(t, "apprunner", "AppRunner.ListAutoScalingConfigurations", `{"AutoScalingConfigurationName":"zebra","LatestOnly":false,"MaxResults":2}`)
	var page struct {
		AutoScalingConfigurationSummaryList []struct{ AutoScalingConfigurationRevision int }
		NextToken                           string
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.AutoScalingConfigurationSummaryList) != 2 || page.AutoScalingConfigurationSummaryList[0].AutoScalingConfigurationRevision != 3 || page.NextToken == "" {
		t.Errorf("%s", body)
	}
	if _, body := w.post(t, "apprunner", "AppRunner.ListAutoScalingConfigurations", `{"AutoScalingConfigurationName":"alpha","LatestOnly":false,"MaxResults":2,"NextToken":"`+page.NextToken+`"}`); !strings.Contains(body, "NextToken is not valid") {
		t.Errorf("a token with other parameters: %s", body)
	}
	if _, body := w.post(t, "apprunner", "AppRunner.ListAutoScalingConfigurations", `{"AutoScalingConfigurationName":"none"}`); body != `{"AutoScalingConfigurationSummaryList":[]}` {
		t.Errorf("an unknown name: %s", body)
	}

	name := arnHead + "autoscalingconfiguration/zebra"
	service := w.create(t, "web-app")
	_, err := w.sdk.DeleteAutoScalingConfiguration(ctx, &sdk.DeleteAutoScalingConfigurationInput{AutoScalingConfigurationArn: service.AutoScalingConfigurationSummary.AutoScalingConfigurationArn})
	as[*types.InvalidRequestException](t, "in use", err)
	users := good[*sdk.ListServicesForAutoScalingConfigurationOutput](t)(w.sdk.ListServicesForAutoScalingConfiguration(ctx, &sdk.ListServicesForAutoScalingConfigurationInput{
		AutoScalingConfigurationArn: aws.String(arnHead + "autoscalingconfiguration/DefaultConfiguration"), MaxResults: aws.Int32(1),
	}))
	if diff := cmp.Diff([]string{*service.ServiceArn}, users.ServiceArnList); diff != "" || users.NextToken != nil {
		t.Error(diff)
	}
	standard := good[*sdk.UpdateDefaultAutoScalingConfigurationOutput](t)(w.sdk.UpdateDefaultAutoScalingConfiguration(ctx, &sdk.UpdateDefaultAutoScalingConfigurationInput{AutoScalingConfigurationArn: &name}))
	if c := standard.AutoScalingConfiguration; !*c.IsDefault || c.AutoScalingConfigurationRevision == nil || *c.AutoScalingConfigurationRevision != 3 {
		t.Errorf("%+v", c)
	}
	if s := w.create(t, "second"); *s.AutoScalingConfigurationSummary.AutoScalingConfigurationName != "zebra" || !*s.AutoScalingConfigurationSummary.IsDefault {
		t.Errorf("%+v", s.AutoScalingConfigurationSummary)
	}
	_, body = w.post(t, "apprunner", "AppRunner.DeleteAutoScalingConfiguration", `{"AutoScalingConfigurationArn":"`+arnHead+`autoscalingconfiguration/alpha","DeleteAllRevisions":true}`, "User-Agent", "terraform-provider-aws/6")
	if want := `{"AutoScalingConfiguration":{"AutoScalingConfigurationArn":"` + arnHead + `autoscalingconfiguration/alpha","AutoScalingConfigurationName":"alpha","Status":"inactive"}}`; body != want {
		t.Errorf("got %s\nwant %s", body, want)
	}
	gone := good[*sdk.DeleteAutoScalingConfigurationOutput](t)(w.sdk.DeleteAutoScalingConfiguration(ctx, &sdk.DeleteAutoScalingConfigurationInput{AutoScalingConfigurationArn: aws.String(name + "/1")}))
	if c := gone.AutoScalingConfiguration; c.Status != types.AutoScalingConfigurationStatusInactive || c.DeletedAt == nil || *c.Latest {
		t.Errorf("%+v", c)
	}
	_, err = w.sdk.DescribeAutoScalingConfiguration(ctx, &sdk.DescribeAutoScalingConfigurationInput{AutoScalingConfigurationArn: aws.String(name + "/1")})
	as[*types.ResourceNotFoundException](t, "deleted", err)
}

// checklist: 98, 100
func TestConnectionsThroughTheSDK(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	var want []string
	for i := range 5 {
		name := fmt.Sprintf("hub-%d", i)
		out := good[*sdk.CreateConnectionOutput](t)(w.sdk.CreateConnection(ctx, &sdk.CreateConnectionInput{ConnectionName: &name, ProviderType: types.ProviderTypeGithub}))
		if c := out.Connection; c.Status != types.ConnectionStatusPendingHandshake || *c.ConnectionName != name || c.CreatedAt == nil {
			t.Errorf("%+v", c)
		}
		want = append(want, name)
	}
	slices.Reverse(want)
	var got []string
	pages := sdk.NewListConnectionsPaginator(w.sdk, &sdk.ListConnectionsInput{MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		for _, c := range good[*sdk.ListConnectionsOutput](t)(pages.NextPage(ctx)).ConnectionSummaryList {
			got = append(got, *c.ConnectionName)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err := w.sdk.CreateConnection(ctx, &sdk.CreateConnectionInput{ConnectionName: aws.String("hub-1"), ProviderType: types.ProviderTypeGithub})
	as[*types.InvalidRequestException](t, "name taken", err)
	arn := arnHead + "connection/hub-1"
	in := &sdk.CreateServiceInput{ServiceName: aws.String("web-app"), SourceConfiguration: &types.SourceConfiguration{
		AuthenticationConfiguration: &types.AuthenticationConfiguration{ConnectionArn: &arn},
		CodeRepository: &types.CodeRepository{
			RepositoryUrl: aws.String("https://github.com/team/app"), SourceCodeVersion: &types.SourceCodeVersion{Type: types.SourceCodeVersionTypeBranch, Value: aws.String("main")},
			CodeConfiguration: &types.CodeConfiguration{ConfigurationSource: types.ConfigurationSourceRepository},
		},
	}}
	_, err = w.sdk.CreateService(ctx, in)
	as[*types.InvalidRequestException](t, "before the handshake", err)
	const token = "very-secret-token"
	full := good[apprunner.Connection](t)(w.control.CompleteHandshake(ctx, scope, apprunner.Handshake{ConnectionARN: arn, Credential: apprunner.ProviderCredential{Token: token}})).ARN
	if s := good[*sdk.CreateServiceOutput](t)(w.sdk.CreateService(ctx, in)).Service; *s.SourceConfiguration.AuthenticationConfiguration.ConnectionArn != full {
		t.Errorf("the ARN is shown in full: %s", *s.SourceConfiguration.AuthenticationConfiguration.ConnectionArn)
	}
	_, body := w.post(t, "apprunner", "AppRunner.ListConnections", `{"ConnectionName":"hub-1"}`)
	if !strings.Contains(body, `"Status":"AVAILABLE"`) || strings.Contains(body, token) {
		t.Errorf("%s", body)
	}
	_, err = w.sdk.DeleteConnection(ctx, &sdk.DeleteConnectionInput{ConnectionArn: &arn})
	as[*types.InvalidRequestException](t, "in use", err)
	gone := good[*sdk.DeleteConnectionOutput](t)(w.sdk.DeleteConnection(ctx, &sdk.DeleteConnectionInput{ConnectionArn: aws.String(arnHead + "connection/hub-2")}))
	if gone.Connection.Status != types.ConnectionStatusDeleted {
		t.Errorf("%+v", gone.Connection)
	}
	_, err = w.sdk.DeleteConnection(ctx, &sdk.DeleteConnectionInput{ConnectionArn: gone.Connection.ConnectionArn})
	as[*types.ResourceNotFoundException](t, "deleted again", err)
}

func TestObservabilityThroughTheSDK(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	name := aws.String("traces")
	for range 3 {
		good[*sdk.CreateObservabilityConfigurationOutput](t)(w.sdk.CreateObservabilityConfiguration(ctx, &sdk.CreateObservabilityConfigurationInput{
			ObservabilityConfigurationName: name, TraceConfiguration: &types.TraceConfiguration{Vendor: types.TracingVendorAwsxray},
		}))
	}
	provided := good[*sdk.DescribeObservabilityConfigurationOutput](t)(w.sdk.DescribeObservabilityConfiguration(ctx, &sdk.DescribeObservabilityConfigurationInput{
		ObservabilityConfigurationArn: aws.String(arnHead + "observabilityconfiguration/DefaultConfiguration/1/00000000000000000000000000000001"),
	})).ObservabilityConfiguration
	if provided.TraceConfiguration.Vendor != types.TracingVendorAwsxray || provided.Status != types.ObservabilityConfigurationStatusActive {
		t.Errorf("%+v", provided)
	}
	list := good[*sdk.ListObservabilityConfigurationsOutput](t)(w.sdk.ListObservabilityConfigurations(ctx, &sdk.ListObservabilityConfigurationsInput{ObservabilityConfigurationName: name}))
	if c := list.ObservabilityConfigurationSummaryList; len(c) != 1 || c[0].ObservabilityConfigurationRevision != 3 {
		t.Errorf("%+v", c)
	}
	gone := good[*sdk.DeleteObservabilityConfigurationOutput](t)(w.sdk.DeleteObservabilityConfiguration(ctx, &sdk.DeleteObservabilityConfigurationInput{
		ObservabilityConfigurationArn: aws.String(arnHead + "observabilityconfiguration/traces"),
	})).ObservabilityConfiguration
	if gone.Status != types.ObservabilityConfigurationStatusInactive || gone.ObservabilityConfigurationRevision != 3 || gone.Latest {
		t.Errorf("%+v", gone)
	}
	_, err := w.sdk.CreateObservabilityConfiguration(ctx, &sdk.CreateObservabilityConfigurationInput{ObservabilityConfigurationName: aws.String("DefaultConfiguration")})
	as[*types.InvalidRequestException](t, "the reserved name", err)
}

func TestNetworkRecordsThroughTheSDK(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	out := good[*sdk.CreateVpcConnectorOutput](t)(w.sdk.CreateVpcConnector(ctx, &sdk.CreateVpcConnectorInput{VpcConnectorName: aws.String("out-1"), Subnets: []string{"subnet-01234567"}, SecurityGroups: []string{"sg-01234567"}}))
	conn := out.VpcConnector
	if conn.Status != types.VpcConnectorStatusActive || conn.VpcConnectorRevision != 1 {
		t.Errorf("%+v", conn)
	}
	if list := good[*sdk.ListVpcConnectorsOutput](t)(w.sdk.ListVpcConnectors(ctx, &sdk.ListVpcConnectorsInput{})).VpcConnectors; len(list) != 1 || list[0].SecurityGroups[0] != "sg-01234567" {
		t.Errorf("%+v", list)
	}
	if gone := good[*sdk.DeleteVpcConnectorOutput](t)(w.sdk.DeleteVpcConnector(ctx, &sdk.DeleteVpcConnectorInput{VpcConnectorArn: conn.VpcConnectorArn})).VpcConnector; gone.Status != types.VpcConnectorStatusInactive || gone.DeletedAt == nil {
		t.Errorf("%+v", gone)
	}
	if kept := good[*sdk.DescribeVpcConnectorOutput](t)(w.sdk.DescribeVpcConnector(ctx, &sdk.DescribeVpcConnectorInput{VpcConnectorArn: conn.VpcConnectorArn})).VpcConnector; kept.Status != types.VpcConnectorStatusInactive {
		t.Errorf("%+v", kept)
	}
	_, err := w.sdk.DeleteVpcConnector(ctx, &sdk.DeleteVpcConnectorInput{VpcConnectorArn: conn.VpcConnectorArn})
	as[*types.ResourceNotFoundException](t, "deleted again", err)

	arn := *w.create(t, "private").ServiceArn
	ingress := &sdk.CreateVpcIngressConnectionInput{
		ServiceArn: &arn, VpcIngressConnectionName: aws.String("inside"),
		IngressVpcConfiguration: &types.IngressVpcConfiguration{VpcId: aws.String("vpc-01234567"), VpcEndpointId: aws.String("vpce-01234567")},
	}
	_, err = w.sdk.CreateVpcIngressConnection(ctx, ingress)
	as[*types.InvalidStateException](t, "a busy service", err)
	w.settle(t, arn, apprunner.StatusRunning)
	// The SDK leaves the member out when it is false.
	private := good[*sdk.UpdateServiceOutput](t)(w.sdk.UpdateService(ctx, &sdk.UpdateServiceInput{ServiceArn: &arn, NetworkConfiguration: &types.NetworkConfiguration{
		IngressConfiguration: &types.IngressConfiguration{IsPubliclyAccessible: false},
	}})).Service
	if private.NetworkConfiguration.IngressConfiguration.IsPubliclyAccessible {
		t.Error("a service that was made private is public")
	}
	w.settle(t, arn, apprunner.StatusRunning)
	_, body := w.post(t, "apprunner", "AppRunner.UpdateService", `{"ServiceArn":"`+arn+`","NetworkConfiguration":{"IpAddressType":"IPV4"}}`)
	if !strings.Contains(body, `"IsPubliclyAccessible":false`) {
		t.Fatal(body)
	}
	w.settle(t, arn, apprunner.StatusRunning)
	made := good[*sdk.CreateVpcIngressConnectionOutput](t)(w.sdk.CreateVpcIngressConnection(ctx, ingress)).VpcIngressConnection
	if made.Status != types.VpcIngressConnectionStatusPendingCreation || *made.AccountId != account || !strings.HasSuffix(*made.DomainName, ".us-east-1.apprunner.localhost") {
		t.Errorf("%+v", made)
	}
	_, err = w.sdk.CreateVpcIngressConnection(ctx, ingress)
	as[*types.ServiceQuotaExceededException](t, "a second one", err)
	_, err = w.sdk.DeleteService(ctx, &sdk.DeleteServiceInput{ServiceArn: &arn})
	as[*types.InvalidStateException](t, "deleting its service", err)
	list := good[*sdk.ListVpcIngressConnectionsOutput](t)(w.sdk.ListVpcIngressConnections(ctx, &sdk.ListVpcIngressConnectionsInput{Filter: &types.ListVpcIngressConnectionsFilter{ServiceArn: &arn}}))
	if len(list.VpcIngressConnectionSummaryList) != 1 || *list.VpcIngressConnectionSummaryList[0].ServiceArn != arn {
		t.Errorf("%+v", list)
	}
	name := made.VpcIngressConnectionArn
	if up := good[*sdk.UpdateVpcIngressConnectionOutput](t)(w.sdk.UpdateVpcIngressConnection(ctx, &sdk.UpdateVpcIngressConnectionInput{VpcIngressConnectionArn: name, IngressVpcConfiguration: ingress.IngressVpcConfiguration})); up.VpcIngressConnection.Status != types.VpcIngressConnectionStatusPendingUpdate {
		t.Errorf("%+v", up)
	}
	if del := good[*sdk.DeleteVpcIngressConnectionOutput](t)(w.sdk.DeleteVpcIngressConnection(ctx, &sdk.DeleteVpcIngressConnectionInput{VpcIngressConnectionArn: name})).VpcIngressConnection; del.Status != types.VpcIngressConnectionStatusPendingDeletion || del.DeletedAt == nil {
		t.Errorf("%+v", del)
	}
	if kept := good[*sdk.DescribeVpcIngressConnectionOutput](t)(w.sdk.DescribeVpcIngressConnection(ctx, &sdk.DescribeVpcIngressConnectionInput{VpcIngressConnectionArn: name})).VpcIngressConnection; kept.Status != types.VpcIngressConnectionStatusDeleted {
		t.Errorf("%+v", kept)
	}
}

// checklist: 115, 116, 124
func TestCustomDomainsThroughTheSDK(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	arn := *w.create(t, "web-app").ServiceArn
	link := func(name string) (*sdk.AssociateCustomDomainOutput, error) {
		return w.sdk.AssociateCustomDomain(ctx, &sdk.AssociateCustomDomainInput{ServiceArn: &arn, DomainName: &name})
	}
	_, err := link("example.com")
	as[*types.InvalidStateException](t, "a busy service", err)
	w.settle(t, arn, apprunner.StatusRunning)
	_, err = w.sdk.AssociateCustomDomain(ctx, &sdk.AssociateCustomDomainInput{ServiceArn: aws.String(arnHead + "service/none"), DomainName: aws.String("example.com")})
	as[*types.InvalidRequestException](t, "an unknown service, for which the model has no other error (§1.3)", err)
	made := good[*sdk.AssociateCustomDomainOutput](t)(link("Example.com"))
	if d := made.CustomDomain; d.Status != types.CustomDomainAssociationStatusCreating || *d.DomainName != "example.com" || !*d.EnableWWWSubdomain || made.VpcDNSTargets == nil {
		t.Errorf("%+v", made)
	}
	_, err = link("example.com")
	as[*types.InvalidRequestException](t, "associated already", err)
	for i := range 4 {
		good[*sdk.AssociateCustomDomainOutput](t)(link(fmt.Sprintf("site-%d.example.org", i)))
	}
	_, err = link("sixth.example.org")
	as[*types.InvalidRequestException](t, "the sixth", err)
	var got []string
	pages := sdk.NewDescribeCustomDomainsPaginator(w.sdk, &sdk.DescribeCustomDomainsInput{ServiceArn: &arn, MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		for _, d := range good[*sdk.DescribeCustomDomainsOutput](t)(pages.NextPage(ctx)).CustomDomains {
			got = append(got, *d.DomainName)
			if d.Status != types.CustomDomainAssociationStatusPendingCertificateDnsValidation || len(d.CertificateValidationRecords) != 2 || *d.CertificateValidationRecords[0].Type != "CNAME" {
				t.Errorf("%+v", d)
			}
		}
	}
	if diff := cmp.Diff([]string{"site-3.example.org", "site-2.example.org", "site-1.example.org", "site-0.example.org", "example.com"}, got); diff != "" {
		t.Error(diff)
	}
	if _, body := w.post(t, "apprunner", "AppRunner.DescribeCustomDomains", `{"ServiceArn":"`+arn+`","MaxResults":1}`, "User-Agent", "terraform-provider-aws/6"); !strings.Contains(body, `"Status":"pending_certificate_dns_validation"`) || !strings.Contains(body, `"Status":"PENDING_VALIDATION"`) {
		t.Errorf("Terraform waits for lower case, but not of the records: %s", body)
	}
	gone := good[*sdk.DisassociateCustomDomainOutput](t)(w.sdk.DisassociateCustomDomain(ctx, &sdk.DisassociateCustomDomainInput{ServiceArn: &arn, DomainName: aws.String("example.com")}))
	if gone.CustomDomain.Status != types.CustomDomainAssociationStatusDeleting {
		t.Errorf("%+v", gone)
	}
	_, err = w.sdk.DisassociateCustomDomain(ctx, &sdk.DisassociateCustomDomainInput{ServiceArn: &arn, DomainName: aws.String("example.com")})
	as[*types.ResourceNotFoundException](t, "disassociated already", err)
}

func TestPermissionsOfResources(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	arn := *w.create(t, "web-app").ServiceArn
	w.settle(t, arn, apprunner.StatusRunning)
	name := aws.String("burst")
	conf := good[*sdk.CreateAutoScalingConfigurationOutput](t)(w.sdk.CreateAutoScalingConfiguration(ctx, &sdk.CreateAutoScalingConfigurationInput{
		AutoScalingConfigurationName: name, Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}},
	})).AutoScalingConfiguration
	user := api.Call{Principal: iam.Principal{Type: iam.TypeUser, Account: account}, Scope: scope}
	asked := func(op string, in any) []iam.Request {
		t.Helper()
		return good[[]iam.Request](t)(w.api.Actions[op].Permissions(ctx, user, in))
	}
	tagged := map[string][]string{"aws:ResourceTag/env": {"prod"}, "apprunner:ResourceTag/env": {"prod"}}
	want := []iam.Request{{Action: "apprunner:DeleteAutoScalingConfiguration", Resource: *conf.AutoScalingConfigurationArn, Context: tagged}}
	short := arnHead + "autoscalingconfiguration/burst"
	if diff := cmp.Diff(want, asked("DeleteAutoScalingConfiguration", &wire.DeleteAutoScalingConfigurationRequest{AutoScalingConfigurationArn: &short})); diff != "" {
		t.Error(diff)
	}
	keys := map[string][]string{
		"apprunner:ServiceArn": {arn}, "apprunner:VpcId": {"vpc-1"}, "apprunner:VpcEndpointId": {"vpce-1"}, "aws:RequestTag/k": {"v"}, "aws:TagKeys": {"k"},
	}
	ingress := arnHead + "vpcingressconnection/inside"
	want = []iam.Request{
		{Action: "apprunner:CreateVpcIngressConnection", Resource: ingress, ToBe: true, Context: keys},
		{Action: "apprunner:TagResource", Resource: ingress, ToBe: true, Context: keys},
	}
	if diff := cmp.Diff(want, asked("CreateVpcIngressConnection", &wire.CreateVpcIngressConnectionRequest{
		ServiceArn: aws.String(arnHead + "service/web-app"), VpcIngressConnectionName: aws.String("inside"), Tags: []wire.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		IngressVpcConfiguration: &wire.IngressVpcConfiguration{VpcId: aws.String("vpc-1"), VpcEndpointId: aws.String("vpce-1")},
	})); diff != "" {
		t.Error(diff)
	}
	good[*sdk.AssociateCustomDomainOutput](t)(w.sdk.AssociateCustomDomain(ctx, &sdk.AssociateCustomDomainInput{ServiceArn: &arn, DomainName: aws.String("example.com")}))
	if got := asked("DeleteService", &wire.DeleteServiceRequest{ServiceArn: &arn}); len(got) != 2 || got[1].Action != "apprunner:DisassociateCustomDomain" || got[1].Resource != arn {
		t.Errorf("deleting a service gives its domains free (§10.1): %+v", got)
	}
}

// checklist: 7
func TestRegionsAndAccountsSeeNothingOfEachOther(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	arn := *w.create(t, "web-app").ServiceArn
	conf := w.config()
	conf.Region = "eu-west-1"
	there := sdk.NewFromConfig(conf)
	if list := good[*sdk.ListServicesOutput](t)(there.ListServices(ctx, &sdk.ListServicesInput{})); len(list.ServiceSummaryList) != 0 {
		t.Errorf("%+v", list)
	}
	_, err := there.DescribeService(ctx, &sdk.DescribeServiceInput{ServiceArn: &arn})
	as[*types.ResourceNotFoundException](t, "by ARN", err)
	_, err = there.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	as[*types.ResourceNotFoundException](t, "tagging", err)
	made := good[*sdk.CreateServiceOutput](t)(there.CreateService(ctx, &sdk.CreateServiceInput{ServiceName: aws.String("web-app"), SourceConfiguration: &types.SourceConfiguration{
		ImageRepository: &types.ImageRepository{ImageIdentifier: aws.String("public.ecr.aws/a/b:1"), ImageRepositoryType: types.ImageRepositoryTypeEcrPublic},
	}}))
	if !strings.HasSuffix(*made.Service.ServiceUrl, ".eu-west-1.apprunner.localhost") || !strings.HasPrefix(*made.Service.ServiceArn, "arn:aws:apprunner:eu-west-1:") {
		t.Errorf("%s %s", *made.Service.ServiceUrl, *made.Service.ServiceArn)
	}
}

// checklist: 2
func TestStockCLIForResources(t *testing.T) {
	w := newWorld(t)
	var conf struct {
		AutoScalingConfiguration struct{ AutoScalingConfigurationArn, Status string }
	}
	w.awsJSON(t, &conf, "apprunner", "create-auto-scaling-configuration", "--auto-scaling-configuration-name", "burst", "--max-size", "3")
	w.awsJSON(t, nil, "apprunner", "create-auto-scaling-configuration", "--auto-scaling-configuration-name", "burst")
	var list struct {
		AutoScalingConfigurationSummaryList []struct{ AutoScalingConfigurationRevision int }
	}
	w.awsJSON(t, &list, "apprunner", "list-auto-scaling-configurations", "--auto-scaling-configuration-name", "burst", "--no-latest-only")
	if len(list.AutoScalingConfigurationSummaryList) != 2 {
		t.Errorf("%+v", list)
	}
	var conn struct {
		Connection struct{ ConnectionArn, Status string }
	}
	w.awsJSON(t, &conn, "apprunner", "create-connection", "--connection-name", "hub-1", "--provider-type", "GITHUB")
	w.awsJSON(t, nil, "apprunner", "delete-connection", "--connection-arn", conn.Connection.ConnectionArn)
	if out, ok := w.aws(t, "apprunner", "delete-connection", "--connection-arn", conn.Connection.ConnectionArn); ok || !strings.Contains(out, "(ResourceNotFoundException) when calling the DeleteConnection operation") {
		t.Errorf("%s", out)
	}
}
