package control

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Domains is what the custom domain actions answer: the service, one association or all, and the ingress connections through which
// private names reach the service.
type Domains struct {
	Service   apprunner.Service
	List      []apprunner.CustomDomain // newest first
	Ingresses []apprunner.VPCIngressConnection
}

// AssociateCustomDomain claims a name for a running service (§16). www nil is true, except for a wildcard. The answer's association
// is CREATING; what is kept waits for its validation records already, because they are made here.
func (c *Control) AssociateCustomDomain(ctx context.Context, sc apprunner.Scope, serviceARN, domain string, www *bool) (Domains, error) {
	var d Domains
	name, err := apprunner.DomainName(domain)
	if err != nil {
		return d, err
	}
	if err := c.checkDomain(name, www); err != nil {
		return d, err
	}
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if err := c.domainsOf(tx, sc, serviceARN, apprunner.ActAssociateDomain, &d); err != nil {
			return err
		}
		if err := c.checkDomainQuota(tx, sc, len(d.List)); err != nil {
			return err
		}
		known, err := tx.ValidationValues(d.Service.Account)
		if err != nil {
			return fmt.Errorf("read validation records: %w", err)
		}
		value := func(at string) string { return known[at] }
		made := apprunner.NewCustomDomain(name, www == nil && !strings.HasPrefix(name, "*.") || www != nil && *www, d.Service, c.Suffix, value, c.Now().UTC())
		if err := taken(tx.InsertDomain(made), "Domain %s, or its www name, is associated with a service already. Disassociate it there first.", name); err != nil {
			return fmt.Errorf("write custom domain: %w", err)
		}
		made.Status = apprunner.DomainCreating
		d.List = []apprunner.CustomDomain{made}
		return nil
	})
	return d, err
}

// checkDomain holds §16.2 for a name in its kept form.
func (c *Control) checkDomain(name string, www *bool) error {
	bad := func(format string, args ...any) error {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "domainName "+format, args...)
	}
	parent, wildcard := strings.CutPrefix(name, "*.")
	if suffix := strings.ToLower(c.Suffix); parent == suffix || strings.HasSuffix(parent, "."+suffix) {
		return bad("%s lies below %s, the suffix of this installation's own domains.", name, suffix)
	}
	if suffix, listed := publicsuffix.PublicSuffix(parent); listed && suffix == parent {
		return bad("%s is a public suffix, which nobody can own.", parent)
	}
	if !wildcard {
		return nil
	}
	if root, err := publicsuffix.EffectiveTLDPlusOne(parent); err != nil || root != parent {
		return bad("%s is not allowed: a wildcard stands right under a root domain, as in *.%s.", name, root)
	}
	if www != nil && *www {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "enableWWWSubdomain is not possible with a wildcard, which covers the www name already.")
	}
	return nil
}

// checkDomainQuota holds the limit of §3. The action's model has no quota error.
func (c *Control) checkDomainQuota(tx *store.Tx, sc apprunner.Scope, used int) error {
	err := c.checkQuota(tx, sc, apprunner.QuotaDomainsPerService, used)
	if apprunner.CodeOf(err) == apprunner.CodeQuotaExceeded {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "The service has %d custom domains, as many as it may have. Disassociate one first.", used)
	}
	return err
}

// DescribeCustomDomains returns a service's associations.
func (c *Control) DescribeCustomDomains(ctx context.Context, sc apprunner.Scope, serviceARN string) (d Domains, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		return c.domainsOf(tx, sc, serviceARN, apprunner.ActDescribeDomains, &d)
	})
	return d, err
}

// DisassociateCustomDomain gives a name, and the www name that came with it, free (§16.4). The answer's association is DELETING.
func (c *Control) DisassociateCustomDomain(ctx context.Context, sc apprunner.Scope, serviceARN, domain string) (d Domains, err error) {
	name := strings.TrimSuffix(strings.ToLower(domain), ".")
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if err := c.domainsOf(tx, sc, serviceARN, apprunner.ActDisassociateDomain, &d); err != nil {
			return err
		}
		own, found, err := tx.Domain(name)
		switch {
		case err != nil:
			return fmt.Errorf("read custom domain: %w", err)
		case !found || own.ServiceARN != d.Service.ARN():
			return apprunner.Errorf(apprunner.CodeNotFound, "Domain %s is not associated with service %s.", name, d.Service.Name)
		case own.Status == apprunner.DomainCreating || own.Status == apprunner.DomainDeleting:
			return apprunner.Errorf(apprunner.CodeInvalidState, "Domain %s is in status %s. Wait until that has changed and try again.", name, own.Status)
		}
		if err := tx.DeleteDomain(name); err != nil {
			return fmt.Errorf("forget custom domain: %w", err)
		}
		own.Status = apprunner.DomainDeleting
		d.List = []apprunner.CustomDomain{own}
		return nil
	})
	return d, err
}

// domainsOf reads the service that an ARN names, if the action is allowed on it, and all that belongs to its names.
func (c *Control) domainsOf(tx *store.Tx, sc apprunner.Scope, serviceARN string, act apprunner.Action, d *Domains) (err error) {
	if d.Service, err = c.service(tx, sc, serviceARN, act); err != nil {
		return err
	}
	if d.List, err = tx.Domains(d.Service.ARN()); err != nil {
		return fmt.Errorf("read custom domains: %w", err)
	}
	all, err := c.ingresses(tx, sc, "")
	d.Ingresses = ingressesOf(all, d.Service.ARN())
	return err
}

// dropDomains gives all names of a service free, which is part of its deletion (§10.1).
func dropDomains(tx *store.Tx, serviceARN string) error {
	list, err := tx.Domains(serviceARN)
	if err != nil {
		return fmt.Errorf("read custom domains: %w", err)
	}
	for _, d := range list {
		if err := tx.DeleteDomain(d.Name); err != nil {
			return fmt.Errorf("forget custom domain: %w", err)
		}
	}
	return nil
}
