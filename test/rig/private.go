package rig

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"slipway.dev/slipway/internal/hostnet"
)

// VPC is a network with an endpoint for private services in two of its three subnets, made with the stock AWS CLI.
type VPC struct {
	House              *House
	ID                 string
	Subnets            []string // two with an endpoint's interface, and one without
	Group, EndpointID  string   // of the endpoint: HTTPS may come in from the whole VPC
	Regional, ZoneName string   // names of the endpoint, the second one of the first subnet's zone
	Addresses          []netip.Addr
}

// AWSText runs the AWS CLI and returns one value of the answer, which query names.
func (h *House) AWSText(t testing.TB, query string, args ...string) string {
	t.Helper()
	out, err := h.AWS(append(args, "--query", query)...)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("aws %s: %v in %s", strings.Join(args, " "), err, out)
	}
	text, _ := v.(string)
	return text
}

// NewVPC makes a VPC and waits until its endpoint is available. What it makes goes with the installation.
func (h *House) NewVPC(t testing.TB, cidr string) VPC {
	t.Helper()
	v := h.emptyVPC(t, cidr)
	v.AddEndpoint(t, v.Subnets[:2]...)
	return v
}

// NewAPIVPC makes a VPC whose endpoint is one for the App Runner API, and waits until that is available. more are arguments of
// create-vpc-endpoint.
func (h *House) NewAPIVPC(t testing.TB, cidr string, more ...string) VPC {
	t.Helper()
	v := h.emptyVPC(t, cidr)
	if _, err := h.AWS("ec2", "modify-vpc-attribute", "--vpc-id", v.ID, "--enable-dns-hostnames", `{"Value":true}`); err != nil {
		t.Fatal(err)
	}
	v.addEndpoint(t, "apprunner", v.Subnets[:2], more...)
	return v
}

// emptyVPC makes a VPC without an endpoint.
func (h *House) emptyVPC(t testing.TB, cidr string) VPC {
	t.Helper()
	p := netip.MustParsePrefix(cidr)
	v := VPC{House: h, ID: h.AWSText(t, "Vpc.VpcId", "ec2", "create-vpc", "--cidr-block", cidr)}
	for n, zone := range []string{"a", "b", "c"} {
		b := p.Addr().As4()
		b[2] += byte(n)
		block := netip.PrefixFrom(netip.AddrFrom4(b), 24).String()
		v.Subnets = append(v.Subnets, h.AWSText(t, "Subnet.SubnetId", "ec2", "create-subnet", "--vpc-id", v.ID, "--cidr-block", block, "--availability-zone", h.Env["AWS_REGION"]+zone))
	}
	v.Group = h.AWSText(t, "GroupId", "ec2", "create-security-group", "--vpc-id", v.ID, "--group-name", "endpoint", "--description", "HTTPS from the VPC")
	v.Allow(t, "authorize-security-group-ingress", cidr)
	return v
}

// AddEndpoint makes an endpoint in some of the subnets, which takes the place of the former one in v, and waits until it is available.
func (v *VPC) AddEndpoint(t testing.TB, subnets ...string) {
	t.Helper()
	v.addEndpoint(t, "apprunner.requests", subnets, "--no-private-dns-enabled")
}

func (v *VPC) addEndpoint(t testing.TB, service string, subnets []string, more ...string) {
	t.Helper()
	args := append([]string{
		"ec2", "create-vpc-endpoint", "--vpc-endpoint-type", "Interface", "--vpc-id", v.ID, "--security-group-ids", v.Group,
		"--service-name", "com.amazonaws." + v.House.Env["AWS_REGION"] + "." + service, "--subnet-ids",
	}, subnets...)
	v.EndpointID = v.House.AWSText(t, "VpcEndpoint.VpcEndpointId", append(args, more...)...)
	v.await(t)
}

// Allow lets HTTPS from an address range in or, with the revoking command, out again.
func (v VPC) Allow(t testing.TB, command, cidr string) {
	t.Helper()
	if _, err := v.House.AWS("ec2", command, "--group-id", v.Group, "--protocol", "tcp", "--port", "443", "--cidr", cidr); err != nil {
		t.Fatal(err)
	}
}

// await waits until the endpoint is available, and reads its names and addresses.
func (v *VPC) await(t testing.TB) {
	t.Helper()
	type endpoint struct {
		State               string
		NetworkInterfaceIds []string
		DnsEntries          []struct{ DnsName string }
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		out, err := v.House.AWS("ec2", "describe-vpc-endpoints", "--vpc-endpoint-ids", v.EndpointID)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ VpcEndpoints []endpoint }
		if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer.VpcEndpoints) != 1 {
			t.Fatal(err, out)
		}
		e := answer.VpcEndpoints[0]
		if e.State == "available" && len(e.DnsEntries) > 1 {
			v.Regional, v.ZoneName = e.DnsEntries[0].DnsName, e.DnsEntries[1].DnsName
			v.readAddresses(t, e.NetworkInterfaceIds)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the endpoint is not available: %s", out)
		}
	}
}

func (v *VPC) readAddresses(t testing.TB, interfaces []string) {
	t.Helper()
	out, err := v.House.AWS(append([]string{"ec2", "describe-network-interfaces", "--query", "NetworkInterfaces[].PrivateIpAddress", "--network-interface-ids"}, interfaces...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &v.Addresses); err != nil {
		t.Fatal(err, out)
	}
	slices.SortFunc(v.Addresses, netip.Addr.Compare)
}

// Client makes an HTTPS client that finds every host at the endpoint's first address, from the VPC's router: no security group holds it.
func (v VPC) Client() *http.Client {
	c := v.House.Client()
	transport, _ := c.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, network, _ string) (conn net.Conn, err error) {
		err = hostnet.Inside(filepath.Join(v.House.Dir, "run", "vpc", v.ID), func() error {
			conn, err = (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, net.JoinHostPort(v.Addresses[0].String(), "443"))
			return err
		})
		return conn, err
	}
	return c
}

// Exec is `slipway vpc exec` in the subnet without an interface of the endpoint: what the command prints, and its exit code.
func (v VPC) Exec(t testing.TB, args ...string) (string, int) {
	t.Helper()
	bin, err := Binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "timeout", append([]string{"60", bin, "vpc", "exec", "--data-dir", v.House.Dir, "--subnet", v.Subnets[2], "--"}, args...)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Curl asks for a page inside the VPC and returns the status that curl saw, "000" for none, and all it printed. more are options.
func (v VPC) Curl(t testing.TB, url string, more ...string) (status, text string) {
	t.Helper()
	text, _ = v.Exec(t, append([]string{"curl", "-sS", "--max-time", "10", "--cacert", v.House.Env["SLIPWAY_CA"], "-w", "\n%{http_code}", url}, more...)...)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		if len(line) == 3 && strings.Trim(line, "0123456789") == "" {
			status = line
		}
	}
	return status, text
}

// appProgram is the test application as a program of this machine.
var appProgram = sync.OnceValues(func() (string, error) { return goBuild("slipway.dev/slipway/test/app", "app-outside") })

// Serve runs the test application inside a subnet until the test ends, at port 80, where it says that it is of a version.
func (h *House) Serve(t testing.TB, version, subnet string, groups ...string) {
	t.Helper()
	app, err := appProgram()
	if err != nil {
		t.Fatal(err)
	}
	h.Inside(t, subnet, groups, "env", "PORT=80", "VERSION="+version, app)
}

// Inside runs `slipway vpc exec` in a subnet in the background, until the test ends. The command is asked to end then.
func (h *House) Inside(t testing.TB, subnet string, groups []string, command ...string) {
	t.Helper()
	bin, err := Binary()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"vpc", "exec", "--data-dir", h.Dir, "--subnet", subnet}
	for _, g := range groups {
		args = append(args, "--security-group", g)
	}
	cmd := exec.Command(bin, append(append(args, "--"), command...)...) //nolint:noctx // asked to end, not killed
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Log("a command inside a subnet ended with", err)
		}
	})
}
