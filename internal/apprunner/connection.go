package apprunner

import (
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ProviderType is a source code provider as the API names it.
type ProviderType string

// The providers (§11).
const (
	ProviderGitHub    ProviderType = "GITHUB"
	ProviderBitbucket ProviderType = "BITBUCKET"
)

// Hosts are the provider's own host names.
func (p ProviderType) Hosts() []string {
	switch p {
	case ProviderGitHub:
		return []string{"github.com"}
	case ProviderBitbucket:
		return []string{"bitbucket.org"}
	}
	return nil
}

// ConnectionStatus says whether a connection can be used. A deleted connection is not kept, so it has no stored status.
type ConnectionStatus string

// The statuses of a connection.
const (
	ConnectionPending   ConnectionStatus = "PENDING_HANDSHAKE"
	ConnectionAvailable ConnectionStatus = "AVAILABLE"
	ConnectionError     ConnectionStatus = "ERROR" // the provider refused the credential
	ConnectionDeleted   ConnectionStatus = "DELETED"
)

// Connection lets services read private repositories of one provider account (§11). Its credential is kept elsewhere, sealed.
type Connection struct {
	ARN       string
	Name      string
	Provider  ProviderType
	Status    ConnectionStatus
	CreatedAt time.Time
}

// Record is what the store keeps beside the connection itself.
func (c Connection) Record() Record {
	return Record{ARN: c.ARN, Live: c.Status != ConnectionDeleted, CreatedAt: c.CreatedAt}
}

// ConnectionInput is a CreateConnection call.
type ConnectionInput struct {
	Name     string
	Provider ProviderType
	Tags     []Tag
}

// Check holds the rules of §2 and §11.
func (in ConnectionInput) Check() error {
	var f faults
	checkName(&f, "connectionName", in.Name, 32)
	checkTags(&f, in.Tags)
	if in.Provider.Hosts() == nil {
		f.add("providerType", "%q is not a provider; use GITHUB or BITBUCKET", clip(string(in.Provider)))
	}
	return f.err()
}

// ProviderCredential is what a person gives to complete the handshake of a connection: a token, a user with a password, or a deploy
// key. It never appears in a log or a message.
type ProviderCredential struct {
	Token      string `json:",omitempty"` // of an app installation or a person
	User       string `json:",omitempty"`
	Password   string `json:",omitempty"`
	PrivateKey string `json:",omitempty"` // PEM or OpenSSH form, without a passphrase
	KnownHosts string `json:",omitempty"` // known_hosts lines that a deploy key trusts
}

// Check finds credentials that can never work.
func (c ProviderCredential) Check() error {
	if c.Token == "" && c.Password == "" && c.PrivateKey == "" {
		return Errorf(CodeInvalidRequest, "The credential is empty. Give a token, a user with a password, or a deploy key.")
	}
	if c.Password != "" && c.User == "" {
		return Errorf(CodeInvalidRequest, "The credential has a password but no user.")
	}
	return nil
}

// Handshake is what a person brings to complete a connection.
type Handshake struct {
	ConnectionARN string // with or without its id
	Credential    ProviderCredential
	// Repository and Branch are read once with the credential, where a repository is given; the branch is then main if none is.
	Repository, Branch string
}

// Check finds handshakes that can never work.
func (h Handshake) Check() error {
	if err := h.Credential.Check(); err != nil {
		return err
	}
	if h.Branch != "" && h.Repository == "" {
		return Errorf(CodeInvalidRequest, "The handshake names branch %q but no repository to read it from.", clip(h.Branch))
	}
	return nil
}

// LogValue keeps secrets out of structured logs.
func (ProviderCredential) LogValue() slog.Value { return slog.StringValue("[credential]") }

// Format keeps secrets out of every verb of fmt.
func (ProviderCredential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[credential]")) }

// ServesRepository tells whether the connection's provider is the one a repository URL names: its own hosts, or extra ones such as
// those of an enterprise server.
func (c Connection) ServesRepository(repository string, extraHosts []string) bool {
	host := RepositoryHost(repository)
	return host != "" && (slices.Contains(c.Provider.Hosts(), host) || slices.ContainsFunc(extraHosts, func(h string) bool { return strings.EqualFold(h, host) }))
}

// RepositoryHost is the host of a repository URL in lower case, without port; also of the short form user@host:path. It is empty
// where the URL has none.
func RepositoryHost(repository string) string {
	if u, err := url.Parse(repository); err == nil && u.Scheme != "" && strings.Contains(repository, "://") {
		return strings.ToLower(u.Hostname())
	}
	host, path, ok := strings.Cut(repository, ":")
	if !ok || strings.Contains(host, "/") || strings.HasPrefix(path, "//") {
		return ""
	}
	if _, after, found := strings.Cut(host, "@"); found {
		host = after
	}
	return strings.ToLower(host)
}
