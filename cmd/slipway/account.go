package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/server"
)

// account is the verb that looks after accounts, on the machine itself.
func (p *program) account() *cobra.Command {
	c := &cobra.Command{
		Use: "account", Short: "Look after the accounts of an installation, on its machine", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	create := &cobra.Command{
		Use: "create [ID]", Short: "Make another account and print its root's access key",
		Long: "Makes another account and prints the access key of its root as shell lines. ID has 12 digits; without it one is chosen.\n" +
			"The secret is shown this once.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) == 1 {
				id = args[0]
			}
			return p.withAccounts(cmd, func(a *server.Accounts) error {
				key, err := a.Create(cmd.Context(), id)
				if err != nil {
					return err
				}
				return p.printKey(key)
			})
		},
	}
	list := &cobra.Command{
		Use: "list", Short: "List the accounts", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withAccounts(cmd, func(a *server.Accounts) error { return p.listAccounts(cmd, a) })
		},
	}
	limit := &cobra.Command{
		Use: "limit ID [FILE...]", Short: "Bind everybody in an account, its root included, by policies",
		Long: "Sets the policies that bind everybody in an account, its root included: where there are any, one of them must allow a call and\n" +
			"none may deny it. They replace those set before; without files none are left.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withAccounts(cmd, func(a *server.Accounts) error { return a.Limit(cmd.Context(), args[0], args[1:]) })
		},
	}
	for _, sub := range []*cobra.Command{create, list, limit} {
		dataDirFlag(sub.Flags())
		c.AddCommand(sub)
	}
	return c
}

// rootKey is the way back in for who owns the machine and has lost root's access key.
func (p *program) rootKey() *cobra.Command {
	c := &cobra.Command{
		Use: "root-key", Short: "Make another access key for an account's root, on its machine",
		Long: "Makes another access key for the root of an account and prints it as shell lines. It needs no key, only the right to read the\n" +
			"installation's data directory. The secret is shown this once.",
		Args: arguments(),
	}
	id := c.Flags().String("account", "", "the account's `id` (default: the installation's own)")
	replace := c.Flags().Bool("replace", false, "end root's earlier keys")
	dataDirFlag(c.Flags())
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return p.withAccounts(cmd, func(a *server.Accounts) error {
			key, err := a.NewRootKey(cmd.Context(), *id, *replace)
			if err != nil {
				return err
			}
			return p.printKey(key)
		})
	}
	return c
}

// rootPassword is the way in with a browser, and back in for who owns the machine and has lost password, MFA device or both.
func (p *program) rootPassword() *cobra.Command {
	c := &cobra.Command{
		Use: "root-password", Short: "Make a console password for an account's root, on its machine",
		Long: "Makes a password with which the root of an account signs in with a browser, and prints it with the address of the page. Another must\n" +
			"be chosen when it is first used. It needs no key, only the right to read the installation's data directory.",
		Args: arguments(),
	}
	id := c.Flags().String("account", "", "the account's `id` (default: the installation's own)")
	mail := c.Flags().String("mail", "", "root's mail `address`, by which it signs in (default: the one there is)")
	dropMFA := c.Flags().Bool("remove-mfa", false, "take root's MFA devices away")
	dataDirFlag(c.Flags())
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return p.withAccounts(cmd, func(a *server.Accounts) error {
			l, err := a.NewRootLogin(cmd.Context(), *id, *mail, *dropMFA)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.out, "Root of account %s signs in at %s\n  mail address  %s\n  password      %s\n", l.Account, l.URL, l.Mail, l.Password)
			return err
		})
	}
	return c
}

// withAccounts opens the accounts of the installation that the flags or the environment name.
func (p *program) withAccounts(cmd *cobra.Command, do func(*server.Accounts) error) (err error) {
	conf, _, err := p.load(cmd)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(conf.DataDir)
	if err != nil {
		return err
	}
	a, err := server.OpenAccounts(cmd.Context(), dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return do(a)
}

func (p *program) printKey(key server.RootKey) error {
	_, err := fmt.Fprintf(p.out, "# root of account %s\nexport AWS_ACCESS_KEY_ID='%s'\nexport AWS_SECRET_ACCESS_KEY='%s'\n", key.Account, key.ID, key.Secret)
	return err
}

func (p *program) listAccounts(cmd *cobra.Command, a *server.Accounts) error {
	list, err := a.List(cmd.Context())
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ACCOUNT\tALIAS\tLIMITS")
	for _, acc := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\n", acc.ID, acc.Alias, acc.Limits)
	}
	return w.Flush()
}
