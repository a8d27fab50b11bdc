package image_test

import (
	"slices"
	"testing"
	"time"

	"slipway.dev/slipway/internal/image"
)

// A lifecycle policy ends images in the course of upkeep, survives a restart, and goes with its repository.
func TestLifecyclePolicies(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.repository(t, "app")
	_, err := w.GetLifecycle(ctx, scope, "app")
	wantCode(t, err, image.CodeLifecycleNotFound)
	_, err = w.SetLifecycle(ctx, scope, "app", `{"rules":[]}`)
	wantCode(t, err, image.CodeInvalidParameter, "0 rules")
	const newestTwo = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}}]}`
	_, err = w.SetLifecycle(ctx, scope, "none", newestTwo)
	wantCode(t, err, image.CodeRepositoryNotFound)
	if _, err := w.SetLifecycle(ctx, scope, "app", newestTwo); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"v1", "v2", "v3"} {
		w.push(t, "app:"+tag, smallImage(t, tag))
		w.advance(time.Minute)
	}
	w.repository(t, "other")
	w.push(t, "other:v1", smallImage(t, "v1"))
	if err := w.ExpireImages(ctx); err != nil {
		t.Fatal(err)
	}
	tags := func(repository string) (tags []string) {
		t.Helper()
		ids, _, err := w.ListImages(ctx, scope, repository, "", image.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			tags = append(tags, id.Tag)
		}
		slices.Sort(tags)
		return tags
	}
	if got := tags("app"); !slices.Equal(got, []string{"v2", "v3"}) {
		t.Errorf("there are %v", got)
	}
	if got := tags("other"); len(got) != 1 {
		t.Errorf("a repository without a policy has %v", got)
	}
	l, err := w.GetLifecycle(ctx, scope, "app")
	if err != nil || l.Text != newestTwo || l.Evaluated.IsZero() {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := w.DeleteLifecycle(ctx, scope, "app"); err != nil {
		t.Fatal(err)
	}
	_, err = w.DeleteLifecycle(ctx, scope, "app")
	wantCode(t, err, image.CodeLifecycleNotFound)
	if _, err := w.SetLifecycle(ctx, scope, "app", newestTwo); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DeleteRepository(ctx, scope, "app", true); err != nil {
		t.Fatal(err)
	}
	w.repository(t, "app")
	_, err = w.GetLifecycle(ctx, scope, "app")
	wantCode(t, err, image.CodeLifecycleNotFound)
	if err := w.ExpireImages(ctx); err != nil {
		t.Error(err)
	}
}
