package secret

import (
	"context"
	"crypto/subtle"
	"errors"
	"maps"
	"slices"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// NewVersion is a value that a secret is to get.
type NewVersion struct {
	ID     string // the client's token; repeated with the same value it changes nothing
	Value  Value
	Stages []string // none: StageCurrent
}

func (v NewVersion) check() error {
	if len(v.Value.Bytes) == 0 || len(v.Value.Bytes) > maxValue {
		return invalid("The secret value has %d bytes; 1 to %d are allowed.", len(v.Value.Bytes), maxValue)
	}
	return nil
}

// Create makes a secret, with a first version where v is not nil. It fails with CodeExists, CodeInvalidParameter,
// apprunner.CodeInvalidRequest where a secret of the name waits for its deletion, or CodeEncryption.
func (s *Secrets) Create(ctx context.Context, x Secret, v *NewVersion) (Secret, error) {
	if err := errors.Join(checkName(x.Name), checkTags(x.Tags)); err != nil {
		return Secret{}, err
	}
	now := s.now()
	x.Suffix, x.CreatedAt, x.ChangedAt = newSuffix(), now, now
	if there, again, err := s.again(ctx, x, v); err != nil || again {
		return there, err
	}
	var sealed sealedVersion
	if v != nil {
		var err error
		if sealed, err = s.seal(ctx, x, *v, now); err != nil {
			return Secret{}, err
		}
		if _, err := x.add(sealed.Version, v.stages()); err != nil {
			return Secret{}, err
		}
	}
	err := s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet()
		if err := s.purge(tx); err != nil {
			return err
		}
		_, found, err := s.read(tx, x.Scope, x.Name)
		if err == nil && found {
			err = exists(x.Name)
		}
		if err != nil {
			return err
		}
		if err := write(tx, x); err != nil || v == nil {
			return err
		}
		return writeValue(tx, x.ARN(), sealed.ID, sealed.blob)
	})
	return x, err
}

func exists(name string) error {
	return apprunner.Errorf(CodeExists, "The operation failed because the secret %s already exists.", name)
}

// again answers a creation that was done before: the same token with the same value. Another secret of the name is an error.
func (s *Secrets) again(ctx context.Context, x Secret, v *NewVersion) (there Secret, again bool, err error) {
	found := false
	err = s.conf.DB.View(ctx, func(tx *store.Tx) error {
		there, found, err = s.read(tx, x.Scope, x.Name)
		return err
	})
	switch {
	case err != nil || !found:
		return Secret{}, false, err
	case !there.DeletedAt.IsZero():
		return Secret{}, false, apprunner.Errorf(apprunner.CodeInvalidRequest, "You can't create this secret because a secret with this name is already scheduled for deletion.").
			WithHint("RestoreSecret brings that one back; DeleteSecret with ForceDeleteWithoutRecovery frees the name at once.")
	case v == nil || there.version(v.ID) < 0:
		return Secret{}, false, exists(x.Name)
	}
	if err := s.sameValue(ctx, there, *v); err != nil {
		return Secret{}, false, err
	}
	return there, true, nil
}

// stages are those the version is to have.
func (v NewVersion) stages() []string {
	if len(v.Stages) == 0 {
		return []string{StageCurrent}
	}
	return slices.Clone(v.Stages)
}

// sealedVersion is a version with its value as it rests.
type sealedVersion struct {
	Version
	blob []byte
}

// bound is what a value is sealed together with: it opens for no other secret or version.
func bound(x Secret, version string) map[string]string {
	return map[string]string{"SecretARN": x.ARN(), "SecretVersionId": version}
}

func (s *Secrets) seal(ctx context.Context, x Secret, v NewVersion, now time.Time) (sealedVersion, error) {
	if err := v.check(); err != nil {
		return sealedVersion{}, err
	}
	blob, arn, err := s.conf.Keys.Encrypt(store.Apart(ctx), x.Scope, x.Key(), v.Value.Bytes, bound(x, v.ID))
	if err != nil {
		return sealedVersion{}, keyTrouble(CodeEncryption, x.Key(), err)
	}
	return sealedVersion{Version{ID: v.ID, CreatedAt: now, Binary: v.Value.Binary, KeyARN: arn}, blob}, nil
}

// keyTrouble tells that a key did not do its work. A fault of this server stays one.
func keyTrouble(code apprunner.Code, key string, err error) error {
	if apprunner.CodeOf(err) == apprunner.CodeInternal {
		return err
	}
	return apprunner.Errorf(code, "The KMS key %s could not be used: %w", key, err)
}

// sameValue tells by its error whether a version that is there has another value than v.
func (s *Secrets) sameValue(ctx context.Context, x Secret, v NewVersion) error {
	i := x.version(v.ID)
	there, err := s.open(ctx, x, x.Versions[i])
	if err != nil {
		return err
	}
	if there.Binary != v.Value.Binary || subtle.ConstantTimeCompare(there.Bytes, v.Value.Bytes) != 1 {
		return apprunner.Errorf(CodeExists, "You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", v.ID, x.ARN())
	}
	return nil
}

// Put gives a secret another version. It fails with CodeExists where the token stands for another value.
func (s *Secrets) Put(ctx context.Context, sc apprunner.Scope, id string, v NewVersion) (Secret, Version, error) {
	x, err := s.Describe(ctx, sc, id)
	if err == nil && !x.DeletedAt.IsZero() {
		err = marked()
	}
	if err != nil {
		return Secret{}, Version{}, err
	}
	if i := x.version(v.ID); i >= 0 {
		return x, x.Versions[i], s.sameValue(ctx, x, v)
	}
	sealed, err := s.seal(ctx, x, v, s.now())
	if err != nil {
		return Secret{}, Version{}, err
	}
	x, err = s.change(ctx, sc, x.ARN(), func(tx *store.Tx, x *Secret) error { return s.addSealed(tx, x, sealed, v.stages()) })
	if err != nil {
		return Secret{}, Version{}, err
	}
	return x, x.Versions[x.version(v.ID)], nil
}

func (s *Secrets) addSealed(tx *store.Tx, x *Secret, v sealedVersion, stages []string) error {
	if x.version(v.ID) >= 0 {
		return apprunner.Errorf(CodeExists, "A version %s was made at the same time.", v.ID)
	}
	dropped, err := x.add(v.Version, stages)
	if err != nil {
		return err
	}
	x.ChangedAt = v.CreatedAt
	for _, old := range dropped {
		err = errors.Join(err, tx.Exec(`DELETE FROM secret_values WHERE arn = $1 AND version = $2`, x.ARN(), old))
	}
	return errors.Join(err, writeValue(tx, x.ARN(), v.ID, v.blob))
}

// Change is what UpdateSecret may change; nil members stay.
type Change struct {
	Description *string
	KeyID       *string
	Version     *NewVersion
}

// Update changes a secret. With another key, the versions that have stages are sealed anew.
func (s *Secrets) Update(ctx context.Context, sc apprunner.Scope, id string, c Change) (Secret, error) {
	x, err := s.Describe(ctx, sc, id)
	if err == nil && !x.DeletedAt.IsZero() {
		err = marked()
	}
	if err != nil {
		return Secret{}, err
	}
	var anew []sealedVersion
	if c.KeyID != nil && *c.KeyID != x.KeyID {
		x.KeyID = *c.KeyID
		if anew, err = s.sealAnew(ctx, x); err != nil {
			return Secret{}, err
		}
	}
	var added *sealedVersion
	if v := c.Version; v != nil && x.version(v.ID) >= 0 {
		if err := s.sameValue(ctx, x, *v); err != nil {
			return Secret{}, err
		}
	} else if v != nil {
		sealed, err := s.seal(ctx, x, *v, s.now())
		if err != nil {
			return Secret{}, err
		}
		added = &sealed
	}
	return s.change(ctx, sc, x.ARN(), func(tx *store.Tx, now *Secret) error {
		now.apply(c, s.now())
		if err := resealed(tx, now, anew); err != nil || added == nil {
			return err
		}
		return s.addSealed(tx, now, *added, []string{StageCurrent})
	})
}

func (s *Secret) apply(c Change, now time.Time) {
	if c.Description != nil {
		s.Description = *c.Description
	}
	if c.KeyID != nil {
		s.KeyID = *c.KeyID
	}
	s.ChangedAt = now
}

// sealAnew seals the staged versions under the secret's present key.
func (s *Secrets) sealAnew(ctx context.Context, x Secret) (all []sealedVersion, err error) {
	for _, v := range x.Versions {
		if len(v.Stages) == 0 {
			continue
		}
		value, err := s.open(ctx, x, v)
		if err != nil {
			return nil, err
		}
		sealed, err := s.seal(ctx, x, NewVersion{ID: v.ID, Value: value}, v.CreatedAt)
		if err != nil {
			return nil, err
		}
		all = append(all, sealed)
	}
	return all, nil
}

func resealed(tx *store.Tx, x *Secret, anew []sealedVersion) error {
	for _, v := range anew {
		i := x.version(v.ID)
		if i < 0 {
			continue // dropped meanwhile
		}
		x.Versions[i].KeyARN = v.KeyARN
		if err := writeValue(tx, x.ARN(), v.ID, v.blob); err != nil {
			return err
		}
	}
	return nil
}

// Restage moves a stage between versions (UpdateSecretVersionStage).
func (s *Secrets) Restage(ctx context.Context, sc apprunner.Scope, id, stage, from, to string) (Secret, error) {
	return s.change(ctx, sc, id, func(_ *store.Tx, x *Secret) error {
		x.ChangedAt = s.now()
		return x.restage(stage, from, to)
	})
}

// SetPolicy gives a secret a resource policy; an empty one takes it away.
func (s *Secrets) SetPolicy(ctx context.Context, sc apprunner.Scope, id, policy string) (Secret, error) {
	return s.change(ctx, sc, id, func(_ *store.Tx, x *Secret) error { x.Policy = policy; return nil })
}

// Tag adds tags, and replaces those of the same keys.
func (s *Secrets) Tag(ctx context.Context, sc apprunner.Scope, id string, tags map[string]string) error {
	_, err := s.change(ctx, sc, id, func(_ *store.Tx, x *Secret) error {
		all := maps.Clone(x.Tags)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, tags)
		x.Tags = all
		return checkTags(all)
	})
	return err
}

// Untag takes tags away.
func (s *Secrets) Untag(ctx context.Context, sc apprunner.Scope, id string, names []string) error {
	_, err := s.change(ctx, sc, id, func(_ *store.Tx, x *Secret) error {
		maps.DeleteFunc(x.Tags, func(k, _ string) bool { return slices.Contains(names, k) })
		return nil
	})
	return err
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("The secret would have %d tags; at most %d are allowed.", len(tags), maxTags)
	}
	for k := range tags {
		if len(k) >= 4 && k[:4] == "aws:" {
			return invalid("The tag key %q is reserved: keys must not begin with aws:.", k)
		}
	}
	return nil
}
