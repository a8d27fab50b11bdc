package domain

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// records is a DNS of CAA records in zone file form.
type records map[string]string

func (r records) CAA(_ context.Context, name string) (set []*dns.CAA, err error) {
	if r[name] == "broken" {
		return nil, errors.New("SERVFAIL")
	}
	for line := range strings.SplitSeq(r[name], "|") {
		if line == "" {
			continue
		}
		rr, err := dns.NewRR(name + ". CAA " + line)
		if err != nil {
			return nil, err
		}
		set = append(set, rr.(*dns.CAA))
	}
	return set, nil
}

func TestCAARecords(t *testing.T) {
	const ours, other, nobody = `0 issue "ca.example"`, `0 issue "other.example"`, `0 issue ";"`
	cases := []struct {
		name, host string
		dns        records
		want       string // part of the refusal; "" = allowed
	}{
		{"no records", "a.example.com", records{}, ""},
		{"ours", "a.example.com", records{"a.example.com": ours}, ""},
		{"ours with parameters", "a.example.com", records{"a.example.com": `0 issue "CA.example; account=1"`}, ""},
		{"another", "a.example.com", records{"a.example.com": other}, `add the record a.example.com. CAA 0 issue "ca.example"`},
		{"one of two", "a.example.com", records{"a.example.com": other + "|" + ours}, ""},
		{"nobody", "a.example.com", records{"a.example.com": nobody}, "do not let"},
		{"the nearest counts", "a.example.com", records{"a.example.com": ours, "example.com": other}, ""},
		{"the parent's", "a.b.example.com", records{"example.com": other}, "records of example.com do not let"},
		{"the top's", "a.example.com", records{"com": other}, "records of com do not let"},
		{"other properties only", "a.example.com", records{"a.example.com": `0 iodef "mailto:a@example.com"`}, ""},
		{"wildcard by issue", "*.example.com", records{"example.com": ours}, ""},
		{"wildcard forbidden", "*.example.com", records{"example.com": ours + `|0 issuewild ";"`}, "CAA 0 issuewild"},
		{"wildcard only for others", "a.example.com", records{"a.example.com": ours + `|0 issuewild ";"`}, ""},
		{"wildcard allowed", "*.example.com", records{"example.com": nobody + `|0 issuewild "ca.example"`}, ""},
		{"critical and unknown", "a.example.com", records{"a.example.com": ours + `|128 future "x"`}, "do not let"},
		{"unknown", "a.example.com", records{"a.example.com": ours + `|0 future "x"`}, ""},
	}
	for _, c := range cases {
		err := checkCAA(t.Context(), c.dns, c.host, []string{"ca.example"})
		var final refusal
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !errors.As(err, &final)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	var final refusal
	if err := checkCAA(t.Context(), records{"example.com": "broken"}, "a.example.com", []string{"ca.example"}); err == nil || errors.As(err, &final) {
		t.Errorf("a DNS that fails is no refusal: %v", err)
	}
}
