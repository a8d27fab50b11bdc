package oci

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"

	"slipway.dev/slipway/internal/instance/oci/shim"
)

// ShimMain is the whole program of the hidden verb by which a driver starts its shims. Its result is the process's exit code.
// It takes no arguments of meaning; a driver appends the instance's id so that people can tell shims apart.
func ShimMain([]string) int { return shim.Main() }

// Defaults of Config.
const (
	defaultSubnetBits = 22       // 1,021 instances
	defaultLogLimit   = 64 << 20 // bytes per instance
	minSubnetBits     = 18
	maxSubnetBits     = 28
)

// defaultPool is where installations take their subnets from. Its 16,384 addresses are also as many user id ranges.
var defaultPool = netip.MustParsePrefix("10.213.0.0/18")

// Config is what a Driver is made of. Dir and Installation are required.
type Config struct {
	// Dir is the data directory. The driver uses instances/ and run/ in it.
	Dir string
	// Installation names this installation among those of the machine. Interface, table and control group names come from it.
	Installation string
	// Runtime is the OCI runtime, a path or a name in PATH; empty takes runc, else crun.
	Runtime string
	// ShimCommand starts ShimMain; empty is the program slipway-shim beside this executable, which keeps less memory, or else this
	// executable with the argument "shim".
	ShimCommand []string
	// Pool is the private range from which a subnet is taken that collides with no route of the machine.
	Pool netip.Prefix
	// SubnetBits is the prefix length of that subnet, 18 to 28.
	SubnetBits int
	// AllowPrivate are private ranges that instances with public egress may reach all the same.
	AllowPrivate []netip.Prefix
	// ResolvConf names the host's resolver file; empty is /etc/resolv.conf.
	ResolvConf string
	// AllowUnlimited starts instances also on a machine that cannot limit their CPU, memory or processes.
	AllowUnlimited bool
	// LogLimit bounds the bytes of log kept for one instance while nobody collects them.
	LogLimit int64
	// Log takes what no caller can be told.
	Log *slog.Logger

	atStep func(step string) // tests kill the driver here
	assume *abilities        // tests pretend to be on a poorer machine
}

// complete checks what is required and fills in the rest.
func (c Config) complete() (Config, error) {
	if !filepath.IsAbs(c.Dir) || c.Installation == "" {
		return c, errors.New("instance driver: Dir (absolute) and Installation are required")
	}
	if !c.Pool.IsValid() {
		c.Pool = defaultPool
	}
	if c.SubnetBits == 0 {
		c.SubnetBits = max(defaultSubnetBits, c.Pool.Bits())
	}
	if !c.Pool.Addr().Is4() || c.SubnetBits < max(minSubnetBits, c.Pool.Bits()) || c.SubnetBits > maxSubnetBits {
		return c, fmt.Errorf("instance driver: no subnet of length %d can be taken from %v; give an IPv4 range and a length from %d to %d", c.SubnetBits, c.Pool, minSubnetBits, maxSubnetBits)
	}
	c.Pool = c.Pool.Masked()
	if c.ResolvConf == "" {
		c.ResolvConf = "/etc/resolv.conf"
	}
	if c.LogLimit == 0 {
		c.LogLimit = defaultLogLimit
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c.findPrograms()
}

// step marks a place in Start or Stop at which the driver may be killed.
func (c Config) step(name string) {
	if c.atStep != nil {
		c.atStep(name)
	}
}

func (c Config) findPrograms() (Config, error) {
	if len(c.ShimCommand) == 0 {
		self, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("instance driver: %w", err)
		}
		c.ShimCommand = []string{self, "shim"}
		small := filepath.Join(filepath.Dir(self), "slipway-shim")
		if info, err := os.Stat(small); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			c.ShimCommand = []string{small}
		}
	}
	names := []string{c.Runtime}
	if c.Runtime == "" {
		names = []string{"runc", "crun"}
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			c.Runtime = path
			return c, nil
		}
	}
	return c, fmt.Errorf("instance driver: no OCI runtime found (looked for %v in PATH); install the package runc", names)
}
