package domain

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Resolver asks the DNS of the world what owners of domains have put there.
type Resolver struct {
	// Server is host:port of the recursive resolver; "" takes those of /etc/resolv.conf, read afresh each time.
	Server string
}

const (
	resolveTimeout = 3 * time.Second
	systemResolver = "/etc/resolv.conf"
)

// CNAME is where a name points to, in lower case with a trailing dot; "" when it is not an alias or is not there.
func (r *Resolver) CNAME(ctx context.Context, name string) (string, error) {
	answer, err := r.ask(ctx, name, dns.TypeCNAME)
	if err != nil {
		return "", err
	}
	for _, rr := range answer.Answer {
		if c, ok := rr.(*dns.CNAME); ok && dns.CanonicalName(c.Hdr.Name) == dns.CanonicalName(name) {
			return dns.CanonicalName(c.Target), nil
		}
	}
	return "", nil
}

// CAA are the CAA records that a name has itself, behind aliases if need be.
func (r *Resolver) CAA(ctx context.Context, name string) (set []*dns.CAA, err error) {
	answer, err := r.ask(ctx, name, dns.TypeCAA)
	if err != nil {
		return nil, err
	}
	for _, rr := range answer.Answer {
		if c, ok := rr.(*dns.CAA); ok {
			set = append(set, c)
		}
	}
	return set, nil
}

// ask puts one question. A name that does not exist is an empty answer; a server that fails is an error.
func (r *Resolver) ask(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	servers, err := r.servers()
	if err != nil {
		return nil, err
	}
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), qtype)
	q.SetEdns0(udpSize, false)
	var failed error
	for _, server := range servers {
		answer, err := exchange(ctx, q, server)
		if err == nil && (answer.Rcode == dns.RcodeSuccess || answer.Rcode == dns.RcodeNameError) {
			return answer, nil
		}
		if err == nil {
			err = errors.New("it answered " + dns.RcodeToString[answer.Rcode])
		}
		failed = errors.Join(failed, fmt.Errorf("ask %s for %s of %s: %w", server, dns.TypeToString[qtype], name, err))
	}
	return nil, failed
}

// exchange asks over UDP, and over TCP when the answer did not fit.
func exchange(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
	client := dns.Client{Timeout: resolveTimeout}
	answer, _, err := client.ExchangeContext(ctx, q, server)
	if err == nil && answer.Truncated {
		client.Net = "tcp"
		answer, _, err = client.ExchangeContext(ctx, q, server)
	}
	return answer, err
}

func (r *Resolver) servers() ([]string, error) {
	if r.Server != "" {
		return []string{r.Server}, nil
	}
	conf, err := dns.ClientConfigFromFile(systemResolver)
	if err != nil {
		return nil, fmt.Errorf("find a DNS resolver: %w", err)
	}
	if len(conf.Servers) == 0 {
		return nil, fmt.Errorf("find a DNS resolver: %s names none; set dns-resolver", systemResolver)
	}
	list := make([]string, len(conf.Servers))
	for i, s := range conf.Servers {
		list[i] = net.JoinHostPort(strings.Trim(s, "[]"), conf.Port)
	}
	return list, nil
}
