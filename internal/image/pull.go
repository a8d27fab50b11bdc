package image

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/apprunner"
)

const parallelLayers = 4

// Credential is what a caller shows a registry: name and password for another registry, a principal for the built-in one.
type Credential struct {
	Username string
	Password string
	// Principal is who pulls from the built-in registry (an access role); its permissions are asked for as §14 lists them.
	// "" is Slipway itself, which may read everything it keeps.
	Principal string
}

// source is one repository that can be read, here or elsewhere.
type source interface {
	// resolve tells the digest of a tag (or repeats a digest that exists), as cheaply as it can.
	resolve(ctx context.Context, version string) (digest string, err error)
	// manifest reads a manifest by tag or digest and checks it against the digest.
	manifest(ctx context.Context, version string) (body []byte, mediaType string, err error)
	// blob brings a blob into the store, where it is not there already. The caller holds a lease on it.
	blob(ctx context.Context, d descriptor) error
}

// Pull brings an image onto this machine, unpacked and ready to run, and returns it. What is here already is not transferred
// again, so a pull that was interrupted goes on with what is missing. Of an index the image for this server's platform is
// taken. Errors for users: the reference is malformed or names nothing, access is denied (with the action's name), the
// registry cannot be reached, no variant for this platform, content that is not what its digest says.
//
// An image nobody pins may be removed after Config.KeepUnused.
func (s *Store) Pull(ctx context.Context, ref string, cred Credential) (Image, error) {
	r, err := ParseReference(ref)
	if err != nil {
		return Image{}, err
	}
	src, err := s.source(ctx, r, cred)
	if err != nil {
		return Image{}, err
	}
	img, err := s.fetch(ctx, src, r)
	if err != nil {
		return Image{}, fmt.Errorf("pull %s: %w", r, err)
	}
	return img, nil
}

// Resolve tells which digest a reference means now, without transferring the image.
func (s *Store) Resolve(ctx context.Context, ref string, cred Credential) (string, error) {
	r, err := ParseReference(ref)
	if err != nil {
		return "", err
	}
	src, err := s.source(ctx, r, cred)
	if err != nil {
		return "", err
	}
	digest, err := src.resolve(ctx, r.Version())
	if err != nil {
		return "", fmt.Errorf("resolve %s: %w", r, err)
	}
	return digest, nil
}

// source finds the repository a reference means. Only the built-in registry's needs to exist at this point.
func (s *Store) source(ctx context.Context, r Reference, cred Credential) (source, error) {
	if scope, own := s.ownScope(r); own {
		return s.builtinSource(ctx, scope, r, cred)
	}
	if prefix, up, found := longestPrefix(s.cfg.Mirrors, r.Name()); found {
		return s.upstreamSource(up, r.Name()[len(prefix):], r)
	}
	return s.remoteSource(r.Registry, r.Repository, r.Name(), cred)
}

// ownScope tells whether a reference means the built-in registry, and where in it. No network and no name service is asked.
func (s *Store) ownScope(r Reference) (apprunner.Scope, bool) {
	if scope, ecr := r.ECRScope(); ecr {
		return scope, s.cfg.OwnsAccount(scope.Account)
	}
	for _, host := range s.cfg.RegistryHosts {
		if host == r.Registry {
			return s.cfg.Scope, true
		}
	}
	return apprunner.Scope{}, false
}

// fetch transfers and unpacks what is missing of an image and records it.
func (s *Store) fetch(ctx context.Context, src source, r Reference) (Image, error) {
	held := s.leases.take()
	defer held.release()
	found, err := s.fetchManifest(ctx, src, r, held)
	if err != nil {
		return Image{}, err
	}
	cfg, err := s.fetchConfig(ctx, src, r, held, found.manifest)
	if err != nil {
		return Image{}, err
	}
	if err := s.fetchLayers(ctx, src, held, found.manifest.Layers, cfg.RootFS.DiffIDs); err != nil {
		return Image{}, err
	}
	if err := s.remember(ctx, found.digest, newRefs(found, cfg.RootFS.DiffIDs)); err != nil {
		return Image{}, err
	}
	img := s.assemble(found.digest, found.manifest, cfg)
	img.ReferenceDigest = found.reference
	return img, nil
}

// foundManifest is the manifest of an image for this platform.
type foundManifest struct {
	manifest  manifest
	digest    string   // its own
	reference string   // what the reference named: the same, or the digest of an index that holds it
	path      []string // all manifests on the way, as blobs
}

func (s *Store) fetchManifest(ctx context.Context, src source, r Reference, held *lease) (foundManifest, error) {
	var found foundManifest
	version := r.Version()
	for range maxDepth {
		body, mediaType, err := src.manifest(ctx, version)
		if err != nil {
			return foundManifest{}, err
		}
		m, err := parseManifest(body, mediaType)
		if err != nil {
			return foundManifest{}, err
		}
		digest := digestOf(body)
		held.add(digest)
		if !s.common.has(digest) {
			if _, err := s.writeBlob(body); err != nil {
				return foundManifest{}, err
			}
		}
		found.manifest, found.digest, found.path = m, digest, append(found.path, digest)
		if found.reference == "" {
			found.reference = digest
		}
		if !m.index() {
			return found, nil
		}
		child, err := m.choose(s.cfg.Architecture, r.String())
		if err != nil {
			return foundManifest{}, err
		}
		version = child.Digest
	}
	return foundManifest{}, refuse("the image's indexes are nested deeper than %d", maxDepth)
}

func (s *Store) fetchConfig(ctx context.Context, src source, r Reference, held *lease, m manifest) (configFile, error) {
	if m.Config.Size > maxConfig {
		return configFile{}, refuse("the image's configuration is larger than %d MiB", maxConfig>>20)
	}
	if m.Config.MediaType != mediaOCIConfig && m.Config.MediaType != mediaDockerConfig {
		return configFile{}, refuse("%s is not a container image: its configuration is of the type %q", r, clip(m.Config.MediaType))
	}
	held.add(m.Config.Digest)
	if err := src.blob(ctx, *m.Config); err != nil {
		return configFile{}, err
	}
	cfg, err := s.loadConfig(s.common, m)
	if err != nil {
		return configFile{}, err
	}
	if p := cfg.platform(); p.OS != "" && p.OS != "linux" || p.Architecture != "" && p.Architecture != s.cfg.Architecture {
		return configFile{}, wrongPlatform(r.String(), []string{p.String()}, s.cfg.Architecture)
	}
	if len(m.Layers) > s.limits.Layers {
		return configFile{}, refuse("the image has %d layers, more than the limit of %d", len(m.Layers), s.limits.Layers)
	}
	return cfg, nil
}

// loadConfig reads the configuration a manifest names and checks that the two fit.
func (s *Store) loadConfig(from shelf, m manifest) (configFile, error) {
	body, err := from.read(m.Config.Digest, maxConfig)
	if err != nil {
		return configFile{}, err
	}
	cfg, err := parseConfig(body)
	if err != nil {
		return configFile{}, err
	}
	if len(cfg.RootFS.DiffIDs) != len(m.Layers) {
		return configFile{}, refuse("the image's manifest has %d layers, its configuration %d", len(m.Layers), len(cfg.RootFS.DiffIDs))
	}
	return cfg, nil
}

func (s *Store) fetchLayers(ctx context.Context, src source, held *lease, layers []descriptor, diffIDs []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelLayers)
	for i, l := range layers {
		held.add(l.Digest, layerKey(diffIDs[i]))
		group.Go(func() error {
			if err := src.blob(ctx, l); err != nil {
				return err
			}
			return s.unpackLayer(ctx, s.common, l.Digest, diffIDs[i])
		})
	}
	return group.Wait()
}

// notThere is the error for a repository or version that does not exist.
func notThere(code apprunner.Code, format string, args ...any) error {
	return apprunner.Errorf(code, format, args...)
}

func isCode(err error, code apprunner.Code) bool {
	var e *apprunner.Error
	return errors.As(err, &e) && e.Code == code
}
