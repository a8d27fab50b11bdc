//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/test/rig"
)

// TestTenThousandRequests: 200 requests a second through a deployment, a new version that never becomes healthy, and a kill of the
// control plane in the middle of another deployment. None fails.
func TestTenThousandRequests(t *testing.T) {
	h := rig.Own(t, "--start-timeout", "8s", "--stop-grace", "5s")
	h.PushApp(t, "app", "moving", "v1")
	s := h.Create(t, "busy-shop", rig.ImageSource("app", "moving", nil), types.ServiceStatusRunning)
	load := s.Load(rig.Pressure{Path: "/slow?ms=20", Rate: 200, Count: 10_000})

	h.PushApp(t, "app", "moving", "v2")
	s.Deploy(t)
	s.Says(t, "/", "hello v2")

	s = s.Update(t, &apprunner.UpdateServiceInput{SourceConfiguration: rig.ImageSource("app", "moving", map[string]string{"LISTEN": "none"})}, types.ServiceStatusRunning)
	if ops := s.Operations(t); ops[0] != "UPDATE_SERVICE ROLLBACK_SUCCEEDED" {
		t.Errorf("operations %v", ops)
	}
	s.Says(t, "/", "hello v2")

	before, err := h.PID("control")
	if err != nil {
		t.Fatal(err)
	}
	h.PushApp(t, "app", "moving", "v3")
	if _, err := h.Apps.StartDeployment(t.Context(), &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn}); err != nil {
		t.Fatal(err)
	}
	h.Kill(t, "control")
	h.Reborn(t, "control", before)
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	s.Says(t, "/", "hello v3")

	report := load.Wait()
	report.Unharmed(t)
	if report.Sent != 10_000 {
		t.Errorf("%d requests were sent", report.Sent)
	}
	h.NoOrphans(t)
}

// TestSideBySide: two installations on one machine do not know of each other; one goes, the other stays.
func TestSideBySide(t *testing.T) {
	houses := []*rig.House{rig.Own(t), rig.Own(t)}
	services := make([]rig.Service, len(houses))
	for n, h := range houses {
		version := fmt.Sprintf("house-%d", n)
		h.PushApp(t, "app", "v1", version)
		services[n] = h.Create(t, "the-same-name", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning)
		services[n].Says(t, "/", "hello "+version)
	}
	for n := range houses {
		other := services[1-n]
		address, err := other.House.Address(other.Instances(t, "active")[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range []string{address, other.House.API()} {
			if body := services[n].Says(t, "/dial?address="+target, ""); strings.Contains(body, "connected") {
				t.Errorf("an instance of house %d reaches %s of the other one", n, target)
			}
		}
	}
	load := services[1].Load(rig.Pressure{Path: "/", Rate: 50})
	if err := houses[0].Down(); err != nil {
		t.Fatal(err)
	}
	if left := houses[0].Leftovers(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	time.Sleep(time.Second)
	load.Stop().Unharmed(t)
	houses[1].NoOrphans(t)
}

// machine is everything an installation could leave behind, by kind; its processes and what names its directory are Leftovers.
func machine(t *testing.T) map[string][]string {
	t.Helper()
	m := map[string][]string{}
	add := func(kind string, item any) { m[kind] = append(m[kind], fmt.Sprint(item)) }
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	links, err := net.Interfaces()
	check(err)
	for _, l := range links {
		add("interface", l.Name)
		addrs, err := l.Addrs()
		check(err)
		for _, a := range addrs {
			add("address", l.Name+" "+a.String())
		}
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	check(err)
	for _, r := range routes {
		if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil || r.LinkIndex == 0 { // else it went away meanwhile
			name := ""
			if link != nil {
				name = link.Attrs().Name
			}
			add("route", fmt.Sprintf("%v by %q %v table %d type %d", r.Dst, name, r.Gw, r.Table, r.Type))
		}
	}
	conn, err := nftables.New()
	check(err)
	tables, err := conn.ListTables()
	check(err)
	for _, table := range tables {
		add("table", table.Name)
	}
	loops, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	check(err)
	for _, l := range loops {
		if b, err := os.ReadFile(l); err == nil {
			add("loop device", l+" "+string(b))
		}
	}
	for kind, file := range map[string]string{"mount": "/proc/self/mounts", "forwarding": "/proc/sys/net/ipv4/ip_forward"} {
		b, err := os.ReadFile(file)
		check(err)
		for line := range strings.Lines(string(b)) {
			add(kind, line)
		}
	}
	for _, root := range []string{"/sys/fs/cgroup", "/run", "/var", "/etc", "/tmp", "/usr/local"} {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil: // it is gone already
			case root != "/sys/fs/cgroup":
				add("file", path)
			case d.IsDir():
				add("cgroup", path)
			}
			return nil
		})
	}
	return m
}

// others finds the tags and directories of the installations that run on the machine beside the test's own; what carries them is
// theirs.
func others(own string, now map[string][]string) []string {
	var marks []string
	for _, i := range now["interface"] {
		if tag, ok := strings.CutPrefix(i, "sw-"); ok && tag != own {
			marks = append(marks, tag, "sv"+tag[:4])
		}
	}
	for _, a := range now["address"] {
		name, cidr, _ := strings.Cut(a, " ")
		tag, ok := strings.CutPrefix(name, "sw-")
		if ok && tag != own { // its routes bear no name; the address is the first one of its network
			first, _, _ := strings.Cut(cidr, "/")
			marks = append(marks, strings.TrimSuffix(first, ".1")+".0/")
		}
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return marks
	}
	for _, file := range lines {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if _, dir, ok := strings.Cut(strings.ReplaceAll(string(b), "\x00", " "), "--data-dir"); ok && len(dir) > 2 {
			dir, _, _ = strings.Cut(dir[1:], " ")
			marks = append(marks, dir)
		}
	}
	return marks
}

// quiet are files that other programs of a machine make and remove all the time.
var quiet = regexp.MustCompile(`^/(tmp/(go-build|go-link|bash_|Test|slipway-(rig|bench|house)|sw/)|var/(log|cache|lib/apt|lib/dpkg|tmp)|run/(lock|log))`)

// TestDownLeavesNothing compares the machine before `up` and after `down`. What was deployed is there again after the next `up`.
func TestDownLeavesNothing(t *testing.T) {
	before := machine(t)
	h, err := rig.Up("--stop-grace", "5s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(h.Dir)
	h.PushApp(t, "app", "v1", "v1")
	in := func(name string) rig.Service {
		out, err := h.Apps.CreateService(t.Context(), &apprunner.CreateServiceInput{ServiceName: &name, SourceConfiguration: rig.ImageSource("app", "v1", nil)})
		if err != nil {
			t.Fatal(err)
		}
		return h.Await(t, *out.Service.ServiceArn, types.ServiceStatusRunning)
	}
	s, sleeping := in("runs-on"), in("sleeping")
	sleeping.Pause(t)
	down := func() {
		t.Helper()
		if err := h.Down(); err != nil {
			t.Fatal(err)
		}
		for _, left := range h.Leftovers() {
			t.Errorf("left behind: %s", left)
		}
		tag, err := h.Tag()
		if err != nil {
			t.Fatal(err)
		}
		now := machine(t)
		foreign := others(tag, now)
		for kind, list := range now {
			for _, item := range list {
				theirs := slices.ContainsFunc(foreign, func(tag string) bool { return strings.Contains(item, tag) })
				if !slices.Contains(before[kind], item) && !theirs && !strings.Contains(item, h.Dir) && !(kind == "file" && quiet.MatchString(item)) {
					t.Errorf("down left behind: %s %s", kind, item)
				}
			}
		}
	}
	down()
	if out, err := h.Slipway("down", "--data-dir", h.Dir); err != nil {
		t.Errorf("down twice: %v\n%s", err, out)
	}
	host := s.Host()
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	watched{s}.becomes(t, "hello v1")
	if s.Host() != host {
		t.Errorf("the domain changed from %s to %s", host, s.Host())
	}
	if status, _, err := sleeping.Get("/"); status != http.StatusServiceUnavailable {
		t.Errorf("the paused service answers %d, %v", status, err)
	}
	sleeping.Resume(t)
	sleeping.Says(t, "/", "hello v1")
	down()
}

// TestSupervisorEnds: without its supervisor everything goes on serving; told to end by SIGTERM, it leaves the instances to the next
// `up`, which takes them over.
func TestSupervisorEnds(t *testing.T) {
	h := rig.Own(t)
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "orphaned", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning)
	end := func(sig syscall.Signal) {
		t.Helper()
		pid, err := h.Supervisor()
		if err == nil {
			err = syscall.Kill(pid, sig)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	takesOver := func(before []string) {
		t.Helper()
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		s.Says(t, "/", "hello v1")
		if now := s.Instances(t, "active"); !slices.Equal(now, before) {
			t.Errorf("instances %v became %v", before, now)
		}
		h.NoOrphans(t)
	}
	end(syscall.SIGKILL)
	load := s.Load(rig.Pressure{Path: "/", Rate: 50})
	time.Sleep(time.Second)
	s.Deploy(t)
	load.Stop().Unharmed(t)
	takesOver(s.Instances(t, "active"))

	before := s.Instances(t, "active")
	end(syscall.SIGTERM)
	for range 300 {
		if h.Ready() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	takesOver(before)
}

// TestDeployFolder: `slipway deploy DIR` packs, builds and shows the address; again, with a change; `slipway logs -f` follows.
func TestDeployFolder(t *testing.T) {
	h := theHouse(t)
	dir := t.TempDir()
	write := func(greeting string) {
		t.Helper()
		for name, content := range map[string]string{
			"requirements.txt": "", "server.py": strings.Replace(greeter, "GREETING", greeting, 1),
			"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build:\n      - python3 -m py_compile server.py\nrun:\n  command: python3 server.py\n  env:\n    - name: NAME\n      value: folder\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("Hello")
	out, err := h.Slipway("deploy", dir, "--name", "from-folder", "--data-dir", h.Dir)
	if err != nil {
		t.Fatalf("slipway deploy: %v\n%s", err, out)
	}
	s, err := h.Named("from-folder")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Remove(t, s.ARN()) })
	if !strings.Contains(out, "https://"+s.Host()) {
		t.Errorf("deploy does not tell the address:\n%s", out)
	}
	s.Says(t, "/", "Hello, folder")

	bin, err := rig.Binary()
	if err != nil {
		t.Fatal(err)
	}
	follow := exec.CommandContext(t.Context(), bin, "logs", "from-folder", "-f", "--data-dir", h.Dir)
	seen := &buffer{}
	follow.Stdout, follow.Stderr = seen, seen
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	write("Good evening")
	if out, err := h.Slipway("deploy", dir, "--name", "from-folder", "--data-dir", h.Dir); err != nil {
		t.Fatalf("slipway deploy: %v\n%s", err, out)
	}
	s.Says(t, "/", "Good evening, folder")
	for range 100 {
		if strings.Count(seen.String(), "listening on 8080") >= 2 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if n := strings.Count(seen.String(), "listening on 8080"); n != 2 {
		t.Errorf("logs -f showed the start of %d instances:\n%s", n, seen)
	}
	if err := follow.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := follow.Wait(); err != nil {
		t.Errorf("logs -f ended with %v", err)
	}

	if err := os.WriteFile(filepath.Join(dir, "apprunner.yaml"), []byte("version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build:\n      - exit 9\nrun:\n  command: python3 server.py\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err = h.Slipway("deploy", dir, "--name", "from-folder", "--data-dir", h.Dir)
	if err == nil || !strings.Contains(out, "exit code 9") {
		t.Errorf("a failing deploy ends with %v and says:\n%s", err, out)
	}
	s.Says(t, "/", "Good evening, folder")
}

// TestDeployPythonPackages: what requirements.txt asks for is there when an application runs whose folder says nothing else.
func TestDeployPythonPackages(t *testing.T) {
	h := theHouse(t)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"requirements.txt":     "./greeting\n",
		"greeting/setup.py":    "from setuptools import setup\nsetup(name='greeting', version='1.0', py_modules=['greeting'])\n",
		"greeting/greeting.py": "WORD = 'Hello'\n",
		"server.py":            "import greeting\n" + strings.Replace(greeter, "GREETING", `" + greeting.WORD + "`, 1),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := h.Slipway("deploy", dir, "--name", "python-packages", "--env", "NAME=package", "--data-dir", h.Dir)
	if err != nil {
		t.Fatalf("slipway deploy: %v\n%s", err, out)
	}
	s, err := h.Named("python-packages")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Remove(t, s.ARN()) })
	s.Says(t, "/", "Hello, package")
}

// buffer can be read while a process writes to it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestDemo: `slipway up --demo` deploys the sample and says how to reach it and what to do next.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	h := &rig.House{Dir: dir}
	t.Cleanup(func() { h.Finish(t) })
	out, err := h.Slipway("up", "--detach", "--demo", "--data-dir", dir, "--api-addr", "127.0.0.1:0", "--https-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--dns-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("slipway up --demo: %v\n%s", err, out)
	}
	if err := h.Load(); err != nil {
		t.Fatal(err)
	}
	s, err := h.Named("hello")
	if err != nil {
		t.Fatal(err)
	}
	if status, body, err := s.Get("/"); status != http.StatusOK {
		t.Errorf("the sample answers %d %s, %v", status, body, err)
	}
	for _, want := range []string{"https://" + s.Host(), "credentials.env", "slipway deploy", "slipway logs hello"} {
		if !strings.Contains(out, want) {
			t.Errorf("up --demo does not mention %s:\n%s", want, out)
		}
	}
	clone := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "-q", h.Hosted("hello"), clone).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
}

const javascript = `
import { AppRunnerClient, CreateServiceCommand, DescribeServiceCommand, UpdateServiceCommand, DeleteServiceCommand } from '@aws-sdk/client-apprunner'
const [role, image] = process.argv.slice(2)
const client = new AppRunnerClient({ maxAttempts: 4 })
let attempts = 0
client.middlewareStack.add(next => args => { attempts++; return next(args) }, { step: 'finalizeRequest', priority: 'low' })
const source = tag => ({ AutoDeploymentsEnabled: false, AuthenticationConfiguration: { AccessRoleArn: role },
  ImageRepository: { ImageIdentifier: image + tag, ImageRepositoryType: 'ECR' } })
const settle = async (arn, want) => {
  for (let n = 0; n < 1200; n++) {
    const { Service: s } = await client.send(new DescribeServiceCommand({ ServiceArn: arn }))
    if (s.Status !== 'OPERATION_IN_PROGRESS') {
      if (s.Status !== want) throw new Error('status ' + s.Status)
      return s
    }
    await new Promise(done => setTimeout(done, 100))
  }
  throw new Error('still in progress')
}
const made = await client.send(new CreateServiceCommand({ ServiceName: 'by-javascript', SourceConfiguration: source('v1') }))
const arn = made.Service.ServiceArn
const before = attempts
try {
  await client.send(new CreateServiceCommand({ ServiceName: 'by-javascript', SourceConfiguration: source('v1') }))
  throw new Error('the name is taken twice')
} catch (e) {
  if (e.name !== 'InvalidRequestException') throw e
  if (attempts !== before + 1) throw new Error('a refusal was tried again: ' + (attempts - before))
}
await settle(arn, 'RUNNING')
await client.send(new UpdateServiceCommand({ ServiceArn: arn, SourceConfiguration: source('v2') }))
const s = await settle(arn, 'RUNNING')
if (!s.SourceConfiguration.ImageRepository.ImageIdentifier.endsWith('v2') || !(s.CreatedAt instanceof Date)) throw new Error(JSON.stringify(s))
await client.send(new DeleteServiceCommand({ ServiceArn: arn }))
await settle(arn, 'DELETED')
`

// TestJavaScriptSDK: the AWS SDK for JavaScript creates, describes, updates and deletes.
//
// checklist: 3
func TestJavaScriptSDK(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed")
	}
	h := theHouse(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "flow.mjs"), []byte(javascript), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"npm", "install", "--no-fund", "--no-audit", "--silent", "@aws-sdk/client-apprunner@3"},
		{"node", "flow.mjs", rig.AccessRole, rig.Identifier("app", "")},
	} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir, cmd.Env = dir, h.Environ()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
}
