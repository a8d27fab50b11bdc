package control

import (
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// refer resolves what the settings of a service point to, to full ARNs of things that may be used. It runs in the transaction that
// writes the service, so nothing that a service points to can be deleted in between. What was not sent stays as it is: it could
// not have been deleted while it was in use.
func (c *Control) refer(tx *store.Tx, sc apprunner.Scope, present apprunner.Settings, p apprunner.ServicePatch, next *apprunner.Settings) error {
	if err := c.referAutoScaling(tx, sc, present, p.AutoScalingARN, next); err != nil {
		return err
	}
	if err := c.referConnection(tx, sc, p.Source, next); err != nil {
		return err
	}
	if p.Network != nil && next.Network.VPCConnectorARN != "" {
		conn, err := c.vpcConnector(tx, sc, next.Network.VPCConnectorARN)
		if err != nil || !conn.Active {
			return unusable(err, "networkConfiguration.egressConfiguration.vpcConnectorArn %s does not name an active VPC connector.", next.Network.VPCConnectorARN)
		}
		next.Network.VPCConnectorARN = conn.ARN
	}
	return c.referObservability(tx, sc, next)
}

// unusable turns "does not exist" into what it means for a reference; a fault stays one.
func unusable(err error, format string, args ...any) error {
	if err != nil && apprunner.CodeOf(err) == apprunner.CodeInternal {
		return err
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, format, args...)
}

// referAutoScaling finds the revision that a service shall use: the one an ARN names, else the newest of the name it was given
// before, else the present one, else the account's default (§6.4, §12.2).
func (c *Control) referAutoScaling(tx *store.Tx, sc apprunner.Scope, present apprunner.Settings, sent *string, next *apprunner.Settings) error {
	var want string
	switch {
	case sent != nil:
		want = *sent
		a, err := apprunner.ParseARN(want)
		next.AutoScalingByName = err == nil && a.Revision == 0
	case present.AutoScalingByName:
		want = apprunner.ARN{Scope: sc, Kind: apprunner.KindAutoScaling, Name: present.AutoScaling.Name}.String()
	case present.AutoScaling.ARN != "":
		return nil
	default:
		var err error
		if want, err = c.defaultAutoScaling(tx, sc); err != nil {
			return err
		}
	}
	conf, err := c.autoScaling(tx, sc, want)
	if err != nil || !conf.Active {
		return unusable(err, "autoScalingConfigurationArn %s does not name an active auto scaling configuration.", want)
	}
	conf.HasAssociatedService = true
	next.AutoScaling = conf
	return nil
}

// referConnection holds §11: only available connections can be used, and only for repositories of their provider.
func (c *Control) referConnection(tx *store.Tx, sc apprunner.Scope, p *apprunner.SourcePatch, next *apprunner.Settings) error {
	arn := next.Source.ConnectionARN
	if arn == "" || p == nil || next.Source.Code == nil || p.ConnectionARN == nil && (p.Code == nil || p.Code.URL == nil) {
		return nil
	}
	const at = "sourceConfiguration.authenticationConfiguration.connectionArn"
	conn, err := c.connection(tx, sc, arn)
	switch {
	case err != nil:
		return unusable(err, "%s %s does not name a connection.", at, arn)
	case conn.Status != apprunner.ConnectionAvailable:
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "%s %s names a connection in status %s; only an AVAILABLE one can be used.", at, arn, conn.Status).
			WithHint("Complete its handshake first.")
	case !conn.ServesRepository(next.Source.Code.URL, c.ProviderHosts[conn.Provider]):
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "%s %s is a connection to %s, but the repository is at %q.", at, arn, conn.Provider, apprunner.RepositoryHost(next.Source.Code.URL))
	}
	next.Source.ConnectionARN = conn.ARN
	return nil
}

func (c *Control) referObservability(tx *store.Tx, sc apprunner.Scope, next *apprunner.Settings) error {
	if !next.Observability.Enabled {
		return nil
	}
	if next.Observability.ARN == "" {
		next.Observability.ARN = apprunner.DefaultObservabilityARN(sc).String()
		return nil
	}
	conf, err := c.observability(tx, sc, next.Observability.ARN)
	if err != nil || !conf.Active {
		return unusable(err, "observabilityConfiguration.observabilityConfigurationArn %s does not name an active observability configuration.", next.Observability.ARN)
	}
	next.Observability.ARN = conf.ARN
	return nil
}

// checkMadePublic refuses to open a service that has a private endpoint (§20.2).
func (c *Control) checkMadePublic(tx *store.Tx, s apprunner.Service, next apprunner.Settings) error {
	if s.Network.Public || !next.Network.Public {
		return nil
	}
	live, err := c.liveIngress(tx, s)
	if err != nil || live == "" {
		return err
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "Service %s cannot become publicly accessible while it has the VPC ingress connection %s. Delete that first.", s.Name, live)
}

// liveIngress is the ARN of an ingress connection of the service; empty when it has none.
func (c *Control) liveIngress(tx *store.Tx, s apprunner.Service) (string, error) {
	all, err := c.ingresses(tx, s.Scope, "")
	if err != nil {
		return "", fmt.Errorf("look for ingress connections: %w", err)
	}
	if own := ingressesOf(all, s.ARN()); len(own) > 0 {
		return own[0].ARN, nil
	}
	return "", nil
}
