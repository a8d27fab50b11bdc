package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/server"
)

// maxCredential is how long a file with a credential may be, in bytes: the largest is a private key.
const maxCredential = 64 << 10

// connection is the verb that does what a person does in the console for a connection, on the machine itself.
func (p *program) connection() *cobra.Command {
	c := &cobra.Command{
		Use: "connection", Short: "Look after connections to source code providers, on the installation's machine", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	complete := &cobra.Command{
		Use: "complete", Short: "Complete the handshake of a connection with a credential",
		Long: "Keeps a credential for a connection, sealed, and makes the connection available to services. The credential is a token, a user\n" +
			"with a password, or a deploy key; each is read from a file (- is standard input), so that it appears in no list of processes.\n" +
			"Repeat it to renew the credential. With --repository the credential is tried first; where the provider refuses it, the connection is\n" +
			"in ERROR until a better one comes. It needs no access key, only the right to read the installation's data directory.",
		Args: arguments(),
	}
	var h server.Handshake
	complete.Flags().StringVar(&h.ConnectionARN, "arn", "", "ARN of the connection, with or without its id")
	complete.Flags().StringVar(&h.Repository, "repository", "", "`URL` of a repository that is read to see whether the provider accepts the credential")
	complete.Flags().StringVar(&h.Branch, "branch", "", "branch of that repository, main unless given")
	var from credentialFiles
	from.flags(complete)
	dataDirFlag(complete.Flags())
	complete.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if h.ConnectionARN == "" {
			return usageError{errors.New("--arn is required")}
		}
		if h.Credential, err = from.read(cmd.InOrStdin()); err != nil {
			return err
		}
		conf, _, err := p.load(cmd)
		if err != nil {
			return err
		}
		dir, err := filepath.Abs(conf.DataDir)
		if err != nil {
			return err
		}
		conn, err := server.CompleteConnection(cmd.Context(), dir, h)
		if err != nil {
			return err
		}
		if _, err = fmt.Fprintf(p.out, "%s\n%s\n", conn.ARN, conn.Status); err == nil && conn.Status != "AVAILABLE" {
			return errors.New("the provider refuses the credential; services cannot use the connection")
		}
		return err
	}
	c.AddCommand(complete)
	return c
}

// credentialFiles are the files that a credential is read from.
type credentialFiles struct{ token, user, password, key, hosts string }

func (f *credentialFiles) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.token, "token-file", "", "`file` with the token of an app installation or a person")
	c.Flags().StringVar(&f.user, "user", "", "user that the password is for")
	c.Flags().StringVar(&f.password, "password-file", "", "`file` with the password")
	c.Flags().StringVar(&f.key, "key-file", "", "`file` with a private deploy key without a passphrase")
	c.Flags().StringVar(&f.hosts, "known-hosts-file", "", "`file` with the known_hosts lines that the deploy key trusts")
}

func (f *credentialFiles) read(stdin io.Reader) (server.ProviderCredential, error) {
	c := server.ProviderCredential{User: f.user}
	for _, part := range []struct {
		file string
		into *string
		line bool // a single line, whose end is no part of it
	}{{f.token, &c.Token, true}, {f.password, &c.Password, true}, {f.key, &c.PrivateKey, false}, {f.hosts, &c.KnownHosts, false}} {
		if part.file == "" {
			continue
		}
		text, err := readSecret(part.file, stdin)
		if err != nil {
			return c, err
		}
		if part.line {
			text = strings.TrimRight(text, "\r\n")
		}
		*part.into = text
	}
	return c, c.Check()
}

func readSecret(name string, stdin io.Reader) (string, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("read the credential: %w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxCredential+1))
	if err != nil {
		return "", fmt.Errorf("read the credential: %w", err)
	}
	if len(b) > maxCredential {
		return "", fmt.Errorf("%s is longer than a credential can be (%d bytes)", name, maxCredential)
	}
	return string(b), nil
}
