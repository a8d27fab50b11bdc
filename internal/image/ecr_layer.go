package image

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// LayerState is what BatchCheckLayerAvailability tells of a layer.
type LayerState struct {
	Digest    string
	Available bool
	SizeBytes int64
}

// LayerFailure is a layer name that means nothing.
type LayerFailure struct {
	Digest string
	Code   string // InvalidLayerDigest or MissingLayerDigest
	Reason string
}

// LayerPartBytes is the size of part InitiateLayerUpload asks for; the last may be smaller.
const LayerPartBytes = 20 << 20

// BatchCheckLayerAvailability tells which layers a repository has already.
func (s *Store) BatchCheckLayerAvailability(ctx context.Context, scope apprunner.Scope, repository string, digests []string) (states []LayerState, failures []LayerFailure, err error) {
	if len(digests) == 0 || len(digests) > maxBatch {
		return nil, nil, apprunner.Errorf(CodeInvalidParameter, "layerDigests must have 1 to %d members", maxBatch)
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		repo, err := getRepository(tx, scope, repository)
		if err != nil {
			return err
		}
		for _, d := range digests {
			switch {
			case d == "":
				failures = append(failures, LayerFailure{d, "MissingLayerDigest", "The layer digest is missing"})
				continue
			case !validDigest(d):
				failures = append(failures, LayerFailure{d, "InvalidLayerDigest", "Invalid request parameters: layer digest should be sha256: and 64 hex digits"})
				continue
			}
			size, found, err := linkedBlob(tx, repo, d)
			if err == nil && found {
				err = s.linkBlob(tx, repo, d, size) // the caller will not upload it again: it counts as used now
			}
			if err != nil {
				return err
			}
			states = append(states, LayerState{d, found, size})
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("check layers: %w", err)
	}
	return states, failures, nil
}

// GetDownloadURLForLayer gives a link to a layer that needs no password and is good for an hour, for the principal's
// permissions. base is the address of the registry as the client knows it ("https://host:port"). It fails with
// CodeLayersNotFound.
func (s *Store) GetDownloadURLForLayer(ctx context.Context, scope apprunner.Scope, principal, repository, digest, base string) (string, error) {
	err := s.db.View(ctx, func(tx *store.Tx) error {
		repo, err := getRepository(tx, scope, repository)
		if err != nil {
			return err
		}
		_, found, err := linkedBlob(tx, repo, digest)
		if err == nil && !found {
			err = notThere(CodeLayersNotFound, "The layer with digest '%s' does not exist in the repository with name '%s' in the registry with id '%s'", clip(digest), repository, scope.Account)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	path := location(&call{name: repository}, "blobs", digest)
	token, err := s.signClaims(claims{Principal: principal, Account: scope.Account, Region: scope.Region, Expires: s.now().Add(linkLife).Unix(), Path: path})
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(base, "/") + path + "?" + url.Values{linkParam: {token}}.Encode(), nil
}

// InitiateLayerUpload begins the upload of a layer in parts.
func (s *Store) InitiateLayerUpload(ctx context.Context, scope apprunner.Scope, repository string) (uploadID string, err error) {
	repo, err := s.repository(ctx, scope, repository)
	if err != nil {
		return "", err
	}
	return s.startUpload(repo)
}

// UploadLayerPart adds the bytes first to last (both included) and tells the last byte received so far.
func (s *Store) UploadLayerPart(ctx context.Context, scope apprunner.Scope, repository, uploadID string, first, last int64, part []byte) (received int64, err error) {
	repo, err := s.repository(ctx, scope, repository)
	if err != nil {
		return 0, err
	}
	err = s.withUpload(repo, uploadID, func(u *upload) error {
		if first != u.size || last-first+1 != int64(len(part)) {
			return apprunner.Errorf(CodeInvalidLayerPart, "The layer part is not valid: the next byte to send is %d, the part says %d to %d and has %d bytes", u.size, first, last, len(part))
		}
		if err := u.add(ctx, bytes.NewReader(part), s.limits.BlobBytes); err != nil {
			return err
		}
		received = u.size - 1
		return nil
	})
	return received, err
}

// CompleteLayerUpload makes the uploaded parts a layer of the repository, if they have the digest.
func (s *Store) CompleteLayerUpload(ctx context.Context, scope apprunner.Scope, repository, uploadID, digest string) error {
	repo, err := s.repository(ctx, scope, repository)
	if err != nil {
		return err
	}
	return s.withUpload(repo, uploadID, func(u *upload) error {
		if u.size == 0 {
			return apprunner.Errorf(CodeEmptyUpload, "The upload '%s' has no bytes", uploadID)
		}
		return s.finishUpload(ctx, repo, u, digest)
	})
}
