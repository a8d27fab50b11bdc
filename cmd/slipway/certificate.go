package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/cmd/slipway/internal/caller"
	"slipway.dev/slipway/internal/wire/acm"
)

// certificate is the verb for the certificates of custom domains.
func (p *program) certificate() *cobra.Command {
	c := &cobra.Command{
		Use: "certificate", Short: "Look at the certificates of custom domains, or bring your own", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := &cobra.Command{
		Use: "list", Short: "List certificates", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.listCertificates(cmd) },
	}
	remove := &cobra.Command{
		Use: "delete ARN", Short: "Delete a certificate that was imported", Args: arguments("ARN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := &acm.DeleteCertificateRequest{CertificateArn: &args[0]}
			_, err := acmCall[struct{}](p, cmd, "DeleteCertificate", in)
			return err
		},
	}
	c.AddCommand(list, p.importCertificate(), remove)
	for _, sub := range c.Commands() {
		dataDirFlag(sub.Flags())
	}
	return c
}

// importCertificate brings a certificate along.
func (p *program) importCertificate() *cobra.Command {
	c := &cobra.Command{
		Use: "import --cert FILE --key FILE", Short: "Serve custom domains with a certificate of your own",
		Long: "Imports a certificate. The custom domains whose names it covers are served with it from then on, in place of the one that\n" +
			"Slipway makes. FILE of --cert holds the certificate and, after it, those of the authorities above it but the root.\n" +
			"Before it expires, import another one; --replace keeps its ARN.",
		Args: arguments(),
	}
	cert := c.Flags().String("cert", "", "`file` with the certificate chain (PEM)")
	key := c.Flags().String("key", "", "`file` with the key (PEM, not encrypted)")
	replace := c.Flags().String("replace", "", "`ARN` of the imported certificate that this one replaces")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *cert == "" || *key == "" {
			return usageError{errors.New("--cert and --key are both needed")}
		}
		in, err := readImport(*cert, *key)
		if err != nil {
			return err
		}
		if *replace != "" {
			in.CertificateArn = replace
		}
		out, err := acmCall[acm.ImportCertificateResponse](p, cmd, "ImportCertificate", in)
		if err != nil {
			return err
		}
		fmt.Fprintln(p.out, value(out.CertificateArn))
		return nil
	}
	return c
}

// readImport takes the files apart as the API wants them: the certificate, and those above it.
func readImport(cert, key string) (*acm.ImportCertificateRequest, error) {
	chain, err := os.ReadFile(cert)
	if err != nil {
		return nil, err
	}
	private, err := os.ReadFile(key)
	if err != nil {
		return nil, err
	}
	const end = "-----END CERTIFICATE-----\n"
	text := strings.ReplaceAll(string(chain), "\r\n", "\n")
	first, above, found := strings.Cut(text+"\n", end)
	if !found {
		return nil, fmt.Errorf("%s holds no certificate in PEM", cert)
	}
	in := &acm.ImportCertificateRequest{Certificate: []byte(first + end), PrivateKey: private}
	if strings.TrimSpace(above) != "" {
		in.CertificateChain = []byte(above)
	}
	return in, nil
}

// acmCall makes one call of the certificates' API.
func acmCall[Out any](p *program, cmd *cobra.Command, operation string, in any) (*Out, error) {
	c, err := p.connect(cmd)
	if err != nil {
		return nil, err
	}
	out, err := caller.Call[Out](cmd.Context(), c.api, &acm.API, operation, in)
	return out, explain(err)
}

func (p *program) listCertificates(cmd *cobra.Command) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMES\tSTATUS\tMADE BY\tIN USE\tEXPIRES\tARN")
	in := &acm.ListCertificatesRequest{}
	for {
		page, err := acmCall[acm.ListCertificatesResponse](p, cmd, "ListCertificates", in)
		if err != nil {
			return err
		}
		for _, s := range page.CertificateSummaryList {
			fmt.Fprintln(w, strings.Join(certificateRow(s), "\t"))
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return w.Flush()
		}
	}
}

func certificateRow(s acm.CertificateSummary) []string {
	by, used, expires := "slipway", "no", "-"
	if value(s.Type) == acm.CertificateTypeImported {
		by = "you"
	}
	if value(s.InUse) {
		used = "yes"
	}
	if s.NotAfter != nil {
		expires = s.NotAfter.UTC().Format(time.DateOnly)
	}
	return []string{strings.Join(s.SubjectAlternativeNameSummaries, ","), value(s.Status), by, used, expires, value(s.CertificateArn)}
}
