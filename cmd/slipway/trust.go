package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"

	"github.com/spf13/cobra"
)

// trust is the verb that lets this machine's programs trust the installation's own authority.
func (p *program) trust() *cobra.Command {
	c := &cobra.Command{
		Use: "trust", Short: "Let this machine's programs and browsers trust the applications",
		Long: "Puts the installation's own certificate authority into the trust store of the system, and of Firefox and Chromium where they keep\n" +
			"one of their own; says what it did. Run it again after the authority was renewed. --remove takes it out again.",
		Args: arguments(),
	}
	remove := c.Flags().Bool("remove", false, "take the authority out again")
	show := c.Flags().Bool("print", false, "only print the authority's certificates (PEM)")
	dataDirFlag(c.Flags())
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		text, err := p.authority(cmd)
		if err != nil {
			return err
		}
		if *show {
			_, err := p.out.Write(text)
			return err
		}
		roots, err := rootsIn(text)
		if err != nil {
			return err
		}
		return errors.Join(p.trustSystem(cmd.Context(), roots, *remove), p.trustBrowsers(cmd.Context(), roots, *remove))
	}
	return c
}

// authority reads the certificates that clients trust the applications by.
func (p *program) authority(cmd *cobra.Command) ([]byte, error) {
	conf, _, err := p.load(cmd)
	if err != nil {
		return nil, err
	}
	file := conf.CAFile()
	if env := p.env("SLIPWAY_CA"); env != "" && !cmd.Flags().Changed("data-dir") {
		file = env
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: start Slipway with `slipway up` first, or name its data directory with --data-dir", file)
	}
	return text, err
}

// root is one authority to trust.
type root struct {
	name string // of the file and in NSS; the same for the same certificate
	of   string // for people
	pem  []byte
}

func rootsIn(text []byte) ([]root, error) {
	var list []root
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read the authority: %w", err)
		}
		sum := sha256.Sum256(cert.Raw)
		list = append(list, root{"slipway-" + hex.EncodeToString(sum[:6]), cert.Subject.CommonName, pem.EncodeToMemory(block)})
	}
	if len(list) == 0 {
		return nil, errors.New("read the authority: the file holds no certificate")
	}
	return list, nil
}

// systemStores are where distributions take further authorities from, and what makes them count: Debian, Fedora, Arch, SUSE.
var systemStores = []struct{ dir, command string }{
	{"/usr/local/share/ca-certificates", "update-ca-certificates"},
	{"/etc/pki/ca-trust/source/anchors", "update-ca-trust"},
	{"/etc/ca-certificates/trust-source/anchors", "update-ca-trust"},
	{"/etc/pki/trust/anchors", "update-ca-certificates"},
}

func (p *program) trustSystem(ctx context.Context, roots []root, remove bool) error {
	for _, s := range systemStores {
		command, err := exec.LookPath(s.command)
		if info, serr := os.Stat(s.dir); err != nil || serr != nil || !info.IsDir() {
			continue
		}
		changed := false
		for _, r := range roots {
			did, err := p.place(filepath.Join(s.dir, r.name+".crt"), r, remove)
			if errors.Is(err, fs.ErrPermission) {
				return fmt.Errorf("the system's trust store is changed by root only; run the command with sudo: %w", err)
			}
			if err != nil {
				return err
			}
			changed = changed || did
		}
		if !changed {
			return nil
		}
		if out, err := exec.CommandContext(ctx, command).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", s.command, err, bytes.TrimSpace(out))
		}
		fmt.Fprintf(p.out, "ran      %s\n", s.command)
		return nil
	}
	return errors.New("this system's trust store is of a kind that is not known here; print the certificates with --print and install them by hand")
}

// place puts a root's file where it belongs or takes it away, and tells whether that changed anything.
func (p *program) place(path string, r root, remove bool) (bool, error) {
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	switch there := err == nil; {
	case remove && !there:
		fmt.Fprintf(p.out, "absent   %s (%s)\n", path, r.of)
		return false, nil
	case remove:
		fmt.Fprintf(p.out, "removed  %s (%s)\n", path, r.of)
		return true, os.Remove(path)
	case bytes.Equal(have, r.pem):
		fmt.Fprintf(p.out, "present  %s (%s)\n", path, r.of)
		return false, nil
	}
	if err := os.WriteFile(path, r.pem, 0o644); err != nil { //nolint:gosec // every program reads it
		return false, err
	}
	fmt.Fprintf(p.out, "wrote    %s (%s)\n", path, r.of)
	return true, nil
}

// trustBrowsers does the same for the databases of Firefox and Chromium that the user has.
func (p *program) trustBrowsers(ctx context.Context, roots []root, remove bool) error {
	databases := p.browserDatabases()
	if len(databases) == 0 {
		return nil
	}
	certutil, err := exec.LookPath("certutil")
	if err != nil {
		fmt.Fprintln(p.out, "skipped  Firefox and Chromium, which keep authorities of their own: install certutil (Debian: libnss3-tools) and run this again")
		return nil
	}
	var failed error
	for _, db := range databases {
		for _, r := range roots {
			failed = errors.Join(failed, p.certutil(ctx, certutil, db, r, remove))
		}
	}
	return failed
}

func (p *program) certutil(ctx context.Context, program, db string, r root, remove bool) error {
	args, did := []string{"-A", "-d", "sql:" + db, "-t", "C,,", "-n", r.name}, "added to  "
	if remove {
		args, did = []string{"-D", "-d", "sql:" + db, "-n", r.name}, "taken from"
		if exec.CommandContext(ctx, program, "-L", "-d", "sql:"+db, "-n", r.name).Run() != nil {
			return nil // it is not there
		}
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = bytes.NewReader(r.pem)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("certutil on %s: %w: %s", db, err, bytes.TrimSpace(out))
	}
	fmt.Fprintf(p.out, "%s %s (%s)\n", did, db, r.of)
	return nil
}

// browserDatabases are the NSS databases of the user, of the one who called sudo if there is one.
func (p *program) browserDatabases() (found []string) {
	home := p.env("HOME")
	if name := p.env("SUDO_USER"); name != "" {
		if u, err := user.Lookup(name); err == nil {
			home = u.HomeDir
		}
	}
	for _, pattern := range []string{".pki/nssdb", ".mozilla/firefox/*", "snap/firefox/common/.mozilla/firefox/*", "snap/chromium/current/.pki/nssdb"} {
		list, err := filepath.Glob(filepath.Join(home, pattern, "cert9.db"))
		if err != nil {
			continue // only a pattern that is malformed fails
		}
		for _, f := range list {
			found = append(found, filepath.Dir(f))
		}
	}
	return found
}
