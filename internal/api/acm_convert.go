package api

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/domain"
	wire "slipway.dev/slipway/internal/wire/acm"
)

func certificateType(s domain.Shown) *string {
	if s.Imported {
		return new(wire.CertificateTypeImported)
	}
	return new(wire.CertificateTypeAmazonIssued)
}

// renewable: what was made here is renewed here, once something is served with it.
func renewable(s domain.Shown) *string {
	if !s.Imported && len(s.InUseBy) > 0 {
		return new(wire.RenewalEligibilityEligible)
	}
	return new(wire.RenewalEligibilityIneligible)
}

// keyAlgorithm is the one of the certificate, or the one it will have.
func keyAlgorithm(s domain.Shown) string {
	if len(s.Chain) > 0 {
		switch k := s.Chain[0].PublicKey.(type) {
		case *rsa.PublicKey:
			return "RSA_" + strconv.Itoa(k.N.BitLen())
		case *ecdsa.PublicKey:
			switch k.Curve.Params().BitSize {
			case 384:
				return wire.KeyAlgorithmEcSecp384r1
			case 521:
				return wire.KeyAlgorithmEcSecp521r1
			}
		}
	}
	return wire.KeyAlgorithmEcPrime256v1
}

func certificateSummary(s domain.Shown) wire.CertificateSummary {
	out := wire.CertificateSummary{
		CertificateArn: &s.ARN, DomainName: &s.Hosts[0], SubjectAlternativeNameSummaries: s.Hosts, HasAdditionalSubjectAlternativeNames: new(false),
		Status: new(string(s.Status)), Type: certificateType(s), KeyAlgorithm: new(keyAlgorithm(s)), InUse: new(len(s.InUseBy) > 0),
		RenewalEligibility: renewable(s), CreatedAt: given(s.CreatedAt), NotBefore: given(s.NotBefore), NotAfter: given(s.NotAfter),
		KeyUsages: []string{}, ExtendedKeyUsages: []string{},
	}
	if len(s.Chain) > 0 {
		for _, u := range keyUsages(s.Chain[0]) {
			out.KeyUsages = append(out.KeyUsages, *u.Name)
		}
		for _, u := range extendedKeyUsages(s.Chain[0]) {
			out.ExtendedKeyUsages = append(out.ExtendedKeyUsages, *u.Name)
		}
	}
	if s.Imported {
		out.ImportedAt = given(s.IssuedAt)
	} else {
		out.IssuedAt = given(s.IssuedAt)
	}
	return out
}

func certificateDetail(s domain.Shown) *wire.CertificateDetail {
	out := &wire.CertificateDetail{
		CertificateArn: &s.ARN, DomainName: &s.Hosts[0], SubjectAlternativeNames: s.Hosts, Status: new(string(s.Status)), Type: certificateType(s),
		KeyAlgorithm: new(keyAlgorithm(s)), InUseBy: append([]string{}, s.InUseBy...), RenewalEligibility: renewable(s), CreatedAt: given(s.CreatedAt),
		NotBefore: given(s.NotBefore), NotAfter: given(s.NotAfter), FailureReason: failureReason(s),
	}
	if s.Imported {
		out.ImportedAt = given(s.IssuedAt)
	} else {
		out.IssuedAt = given(s.IssuedAt)
		out.DomainValidationOptions = validations(s)
	}
	if len(s.Chain) > 0 {
		leaf := s.Chain[0]
		out.Serial, out.Subject, out.Issuer = new(serialText(leaf.SerialNumber)), new(leaf.Subject.String()), new(leaf.Issuer.CommonName)
		out.SignatureAlgorithm = new(strings.ReplaceAll(strings.ToUpper(leaf.SignatureAlgorithm.String()), "-", "_"))
		out.KeyUsages, out.ExtendedKeyUsages = keyUsages(leaf), extendedKeyUsages(leaf)
	}
	return out
}

// failureReason is the nearest of the model's words for what the record says at length.
func failureReason(s domain.Shown) *string {
	switch {
	case s.Status != domain.CertificateFailed:
		return nil
	case strings.Contains(s.Reason, "CAA"):
		return new("CAA_ERROR")
	case strings.Contains(s.Reason, "rejectedIdentifier"):
		return new("DOMAIN_NOT_ALLOWED")
	}
	return new("OTHER")
}

func validations(s domain.Shown) []wire.DomainValidation {
	out := make([]wire.DomainValidation, len(s.Hosts))
	for i, h := range s.Hosts {
		out[i] = wire.DomainValidation{DomainName: &h, ValidationDomain: &h, ValidationMethod: new("DNS")}
		if i < len(s.Records) {
			r := s.Records[i]
			out[i].ValidationStatus = new(string(r.Status))
			out[i].ResourceRecord = &wire.ResourceRecord{Name: new(r.Name + "."), Type: new(wire.RecordTypeCname), Value: &r.Value}
		}
	}
	return out
}

// serialText is a serial number as AWS shows it: pairs of hexadecimal digits with colons.
func serialText(n *big.Int) string {
	parts := make([]string, len(n.Bytes()))
	for i, b := range n.Bytes() {
		parts[i] = strconv.FormatUint(uint64(b)|0x100, 16)[1:]
	}
	return strings.Join(parts, ":")
}

func keyUsages(c *x509.Certificate) []wire.KeyUsage {
	out := []wire.KeyUsage{}
	for i, name := range []string{
		wire.KeyUsageNameDigitalSignature, wire.KeyUsageNameNonRepudiation, wire.KeyUsageNameKeyEncipherment, wire.KeyUsageNameDataEncipherment,
		wire.KeyUsageNameKeyAgreement, wire.KeyUsageNameCertificateSigning, wire.KeyUsageNameCrlSigning, wire.KeyUsageNameEncipherOnly, wire.KeyUsageNameDecipherOnly,
	} {
		if c.KeyUsage&(1<<i) != 0 {
			out = append(out, wire.KeyUsage{Name: new(name)})
		}
	}
	return out
}

func extendedKeyUsages(c *x509.Certificate) []wire.ExtendedKeyUsage {
	out := []wire.ExtendedKeyUsage{}
	for _, u := range c.ExtKeyUsage {
		switch u { //nolint:exhaustive // the others have no place in the certificate of a server
		case x509.ExtKeyUsageServerAuth:
			out = append(out, wire.ExtendedKeyUsage{Name: new(wire.ExtendedKeyUsageNameTlsWebServerAuthentication), OID: new("1.3.6.1.5.5.7.3.1")})
		case x509.ExtKeyUsageClientAuth:
			out = append(out, wire.ExtendedKeyUsage{Name: new(wire.ExtendedKeyUsageNameTlsWebClientAuthentication), OID: new("1.3.6.1.5.5.7.3.2")})
		}
	}
	return out
}
