package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// OIDCProvider is somebody whose word about who a caller is counts in an account: a CI service, or a directory of people.
type OIDCProvider struct {
	Account string
	URL     string   // with https://, as tokens name their issuer
	Clients []string // audiences that tokens may be for
	// Thumbprints are kept and shown, and nothing else: certificates are held against the authorities of the system.
	Thumbprints []string
	Tags        map[string]string
	Created     time.Time
}

// name is the address without its scheme, by which ARNs and condition keys know the provider.
func (p OIDCProvider) name() string { return strings.TrimPrefix(p.URL, "https://") }

// ARN names the provider.
func (p OIDCProvider) ARN() string { return oidcARN(p.Account, p.name()) }

func oidcARN(account, name string) string {
	return "arn:aws:iam::" + account + ":oidc-provider/" + name
}

const (
	maxProviders = 100 // of an account
	maxClients   = 100 // of a provider
	maxPrints    = 5   // of a provider
)

// CreateOIDCProvider lets tokens of an issuer stand for callers, as far as trust policies of roles name it.
func (d *Directory) CreateOIDCProvider(ctx context.Context, p OIDCProvider) (OIDCProvider, error) {
	u, err := url.Parse(p.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(p.URL) > 255 {
		return p, apprunner.Errorf(CodeInvalidInput, "The provider's URL begins with https:// and has neither user, query nor fragment.")
	}
	if err := p.check(); err != nil {
		return p, err
	}
	clients, prints, err := p.lists()
	if err != nil {
		return p, err
	}
	p.Created = d.now().UTC().Truncate(time.Second)
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		var has int
		if _, err := tx.Get(`SELECT count(*) FROM iam_oidc_providers WHERE account = $1`, []any{p.Account}, &has); err != nil {
			return err
		}
		if has >= maxProviders {
			return apprunner.Errorf(CodeLimitExceeded, "Cannot exceed quota for OpenIdConnectProvidersPerAccount: %d", maxProviders)
		}
		n, err := tx.ExecCount(`INSERT INTO iam_oidc_providers (arn, account, url, clients, thumbprints, tags, created) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			p.ARN(), p.Account, p.URL, clients, prints, encodeTags(p.Tags), store.Micros(p.Created))
		if err == nil && n == 0 {
			err = apprunner.Errorf(CodeEntityAlreadyExists, "Provider with url %s already exists.", clip(p.URL))
		}
		return err
	})
	return p, err
}

// check holds what can change of a provider against the limits.
func (p OIDCProvider) check() error {
	switch {
	case len(p.Clients) > maxClients:
		return apprunner.Errorf(CodeLimitExceeded, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClients)
	case len(p.Thumbprints) > maxPrints:
		return apprunner.Errorf(CodeInvalidInput, "Thumbprint list must contain fewer than %d entries.", maxPrints+1)
	}
	return checkTags(p.Tags)
}

// lists are the lists of a provider as they are stored.
func (p OIDCProvider) lists() (clients, prints string, err error) {
	for _, l := range []struct {
		list []string
		out  *string
	}{{p.Clients, &clients}, {p.Thumbprints, &prints}} {
		b, err := json.Marshal(slices.Concat([]string{}, l.list))
		if err != nil {
			return "", "", fmt.Errorf("provider: %w", err)
		}
		*l.out = string(b)
	}
	return clients, prints, nil
}

// ChangeOIDCProvider changes audiences, thumbprints or tags of a provider.
func (d *Directory) ChangeOIDCProvider(ctx context.Context, account, arn string, change func(*OIDCProvider)) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		list, err := providers(tx, account)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(p OIDCProvider) bool { return p.ARN() == arn })
		if i < 0 {
			return noProvider(arn)
		}
		p := list[i]
		change(&p)
		if err := p.check(); err != nil {
			return err
		}
		clients, prints, err := p.lists()
		if err != nil {
			return err
		}
		return tx.Exec(`UPDATE iam_oidc_providers SET clients = $1, thumbprints = $2, tags = $3 WHERE arn = $4`, clients, prints, encodeTags(p.Tags), arn)
	})
}

// OIDCProviders lists the providers of an account by ARN.
func (d *Directory) OIDCProviders(ctx context.Context, account string) (list []OIDCProvider, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		list, err = providers(tx, account)
		return err
	})
	return list, err
}

func providers(tx *store.Tx, account string) (list []OIDCProvider, err error) {
	err = tx.Each(`SELECT url, clients, thumbprints, tags, created FROM iam_oidc_providers WHERE account = $1 ORDER BY arn`, []any{account}, func(row store.Row) error {
		p := OIDCProvider{Account: account}
		var clients, prints, tags string
		var created int64
		if err := row.Scan(&p.URL, &clients, &prints, &tags, &created); err != nil {
			return err
		}
		p.Tags, p.Created = decodeTags(tags), store.Time(created)
		err := errors.Join(json.Unmarshal([]byte(clients), &p.Clients), json.Unmarshal([]byte(prints), &p.Thumbprints))
		list = append(list, p)
		return err
	})
	return list, err
}

func noProvider(arn string) error {
	return apprunner.Errorf(CodeNoSuchEntity, "OpenIDConnect Provider not found for arn %s", clip(arn))
}

// OIDCProvider finds a provider of an account.
func (d *Directory) OIDCProvider(ctx context.Context, account, arn string) (OIDCProvider, error) {
	list, err := d.OIDCProviders(ctx, account)
	if err != nil {
		return OIDCProvider{}, err
	}
	for _, p := range list {
		if p.ARN() == arn {
			return p, nil
		}
	}
	return OIDCProvider{}, noProvider(arn)
}

// DeleteOIDCProvider takes the word of an issuer no more. Sessions that were given on it run out.
func (d *Directory) DeleteOIDCProvider(ctx context.Context, account, arn string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.ExecCount(`DELETE FROM iam_oidc_providers WHERE account = $1 AND arn = $2`, account, arn)
		if err == nil && n == 0 {
			err = noProvider(arn)
		}
		return err
	})
}
