package image_test

import (
	"strings"
	"testing"

	"slipway.dev/slipway/internal/image"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseReference(t *testing.T) {
	for text, want := range map[string]string{
		ecrHost + "/app":                                ecrHost + "/app:latest",
		ecrHost + "/team/app:v1":                        ecrHost + "/team/app:v1",
		ecrHost + "/app@" + someDigest:                  ecrHost + "/app@" + someDigest,
		"public.ecr.aws/aws-containers/hello:1":         "public.ecr.aws/aws-containers/hello:1",
		"nginx":                                         "docker.io/library/nginx:latest",
		"grafana/grafana:v1":                            "docker.io/grafana/grafana:v1",
		"index.docker.io/nginx":                         "docker.io/library/nginx:latest",
		"localhost/app":                                 "localhost/app:latest",
		"127.0.0.1:5000/app:v1@" + someDigest:           "127.0.0.1:5000/app:v1@" + someDigest,
		"[::1]:5000/app":                                "[::1]:5000/app:latest",
		"registry.example.com:5000/a/b/c__d-e.f:V.1_-x": "registry.example.com:5000/a/b/c__d-e.f:V.1_-x",
	} {
		ref, err := image.ParseReference(text)
		if err != nil || ref.String() != want {
			t.Errorf("%s: %s, %v; want %s", text, ref, err, want)
		}
	}
	for _, text := range []string{
		"", "App", "a b", "app:", "app:-x", "app@sha256:123", "app@md5:" + strings.Repeat("0", 64), "-host.com/app", "host.com/",
		"host.com//app", "host.com/app/", "host.com/../etc", "http://host.com/app", "host.com/app:" + strings.Repeat("x", 129),
		"host.com/" + strings.Repeat("x", 257), "host..com/app", "host.com:port/app", strings.Repeat("a", 1025), "a:b:c", "host.com/app\n",
	} {
		if ref, err := image.ParseReference(text); err == nil {
			t.Errorf("%q was taken as %s", text, ref)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"nginx", ecrHost + "/a/b:c", "localhost:1/x@" + someDigest, "[::1]/a:b@", "a/b/../c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := image.ParseReference(text)
		if err != nil {
			return
		}
		again, err := image.ParseReference(ref.String())
		if err != nil || again != ref {
			t.Fatalf("%q became %q and then %v, %v", text, ref, again, err)
		}
		if strings.Contains(ref.Repository, "..") && strings.Contains(ref.Repository, "/../") || ref.Version() == "" {
			t.Fatalf("%q became %+v", text, ref)
		}
	})
}
