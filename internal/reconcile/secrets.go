package reconcile

import (
	"context"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/secret/runtimeenv"
	"slipway.dev/slipway/internal/store"
)

// secrets reads the secret variables of services and keeps the values for instances that start later (§17).
type secrets interface {
	Take(ctx context.Context, svc runtimeenv.Service, id string, references map[string]string) error
	Kept(ctx context.Context, svc runtimeenv.Service, id string) (map[string]string, error)
	Forget(tx *store.Tx, serviceARN, keep string) error
}

// reader is the service as whoever reads its secrets sees it.
func reader(svc apprunner.Service) runtimeenv.Service {
	return runtimeenv.Service{Scope: svc.Scope, ARN: svc.ARN(), RoleARN: svc.Instance.RoleARN, Key: svc.KMSKey}
}

// secretsID is the id under which the values for the operation's instances are kept. Instances that are only moved get those of the
// instances that serve; all others get what is true now.
func (j *job) secretsID() string {
	if j.op.Type == apprunner.OpMaintenance {
		return j.svc.SecretsID
	}
	return j.op.ID
}

// takeSecrets reads the values of the version's secrets, before anything is started.
func (j *job) takeSecrets(ctx context.Context, d apprunner.Deployment) error {
	if len(d.Run.Secrets) == 0 || j.op.Type == apprunner.OpMaintenance {
		return nil
	}
	if j.svc.Instance.RoleARN == "" {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "The configuration file names %d secret(s) in run.secrets, and the service has no instance role that could read them.", len(d.Run.Secrets)).
			WithHint("Give the service an instance role (InstanceConfiguration.InstanceRoleArn) that may read them.")
	}
	if err := j.r.Secrets.Take(ctx, reader(j.svc), j.op.ID, d.Run.Secrets); err != nil {
		return err
	}
	j.log.Step("%d secret(s) are read with the instance role.", len(d.Run.Secrets))
	return nil
}

// forgetSecrets drops the values that no instance will be started with any more.
func (j *job) forgetSecrets(ctx context.Context) error {
	return j.r.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		svc, _, err := tx.Service(j.op.ServiceARN)
		if err != nil {
			return err
		}
		return j.r.Secrets.Forget(tx, j.op.ServiceARN, svc.SecretsID)
	})
}

// maxEnvironment is how large the environment of an instance may be in bytes, and maxVariable one variable with its name: the kernel
// allows 128 KiB for one and a quarter of the stack for all, arguments included (execve(2)).
const (
	maxEnvironment = 1 << 20
	maxVariable    = 128<<10 - 1
)

// checkEnvironment refuses an environment that no process can be started with.
func checkEnvironment(env []string) error {
	total := 0
	for _, kv := range env {
		if total += len(kv) + 1; len(kv) >= maxVariable {
			name, _, _ := strings.Cut(kv, "=")
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "The environment variable %.64s has %d bytes with its name; a process can have at most %d.", name, len(kv), maxVariable-1).
				WithHint("Let the application read large values itself.")
		}
	}
	if total > maxEnvironment {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "The environment of the instances has %d bytes in %d variables, secrets included; at most %d bytes are allowed.", total, len(env), maxEnvironment).
			WithHint("Let the application read large values itself.")
	}
	return nil
}
