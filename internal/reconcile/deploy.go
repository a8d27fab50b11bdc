package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/build"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/source"
	"slipway.dev/slipway/internal/store"
)

// prepare makes the deployment this operation starts: fetches and builds, or pulls. A deployment that is recorded already is
// taken as it is.
func (j *job) prepare(ctx context.Context) error {
	id := j.deploymentID()
	var found bool
	err := j.r.DB.View(ctx, func(tx *store.Tx) (err error) {
		_, found, err = tx.Deployment(id)
		return err
	})
	if err != nil || found {
		return err
	}
	d := apprunner.Deployment{ID: id, ServiceARN: j.op.ServiceARN, CreatedAt: j.r.Now().UTC()}
	if j.svc.Source.Code != nil {
		err = j.buildCode(ctx, &d)
	} else {
		err = j.pullImage(ctx, &d)
	}
	if err != nil {
		return err
	}
	// Pinned before recorded: a crash between the two leaves a pin that dropDeployment takes away, never a version without its image.
	if err := j.keep(ctx, d); err != nil {
		return fmt.Errorf("keep image %s: %w", d.ImageDigest, err)
	}
	if err := j.r.DB.Update(ctx, func(tx *store.Tx) error { return tx.PutDeployment(d) }); err != nil {
		return fmt.Errorf("write deployment: %w", err)
	}
	return nil
}

// keep pins the image of a version, as a copy under the service's KMS key where it has one (§24).
func (j *job) keep(ctx context.Context, d apprunner.Deployment) error {
	if j.svc.KMSKey == "" {
		return j.r.Images.Pin(ctx, d.ServiceARN, d.ImageDigest)
	}
	if err := j.r.Images.PinSealed(ctx, d.ServiceARN, d.ImageDigest, j.svc.KMSKey); err != nil {
		return err
	}
	j.log.Step("The stored copy of the image is encrypted with %s.", j.svc.KMSKey)
	return nil
}

func (j *job) buildCode(ctx context.Context, d *apprunner.Deployment) error {
	code := j.svc.Source.Code
	dir := filepath.Join(j.r.ScratchDir, d.ID)
	defer os.RemoveAll(dir)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear the checkout: %w", err)
	}
	repo := source.Repository{URL: code.URL, Branch: code.Branch}
	if arn := j.svc.Source.ConnectionARN; arn != "" {
		var err error
		if repo.Credential, err = j.r.ConnectionCredential(ctx, arn); err != nil {
			return err
		}
	}
	j.log.Step("Fetching branch %s of %s.", code.Branch, code.URL)
	commit, err := j.r.Repositories.Fetch(ctx, repo, dir)
	if err != nil {
		return err
	}
	j.log.Step("Commit %s (%s) is fetched.", commit.SHA, commit.Subject)
	for _, link := range commit.Skipped {
		j.log.Step("The symbolic link %s leads out of the repository and is left out.", link)
	}
	res, err := j.r.Builder.Build(ctx, build.Request{
		ServiceID: j.svc.ID, DeploymentID: d.ID, SourceDir: dir, Subdir: code.SourceDirectory, Code: code.Configuration, Log: j.log,
	})
	if j.svc.KMSKey != "" { // what package managers compiled would be a copy that the key does not protect
		err = errors.Join(err, j.r.Builder.RemoveCaches(ctx, j.svc.ID))
	}
	if err != nil {
		return err
	}
	d.Version, d.ImageDigest, d.Run = commit.SHA, res.ImageDigest, res.Run
	return nil
}

func (j *job) pullImage(ctx context.Context, d *apprunner.Deployment) error {
	conf := j.svc.Source.Image
	j.log.Step("Pulling image %s.", conf.Identifier)
	img, err := j.r.Images.Pull(ctx, conf.Identifier, image.Credential{Principal: j.r.PullAs(ctx, j.svc.Source.AccessRoleARN)})
	if err != nil {
		return err
	}
	j.log.Step("Image %s is pulled: digest %s, %d layer(s), %d MB.", conf.Identifier, img.Digest, len(img.Layers), img.SizeBytes>>20)
	d.Version, d.ImageDigest = img.ReferenceDigest, img.Digest
	d.Run = apprunner.RunConfiguration{Port: conf.Port, Env: conf.Env, Secrets: conf.Secrets}
	if conf.StartCommand != "" {
		d.Run.Args = splitCommand(conf.StartCommand)
	}
	return nil
}

// dropDeployment forgets a version and lets its image go, unless another version of the service uses it.
func (r *Reconciler) dropDeployment(ctx context.Context, id string) error {
	var (
		d      apprunner.Deployment
		shared bool
		found  bool
	)
	err := r.DB.Update(ctx, func(tx *store.Tx) (err error) {
		if d, found, err = tx.Deployment(id); err != nil || !found {
			return err
		}
		all, err := tx.Deployments(d.ServiceARN)
		for _, other := range all {
			shared = shared || other.ID != id && other.ImageDigest == d.ImageDigest
		}
		return errors.Join(err, tx.DeleteDeployment(id))
	})
	if err != nil || !found || shared {
		return err
	}
	return r.Images.Unpin(ctx, d.ServiceARN, d.ImageDigest)
}

// forgetOldDeployments keeps the newest versions of a service for a rollback, and the one that serves.
func (r *Reconciler) forgetOldDeployments(ctx context.Context, svc apprunner.Service) error {
	var all []apprunner.Deployment
	err := r.DB.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Deployments(svc.ARN())
		return err
	})
	for n, d := range all {
		if n >= r.Keep && d.ID != svc.DeploymentID {
			err = errors.Join(err, r.dropDeployment(ctx, d.ID))
		}
	}
	return err
}
