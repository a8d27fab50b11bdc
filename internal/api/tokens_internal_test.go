package api

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/apprunner"
)

func tokensFor(t interface{ Fatal(...any) }) *Tokens {
	tk, err := NewTokens([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

// Whatever comes and goes between pages, items that stay show once, in order, and none shows twice.
func TestPagesShowEachItemOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tk := tokensFor(t)
		l := listing{operation: "List"}
		at := func(p position) position { return p }
		draw := rapid.Custom(func(t *rapid.T) position {
			return position{At: rapid.Int64Range(0, 5).Draw(t, "at"), Name: fmt.Sprint(rapid.IntRange(0, 50).Draw(t, "name"))}
		})
		items := rapid.SliceOfNDistinct(draw, 0, 20, rapid.ID[position]).Draw(t, "items")
		alive := map[position]bool{}
		for _, p := range items {
			alive[p] = true
		}
		shown := map[position]bool{}
		limit := int32(rapid.IntRange(1, 4).Draw(t, "limit"))
		var token *string
		for {
			list, next, err := page(tk, l, append([]position(nil), items...), at, &limit, token)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range list {
				if shown[p] {
					t.Fatalf("%v shows twice", p)
				}
				shown[p] = true
			}
			if token = next; token == nil {
				break
			}
			if len(items) > 0 && rapid.Bool().Draw(t, "delete") {
				i := rapid.IntRange(0, len(items)-1).Draw(t, "which")
				delete(alive, items[i])
				items = append(items[:i:i], items[i+1:]...)
			}
			if p := draw.Draw(t, "new"); !shown[p] {
				items = append(items, p)
				items = dedupe(items)
			}
		}
		for p := range alive {
			if !shown[p] {
				t.Fatalf("%v was never shown", p)
			}
		}
	})
}

func dedupe(items []position) []position {
	seen := map[position]bool{}
	var out []position
	for _, p := range items {
		if !seen[p] {
			out = append(out, p)
		}
		seen[p] = true
	}
	return out
}

func TestTokensAreBoundToTheirListing(t *testing.T) {
	tk := tokensFor(t)
	sc := apprunner.Scope{Account: "123456789012", Region: "us-east-1"}
	five := int32(5)
	l := listing{scope: sc, operation: "ListOperations", params: []any{new("arn"), &five}}
	after := position{At: 1606156217650000, Name: strings.Repeat("f", 32)}
	token := tk.write(l, after)
	if len(token) > maxToken || strings.ContainsAny(token, "+/=") {
		t.Errorf("%d characters: %s", len(token), token)
	}
	again := listing{scope: sc, operation: "ListOperations", params: []any{new("arn"), new(int32(5))}}
	if got, err := tokensFor(t).read(again, token); err != nil || got != after {
		t.Errorf("after a restart: %v, %v", got, err)
	}
	other := func(change func(*listing)) listing { c := l; change(&c); return c }
	for name, wrong := range map[string]listing{
		"account":   other(func(c *listing) { c.scope.Account = "210987654321" }),
		"region":    other(func(c *listing) { c.scope.Region = "eu-west-1" }),
		"operation": other(func(c *listing) { c.operation = "ListServices" }),
		"parameter": other(func(c *listing) { c.params = []any{new("other"), &five} }),
		"limit":     other(func(c *listing) { c.params = []any{new("arn"), new(int32(6))} }),
		"no limit":  other(func(c *listing) { c.params = []any{new("arn"), (*int32)(nil)} }),
	} {
		if _, err := tk.read(wrong, token); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if _, err := NewTokens(nil); err == nil {
		t.Error("took an empty key")
	}
}

func FuzzToken(f *testing.F) {
	tk := tokensFor(f)
	l := listing{operation: "ListServices"}
	good := tk.write(l, position{At: 1, Name: "a"})
	f.Add(good)
	f.Add("")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"after":{"at":1,"name":"a"},"seal":""}`)))
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := tk.read(l, token); err == nil && got != (position{At: 1, Name: "a"}) {
			t.Fatalf("accepted %q as %v", token, got)
		}
	})
}
