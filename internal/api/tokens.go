package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
)

// Tokens makes and reads the NextToken of listings (§1.4). A token is the position of the last item that was shown, sealed so
// that it is good only for the same operation, account, region and parameters. It needs no memory: it is good for as long as the
// key is kept.
type Tokens struct{ key []byte }

// NewTokens takes the key that seals tokens. It must be secret, at least 16 bytes long, and the same after a restart.
func NewTokens(key []byte) (*Tokens, error) {
	if len(key) < 16 {
		return nil, errors.New("the key of pagination tokens has fewer than 16 bytes")
	}
	return &Tokens{key: key}, nil
}

// maxToken is how long a token may be (§1.4).
const maxToken = 1024

// position is where an item stands in a listing.
type position = apprunner.Place

// sealed is what a token holds.
type sealed struct {
	After position
	Seal  []byte
}

// listing is what a token is bound to.
type listing struct {
	scope     apprunner.Scope
	operation string
	params    any // every parameter but the token
}

func (t *Tokens) seal(l listing, after position) []byte {
	bound, err := json.Marshal([]any{l.scope, l.operation, l.params, after})
	if err != nil {
		panic("api: a listing's parameters are plain values: " + err.Error())
	}
	mac := hmac.New(sha256.New, t.key)
	mac.Write(bound)
	return mac.Sum(nil)[:16]
}

func (t *Tokens) write(l listing, after position) string {
	body, err := json.Marshal(sealed{After: after, Seal: t.seal(l, after)})
	if err != nil {
		panic("api: a position is plain values: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(body)
}

func (t *Tokens) read(l listing, token string) (position, error) {
	refused := apprunner.Errorf(apprunner.CodeInvalidRequest,
		"The NextToken is not valid for this request. Use it unchanged, with the same parameters, account and region as the request that returned it; or start again without it.")
	if len(token) > maxToken {
		return position{}, refused
	}
	body, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return position{}, refused
	}
	var s sealed
	if json.Unmarshal(body, &s) != nil || !hmac.Equal(s.Seal, t.seal(l, s.After)) {
		return position{}, refused
	}
	return s.After, nil
}

// after is the place a token stands for, or the beginning where there is none.
func (t *Tokens) after(l listing, token *string) (position, error) {
	if val(token) == "" {
		return position{}, nil
	}
	return t.read(l, *token)
}

// first takes the first limit items (nil: all) of what stands after a token's place. next is nil when nothing remains.
func first[T any](t *Tokens, l listing, items []T, at func(T) position, limit *int32) (list []T, next *string) {
	if limit == nil || len(items) <= int(*limit) {
		return items, nil
	}
	items = items[:*limit]
	s := t.write(l, at(items[len(items)-1]))
	return items, &s
}

// oneMore is how many items to read for a page: one more than it holds tells whether anything remains. 0 reads all.
func oneMore(limit *int32) int {
	if limit == nil {
		return 0
	}
	return int(*limit) + 1
}

// page cuts one page out of a listing that was read as a whole: what stands after the token's place, at most limit items (nil:
// all). next is nil when nothing remains. Items that came or went between pages may or may not show, none shows twice.
func page[T any](t *Tokens, l listing, items []T, at func(T) position, limit *int32, token *string) (list []T, next *string, err error) {
	slices.SortFunc(items, func(a, b T) int { return at(a).Compare(at(b)) })
	after, err := t.after(l, token)
	if err != nil {
		return nil, nil, err
	}
	if after != (position{}) {
		i, found := slices.BinarySearchFunc(items, after, func(e T, p position) int { return at(e).Compare(p) })
		if found {
			i++
		}
		items = items[i:]
	}
	list, next = first(t, l, items, at, limit)
	return list, next, nil
}

// pageByName is page for items that go by a name. A token that is not good is refused with the code of the service.
func pageByName[T any](t *Tokens, l listing, code apprunner.Code, items []T, name func(T) string, limit *int32, token *string) ([]T, *string, error) {
	list, next, err := page(t, l, items, func(e T) position { return position{Name: name(e)} }, limit, token)
	if err != nil {
		return nil, nil, apprunner.Errorf(code, "%w", err)
	}
	return list, next, nil
}

// byRevision is the position of a revision in a listing that goes by name and then by revision, newest first.
func byRevision(name string, revision int) position {
	return position{Name: fmt.Sprintf("%s %010d", name, math.MaxInt32-revision)}
}
