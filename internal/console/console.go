package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
)

//go:embed all:dist
var dist embed.FS

// Bundle is the console as it was built into this program. It may be empty but for a file that keeps the folder.
func Bundle() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return files
}

// Settings is what the console has to know before anybody has signed in. Nothing of it is secret.
type Settings struct {
	Region    string // the region that the installation plays
	Account   string // proposed at the sign-in
	Endpoint  string // the URL of every AWS API
	CAFile    string // the authority that command line tools must trust for Endpoint; "" when it is a public one or there is no TLS
	HTTPSPort int    // where applications answer HTTPS
}

// New returns a handler for everything below /console/. files is usually [Bundle].
func New(files fs.FS, s Settings) (http.Handler, error) {
	known, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("console: settings: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console/settings.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(known) // a browser that went away needs no answer
	})
	b, err := load(files)
	if err != nil {
		return nil, err
	}
	if b.has(index) {
		mux.Handle("GET /console/", b)
	} else {
		mux.HandleFunc("GET /console/", notBuilt)
	}
	return guard(mux), nil
}

// policy lets the page use what comes from this installation alone. Fonts are part of the style sheets, hence data:.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard keeps the console out of other sites, and other sites out of it.
func guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.ServeHTTP(w, r)
	})
}

// notBuilt tells what is missing and what works without it.
func notBuilt(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(missing) // a browser that went away needs no answer
}

//go:embed missing.html
var missing []byte
