package iam

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// TasksPrincipal is the service that assumes instance roles (§18).
const TasksPrincipal = "tasks.apprunner.amazonaws.com"

// InstanceSession is how long the credentials of an instance live. SDKs fetch new ones some minutes before they end.
const InstanceSession = time.Hour

// InstanceEndpointConfig is what an InstanceEndpoint needs. Directory and URL are required.
type InstanceEndpointConfig struct {
	Directory *Directory
	// URL is where instances reach the endpoint. SDKs accept plain HTTP on a loopback address or on 169.254.170.2 only.
	URL string
	// Life is how long credentials live; default [InstanceSession].
	Life time.Duration
	Log  *slog.Logger
}

// InstanceEndpoint gives the instances of services temporary credentials of their instance role, as the container credential
// providers of AWS SDKs fetch them (§17, §18, adjacent §2.5). It is an http.Handler that answers GET on any path.
//
// Which instances there are is kept in the database, so an endpoint that is made again knows them; an instance proves itself by a
// token that follows from its id under our own key. When an instance is forgotten, its token and all credentials it was given
// are refused at once.
type InstanceEndpoint struct{ conf InstanceEndpointConfig }

// NewInstanceEndpoint checks the configuration.
func NewInstanceEndpoint(c InstanceEndpointConfig) (*InstanceEndpoint, error) {
	if c.Directory == nil || c.URL == "" {
		return nil, errors.New("iam: InstanceEndpointConfig needs Directory and URL")
	}
	if c.Life == 0 {
		c.Life = InstanceSession
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &InstanceEndpoint{c}, nil
}

// Register lets an instance fetch credentials of a role and returns the environment variables by which SDKs find the endpoint.
// It may be repeated; the variables stay the same. Whether the role may be assumed is asked at each fetch.
func (e *InstanceEndpoint) Register(ctx context.Context, instanceID, serviceARN, roleARN string) (env []string, err error) {
	if instanceID == "" || strings.Contains(instanceID, ".") || roleARN == "" {
		return nil, fmt.Errorf("credentials of instance %q: an id and a role are required", instanceID)
	}
	d := e.conf.Directory
	err = d.db.UpdateQuietly(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO iam_instances (id, role, service, created) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET role = excluded.role, service = excluded.service`, instanceID, roleARN, serviceARN, store.Micros(d.now()))
	})
	if err != nil {
		return nil, fmt.Errorf("credentials of instance %s: %w", instanceID, err)
	}
	return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + e.conf.URL, "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + d.instanceToken(instanceID)}, nil
}

// Forget ends the credentials of an instance. One that was never registered is no error.
func (e *InstanceEndpoint) Forget(ctx context.Context, instanceID string) error {
	return e.conf.Directory.db.UpdateQuietly(ctx, func(tx *store.Tx) error {
		return tx.Exec(`DELETE FROM iam_instances WHERE id = $1`, instanceID)
	})
}

// Keep forgets every instance that is not among those alive: what a crash between the end of an instance and Forget left behind.
func (e *InstanceEndpoint) Keep(ctx context.Context, alive []string) error {
	keep := make(map[string]bool, len(alive))
	for _, id := range alive {
		keep[id] = true
	}
	return e.conf.Directory.db.UpdateQuietly(ctx, func(tx *store.Tx) error {
		ids, err := column(tx, `SELECT id FROM iam_instances`)
		for _, id := range ids {
			if !keep[id] {
				err = errors.Join(err, tx.Exec(`DELETE FROM iam_instances WHERE id = $1`, id))
			}
		}
		return err
	})
}

// instanceRow is an instance that may fetch credentials.
type instanceRow struct{ id, role, service string }

// instanceToken is what an instance proves itself by: its id, and that id under our own key.
func (d *Directory) instanceToken(id string) string {
	return id + "." + d.seal.mark("instance token", id)
}

// instanceOf is the instance a token belongs to.
func (d *Directory) instanceOf(ctx context.Context, token string) (row instanceRow, err error) {
	id, _, found := strings.Cut(token, ".")
	if !found || !hmac.Equal([]byte(token), []byte(d.instanceToken(id))) {
		return row, unknownKey()
	}
	err = d.db.View(ctx, func(tx *store.Tx) error {
		row.id = id
		found, err = tx.Get(`SELECT role, service FROM iam_instances WHERE id = $1`, []any{id}, &row.role, &row.service)
		return err
	})
	if err == nil && !found {
		err = apprunner.Errorf(apprunner.CodeExpiredToken, "The instance %s has ended.", clip(id))
	}
	return row, err
}

// checkInstance refuses the credentials of an instance that has ended.
func (d *Directory) checkInstance(ctx context.Context, id string) error {
	return d.db.View(ctx, func(tx *store.Tx) error {
		if there, err := instanceThere(tx, id); err != nil || there {
			return err
		}
		return apprunner.Errorf(apprunner.CodeExpiredToken, "The security token included in the request is expired: the instance %s it was made for has ended.", clip(id))
	})
}

func instanceThere(tx *store.Tx, id string) (bool, error) {
	var one int
	return tx.Get(`SELECT 1 FROM iam_instances WHERE id = $1`, []any{id}, &one)
}

// credentials are fresh credentials for the instance that a token belongs to.
func (e *InstanceEndpoint) credentials(ctx context.Context, token string) (Credentials, string, error) {
	d := e.conf.Directory
	i, err := d.instanceOf(ctx, token)
	if err != nil {
		return Credentials{}, "", err
	}
	role, err := d.serviceRole(ctx, i.role, TasksPrincipal, i.service)
	if err != nil {
		return Credentials{}, "", err
	}
	p := d.roleSession(role, i.id, nil, nil)
	p.Session.InstanceID = i.id
	c, err := d.issue(p, e.conf.Life)
	return c, i.role, err
}

// credentialAnswer is what container credential providers read.
type credentialAnswer struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      string
	RoleARN         string `json:"RoleArn"`
}

type credentialRefusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ServeHTTP answers one fetch.
func (e *InstanceEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		e.answer(w, http.StatusMethodNotAllowed, credentialRefusal{"MethodNotAllowed", "Credentials are fetched with GET."})
		return
	}
	c, role, err := e.credentials(r.Context(), r.Header.Get("Authorization"))
	if err != nil {
		e.refuse(w, err)
		return
	}
	e.answer(w, http.StatusOK, credentialAnswer{c.AccessKeyID, c.Secret, c.Token, c.ExpiresAt.UTC().Format(time.RFC3339), role})
}

func (e *InstanceEndpoint) refuse(w http.ResponseWriter, err error) {
	code := apprunner.CodeOf(err)
	status := http.StatusForbidden
	switch code {
	case apprunner.CodeUnrecognizedKey, apprunner.CodeExpiredToken:
		status = http.StatusUnauthorized
	case apprunner.CodeAccessDenied:
	default:
		e.conf.Log.Error("give an instance its credentials", "error", err)
		e.answer(w, http.StatusInternalServerError, credentialRefusal{string(apprunner.CodeInternal), "An internal error occurred; try again."})
		return
	}
	e.answer(w, status, credentialRefusal{string(code), err.Error()})
}

func (e *InstanceEndpoint) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		e.conf.Log.Debug("an instance went away before its answer", "error", err)
	}
}
