//go:build e2e

package e2e

import (
	"encoding/binary"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// postgres makes a database in a directory of its own and returns the command that serves it to whoever reaches it.
func postgres(t *testing.T) []string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	owner, err := user.Lookup("postgres")
	if len(found) == 0 || err != nil {
		t.Skip("PostgreSQL is not installed here")
	}
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp("/var/tmp", "slipway-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	uid, _ := strconv.Atoi(owner.Uid)
	if err := os.Chown(dir, uid, -1); err != nil {
		t.Fatal(err)
	}
	as := []string{"setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"}
	data := filepath.Join(dir, "data")
	if out, err := exec.CommandContext(t.Context(), as[0], append(as[1:], filepath.Join(bin, "initdb"), "-A", "trust", "-D", data)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	hba, err := os.OpenFile(filepath.Join(data, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer hba.Close()
	if _, err := hba.WriteString("host all all 10.60.0.0/16 trust\n"); err != nil {
		t.Fatal(err)
	}
	return append(as, filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-h", "0.0.0.0", "-p", "5432")
}

// query is what a client of PostgreSQL says that asks one question (protocol version 3).
func query(sql string) string {
	message := func(kind, body string) string {
		return kind + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
	}
	return message("", "\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00") + message("Q", sql+"\x00")
}

// An application asks a real PostgreSQL in a VPC, also after an upgrade, and two installations with the same addresses beside each other have
// nothing in common.
//
// checklist: 237
func TestVPCEgressToPostgreSQL(t *testing.T) {
	t.Parallel()
	begin := func(name string) (*callers, rig.Service) {
		h := house{rig.Own(t, "--start-timeout", startTimeout, "--stop-grace", "5s")}
		h.PushApp(t, "app", "v1", "v1")
		c := newCallers(t, h, name)
		c.rule(t, "authorize-security-group-ingress", c.serverSide, "--protocol", "tcp", "--port", "5432", "--source-group", c.group)
		return c, h.Create(t, name, rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) { in.NetworkConfiguration = through(c.connector) })
	}
	c, s := begin("first")
	c.Inside(t, c.database, []string{c.serverSide}, postgres(t)...)
	answers := func() bool {
		status, body, err := request(t, s, "POST", "/exchange?address=10.60.9.5:5432", query("select 6 * 7, inet_client_addr()"))
		return err == nil && status == 200 && strings.Contains(body, "42") && strings.Contains(body, "10.60.")
	}
	eventually(t, "the database answers", answers)
	_, other := begin("second")
	getsThrough(t, other, "second")
	getsThrough(t, s, "first")
	dials(t, other, "the other installation's database", "10.60.9.5:5432", false)
	before := s.Instances(t, "active")
	if out, err := c.Slipway("upgrade", "--data-dir", c.Dir, "--binary", copied(t)); err != nil {
		t.Fatal(err, out)
	}
	if !answers() || !slices.Equal(s.Instances(t, "active"), before) {
		t.Error("after an upgrade the database does not answer, or other instances ask")
	}
}
