package source

import (
	"fmt"
	"log/slog"
	"strings"
)

// Credential opens a private repository. Over http(s) a token, or user and password, counts; over ssh a private key. The zero value
// reads anonymously. No form of printing shows what is inside.
type Credential struct {
	Token      string
	User       string // with Password; beside a Token the user name the forge wants, found out by itself where it is empty
	Password   string
	PrivateKey string // PEM or OpenSSH form, without a passphrase
	KnownHosts string // known_hosts lines; where given, only these hosts are believed, otherwise a host is believed at first sight
}

// LogValue keeps secrets out of structured logs.
func (Credential) LogValue() slog.Value { return slog.StringValue("[credential]") }

// Format keeps secrets out of every verb of fmt.
func (Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[credential]")) }

// MarshalJSON keeps secrets out of dumps.
func (Credential) MarshalJSON() ([]byte, error) { return []byte(`"[credential]"`), nil }

// basic gives user and password for http(s); ok is false where there is nothing to send.
func (c Credential) basic(host string) (user, password string, ok bool) {
	if c.Token == "" {
		return c.User, c.Password, c.User != "" || c.Password != ""
	}
	if c.User != "" {
		return c.User, c.Token, true
	}
	switch {
	case strings.Contains(host, "bitbucket"):
		return "x-token-auth", c.Token, true
	case strings.Contains(host, "gitlab"):
		return "oauth2", c.Token, true
	}
	return "x-access-token", c.Token, true
}

// redact removes every secret of c from text that came from outside.
func (c Credential) redact(s string) string {
	for _, secret := range []string{c.Token, c.Password, c.PrivateKey} {
		if len(secret) > 3 {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	return s
}
