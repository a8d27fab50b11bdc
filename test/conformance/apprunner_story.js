// Plays the story of the App Runner API on standard input through the SDK for JavaScript. Exit status 1, and a line for the fault, when
// an answer is not as told. The form of a story is described in story_test.go.
const sdk = require("@aws-sdk/client-apprunner");
const story = JSON.parse(require("fs").readFileSync(0, "utf8"));
const known = story.vars;
const client = new sdk.AppRunnerClient({ endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION, maxAttempts: 1 });

const fill = (value) => {
  if (Array.isArray(value)) return value.map(fill);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fill(v)]));
  if (typeof value !== "string") return value;
  return Object.entries(known).reduce((text, [name, v]) => text.replaceAll("${" + name + "}", v), value);
};
const at = (answer, path) => path.split(".").reduce((v, part) => v?.[part], answer);
const must = (ok, text) => { if (!ok) throw new Error(text); };

async function play(step) {
  const input = fill(step.input);
  const call = () => client.send(new sdk[step.do + "Command"](input));
  if (step.error) {
    try { await call(); } catch (e) {
      must(e instanceof sdk[step.error] && e.message && e.$fault === "client", `${e.name} ${e.message}, want ${step.error}`);
      return;
    }
    throw new Error("not refused");
  }
  if (step.pages) {
    const found = [];
    for await (const page of sdk["paginate" + step.do]({ client, pageSize: step.pages.size }, input)) found.push(...page[step.pages.key]);
    must(found.length >= step.pages.least, `${found.length} entries in pages`);
    must(new Set(found.map((f) => JSON.stringify(f))).size === found.length, "an entry shows twice");
    return;
  }
  for (const [path, value] of Object.entries(step.until ?? {})) {
    for (let n = 0; n < 600; n++) {
      if (at(await call(), path) === value) return;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`${path} does not become ${value}`);
  }
  const answer = await call();
  for (const [path, value] of Object.entries(step.want ?? {}))
    must(JSON.stringify(at(answer, path)) === JSON.stringify(fill(value)), `${path} is ${JSON.stringify(at(answer, path))}, want ${JSON.stringify(fill(value))}`);
  for (const [name, path] of Object.entries(step.save ?? {})) known[name] = at(answer, path);
}

(async () => {
  for (const [n, step] of story.steps.entries()) {
    try { await play(step); } catch (e) {
      console.log(`step ${n}, ${step.do} ${JSON.stringify(fill(step.input))}: ${e.stack}`);
      process.exit(1);
    }
  }
})();
