package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"slipway.dev/slipway/test/rig"
)

// repository is the ECR repository of the bench's images.
const repository = "bench"

// ballast is how much each image holds beside the application, so that none shares all its layers with another.
const ballast = 8 << 20

// pushImage puts a version of the test application into the built-in registry.
func (h *house) pushImage(ctx context.Context, version string) error {
	img, err := rig.Image(version)
	if err != nil {
		return err
	}
	layer, err := ballastLayer()
	if err != nil {
		return err
	}
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		return err
	}
	repo := repository
	if _, err := h.ECR.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &repo}); err != nil && rig.Code(err) != "RepositoryAlreadyExistsException" {
		return err
	}
	password, err := h.Login()
	if err != nil {
		return err
	}
	ref, err := name.ParseReference(h.API()+"/"+repository+":"+version, name.Insecure)
	if err != nil {
		return err
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx), remote.WithAuth(&authn.Basic{Username: "AWS", Password: password})); err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	return nil
}

// ballastLayer is a layer that no other image has and that does not compress.
func ballastLayer() (v1.Layer, error) {
	content := make([]byte, ballast)
	rand.Read(content)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "ballast", Typeflag: tar.TypeReg, Mode: 0o644, Size: ballast}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}

// ownStart is how long the test application takes to answer when it is simply run on this machine.
func (b *bench) ownStart(ctx context.Context) (time.Duration, error) {
	path := filepath.Join(b.dir, "app")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "slipway.dev/slipway/test/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the application: %w\n%s", err, out)
	}
	var rounds []time.Duration
	for range 5 {
		took, err := startOf(ctx, path)
		if err != nil {
			return 0, err
		}
		rounds = append(rounds, took)
	}
	b.note("the application's own start: %v", rounds)
	return median(rounds), nil
}

// startOf runs the application until it answers.
func startOf(ctx context.Context, path string) (time.Duration, error) {
	at, err := freeAddresses(1)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = []string{"LISTEN=" + at[0]}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait() //nolint:errcheck // it is killed
	defer cancel()
	for {
		err := fetch(ctx, client, "http://"+at[0]+"/")
		if err == nil {
			return time.Since(began), nil
		}
		if serr := sleep(ctx, 200*time.Microsecond); serr != nil {
			return 0, fmt.Errorf("the application does not answer: %w", err)
		}
	}
}
