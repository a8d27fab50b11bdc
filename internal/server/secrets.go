package server

import (
	"context"
	"errors"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/secret/parameter"
	"slipway.dev/slipway/internal/secret/runtimeenv"
)

// openSecrets opens what is behind Secrets Manager and the Parameter Store.
func (s *System) openSecrets(ctx context.Context) error {
	var err1, err2 error
	s.secrets, err1 = secret.Open(ctx, secret.Config{DB: s.db, Keys: kms.Sealer{Keys: s.keys}})
	s.parameters, err2 = parameter.Open(ctx, parameter.Config{DB: s.db, Keys: kms.Sealer{Keys: s.keys}})
	return errors.Join(err1, err2)
}

// secretServices are the two APIs of the secret room.
func (s *System) secretServices(tokens *api.Tokens) ([]*api.Service, error) {
	manager, err1 := api.NewSecrets(api.SecretsConfig{Secrets: s.secrets, Keys: s.keys, Rights: s.iam, Tokens: tokens})
	parameters, err2 := api.NewParameters(s.parameters, s.keys, tokens)
	return []*api.Service{manager, parameters}, errors.Join(err1, err2)
}

// openEnvironment opens what reads the secret variables of services.
func (s *System) openEnvironment(ctx context.Context) (err error) {
	s.environment, err = runtimeenv.Open(ctx, runtimeenv.Config{
		DB: s.db, Keys: kms.Sealer{Keys: s.keys}, Secrets: s.secrets, Parameters: s.parameters, Guard: instanceRoles{s},
	})
	return err
}
