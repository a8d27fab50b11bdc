package iam

import (
	"context"
	"encoding/json"
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
	Tags    map[string]string
	Created time.Time
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
)

// CreateOIDCProvider lets tokens of an issuer stand for callers, as far as trust policies of roles name it.
func (d *Directory) CreateOIDCProvider(ctx context.Context, p OIDCProvider) (OIDCProvider, error) {
	u, err := url.Parse(p.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(p.URL) > 255 {
		return p, apprunner.Errorf(CodeInvalidInput, "The provider's URL begins with https:// and has neither user, query nor fragment.")
	}
	if len(p.Clients) > maxClients {
		return p, apprunner.Errorf(CodeLimitExceeded, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClients)
	}
	if err := checkTags(p.Tags); err != nil {
		return p, err
	}
	clients, err := json.Marshal(slices.Concat([]string{}, p.Clients))
	if err != nil {
		return p, fmt.Errorf("provider: %w", err)
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
		n, err := tx.ExecCount(`INSERT INTO iam_oidc_providers (arn, account, url, clients, tags, created) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			p.ARN(), p.Account, p.URL, string(clients), encodeTags(p.Tags), store.Micros(p.Created))
		if err == nil && n == 0 {
			err = apprunner.Errorf(CodeEntityAlreadyExists, "Provider with url %s already exists.", clip(p.URL))
		}
		return err
	})
	return p, err
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
	err = tx.Each(`SELECT url, clients, tags, created FROM iam_oidc_providers WHERE account = $1 ORDER BY arn`, []any{account}, func(row store.Row) error {
		p := OIDCProvider{Account: account}
		var clients, tags string
		var created int64
		if err := row.Scan(&p.URL, &clients, &tags, &created); err != nil {
			return err
		}
		p.Tags, p.Created = decodeTags(tags), store.Time(created)
		err := json.Unmarshal([]byte(clients), &p.Clients)
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
