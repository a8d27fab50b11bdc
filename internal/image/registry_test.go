package image_test

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"slipway.dev/slipway/internal/image"
)

// checklist: 28
func TestPushPullRun(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "team/app")
	img := imageOf(t, arch, tarOf(t, entry{name: "a", body: "one"}), tarOf(t, entry{name: "b", body: randomBytes(1, 3<<20)}))
	w.push(t, "team/app:v1", img)

	back, err := remote.Image(w.ref(t, "team/app:v1"), w.auth(t), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(back); err != nil {
		t.Fatal(err)
	}
	got, err := w.Pull(t.Context(), ecrHost+"/team/app:v1", image.Credential{Principal: someone})
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != mustDigest(t, img) || len(got.Layers) != 2 || got.Config.WorkingDir != "/srv" {
		t.Fatalf("pulled %+v", got)
	}
	again, err := w.Get(t.Context(), got.Digest)
	if err != nil || len(again.Layers) != 2 {
		t.Fatalf("Get: %+v, %v", again, err)
	}
}
