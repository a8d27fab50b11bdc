package image

import (
	"encoding/json"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// The media types this registry knows. Others are kept and served as they are, but cannot run.
const (
	mediaOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	mediaOCIIndex       = "application/vnd.oci.image.index.v1+json"
	mediaDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	mediaDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	mediaOCIConfig      = "application/vnd.oci.image.config.v1+json"
	mediaDockerConfig   = "application/vnd.docker.container.image.v1+json"
	mediaOCILayer       = "application/vnd.oci.image.layer.v1.tar"
)

const (
	maxManifest = 4 << 20 // what registries agree on; also ECR's limit for imageManifest
	maxConfig   = 8 << 20
	maxDepth    = 3 // how deep indexes may hold indexes
)

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Platform     *platform         `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

func (p platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// manifest is an image manifest or an index of them, in OCI's or Docker's schema 2 form.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitempty"`
	Subject       *descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

func (m manifest) index() bool { return m.MediaType == mediaOCIIndex || m.MediaType == mediaDockerList }

// parseManifest reads a manifest. contentType is what the sender called it; without one, the manifest's own word counts, then
// its form. The result always has a media type. It fails with CodeInvalidRequest.
func parseManifest(body []byte, contentType string) (manifest, error) {
	if len(body) > maxManifest {
		return manifest{}, refuse("the manifest is larger than %d MiB", maxManifest>>20)
	}
	var m manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return manifest{}, refuse("the manifest is not valid JSON: %v", err)
	}
	if m.SchemaVersion != 2 {
		return manifest{}, refuse("the manifest has schema version %d; only version 2 is supported (version 1 ended in 2017: push the image again with a current tool)", m.SchemaVersion)
	}
	contentType, _, _ = strings.Cut(contentType, ";")
	contentType = strings.TrimSpace(contentType)
	// Content that two readers may take for two different things is a known attack (CVE-2021-41190).
	if m.MediaType != "" && contentType != "" && m.MediaType != contentType {
		return manifest{}, refuse("the manifest calls itself %q and was sent as %q", clip(m.MediaType), clip(contentType))
	}
	if m.MediaType == "" {
		m.MediaType = contentType
	}
	if m.MediaType == "" || m.MediaType == "application/octet-stream" || m.MediaType == "application/json" {
		m.MediaType = guessMedia(m)
	}
	return m, m.check()
}

func guessMedia(m manifest) string {
	if m.Manifests != nil {
		return mediaOCIIndex
	}
	return mediaOCIManifest
}

func (m manifest) check() error {
	switch m.MediaType {
	case mediaOCIManifest, mediaDockerManifest:
		if m.Config == nil || m.Manifests != nil {
			return refuse("an image manifest has a config and layers, and no manifests")
		}
	case mediaOCIIndex, mediaDockerList:
		if m.Config != nil || m.Layers != nil {
			return refuse("an image index has manifests, and neither config nor layers")
		}
	default:
		return refuse("the manifest's media type %q is not supported", clip(m.MediaType))
	}
	for _, d := range m.all() {
		if !validDigest(d.Digest) {
			return refuse("the manifest refers to %q, which is not a sha256 digest", clip(d.Digest))
		}
		if d.Size < 0 {
			return refuse("the manifest gives %s a negative size", d.Digest)
		}
	}
	return nil
}

// all lists every descriptor in the manifest.
func (m manifest) all() []descriptor {
	all := slices.Concat(m.Layers, m.Manifests)
	if m.Config != nil {
		all = append(all, *m.Config)
	}
	if m.Subject != nil {
		all = append(all, *m.Subject)
	}
	return all
}

// blobs lists what must be in the repository before an image manifest is: config and layers. Layers that live elsewhere by
// licence ("foreign", with URLs) need not be.
func (m manifest) blobs() []descriptor {
	var out []descriptor
	if m.Config != nil {
		out = append(out, *m.Config)
	}
	for _, l := range m.Layers {
		if len(l.URLs) == 0 {
			out = append(out, l)
		}
	}
	return out
}

// contentSize is the size ECR tells for an image: what a pull transfers.
func (m manifest) contentSize() int64 {
	var n int64
	for _, d := range m.blobs() {
		n += d.Size
	}
	return n
}

// choose picks the manifest of an index that runs on this architecture: the first of the best variant.
func (m manifest) choose(arch, name string) (descriptor, error) {
	best, offers := -1, []string{}
	for i, d := range m.Manifests {
		if d.Platform == nil || d.Platform.OS == "unknown" {
			continue // attestations and the like
		}
		offers = append(offers, d.Platform.String())
		if d.Platform.OS != "linux" || d.Platform.Architecture != arch {
			continue
		}
		if best < 0 || variantRank(arch, d.Platform.Variant) < variantRank(arch, m.Manifests[best].Platform.Variant) {
			best = i
		}
	}
	if best >= 0 {
		return m.Manifests[best], nil
	}
	if len(offers) == 0 && len(m.Manifests) == 1 {
		return m.Manifests[0], nil // an index around one image that does not say; its config will
	}
	return descriptor{}, wrongPlatform(name, offers, arch)
}

// variantRank orders the variants of an architecture: the one every machine of it runs comes first.
func variantRank(arch, variant string) int {
	baseline := map[string]string{"amd64": "v1", "arm64": "v8", "arm": "v7"}[arch]
	switch variant {
	case "", baseline:
		return 0
	}
	return 1
}

func wrongPlatform(name string, offers []string, arch string) error {
	has := "nothing that can run"
	if len(offers) > 0 {
		slices.Sort(offers)
		has = strings.Join(slices.Compact(offers), ", ")
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "the image %s offers %s; this server needs linux/%s", clip(name), has, arch).
		WithHint("Build it for that platform, for example with docker build --platform linux/%s, and push it again.", arch)
}
