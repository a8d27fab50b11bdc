package source

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// HooksConfig is what Hooks needs.
type HooksConfig struct {
	DB      *store.DB
	KeyFile string       // made with mode 0600 when missing; every hook's secret is derived from it, so none is stored
	Poke    func(Notice) // the watcher's
	Log     *slog.Logger
}

// Hooks serves /hooks/<id>, where forges tell of pushes. Every service has at most one hook with a secret of its own.
type Hooks struct {
	cfg  HooksConfig
	key  []byte
	gate chan struct{} // bounds bodies in memory
}

// Hook is what a person enters at the forge.
type Hook struct {
	ID     string // the address is /hooks/<ID>
	Secret string
}

const (
	maxPayload    = 25 << 20 // GitHub's own limit
	payloadAtOnce = 4
)

// NewHooks prepares the key and the database.
func NewHooks(ctx context.Context, cfg HooksConfig) (*Hooks, error) {
	if cfg.DB == nil || cfg.KeyFile == "" || cfg.Poke == nil {
		return nil, errors.New("source: HooksConfig needs DB, KeyFile and Poke")
	}
	cfg.Log = or(cfg.Log, slog.New(slog.DiscardHandler))
	if err := cfg.DB.Migrate(ctx, "source", schema); err != nil {
		return nil, fmt.Errorf("source: hooks: %w", err)
	}
	key, err := hookKey(cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("source: hooks: %w", err)
	}
	return &Hooks{cfg: cfg, key: key, gate: make(chan struct{}, payloadAtOnce)}, nil
}

func hookKey(file string) ([]byte, error) {
	key, err := os.ReadFile(file)
	switch {
	case err == nil && len(key) == 32:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("%s does not hold a key of 32 bytes", file)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	key = make([]byte, 32)
	rand.Read(key)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	return key, writeFile(file, key, 0o600)
}

func (h *Hooks) secret(id string) string {
	mac := hmac.New(sha256.New, h.key)
	_, _ = mac.Write([]byte("hook " + id))
	return hex.EncodeToString(mac.Sum(nil)[:20])
}

// Create gives the hook of a service, making it when there is none.
func (h *Hooks) Create(ctx context.Context, serviceARN string) (Hook, error) {
	id := apprunner.NewID()
	err := h.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(`INSERT INTO source_hooks (id, service_arn, created_at) VALUES ($1, $2, $3) ON CONFLICT (service_arn) DO NOTHING`,
			id, serviceARN, store.Micros(time.Now())); err != nil {
			return err
		}
		_, err := tx.Get(`SELECT id FROM source_hooks WHERE service_arn = $1`, []any{serviceARN}, &id)
		return err
	})
	if err != nil {
		return Hook{}, fmt.Errorf("make a hook of %s: %w", serviceARN, err)
	}
	return Hook{ID: id, Secret: h.secret(id)}, nil
}

// Delete removes the hook of a service; the next Create gives another address and secret. None is fine.
func (h *Hooks) Delete(ctx context.Context, serviceARN string) error {
	err := h.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`DELETE FROM source_hooks WHERE service_arn = $1`, serviceARN)
	})
	if err != nil {
		return fmt.Errorf("delete the hook of %s: %w", serviceARN, err)
	}
	return nil
}

// ServeHTTP takes a notice. Unknown hooks and wrong signatures are told apart from nothing else.
func (h *Hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	status, text := h.take(r)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

func (h *Hooks) take(r *http.Request) (status int, text string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "Forges send notices here with POST."
	}
	id := strings.TrimPrefix(r.URL.Path, "/hooks/")
	arn, err := h.service(r.Context(), id)
	if err != nil {
		h.cfg.Log.Error("take a push notice", "error", err)
		return http.StatusInternalServerError, "The server could not do that; its log tells why."
	}
	if arn == "" {
		return http.StatusNotFound, "There is no such hook."
	}
	select {
	case h.gate <- struct{}{}:
		defer func() { <-h.gate }()
	case <-r.Context().Done():
		return http.StatusServiceUnavailable, "Too many notices at once."
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxPayload))
	if err != nil {
		return http.StatusRequestEntityTooLarge, "The notice could not be read or is too large."
	}
	if !signed(r.Header, body, h.secret(id)) {
		return http.StatusUnauthorized, "The signature is missing or wrong. Enter the hook's secret at the forge; the content type must be application/json."
	}
	n, push, err := parseWebhook(body)
	switch {
	case err != nil:
		return http.StatusBadRequest, err.Error()
	case !push:
		return http.StatusOK, "Nothing to do: this is not a push to a branch."
	}
	n.ServiceARN = arn
	h.cfg.Poke(n)
	return http.StatusAccepted, "The repository is looked at now."
}

func (h *Hooks) service(ctx context.Context, id string) (arn string, err error) {
	err = h.cfg.DB.View(ctx, func(tx *store.Tx) error {
		_, err := tx.Get(`SELECT service_arn FROM source_hooks WHERE id = $1`, []any{id}, &arn)
		return err
	})
	return arn, err
}
