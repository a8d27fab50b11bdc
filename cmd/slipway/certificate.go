package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/spf13/cobra"
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
			api, err := p.certificates(cmd)
			if err != nil {
				return err
			}
			_, err = api.DeleteCertificate(cmd.Context(), &acm.DeleteCertificateInput{CertificateArn: &args[0]})
			return explain(err)
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
		api, err := p.certificates(cmd)
		if err != nil {
			return err
		}
		out, err := api.ImportCertificate(cmd.Context(), in)
		if err != nil {
			return explain(err)
		}
		fmt.Fprintln(p.out, aws.ToString(out.CertificateArn))
		return nil
	}
	return c
}

// readImport takes the files apart as the API wants them: the certificate, and those above it.
func readImport(cert, key string) (*acm.ImportCertificateInput, error) {
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
	in := &acm.ImportCertificateInput{Certificate: []byte(first + end), PrivateKey: private}
	if strings.TrimSpace(above) != "" {
		in.CertificateChain = []byte(above)
	}
	return in, nil
}

func (p *program) certificates(cmd *cobra.Command) (*acm.Client, error) {
	c, err := p.connect(cmd)
	if err != nil {
		return nil, err
	}
	return acm.NewFromConfig(c.conf), nil
}

func (p *program) listCertificates(cmd *cobra.Command) error {
	api, err := p.certificates(cmd)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMES\tSTATUS\tMADE BY\tIN USE\tEXPIRES\tARN")
	pages := acm.NewListCertificatesPaginator(api, &acm.ListCertificatesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(cmd.Context())
		if err != nil {
			return explain(err)
		}
		for _, s := range page.CertificateSummaryList {
			fmt.Fprintln(w, strings.Join(certificateRow(s), "\t"))
		}
	}
	return w.Flush()
}

func certificateRow(s types.CertificateSummary) []string {
	by, used, expires := "slipway", "no", "-"
	if s.Type == types.CertificateTypeImported {
		by = "you"
	}
	if aws.ToBool(s.InUse) {
		used = "yes"
	}
	if s.NotAfter != nil {
		expires = s.NotAfter.UTC().Format(time.DateOnly)
	}
	return []string{strings.Join(s.SubjectAlternativeNameSummaries, ","), string(s.Status), by, used, expires, aws.ToString(s.CertificateArn)}
}
