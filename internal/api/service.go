package api

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/wire"
)

// Call is one request whose sender is known: everything a handler may want to know about it beside its input.
type Call struct {
	Principal iam.Principal
	// Scope is the caller's account and the region the request was signed for.
	Scope     apprunner.Scope
	RequestID string
	UserAgent string
	SourceIP  string
	// Secure says that the request came over TLS.
	Secure bool
	// entrance is the endpoint it came in at; nil for none.
	entrance *Entrance
	// bearer is who an unsigned call turned out to come from, for its record.
	bearer *observe.AuditIdentity
}

// context adds the condition keys about the call to those about the resource.
func (c Call) context(keys map[string][]string) map[string][]string {
	out := map[string][]string{
		"aws:SourceIp": {c.SourceIP}, "aws:SecureTransport": {strconv.FormatBool(c.Secure)}, "aws:RequestedRegion": {c.Scope.Region},
		"aws:ViaAWSService": {"false"},
	}
	if c.UserAgent != "" {
		out["aws:UserAgent"] = []string{c.UserAgent}
	}
	c.entrance.keys(out)
	maps.Copy(out, keys)
	return out
}

// Action is one operation of an AWS API as it is served here.
type Action struct {
	// Permissions are the questions to the policies that must all be answered with yes before Do runs. The input has been read
	// but its constraints have not been checked: members may be missing or malformed. No questions: no permission is needed.
	Permissions func(ctx context.Context, c Call, in any) ([]iam.Request, error)
	// Do carries the action out. in and the output are the wire structs of the operation; an operation without output gives nil.
	// Failures for the caller are *apprunner.Error.
	Do func(ctx context.Context, c Call, in any) (any, error)
	// Unsigned actions take calls without a signature: what they are given proves the caller. Such a call has no principal.
	Unsigned bool
}

// Service is one AWS API: its wire description and those of its operations that are served, by name. An operation of the
// description that is not among the actions is answered with UnknownOperationException.
type Service struct {
	API     *wire.Service
	Actions map[string]Action
	// Constraint is the code for a request that breaks a constraint of the model.
	Constraint apprunner.Code
	// Refuse words such a request where the API has a way of its own; nil: as all do, with Constraint.
	Refuse func(error) error
	// Codes is how the API spells the common errors; nil: as its protocol does.
	Codes map[apprunner.Code]spelling
	// Internal is the code for a fault of this server.
	Internal apprunner.Code
	// OlderTarget is an earlier form of the prefix in X-Amz-Target that clients may still send.
	OlderTarget string
	// MaxBody is the largest request body in bytes where it is more than the usual 1 MiB.
	MaxBody int64
}

// action makes an Action out of functions on the operation's own types.
func action[In, Out any](permissions func(context.Context, Call, *In) ([]iam.Request, error), do func(context.Context, Call, *In) (*Out, error)) Action {
	return Action{
		Permissions: func(ctx context.Context, c Call, in any) ([]iam.Request, error) {
			typed, ok := in.(*In)
			if !ok {
				return nil, fmt.Errorf("the action takes %T, not %T", typed, in)
			}
			return permissions(ctx, c, typed)
		},
		Do: func(ctx context.Context, c Call, in any) (any, error) {
			typed, ok := in.(*In)
			if !ok {
				return nil, fmt.Errorf("the action takes %T, not %T", typed, in)
			}
			out, err := do(ctx, c, typed)
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// command is action for an operation that has no output.
func command[In any](permissions func(context.Context, Call, *In) ([]iam.Request, error), do func(context.Context, Call, *In) error) Action {
	a := action(permissions, func(ctx context.Context, c Call, in *In) (*struct{}, error) { return nil, do(ctx, c, in) })
	run := a.Do
	a.Do = func(ctx context.Context, c Call, in any) (any, error) {
		_, err := run(ctx, c, in)
		return nil, err
	}
	return a
}

// val reads an optional member; an absent one is the zero value.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// given is a member for an answer; the zero value is left out.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
