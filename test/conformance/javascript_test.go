//go:build e2e

package conformance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The clients of the JavaScript SDK that are tried.
const (
	clientVersion    = "@aws-sdk/client-apprunner@3"
	kmsClientVersion = "@aws-sdk/client-kms@3"
)

const javascript = `
const { AppRunnerClient, ListServicesCommand, DescribeServiceCommand, ListAutoScalingConfigurationsCommand, paginateListServices,
  ResourceNotFoundException, InvalidRequestException, CreateServiceCommand } = require("@aws-sdk/client-apprunner");
const faults = [];
const want = (ok, text) => { if (!ok) faults.push(text); };
(async () => {
  const client = new AppRunnerClient({ endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION, maxAttempts: 1 });
  const list = await client.send(new ListServicesCommand({}));
  want(Array.isArray(list.ServiceSummaryList) && list.$metadata.requestId.length === 36, "ListServices: " + JSON.stringify(list));
  for await (const page of paginateListServices({ client, pageSize: 5 }, {})) want(Array.isArray(page.ServiceSummaryList), "a page");
  const configs = await client.send(new ListAutoScalingConfigurationsCommand({}));
  want(configs.AutoScalingConfigurationSummaryList[0].CreatedAt instanceof Date, "a time is no Date: " + JSON.stringify(configs));
  const refused = async (command, type, status) => {
    try { await client.send(command); want(false, "not refused: " + type.name); } catch (e) {
      want(e instanceof type && e.$metadata.httpStatusCode === status && e.message, type.name + ": " + e);
    }
  };
  await refused(new DescribeServiceCommand({ ServiceArn: "arn:aws:apprunner:us-east-1:123456789012:service/none/" + "0".repeat(32) }), ResourceNotFoundException, 400);
  await refused(new CreateServiceCommand({ ServiceName: "x", SourceConfiguration: {} }), InvalidRequestException, 400);
  const stranger = new AppRunnerClient({ endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION, maxAttempts: 1,
    credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: "x".repeat(40) } });
  try { await stranger.send(new ListServicesCommand({})); want(false, "a wrong signature passes"); } catch (e) { want(e.name === "InvalidSignatureException", "wrong signature: " + e); }
})().catch(e => faults.push(String(e.stack))).finally(() => { faults.forEach(f => console.log(f)); process.exit(faults.length ? 1 : 0); });
`

const javascriptKeys = `
const { KMSClient, CreateKeyCommand, EncryptCommand, DecryptCommand, DisableKeyCommand, ListAliasesCommand, DisabledException,
  InvalidCiphertextException } = require("@aws-sdk/client-kms");
const faults = [];
const want = (ok, text) => { if (!ok) faults.push(text); };
(async () => {
  const client = new KMSClient({ endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION, maxAttempts: 1 });
  const { KeyMetadata: key } = await client.send(new CreateKeyCommand({ Description: "from JavaScript" }));
  want(key.CreationDate instanceof Date && key.KeyState === "Enabled", "CreateKey: " + JSON.stringify(key));
  const context = { EncryptionContext: { tenant: "a" } };
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId: key.Arn, Plaintext: Buffer.from("hello"), ...context }));
  const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob, ...context }));
  want(Buffer.from(Plaintext).toString() === "hello", "decrypted " + Plaintext);
  const refused = async (command, type) => {
    try { await client.send(command); want(false, "not refused: " + type.name); } catch (e) { want(e instanceof type && e.message, type.name + ": " + e); }
  };
  await refused(new DecryptCommand({ CiphertextBlob }), InvalidCiphertextException);
  await client.send(new DisableKeyCommand({ KeyId: key.KeyId }));
  await refused(new DecryptCommand({ CiphertextBlob, ...context }), DisabledException);
  const { Aliases } = await client.send(new ListAliasesCommand({}));
  want(Aliases.some(a => a.AliasName === "alias/aws/apprunner"), "aliases: " + JSON.stringify(Aliases));
})().catch(e => faults.push(String(e.stack))).finally(() => { faults.forEach(f => console.log(f)); process.exit(faults.length ? 1 : 0); });
`

// The SDK for JavaScript comes from the npm registry, hence the build tag.
//
// checklist: 3
func TestJavaScriptSDK(t *testing.T) { tellStory(t, clientVersion, javascript) }

func TestJavaScriptSDKUsesKeys(t *testing.T) { tellStory(t, kmsClientVersion, javascriptKeys) }

// tellStory runs a story with a client of the SDK.
func tellStory(t *testing.T, client, story string) {
	t.Helper()
	f, dir := serve(t), t.TempDir()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed")
	}
	check(t, os.WriteFile(filepath.Join(dir, "story.js"), []byte(story), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", dir, client)
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("the npm registry does not serve %s: %s", client, out)
	}
	if out, ok := f.run(t, "", "node", filepath.Join(dir, "story.js")); !ok {
		t.Error(strings.TrimSpace(out))
	}
}
