package runtimeenv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/secret/parameter"
)

// read gets the values of all references, or tells of all that cannot be had.
func (e *Environment) read(ctx context.Context, svc Service, references map[string]string) (map[string]string, error) {
	r := reading{Environment: e, svc: svc, known: map[apprunner.SecretReference]secret.Value{}}
	values := make(map[string]string, len(references))
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(references)) {
		value, err := r.one(ctx, references[name])
		known := new(apprunner.Error)
		switch {
		case err == nil:
			values[name] = value
		case errors.As(err, &known) && known.Code != apprunner.CodeInternal:
			faults = append(faults, fmt.Sprintf("The secret for variable %s (%s) could not be read: %s.", name, references[name], strings.TrimSuffix(known.Error(), ".")))
		default:
			return nil, fmt.Errorf("read the secret for variable %s: %w", name, err)
		}
	}
	if len(faults) > 0 {
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "%s", strings.Join(faults, " "))
	}
	return values, nil
}

// reading is one round of reads, which gets each secret once however many of its members are asked for.
type reading struct {
	*Environment
	svc   Service
	known map[apprunner.SecretReference]secret.Value
}

func (r reading) one(ctx context.Context, text string) (string, error) {
	ref, err := apprunner.ParseSecretReference(text)
	if err == nil {
		ref, err = ref.In(r.svc.Scope)
	}
	if err != nil {
		return "", err
	}
	value := ""
	if ref.Parameter != "" {
		value, err = r.parameter(ctx, ref)
	} else {
		value, err = r.secret(ctx, ref)
	}
	if err == nil && strings.ContainsRune(value, 0) {
		err = fault("its value holds a NUL character, which no environment variable can. Encode it, for example in base64.")
	}
	return value, err
}

func fault(format string, args ...any) error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, format, args...)
}

// allowed asks whether the role may read and keeps a record of the read that fn does.
func (r reading) allowed(ctx context.Context, a Access, fn func() error) error {
	err := r.conf.Guard.Allow(ctx, r.svc, a)
	if err == nil {
		err = fn()
	}
	r.conf.Guard.Note(ctx, r.svc, a, err)
	return err
}

func (r reading) parameter(ctx context.Context, ref apprunner.SecretReference) (string, error) {
	p, v, err := r.conf.Parameters.Find(ctx, ref.Scope, ref.Parameter)
	if apprunner.CodeOf(err) == parameter.CodeNotFound {
		return "", fault("there is no such parameter in region %s of account %s. Make it with PutParameter, or correct the reference.", ref.Region, ref.Account)
	}
	if err != nil {
		return "", err
	}
	a := Access{Action: "ssm:GetParameters", Resource: p.ARN(), Tags: p.Tags, Bound: map[string]string{"PARAMETER_ARN": p.ARN()}}
	if v.OwnKey() {
		a.Key = v.KeyID
	}
	var value parameter.Value
	err = r.allowed(ctx, a, func() error {
		value, err = r.conf.Parameters.Value(ctx, p, v, true)
		return err
	})
	return value.Reveal(), err
}

func (r reading) secret(ctx context.Context, ref apprunner.SecretReference) (string, error) {
	which := ref
	which.JSONKey = ""
	value, known := r.known[which]
	if !known {
		var err error
		if value, err = r.secretValue(ctx, ref); err != nil {
			return "", err
		}
		r.known[which] = value
	}
	if value.Binary {
		return "", fault("its value is binary, and variables hold text. Store it as SecretString, for example in base64.")
	}
	if ref.JSONKey == "" {
		return string(value.Bytes), nil
	}
	return member(value.Bytes, ref.JSONKey)
}

func (r reading) secretValue(ctx context.Context, ref apprunner.SecretReference) (value secret.Value, err error) {
	x, err := r.conf.Secrets.Describe(ctx, ref.Scope, ref.Secret)
	if apprunner.CodeOf(err) == apprunner.CodeNotFound {
		return value, fault("there is no such secret in region %s of account %s. Make it with CreateSecret, or correct the reference.", ref.Region, ref.Account)
	}
	if err != nil {
		return value, err
	}
	w := secret.Which{Version: ref.Version, Stage: ref.Stage}
	a := Access{
		Action: "secretsmanager:GetSecretValue", Resource: x.ARN(), Policy: x.Policy, Stage: w.Stage, Tags: x.Tags, Bound: map[string]string{"SecretARN": x.ARN()},
	}
	if x.OwnKey() || x.Account != r.svc.Account {
		a.Key = x.Key()
	}
	if w == (secret.Which{}) {
		a.Stage = secret.StageCurrent
	}
	err = r.allowed(ctx, a, func() error {
		_, _, value, err = r.conf.Secrets.Value(ctx, ref.Scope, ref.Secret, w)
		return err
	})
	return value, err
}

// member picks one member of a JSON object: a text as it is, anything else as it is written.
func member(text []byte, key string) (string, error) {
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || object == nil {
		return "", fault("its value is not a JSON object, of which the member %q could be taken. Leave the JSON key out of the reference, or store an object.", key)
	}
	raw, there := object[key]
	if !there || bytes.Equal(raw, []byte("null")) {
		return "", fault("its JSON value has no member %q. Add it to the secret, or correct the reference: names are case-sensitive.", key)
	}
	var value string
	if json.Unmarshal(raw, &value) == nil {
		return value, nil
	}
	return string(raw), nil
}
