package network

import "testing"

func TestWildcards(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"*", "", true},
		{"*", "anything", true},
		{"a*", "abc", true},
		{"a*c", "abbc", true},
		{"a*c", "abcd", false},
		{"?", "a", true},
		{"?", "", false},
		{"a?c", "abc", true},
		{"*b*b*", "abcab", true},
		{"*b*b*", "abc", false},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{`\?x`, "?x", true},
		{`a\`, `a\`, true},
		{"**", "x", true},
		{"x**", "x", true},
		{"*?", "", false},
		{"ü*", "über", true},
	} {
		if got := matches(tc.pattern, tc.s); got != tc.want {
			t.Errorf("%q against %q: %v", tc.s, tc.pattern, got)
		}
	}
}

func TestZoneIDs(t *testing.T) {
	for region, want := range map[string]string{"us-east-1": "use1-az1", "ap-southeast-2": "apse2-az1", "eu-central-1": "euc1-az1", "us-gov-west-1": "usgw1-az1", "home": "home-az1"} {
		if got := Zones(region)[0]; got.ID != want || got.Name != region+"a" {
			t.Errorf("%s: %v", region, got)
		}
	}
}

func TestIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"vpc-0123abcd": true, "vpc-0123456789abcdef0": true, "vpc-0123456789abcdef": false, "vpc-0123ABCD": false, "vpc-": false, "subnet-0123abcd": false, newID("vpc-"): true,
	} {
		if isID(TypeVPC, id) != want {
			t.Errorf("%s: %v", id, !want)
		}
	}
}
