//go:build e2e

package conformance

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/secret/parameter"
	"slipway.dev/slipway/internal/store"
)

const javascriptSecrets = `
const { SecretsManagerClient, CreateSecretCommand, GetSecretValueCommand, paginateListSecrets, ResourceNotFoundException } = require("@aws-sdk/client-secrets-manager");
const { SSMClient, PutParameterCommand, GetParameterCommand, paginateGetParametersByPath, ParameterNotFound } = require("@aws-sdk/client-ssm");
const faults = [];
const want = (ok, text) => { if (!ok) faults.push(text); };
const config = { endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION, maxAttempts: 1 };
const refused = async (send, type) => {
  try { await send; want(false, "not refused: " + type.name); } catch (e) { want(e instanceof type && e.$metadata.httpStatusCode === 400 && e.message, type.name + ": " + e); }
};
(async () => {
  const secrets = new SecretsManagerClient(config);
  for (const Name of ["one", "two", "three"]) await secrets.send(new CreateSecretCommand({ Name, SecretBinary: new Uint8Array([0, 255]) }));
  const got = await secrets.send(new GetSecretValueCommand({ SecretId: "two" }));
  want(got.SecretBinary[1] === 255 && got.CreatedDate instanceof Date && got.VersionStages[0] === "AWSCURRENT", "GetSecretValue: " + JSON.stringify(got));
  let n = 0;
  for await (const page of paginateListSecrets({ client: secrets, pageSize: 2 }, {})) n += page.SecretList.length;
  want(n === 3, "listed " + n);
  await refused(secrets.send(new GetSecretValueCommand({ SecretId: "none" })), ResourceNotFoundException);
  const parameters = new SSMClient(config);
  for (const Name of ["/a/one", "/a/two", "/a/three"]) await parameters.send(new PutParameterCommand({ Name, Value: Name, Type: "SecureString" }));
  const values = [];
  for await (const page of paginateGetParametersByPath({ client: parameters, pageSize: 2 }, { Path: "/a", WithDecryption: true })) values.push(...page.Parameters.map((p) => p.Value));
  want(values.join() === "/a/one,/a/three,/a/two", "values " + values);
  await refused(parameters.send(new GetParameterCommand({ Name: "/a/none" })), ParameterNotFound);
})().catch(e => faults.push(String(e.stack))).finally(() => { faults.forEach(f => console.log(f)); process.exit(faults.length ? 1 : 0); });
`

// serveSecrets gives an endpoint of this process that serves Secrets Manager and the Parameter Store.
func serveSecrets(t *testing.T) *front {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	db, err := store.Open(ctx, filepath.Join(dir, "slipway.db"))
	check(t, err)
	t.Cleanup(func() { db.Close() })
	ids, err := iam.Open(ctx, iam.Config{DB: db, KeyFile: filepath.Join(dir, "iam.key")})
	check(t, err)
	key, err := ids.EnsureRoot(ctx, account)
	check(t, err)
	keys, err := kms.Open(ctx, kms.Config{DB: db, Root: make([]byte, 32), Now: time.Now})
	check(t, err)
	manager, err := secret.Open(ctx, secret.Config{DB: db, Keys: kms.Sealer{Keys: keys}})
	check(t, err)
	values, err := parameter.Open(ctx, parameter.Config{DB: db, Keys: kms.Sealer{Keys: keys}})
	check(t, err)
	tokens, err := api.NewTokens([]byte("0123456789abcdef"))
	check(t, err)
	secrets, err := api.NewSecrets(api.SecretsConfig{Secrets: manager, Keys: keys, Rights: ids, Tokens: tokens})
	check(t, err)
	parameters, err := api.NewParameters(values, keys, tokens)
	check(t, err)
	door, err := api.New(api.Config{Services: []*api.Service{secrets, parameters}, Identities: ids, Account: account})
	check(t, err)
	srv := httptest.NewServer(door)
	t.Cleanup(srv.Close)
	return &front{url: srv.URL, region: region, key: key}
}

// The SDK for JavaScript reads secrets and parameters, pages, and knows the errors by their types.
func TestJavaScriptSecrets(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed")
	}
	f, dir := serveSecrets(t), t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "story.js"), []byte(javascriptSecrets), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", dir, "@aws-sdk/client-secrets-manager@3", "@aws-sdk/client-ssm@3")
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("the npm registry does not serve the clients: %s", out)
	}
	if out, ok := f.run(t, "", "node", filepath.Join(dir, "story.js")); !ok {
		t.Error(strings.TrimSpace(out))
	}
}
