package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/store"
)

var sealKey = bytes.Repeat([]byte{7}, 32)

func (h *house) connect(t *testing.T, name string) apprunner.Connection {
	t.Helper()
	conn, err := h.CreateConnection(t.Context(), scope, apprunner.ConnectionInput{Name: name, Provider: apprunner.ProviderGitHub})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func connected(name, arn, url string) apprunner.CreateServiceInput {
	in := codeInput(name)
	in.Source.ConnectionARN, in.Source.Code.URL = &arn, &url
	return in
}

// checklist: 98, 99, 100, 135, 140
func TestConnections(t *testing.T) {
	h := open(t, func(c *control.Config) { c.SealKey = sealKey })
	conn := h.connect(t, "hub-1")
	if conn.Status != apprunner.ConnectionPending || !strings.HasPrefix(conn.ARN, prefix+"connection/hub-1/") {
		t.Errorf("%+v", conn)
	}
	_, err := h.CreateConnection(t.Context(), scope, apprunner.ConnectionInput{Name: "hub-1", Provider: apprunner.ProviderBitbucket})
	code(t, "name taken", err, ir)
	const repo = "https://github.com/team/app"
	_, _, err = h.CreateService(t.Context(), scope, connected("early", conn.ARN, repo))
	code(t, "before the handshake", err, ir)

	secret := apprunner.ProviderCredential{Token: "very-secret-token"}
	if got, err := h.CompleteHandshake(t.Context(), scope, apprunner.Handshake{ConnectionARN: prefix + "connection/hub-1", Credential: secret}); err != nil || got.Status != apprunner.ConnectionAvailable {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := h.ConnectionCredential(t.Context(), conn.ARN); err != nil || got != secret {
		t.Errorf("credential: %v", err)
	}
	_, _, err = h.CreateService(t.Context(), scope, connected("elsewhere", conn.ARN, "https://bitbucket.org/team/app"))
	code(t, "another provider's repository", err, ir)
	_, _, err = h.CreateService(t.Context(), scope, connected("no-such", prefix+"connection/none/"+strings.Repeat("0", 32), repo))
	code(t, "unknown connection", err, ir)
	one, _, err1 := h.CreateService(t.Context(), scope, connected("one-app", conn.ARN, repo))
	two, _, err2 := h.CreateService(t.Context(), scope, connected("two-app", prefix+"connection/hub-1", "git@github.com:team/other.git"))
	if err := errors.Join(err1, err2); err != nil || two.Source.ConnectionARN != conn.ARN {
		t.Fatalf("two services share it, its ARN in full: %s, %v", two.Source.ConnectionARN, err)
	}
	h.settle(t, one.ARN(), apprunner.StatusPaused)
	h.settle(t, two.ARN(), apprunner.StatusDeleted)
	_, err = h.DeleteConnection(t.Context(), scope, conn.ARN)
	code(t, "used by a paused service", err, ir)
	h.settle(t, one.ARN(), apprunner.StatusDeleted)
	if list, err := h.ListConnections(t.Context(), scope, ""); err != nil || len(list) != 1 {
		t.Errorf("the connection of deleted services still exists: %v, %v", list, err)
	}
	if got, err := h.DeleteConnection(t.Context(), scope, conn.ARN); err != nil || got.Status != apprunner.ConnectionDeleted {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = h.DeleteConnection(t.Context(), scope, conn.ARN)
	code(t, "deleted again", err, nf)
	_, err = h.ConnectionCredential(t.Context(), conn.ARN)
	code(t, "the credential is erased", err, ir)
	h.connect(t, "hub-1")
}

type provider struct{ accepts bool }

func (p provider) Accepts(context.Context, string, string, apprunner.ProviderCredential) (bool, error) {
	return p.accepts, nil
}

func TestHandshakeRefusals(t *testing.T) {
	h := open(t, func(c *control.Config) { c.SealKey, c.Providers = sealKey, provider{} })
	conn := h.connect(t, "hub-1")
	tried := apprunner.Handshake{ConnectionARN: conn.ARN, Credential: apprunner.ProviderCredential{Token: "x"}, Repository: "https://github.com/team/app"}
	if got, err := h.CompleteHandshake(t.Context(), scope, tried); err != nil || got.Status != apprunner.ConnectionError {
		t.Errorf("what the provider refuses: %+v, %v", got, err)
	}
	tried.Repository = "https://elsewhere.example/team/app"
	_, err := h.CompleteHandshake(t.Context(), scope, tried)
	code(t, "a credential does not go elsewhere", err, ir)
	tried.Repository, tried.Branch = "", "main"
	_, err = h.CompleteHandshake(t.Context(), scope, tried)
	code(t, "a branch of nothing", err, ir)
	_, err = h.CompleteHandshake(t.Context(), scope, apprunner.Handshake{ConnectionARN: conn.ARN})
	code(t, "empty", err, ir)
	_, err = h.CompleteHandshake(t.Context(), scope, apprunner.Handshake{ConnectionARN: prefix + "connection/none", Credential: apprunner.ProviderCredential{Token: "x"}})
	code(t, "unknown", err, nf)
	plain := open(t, nil)
	_, err = plain.CompleteHandshake(t.Context(), scope, apprunner.Handshake{ConnectionARN: plain.connect(t, "hub-1").ARN, Credential: apprunner.ProviderCredential{Token: "x"}})
	code(t, "no key to seal with", err, is)
}

func TestCredentialsLieSealed(t *testing.T) {
	const token = "very-secret-token"
	h := open(t, func(c *control.Config) { c.SealKey = sealKey })
	conn := h.connect(t, "hub-1")
	if _, err := h.CompleteHandshake(t.Context(), scope, apprunner.Handshake{ConnectionARN: conn.ARN, Credential: apprunner.ProviderCredential{Token: token}}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		if b, err := os.ReadFile(h.path + suffix); err == nil && bytes.Contains(b, []byte(token)) {
			t.Errorf("the database%s holds the token as it is", suffix)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %s", apprunner.ProviderCredential{Token: token}, apprunner.ProviderCredential{Token: token}, apprunner.ProviderCredential{Token: token}, apprunner.ProviderCredential{Token: token}); strings.Contains(got, token) {
		t.Errorf("printed: %s", got)
	}
	other := h.connect(t, "hub-2")
	if _, err := h.CompleteHandshake(t.Context(), scope, apprunner.Handshake{ConnectionARN: other.ARN, Credential: apprunner.ProviderCredential{Token: "another"}}); err != nil {
		t.Fatal(err)
	}
	err := h.db.Update(t.Context(), func(tx *store.Tx) error {
		sealed, _, err := tx.Credential(conn.ARN)
		if err != nil {
			return err
		}
		return tx.PutCredential(other.ARN, sealed)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.ConnectionCredential(t.Context(), other.ARN); err == nil {
		t.Error("a credential moved to another connection opens")
	}
}

// checklist: 21
func TestConnectionQuota(t *testing.T) {
	h := open(t, nil)
	for i := range 10 {
		h.connect(t, fmt.Sprintf("hub-%d", i))
	}
	_, err := h.CreateConnection(t.Context(), scope, apprunner.ConnectionInput{Name: "hub-10", Provider: apprunner.ProviderGitHub})
	code(t, "the eleventh", err, sq)
	if _, err := h.DeleteConnection(t.Context(), scope, prefix+"connection/hub-3"); err != nil {
		t.Fatal(err)
	}
	h.connect(t, "hub-10")
	if list, err := h.ListConnections(t.Context(), scope, "hub-3"); err != nil || len(list) != 0 {
		t.Errorf("an unknown name gives nothing: %v, %v", list, err)
	}
}

// checklist: 24
func TestQuotasCanBeRaised(t *testing.T) {
	h := open(t, func(c *control.Config) { c.ServiceQuota, c.QuotaCeiling = 1, 5 })
	h.create(t, "first")
	_, _, err := h.CreateService(t.Context(), scope, codeInput("second"))
	code(t, "over the quota", err, sq)
	if _, err := h.RaiseQuota(t.Context(), scope, apprunner.QuotaServices, 2, "arn:aws:iam::123456789012:root"); err != nil {
		t.Fatal(err)
	}
	h.create(t, "second")
	_, err = h.RaiseQuota(t.Context(), scope, apprunner.QuotaServices, 2, "")
	code(t, "not more than now", err, ir)
	_, err = h.RaiseQuota(t.Context(), scope, apprunner.QuotaServices, 6, "")
	code(t, "over the ceiling", err, ir)
	_, err = h.RaiseQuota(t.Context(), scope, "L-NONE", 6, "")
	code(t, "unknown", err, nf)
	if list, err := h.ListQuotaRequests(t.Context(), scope); err != nil || len(list) != 1 || list[0].Desired != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	all, err := h.ListQuotas(t.Context(), apprunner.Scope{Account: scope.Account, Region: "eu-west-1"})
	if err != nil || all[0].Value != 1 {
		t.Errorf("another region has its own: %+v, %v", all[0], err)
	}
}

func TestObservabilityConfigurations(t *testing.T) {
	h := open(t, nil)
	make := func(name, vendor string) (apprunner.ObservabilityConfiguration, error) {
		return h.CreateObservabilityConfiguration(t.Context(), scope, apprunner.ObservabilityConfigurationInput{Name: name, Vendor: vendor})
	}
	_, err := make(apprunner.DefaultConfigName, "")
	code(t, "the reserved name", err, ir)
	_, err = make("traces", "JAEGER")
	code(t, "another vendor", err, ir)
	first, err1 := make("traces", "")
	second, err2 := make("traces", apprunner.TracingXRay)
	if err := errors.Join(err1, err2); err != nil || second.Revision != 2 || !second.Latest || first.Vendor != "" {
		t.Fatalf("%+v %+v %v", first, second, err)
	}
	name := prefix + "observabilityconfiguration/traces"
	in := codeInput("traced")
	in.Observability = &apprunner.ObservabilityPatch{Enabled: p(true), ARN: &name}
	s, _, err := h.CreateService(t.Context(), scope, in)
	if err != nil || s.Observability.ARN != second.ARN {
		t.Fatalf("a service shows the full ARN of the revision: %+v, %v", s.Observability, err)
	}
	_, err = h.DeleteObservabilityConfiguration(t.Context(), scope, name)
	code(t, "in use", err, ir)
	if gone, err := h.DeleteObservabilityConfiguration(t.Context(), scope, name+"/1"); err != nil || gone.Active || gone.DeletedAt.IsZero() {
		t.Errorf("%+v, %v", gone, err)
	}
	h.settle(t, s.ARN(), apprunner.StatusRunning)
	got, _, err := h.UpdateService(t.Context(), scope, apprunner.UpdateServiceInput{ServiceARN: s.ARN(), ServicePatch: apprunner.ServicePatch{Observability: &apprunner.ObservabilityPatch{Enabled: p(false)}}})
	if err != nil || got.Observability.ARN != "" {
		t.Errorf("switching off removes the ARN: %+v, %v", got.Observability, err)
	}
	h.settle(t, s.ARN(), apprunner.StatusRunning)
	if _, err := h.DeleteObservabilityConfiguration(t.Context(), scope, name); err != nil {
		t.Error(err)
	}
	_, err = h.DeleteObservabilityConfiguration(t.Context(), scope, name)
	code(t, "nothing left", err, nf)
	_, err = h.DeleteObservabilityConfiguration(t.Context(), scope, prefix+"observabilityconfiguration/DefaultConfiguration")
	code(t, "the provided one", err, ir)
	if list, err := h.ListObservabilityConfigurations(t.Context(), scope, "", true); err != nil || len(list) != 1 || list[0].Vendor != apprunner.TracingXRay {
		t.Errorf("the provided one is there: %+v, %v", list, err)
	}
}

func TestObservabilityQuotas(t *testing.T) {
	h := open(t, func(c *control.Config) {
		c.Quotas = map[string]int{apprunner.QuotaObservabilityNames: 2, apprunner.QuotaObservabilityRevisions: 2}
	})
	for i, want := range []apprunner.Code{"", "", sq} {
		for name, w := range map[string]apprunner.Code{fmt.Sprintf("name-%d", i): want} {
			_, err := h.CreateObservabilityConfiguration(t.Context(), scope, apprunner.ObservabilityConfigurationInput{Name: name})
			code(t, name, err, w)
		}
	}
	for i, want := range []apprunner.Code{"", sq} {
		_, err := h.CreateObservabilityConfiguration(t.Context(), scope, apprunner.ObservabilityConfigurationInput{Name: "name-0"})
		code(t, fmt.Sprintf("revision %d", i+2), err, want)
	}
}

func (h *house) connector(t *testing.T, name string) apprunner.VPCConnector {
	t.Helper()
	conn, err := h.CreateVPCConnector(t.Context(), scope, apprunner.VPCConnectorInput{Name: name, Subnets: []string{"subnet-0123456789abcdef0"}})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestVPCConnectors(t *testing.T) {
	h := open(t, func(c *control.Config) { c.Quotas = map[string]int{apprunner.QuotaVPCConnectors: 2} })
	conn := h.connector(t, "to-database")
	if conn.Revision != 1 || !conn.Active || !strings.HasPrefix(conn.ARN, prefix+"vpcconnector/to-database/1/") {
		t.Errorf("%+v", conn)
	}
	for name, in := range map[string]apprunner.VPCConnectorInput{
		"name taken":   {Name: "to-database", Subnets: conn.Subnets},
		"no subnets":   {Name: "other"},
		"subnet twice": {Name: "other", Subnets: []string{"subnet-01234567", "subnet-01234567"}},
		"no subnet id": {Name: "other", Subnets: []string{"10.0.0.0/8"}},
		"no group id":  {Name: "other", Subnets: conn.Subnets, SecurityGroups: []string{"default"}},
	} {
		_, err := h.CreateVPCConnector(t.Context(), scope, in)
		code(t, name, err, ir)
	}
	second := h.connector(t, "second")
	_, err := h.CreateVPCConnector(t.Context(), scope, apprunner.VPCConnectorInput{Name: "third", Subnets: conn.Subnets})
	code(t, "over the quota", err, sq)
	_, err = h.DescribeVPCConnector(t.Context(), scope, prefix+"vpcconnector/to-database/1")
	code(t, "a partial ARN", err, ir)

	in := codeInput("private-out")
	in.Network = &apprunner.NetworkPatch{Egress: p(apprunner.EgressVPC), VPCConnectorARN: &conn.ARN}
	s, _, err := h.CreateService(t.Context(), scope, in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.DeleteVPCConnector(t.Context(), scope, conn.ARN)
	code(t, "in use", err, ir)
	h.settle(t, s.ARN(), apprunner.StatusRunning)
	update := apprunner.UpdateServiceInput{ServiceARN: s.ARN(), ServicePatch: apprunner.ServicePatch{Network: &apprunner.NetworkPatch{Egress: p(apprunner.EgressDefault)}}}
	if got, _, err := h.UpdateService(t.Context(), scope, update); err != nil || got.Network.VPCConnectorARN != "" {
		t.Errorf("DEFAULT takes the connector away: %+v, %v", got.Network, err)
	}
	h.settle(t, s.ARN(), apprunner.StatusRunning)
	if gone, err := h.DeleteVPCConnector(t.Context(), scope, conn.ARN); err != nil || gone.Active || gone.DeletedAt.IsZero() {
		t.Errorf("%+v, %v", gone, err)
	}
	if got, err := h.DescribeVPCConnector(t.Context(), scope, conn.ARN); err != nil || got.Active {
		t.Errorf("deleted ones are described: %+v, %v", got, err)
	}
	update.Network = &apprunner.NetworkPatch{Egress: p(apprunner.EgressVPC), VPCConnectorARN: &conn.ARN}
	_, _, err = h.UpdateService(t.Context(), scope, update)
	code(t, "a deleted connector", err, ir)
	if list, err := h.ListVPCConnectors(t.Context(), scope); err != nil || len(list) != 1 || list[0].ARN != second.ARN {
		t.Errorf("%+v, %v", list, err)
	}
	h.connector(t, "to-database")
	h.now = h.now.Add(61 * time.Minute)
	_, err = h.DescribeVPCConnector(t.Context(), scope, conn.ARN)
	code(t, "after the retention", err, nf)
}

// vpc is a network room that knows one of everything.
type vpc struct{}

func (vpc) Connector(_ *store.Tx, _ apprunner.Scope, _, groups []string) ([]string, error) {
	if len(groups) > 0 && groups[0] != "sg-00000000" {
		return nil, apprunner.Errorf(ir, "The security group %s does not exist.", groups[0])
	}
	return []string{"sg-00000000"}, nil
}

func (vpc) Endpoint(_ *store.Tx, _ apprunner.Scope, _, endpointID string) error {
	if endpointID == "vpce-00000000" {
		return apprunner.Errorf(ir, "The endpoint %s does not exist.", endpointID)
	}
	return nil
}

func (vpc) Disconnect(*store.Tx, apprunner.Scope, []string, []string) error { return nil }

func (h *house) private(t *testing.T, name string) apprunner.Service {
	t.Helper()
	in := codeInput(name)
	in.Network = &apprunner.NetworkPatch{Public: p(false)}
	s, _, err := h.CreateService(t.Context(), scope, in)
	if err != nil {
		t.Fatal(err)
	}
	h.settle(t, s.ARN(), apprunner.StatusRunning)
	return s
}

func ingressInput(name, service string) apprunner.VPCIngressConnectionInput {
	return apprunner.VPCIngressConnectionInput{Name: name, ServiceARN: service, VPCID: "vpc-01234567", EndpointID: "vpce-01234567"}
}

func TestVPCIngressConnections(t *testing.T) {
	h := open(t, nil)
	s, ctx := h.private(t, "private"), t.Context()
	conn, err := h.CreateVPCIngressConnection(ctx, scope, ingressInput("inside", s.ARN()))
	if err != nil || conn.Status != apprunner.IngressPendingCreation || conn.DomainName != s.URL || conn.Account != scope.Account {
		t.Fatalf("%+v, %v", conn, err)
	}
	if got, err := h.DescribeVPCIngressConnection(ctx, scope, conn.ARN); err != nil || got.Status != apprunner.IngressAvailable {
		t.Errorf("%+v, %v", got, err)
	}
	public, other := h.create(t, "public"), h.private(t, "other")
	h.settle(t, public.ARN(), apprunner.StatusRunning)
	wrong := func(change func(*apprunner.VPCIngressConnectionInput)) apprunner.VPCIngressConnectionInput {
		in := ingressInput("second", other.ARN())
		change(&in)
		return in
	}
	for name, tc := range map[string]struct {
		in   apprunner.VPCIngressConnectionInput
		want apprunner.Code
	}{
		"a second of the service": {ingressInput("inside", s.ARN()), sq},
		"name taken":              {ingressInput("inside", other.ARN()), ir},
		"public service":          {ingressInput("second", public.ARN()), ir},
		"unknown service":         {ingressInput("second", prefix+"service/none"), nf},
		"no VPC":                  {wrong(func(in *apprunner.VPCIngressConnectionInput) { in.VPCID = "" }), ir},
		"no endpoint":             {wrong(func(in *apprunner.VPCIngressConnectionInput) { in.EndpointID = "" }), ir},
	} {
		_, err := h.CreateVPCIngressConnection(ctx, scope, tc.in)
		code(t, name, err, tc.want)
	}
	_, _, err = h.UpdateService(ctx, scope, apprunner.UpdateServiceInput{ServiceARN: s.ARN(), ServicePatch: apprunner.ServicePatch{Network: &apprunner.NetworkPatch{Public: p(true)}}})
	code(t, "made public", err, ir)
	_, _, err = h.DeleteService(ctx, scope, s.ARN())
	code(t, "deleted while it has one", err, is)
	if d, err := h.DescribeCustomDomains(ctx, scope, s.ARN()); err != nil || len(d.Ingresses) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	for filter, want := range map[[2]string]int{{"", ""}: 1, {s.ARN(), ""}: 1, {other.ARN(), ""}: 0, {"", "vpce-01234567"}: 1, {s.ARN(), "vpce-ffffffff"}: 0, {prefix + "service/none", ""}: 0} {
		if list, err := h.ListVPCIngressConnections(ctx, scope, filter[0], filter[1]); err != nil || len(list) != want {
			t.Errorf("%v: %v, %v", filter, list, err)
		}
	}
	moved, err := h.UpdateVPCIngressConnection(ctx, scope, conn.ARN, nil, p("vpce-89abcdef"))
	if err != nil || moved.Status != apprunner.IngressPendingUpdate || moved.EndpointID != "vpce-89abcdef" || moved.VPCID != conn.VPCID {
		t.Errorf("%+v, %v", moved, err)
	}
	gone, err := h.DeleteVPCIngressConnection(ctx, scope, conn.ARN)
	if err != nil || gone.Status != apprunner.IngressPendingDeletion || gone.DeletedAt.IsZero() {
		t.Errorf("%+v, %v", gone, err)
	}
	_, err = h.DeleteVPCIngressConnection(ctx, scope, conn.ARN)
	code(t, "deleted again", err, nf)
	if got, err := h.DescribeVPCIngressConnection(ctx, scope, conn.ARN); err != nil || got.Status != apprunner.IngressDeleted {
		t.Errorf("%+v, %v", got, err)
	}
	h.now = h.now.Add(61 * time.Minute)
	_, err = h.DescribeVPCIngressConnection(ctx, scope, conn.ARN)
	code(t, "after the retention", err, nf)
	if _, _, err := h.DeleteService(ctx, scope, s.ARN()); err != nil {
		t.Error(err)
	}
}

// With networks the work takes its time, and the actions wait for it (§20.2).
func TestVPCIngressStatuses(t *testing.T) {
	h := open(t, func(c *control.Config) { c.Networks, c.IngressWork = vpc{}, true })
	s, ctx := h.private(t, "private"), t.Context()
	in := ingressInput("inside", s.ARN())
	in.EndpointID = "vpce-00000000"
	_, err := h.CreateVPCIngressConnection(ctx, scope, in)
	code(t, "an endpoint that does not exist", err, ir)
	conn, err := h.CreateVPCIngressConnection(ctx, scope, ingressInput("inside", s.ARN()))
	if err != nil {
		t.Fatal(err)
	}
	update := func() error {
		_, err := h.UpdateVPCIngressConnection(ctx, scope, conn.ARN, nil, p("vpce-89abcdef"))
		return err
	}
	remove := func() error { _, err := h.DeleteVPCIngressConnection(ctx, scope, conn.ARN); return err }
	settled := func(ok bool, want apprunner.VPCIngressStatus) {
		t.Helper()
		list, err := h.PendingVPCIngressConnections(ctx)
		if err != nil || len(list) != 1 {
			t.Errorf("pending: %v, %v", list, err)
		}
		if err := h.SettleVPCIngressConnection(ctx, conn.ARN, ok); err != nil {
			t.Fatal(err)
		}
		if got, err := h.DescribeVPCIngressConnection(ctx, scope, conn.ARN); err != nil || got.Status != want {
			t.Errorf("%s, %v; want %s", got.Status, err, want)
		}
	}
	code(t, "update while pending", update(), is)
	code(t, "delete while pending", remove(), is)
	settled(false, apprunner.IngressFailedCreation)
	code(t, "update after a failure", update(), "")
	settled(false, apprunner.IngressFailedUpdate)
	code(t, "update again", update(), "")
	settled(true, apprunner.IngressAvailable)
	code(t, "delete", remove(), "")
	code(t, "delete while deleting", remove(), is)
	settled(false, apprunner.IngressFailedDeletion)
	code(t, "update after a failed deletion", update(), is)
	code(t, "delete again", remove(), "")
	settled(true, apprunner.IngressDeleted)
	code(t, "update when deleted", update(), nf)
	if got := h.connector(t, "out-1"); len(got.SecurityGroups) != 1 {
		t.Errorf("the default group is used and shown: %+v", got)
	}
}

func TestTagsOnAllKinds(t *testing.T) {
	h := open(t, nil)
	s := h.private(t, "private")
	observed, err1 := h.CreateObservabilityConfiguration(t.Context(), scope, apprunner.ObservabilityConfigurationInput{Name: "traces"})
	ingress, err2 := h.CreateVPCIngressConnection(t.Context(), scope, ingressInput("inside", s.ARN()))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	conn := h.connect(t, "hub-1")
	for arn, short := range map[string]string{
		s.ARN(): prefix + "service/private", h.scaling(t, "burst").ARN: prefix + "autoscalingconfiguration/burst", observed.ARN: prefix + "observabilityconfiguration/traces/1",
		conn.ARN: prefix + "connection/hub-1", h.connector(t, "out-1").ARN: "", ingress.ARN: "",
		apprunner.DefaultAutoScalingARN(scope).String(): prefix + "autoscalingconfiguration/DefaultConfiguration",
	} {
		if err := h.TagResource(t.Context(), scope, arn, []apprunner.Tag{{Key: "a", Value: "1"}, {Key: "A", Value: "2"}}); err != nil {
			t.Errorf("%s: %v", arn, err)
		}
		if short == "" {
			short = arn
		}
		if err := h.UntagResource(t.Context(), scope, short, []string{"a", "none"}); err != nil {
			t.Errorf("%s: %v", short, err)
		}
		if tags, err := h.ListTagsForResource(t.Context(), scope, short); err != nil || len(tags) != 1 || tags[0] != (apprunner.Tag{Key: "A", Value: "2"}) {
			t.Errorf("%s: %v, %v", short, tags, err)
		}
		_, err := h.ListTagsForResource(t.Context(), apprunner.Scope{Account: "210987654321", Region: scope.Region}, arn)
		code(t, "another account", err, nf)
	}
	if _, err := h.DeleteConnection(t.Context(), scope, conn.ARN); err != nil {
		t.Fatal(err)
	}
	code(t, "a deleted resource", h.TagResource(t.Context(), scope, conn.ARN, []apprunner.Tag{{Key: "k"}}), nf)
	code(t, "another kind", h.UntagResource(t.Context(), scope, prefix+"webacl/x", []string{"k"}), nf)
}

// checklist: 21
func TestServiceQuotaAsShipped(t *testing.T) {
	h := open(t, nil)
	for i := range 10 {
		h.create(t, fmt.Sprintf("web-%d", i))
	}
	_, _, err := h.CreateService(t.Context(), scope, codeInput("web-10"))
	code(t, "the eleventh", err, sq)
	if _, _, err := h.CreateService(t.Context(), apprunner.Scope{Account: "210987654321", Region: scope.Region}, codeInput("web-10")); err != nil {
		t.Errorf("another account has its own: %v", err)
	}
}
