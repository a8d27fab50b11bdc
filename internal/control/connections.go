package control

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// providers ask a source code provider whether it accepts a credential.
type providers interface {
	// Accepts tells whether a branch of a repository can be read with the credential. err means that the provider could not be asked.
	Accepts(ctx context.Context, repository, branch string, c apprunner.ProviderCredential) (bool, error)
}

// CreateConnection records a connection that waits for its handshake (§11).
func (c *Control) CreateConnection(ctx context.Context, sc apprunner.Scope, in apprunner.ConnectionInput) (apprunner.Connection, error) {
	conn := apprunner.Connection{Name: in.Name, Provider: in.Provider, Status: apprunner.ConnectionPending, CreatedAt: c.Now().UTC()}
	if err := in.Check(); err != nil {
		return conn, err
	}
	conn.ARN = apprunner.ARN{Scope: sc, Kind: apprunner.KindConnection, Name: in.Name, ID: apprunner.NewID()}.String()
	err := c.DB.Update(ctx, func(tx *store.Tx) error {
		all, err := store.Resources[apprunner.Connection](tx, sc, apprunner.KindConnection, "")
		if err != nil {
			return fmt.Errorf("read connections: %w", err)
		}
		for _, other := range all {
			if other.Name == in.Name {
				return apprunner.Errorf(apprunner.CodeInvalidRequest, "Connection with the provided name already exists: %s. Choose another name, or delete that connection first.", in.Name)
			}
		}
		if err := c.checkQuota(tx, sc, apprunner.QuotaConnections, len(all)); err != nil {
			return err
		}
		return c.insertResource(tx, conn, in.Tags)
	})
	return conn, err
}

// ListConnections returns the scope's connections, newest first; with a name, only that one.
func (c *Control) ListConnections(ctx context.Context, sc apprunner.Scope, name string) (list []apprunner.Connection, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		list, err = store.Resources[apprunner.Connection](tx, sc, apprunner.KindConnection, name)
		return err
	})
	return list, err
}

// DeleteConnection deletes a connection that no service uses, and erases its credential. It is gone at once.
func (c *Control) DeleteConnection(ctx context.Context, sc apprunner.Scope, arn string) (conn apprunner.Connection, err error) {
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if conn, err = c.connection(tx, sc, arn); err != nil {
			return err
		}
		used, err := tx.InUse(conn.ARN)
		switch {
		case err != nil:
			return fmt.Errorf("look for users of %s: %w", conn.ARN, err)
		case used:
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "Connection %s is in use by a service. Delete the service, or give it another connection, first.", conn.ARN)
		}
		conn.Status = apprunner.ConnectionDeleted
		if err := tx.PutCredential(conn.ARN, ""); err != nil {
			return fmt.Errorf("erase the credential: %w", err)
		}
		return tx.DropResource(conn.ARN)
	})
	return conn, err
}

// CompleteHandshake keeps the credential that a person gives for a connection and makes it available; one that the provider refuses
// puts it into ERROR (§11). Any other fault leaves the connection as it is. It may be repeated, to renew the credential.
func (c *Control) CompleteHandshake(ctx context.Context, sc apprunner.Scope, h apprunner.Handshake) (conn apprunner.Connection, err error) {
	if err := h.Check(); err != nil {
		return conn, err
	}
	if c.vault == nil {
		return conn, apprunner.Errorf(apprunner.CodeInvalidState, "This installation has no key to seal credentials with, so none can be kept.")
	}
	if err := c.DB.View(ctx, func(tx *store.Tx) error { conn, err = c.connection(tx, sc, h.ConnectionARN); return err }); err != nil {
		return conn, err
	}
	accepted, err := c.tryCredential(ctx, conn, h)
	if err != nil {
		return conn, err
	}
	plain, err := json.Marshal(h.Credential)
	if err != nil {
		return conn, fmt.Errorf("encode the credential: %w", err)
	}
	return conn, c.DB.Update(ctx, func(tx *store.Tx) error {
		if conn, err = c.connection(tx, sc, conn.ARN); err != nil { // it may have gone meanwhile
			return err
		}
		sealed := ""
		if conn.Status = apprunner.ConnectionError; accepted {
			conn.Status, sealed = apprunner.ConnectionAvailable, c.vault.lock(conn.ARN, plain)
		}
		if err := tx.PutCredential(conn.ARN, sealed); err != nil {
			return fmt.Errorf("keep the credential: %w", err)
		}
		return tx.PutResource(conn)
	})
}

// tryCredential asks the provider, where the handshake names a repository to ask about. A credential goes to hosts of its
// connection's provider only.
func (c *Control) tryCredential(ctx context.Context, conn apprunner.Connection, h apprunner.Handshake) (accepted bool, err error) {
	if h.Repository == "" || c.Providers == nil {
		return true, nil
	}
	if c.CheckRepository != nil {
		if err := c.CheckRepository(h.Repository); err != nil {
			return false, err
		}
	}
	if !conn.ServesRepository(h.Repository, c.ProviderHosts[conn.Provider]) {
		return false, apprunner.Errorf(apprunner.CodeInvalidRequest, "Connection %s is one to %s, but the repository is at %q.", conn.ARN, conn.Provider, apprunner.RepositoryHost(h.Repository))
	}
	accepted, err = c.Providers.Accepts(ctx, h.Repository, cmp.Or(h.Branch, "main"), h.Credential)
	if err != nil {
		return false, fmt.Errorf("ask the provider of %s: %w", conn.ARN, err)
	}
	return accepted, nil
}

// ConnectionCredential returns the credential of an available connection, for whoever fetches the source of a service that uses it.
func (c *Control) ConnectionCredential(ctx context.Context, connectionARN string) (cred apprunner.ProviderCredential, err error) {
	var sealed string
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		conn, found, err := store.Resource[apprunner.Connection](tx, connectionARN)
		if err != nil {
			return fmt.Errorf("read connection: %w", err)
		}
		if found && conn.Status == apprunner.ConnectionAvailable {
			sealed, found, err = tx.Credential(connectionARN)
		}
		if err == nil && !(found && sealed != "") {
			err = apprunner.Errorf(apprunner.CodeInvalidRequest, "Connection %s is not available. Complete its handshake first.", connectionARN)
		}
		return err
	})
	if err != nil || c.vault == nil {
		return cred, err
	}
	plain, err := c.vault.open(connectionARN, sealed)
	if err != nil {
		return cred, fmt.Errorf("open the credential of %s: %w", connectionARN, err)
	}
	return cred, json.Unmarshal(plain, &cred)
}

// connection finds a connection by its full ARN, or by its name (§2).
func (c *Control) connection(tx *store.Tx, sc apprunner.Scope, arn string) (apprunner.Connection, error) {
	var none apprunner.Connection
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return none, err
	}
	if a.Kind != apprunner.KindConnection || a.Scope != sc {
		return none, missing(sc, arn)
	}
	list, err := store.Resources[apprunner.Connection](tx, sc, apprunner.KindConnection, a.Name)
	if err != nil {
		return none, fmt.Errorf("read connection: %w", err)
	}
	if len(list) != 1 || a.ID != "" && list[0].ARN != a.String() {
		return none, missing(sc, arn)
	}
	return list[0], nil
}
