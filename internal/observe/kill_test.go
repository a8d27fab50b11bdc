package observe_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// childDir makes the test binary a writer that is going to be killed; see TestMain.
const childDir = "OBSERVE_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			slog.Error("child", "error", err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled appends to several streams at once, with checkpoints in between, and prints each event it got acknowledged.
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(dir, "slipway.db"))
	if err != nil {
		return err
	}
	logs, err := observe.Open(ctx, observe.Config{Dir: filepath.Join(dir, "logs"), DB: db})
	if err != nil {
		return err
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	round := os.Getpid()
	for s := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				m := fmt.Sprintf("%d-%d-%d", round, s, i)
				if err := logs.Append(ctx, scope, "g", fmt.Sprint("s", s), []observe.Event{{Message: m}}); err != nil {
					slog.Error("append", "error", err)
					return
				}
				out.Lock()
				fmt.Println(m)
				out.Unlock()
				if s == 0 && i%40 == 39 {
					if err := logs.Checkpoint(ctx); err != nil {
						slog.Error("checkpoint", "error", err)
					}
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// A killed writer loses no acknowledged event and doubles none, wherever in a write or a checkpoint it dies.
func TestKilledWriterLosesNothing(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for n := 0; lines.Scan(); n++ {
			acknowledged[lines.Text()] = true
			if n == 150+37*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait() // it was killed
		stored := readAll(t, dir)
		for m := range acknowledged {
			if stored[m] != 1 {
				t.Fatalf("round %d: acknowledged event %s is stored %d times", round, m, stored[m])
			}
		}
		for m, n := range stored {
			if n != 1 {
				t.Fatalf("round %d: event %s is stored %d times", round, m, n)
			}
		}
	}
	if len(acknowledged) < 1000 {
		t.Errorf("only %d events were written", len(acknowledged))
	}
}

func readAll(t *testing.T, dir string) map[string]int {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(dir, "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	logs, err := observe.Open(t.Context(), observe.Config{Dir: filepath.Join(dir, "logs"), DB: db})
	if err != nil {
		t.Fatal(err)
	}
	// Not closed: the next round recovers from write-ahead files.
	stored := map[string]int{}
	q := observe.FilterQuery{Group: "g"}
	for {
		events, next, err := logs.Filter(t.Context(), scope, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			stored[e.Message]++
		}
		if next == "" {
			return stored
		}
		q.Token = next
	}
}

// A file that ends inside a record, as after a loss of power, costs only what was not acknowledged.
func TestTornTailIsRecovered(t *testing.T) {
	r := open(t)
	r.append("g", "s", at(0, "a"))
	if err := r.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.append("g", "s", at(1, "b"))
	r.abandon()
	damage := func(pattern, tail string) {
		files, err := filepath.Glob(filepath.Join(r.dir, "logs", pattern))
		if err != nil || len(files) != 1 {
			t.Fatalf("%v %v", files, err)
		}
		f, err := os.OpenFile(files[0], os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(tail); err != nil {
			t.Fatal(err)
		}
	}
	damage("wal/*.wal", "\x20\x00\x00\x00garbage")
	damage("segments/*/*.seg", strings.Repeat("torn", 20))
	r.start()
	r.append("g", "s", at(2, "c"))
	check := func() {
		t.Helper()
		if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "s", FromHead: true}).Events); got != "a b c" {
			t.Errorf("got %q", got)
		}
	}
	check()
	if err := r.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	check()
}

// The index in the store can be lost: the segments name their streams.
func TestIndexIsMadeAgainFromSegments(t *testing.T) {
	r := open(t)
	r.append("g", "s", at(0, "a"), at(1, "b"))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.abandon()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(r.dir, "slipway.db"+suffix)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	r.start()
	if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "s", FromHead: true}).Events); got != "a b" {
		t.Errorf("got %q", got)
	}
	streams, _, err := r.DescribeStreams(t.Context(), scope, observe.StreamsQuery{Group: "g"})
	if err != nil || len(streams) != 1 || streams[0].StoredBytes != 54 {
		t.Errorf("%+v %v", streams, err)
	}
}
