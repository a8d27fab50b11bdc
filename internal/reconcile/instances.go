package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/store"
)

// provision starts the instances of the new set next to the old one (§7.3): records first, so that no crash leaves an
// instance that no record names.
func (j *job) provision(ctx context.Context) error {
	if err := j.reload(ctx); err != nil {
		return err
	}
	d, img, err := j.r.stored(ctx, j.deploymentID())
	if err != nil {
		return err
	}
	if err := j.takeSecrets(ctx, d); err != nil {
		return err
	}
	v, err := j.r.complete(ctx, j.svc, d, img, j.secretsID())
	if err != nil {
		return err
	}
	if err := checkEnvironment(j.r.environment(j.svc, v)); err != nil {
		return err
	}
	if err := j.connect(ctx); err != nil {
		return err
	}
	set, err := j.mine(ctx)
	if err != nil {
		return err
	}
	for len(set) < j.size() {
		set = append(set, apprunner.Instance{
			ID: apprunner.NewID(), ServiceARN: j.op.ServiceARN, DeploymentID: d.ID, OperationID: j.op.ID, Phase: apprunner.PhaseStandby, CreatedAt: j.r.Now().UTC(),
		})
	}
	if err := j.r.record(ctx, set); err != nil {
		return err
	}
	if err := j.save(ctx, func(op *apprunner.Operation) { op.Touched = true }); err != nil {
		return err
	}
	j.log.Step("Provisioning %d instance(s) with %s vCPU and %d MB memory for deployment.", len(set), vcpu(j.svc.Instance.CPU), j.svc.Instance.Memory)
	return j.r.startAll(ctx, j.svc, v, set, nil)
}

// size is how many instances a new set begins with: what the service needs at the moment, within its limits, and one at least.
func (j *job) size() int {
	limits := j.svc.AutoScaling
	return max(min(max(limits.MinSize, j.r.traffic.wanted(j.op.ServiceARN)), limits.MaxSize), 1)
}

// version is what instances are started from.
type version struct {
	apprunner.Deployment
	image   image.Image
	secrets map[string]string // the values of the secret variables; they are written nowhere
}

// version reads a deployment, its image and the values of its secrets that are kept under an id.
func (r *Reconciler) version(ctx context.Context, svc apprunner.Service, id, secretsID string) (version, error) {
	d, img, err := r.stored(ctx, id)
	if err != nil {
		return version{}, err
	}
	return r.complete(ctx, svc, d, img, secretsID)
}

func (r *Reconciler) complete(ctx context.Context, svc apprunner.Service, d apprunner.Deployment, img image.Image, secretsID string) (v version, err error) {
	v = version{Deployment: d, image: img}
	if len(d.Run.Secrets) > 0 {
		v.secrets, err = r.Secrets.Kept(ctx, reader(svc), secretsID)
	}
	return v, err
}

// stored reads a deployment and its image.
func (r *Reconciler) stored(ctx context.Context, id string) (d apprunner.Deployment, img image.Image, err error) {
	var found bool
	err = r.DB.View(ctx, func(tx *store.Tx) (err error) {
		d, found, err = tx.Deployment(id)
		return err
	})
	if err == nil && !found {
		err = apprunner.Errorf(apprunner.CodeInternal, "The stored version %s of the service is missing. Start a deployment to make a new one.", id)
	}
	if err != nil {
		return d, img, err
	}
	img, err = r.Images.Kept(ctx, d.ServiceARN, d.ImageDigest)
	return d, img, err
}

func (r *Reconciler) record(ctx context.Context, set []apprunner.Instance) error {
	return r.DB.Update(ctx, func(tx *store.Tx) (err error) {
		for _, i := range set {
			err = errors.Join(err, tx.PutInstance(i))
		}
		return err
	})
}

// atOnce is how many instances start together; more only wait for each other on small machines.
const atOnce = 4

// startAll starts instances that are recorded already and notes their addresses. started, which may be nil, is called after each.
// One that cannot be started does not keep the others from starting.
func (r *Reconciler) startAll(ctx context.Context, svc apprunner.Service, v version, set []apprunner.Instance, started func(context.Context) error) error {
	var extras apprunner.Extras
	err := r.DB.View(ctx, func(tx *store.Tx) error {
		tags, err := tx.Tags(svc.ARN())
		extras, _ = apprunner.ParseExtras(tags) // what is not allowed was refused when the tag was made
		return err
	})
	if err != nil {
		return fmt.Errorf("read tags: %w", err)
	}
	ways, err := r.waysOut(ctx, svc)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for n := range set {
		g.Go(func() error {
			spec := calls(r.spec(svc, v, set[n].ID, extras.Capabilities), ways, set[0].ID, n)
			if err := r.startOne(ctx, svc, spec, v.Run.Port, &set[n]); err != nil || started == nil {
				return err
			}
			return started(ctx)
		})
	}
	return g.Wait()
}

func (r *Reconciler) startOne(ctx context.Context, svc apprunner.Service, spec instance.Spec, port int, i *apprunner.Instance) error {
	if svc.Instance.RoleARN != "" {
		env, err := r.Credentials.Register(ctx, spec.ID, spec.ServiceARN, svc.Instance.RoleARN)
		if err != nil {
			return err
		}
		spec.Env = append(spec.Env, env...)
	}
	runs, err := r.Instances.Start(ctx, spec)
	if err != nil {
		return fmt.Errorf("start instance %s: %w", i.ID, err)
	}
	i.Address = net.JoinHostPort(runs.Address.String(), strconv.Itoa(port))
	return r.noteAddress(ctx, i)
}

// noteAddress records where an instance answers. Starting took a while: what else the record says by now stays, and one that is
// forgotten stays forgotten, so that the supervisor stops it.
func (r *Reconciler) noteAddress(ctx context.Context, i *apprunner.Instance) error {
	return r.DB.Update(ctx, func(tx *store.Tx) error {
		now, found, err := tx.ChangeInstance(i.ID, func(rec *apprunner.Instance) { rec.Address = i.Address })
		if found {
			*i = now
		}
		return err
	})
}

// spec says how one instance runs.
func (r *Reconciler) spec(svc apprunner.Service, v version, id string, caps []string) instance.Spec {
	layers := make([]string, len(v.image.Layers))
	for n, l := range v.image.Layers {
		layers[n] = l.Dir
	}
	return instance.Spec{
		ID: id, ServiceARN: svc.ARN(), DeploymentID: v.ID, Rootfs: instance.Rootfs{Layers: layers},
		Args: arguments(v.image.Config, v.Run), Env: r.environment(svc, v), Dir: v.image.Config.WorkingDir, User: v.image.Config.User,
		CPU: svc.Instance.CPU, MemoryMiB: svc.Instance.Memory, DiskMiB: diskFor(v.image.SizeBytes), Files: r.Files, Egress: instance.EgressPublic, Capabilities: caps,
	}
}

const (
	storageMiB    = 3072 // ephemeral storage of an instance; the unpacked image counts (§19)
	minStorageMiB = 512  // what even an instance of a large image may write
)

func diskFor(imageBytes int64) int { return max(storageMiB-int(imageBytes>>20), minStorageMiB) }

// arguments is the process an instance runs (§14): a shell for a start command of a code service, else the image's entrypoint
// with the image's or the service's arguments.
func arguments(c image.ImageConfig, run apprunner.RunConfiguration) []string {
	switch {
	case run.Command != "":
		return []string{"/bin/sh", "-c", execPrefix(run.Command) + run.Command}
	case run.Args != nil:
		return slices.Concat(c.Entrypoint, run.Args)
	}
	return slices.Concat(c.Entrypoint, c.Cmd)
}

// environment lays the image's, the installation's and the user's variables over each other, the port on top (§17).
func (r *Reconciler) environment(svc apprunner.Service, v version) []string {
	run, port := v.Run, strconv.Itoa(v.Run.Port)
	env := map[string]string{}
	for _, kv := range v.image.Config.Env {
		if name, value, found := strings.Cut(kv, "="); found {
			env[name] = value
		}
	}
	env["AWS_REGION"], env["AWS_DEFAULT_REGION"] = svc.Region, svc.Region
	if svc.Network.Egress != apprunner.EgressVPC { // what these lead to is not behind a VPC
		maps.Copy(env, r.Environment)
	}
	maps.Copy(env, run.Env)
	maps.Copy(env, v.secrets)
	env["PORT"] = port
	if run.PortEnv != "" {
		env[run.PortEnv] = port
	}
	list := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list
}

// stopAll stops instances and forgets them, in that order: a crash between leaves a record whose instance is gone, which the
// next try removes.
func (r *Reconciler) stopAll(ctx context.Context, set []apprunner.Instance) error {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, i := range set {
		g.Go(func() error {
			if err := r.stopOne(ctx, i.ID); err != nil {
				return fmt.Errorf("stop instance %s: %w", i.ID, err)
			}
			if err := r.Credentials.Forget(ctx, i.ID); err != nil {
				return err
			}
			return r.DB.Update(ctx, func(tx *store.Tx) error { return tx.DeleteInstance(i.ID) })
		})
	}
	return g.Wait()
}

func vcpu(units int) string { return strconv.FormatFloat(float64(units)/1024, 'f', -1, 64) }
