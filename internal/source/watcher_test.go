package source

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// world is what a watcher sees and does.
type world struct {
	mu      sync.Mutex
	targets []Target
	heads   map[string]string // by URL
	broken  error
	changed map[string][]string // by "from..to"
	looks   int
	started []string
	refuse  error
}

func (w *world) WatchedServices(context.Context) ([]Target, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.targets), nil
}

func (w *world) Head(_ context.Context, r Repository) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	return w.heads[r.URL], w.broken
}

func (w *world) ChangedPaths(_ context.Context, _ Repository, from, to, _ string) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed[from+".."+to], nil
}

func (w *world) StartDeployment(_ context.Context, arn, commit string, automatic bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return w.refuse
	}
	if !automatic {
		return errors.New("not automatic")
	}
	w.started = append(w.started, arn+"@"+commit)
	return nil
}

func (w *world) Local(url string) bool      { return url == "file:///r" }
func (w *world) Identity(url string) string { return url }

// do changes the world at rest.
func (w *world) do(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) takeStarted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.started
	w.started = nil
	return s
}

// stage is a running watcher over a world, in fake time, with a real database.
type stage struct {
	*world
	t       *testing.T
	db      *store.DB
	watcher *Watcher
	stop    func()
}

// play runs a story on a stage with one target, whose branch is at c1.
func play(t *testing.T, target Target, story func(s *stage)) {
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
		if err != nil {
			t.Fatal(err)
		}
		s := &stage{t: t, db: db, world: &world{
			targets: []Target{target}, heads: map[string]string{target.Repository.URL: "c1"}, changed: map[string][]string{},
		}}
		s.start()
		s.pass(2 * time.Second)
		story(s)
		s.stop()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func (s *stage) start() {
	watcher, err := NewWatcher(s.t.Context(), WatcherConfig{DB: s.db, Git: s, Services: s, Starter: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- watcher.Run(ctx) }()
	s.watcher = watcher
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
}

// change changes the target in the way control does: with a commit to the database.
func (s *stage) change(change func(t *Target)) {
	s.do(func() { change(&s.targets[0]) })
	if err := s.db.Update(s.t.Context(), func(*store.Tx) error { return nil }); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) push(commit string) {
	s.do(func() { s.heads[s.targets[0].Repository.URL] = commit })
}

func (s *stage) pass(d time.Duration) {
	time.Sleep(d) // in fake time
	synctest.Wait()
}

// wants checks what was started since the last time.
func (s *stage) wants(when string, commits ...string) {
	s.t.Helper()
	var got []string
	for _, started := range s.takeStarted() {
		got = append(got, strings.TrimPrefix(started, "s@"))
	}
	if !slices.Equal(got, commits) {
		s.t.Errorf("%s: started %v, want %v", when, got, commits)
	}
}

var (
	localTarget  = Target{ServiceARN: "s", Repository: Repository{URL: "file:///r", Branch: "main"}, LastCommit: "c1", Automatic: true}
	remoteTarget = Target{ServiceARN: "s", Repository: Repository{URL: "https://example.com/r.git", Branch: "main"}, LastCommit: "c1", Automatic: true}
)

// checklist: 77
func TestEveryNewCommitIsDeployedOnce(t *testing.T) {
	play(t, localTarget, func(s *stage) {
		s.wants("at rest")
		s.push("c2")
		s.pass(2 * time.Second)
		s.wants("after a push", "c2")
		// The deployment fails: the newest deployment is of c2 all the same, and is not tried again.
		s.change(func(t *Target) { t.LastCommit = "c2" })
		s.pass(time.Hour)
		s.wants("after a failure")
		s.push("c3")
		s.pass(2 * time.Second)
		s.wants("after the next push", "c3")
	})
}

func TestChangesDuringAnOperationCollapse(t *testing.T) {
	for name, target := range map[string]Target{"local": localTarget, "remote": remoteTarget} {
		t.Run(name, func(t *testing.T) {
			play(t, target, func(s *stage) {
				s.change(func(t *Target) { t.Busy = true })
				for _, c := range []string{"c2", "c3", "c4"} {
					s.push(c)
					s.pass(time.Minute)
				}
				s.wants("during the operation")
				s.change(func(t *Target) { t.Busy = false })
				s.pass(2 * time.Second)
				s.wants("after the operation", "c4")
			})
		})
	}
}

func TestADeploymentThatBeganMeanwhileIsWaitedFor(t *testing.T) {
	play(t, localTarget, func(s *stage) {
		s.do(func() { s.refuse = apprunner.Errorf(apprunner.CodeInvalidState, "busy") })
		s.push("c2")
		s.pass(5 * time.Second)
		s.do(func() { s.refuse = nil })
		s.pass(2 * time.Second)
		s.wants("when it takes one again", "c2")
	})
}

func TestChangesWhilePausedAreNotDeployed(t *testing.T) {
	play(t, remoteTarget, func(s *stage) {
		s.change(func(t *Target) { t.Paused = true })
		s.pass(10 * time.Second)
		s.push("c2")
		s.pass(time.Hour)
		s.change(func(t *Target) { t.Paused, t.Busy = false, true })
		s.pass(2 * time.Second)
		s.change(func(t *Target) { t.Busy = false })
		s.pass(time.Hour)
		s.wants("after the resume")
		s.push("c3")
		s.pass(time.Minute)
		s.wants("the next change", "c3")
	})
}

// checklist: 132
func TestAPushRightAfterTheResumeCounts(t *testing.T) {
	play(t, remoteTarget, func(s *stage) {
		s.change(func(t *Target) { t.Paused = true })
		s.pass(time.Minute)
		s.push("c2")
		s.change(func(t *Target) { t.Paused, t.Busy = false, true })
		s.pass(time.Millisecond)
		s.change(func(t *Target) { t.Busy = false })
		s.push("c3")
		s.watcher.Poke(Notice{})
		s.pass(2 * time.Second)
		s.wants("after the push", "c3")
	})
}

// checklist: 79
func TestAutomaticDeploymentOffAndOn(t *testing.T) {
	off := remoteTarget
	off.Automatic = false
	play(t, off, func(s *stage) {
		s.push("c2")
		s.pass(time.Hour)
		s.wants("while off")
		if s.looks != 0 {
			t.Errorf("looked %d times at a repository nobody asked to watch", s.looks)
		}
		s.change(func(t *Target) { t.Automatic = true })
		s.pass(time.Hour)
		s.wants("switched on")
		s.push("c3")
		s.pass(time.Minute)
		s.wants("a push with it on", "c3")
		s.change(func(t *Target) { t.Automatic = false })
		s.push("c4")
		s.pass(time.Hour)
		s.wants("switched off again")
	})
}

func TestOnlyChangesInsideTheSourceDirectoryCount(t *testing.T) {
	target := localTarget
	target.SourceDirectory = "/app"
	play(t, target, func(s *stage) {
		s.push("c2")
		s.pass(5 * time.Second)
		s.wants("a change elsewhere")
		s.do(func() { s.changed["c2..c3"] = []string{"app/x"} })
		s.push("c3")
		s.pass(5 * time.Second)
		s.wants("a change inside", "c3")
	})
}

func TestWhatWasSeenIsRememberedOverARestart(t *testing.T) {
	play(t, localTarget, func(s *stage) {
		s.push("c2")
		s.pass(2 * time.Second)
		s.wants("before", "c2")
		s.stop()
		s.start()
		s.pass(time.Minute)
		s.wants("after the restart")
		s.stop()
		s.push("c3")
		s.start()
		s.pass(2 * time.Second)
		s.wants("a push while stopped", "c3")
		s.do(func() { s.targets = nil })
		s.stop()
		s.start()
		s.pass(2 * time.Second)
		s.stop()
		left, err := s.watcher.load(s.t.Context())
		if err != nil || len(left) > 0 {
			t.Errorf("a deleted service is remembered: %v %v", left, err)
		}
	})
}

func TestAPokeIsActedOnAtOnce(t *testing.T) {
	play(t, remoteTarget, func(s *stage) {
		s.push("c2")
		for _, other := range []Notice{{ServiceARN: "other"}, {Branches: []string{"dev"}}, {URLs: []string{"https://example.com/other"}}} {
			s.watcher.Poke(other)
		}
		synctest.Wait()
		s.wants("a poke for another")
		s.watcher.Poke(Notice{URLs: []string{remoteTarget.Repository.URL}, Branches: []string{"main"}})
		synctest.Wait()
		s.wants("a poke", "c2")
	})
}

func TestARemoteIsAskedRarelyAndMoreRarelyWhenItFails(t *testing.T) {
	play(t, remoteTarget, func(s *stage) {
		s.do(func() { s.looks = 0 })
		s.pass(10 * time.Minute)
		if s.looks < 18 || s.looks > 20 {
			t.Errorf("%d looks in 10 minutes", s.looks)
		}
		s.do(func() { s.looks, s.broken = 0, errors.New("down") })
		s.pass(10 * time.Hour)
		if s.looks > 50 {
			t.Errorf("%d looks in 10 hours at a server that is down", s.looks)
		}
		s.do(func() { s.broken = nil })
		s.push("c2")
		s.watcher.Poke(Notice{ServiceARN: "s"})
		synctest.Wait()
		s.wants("a poke in spite of the failures", "c2")
	})
}

// The whole way with a real repository: a push to this installation's own git server starts a deployment.
func TestAPushToTheHostStartsADeployment(t *testing.T) {
	s, r := newHosted(t), newRepo(t)
	first := r.commit("first", map[string]string{"app/x": "1", "README": "1"})
	r.git("push", "-q", s.remote("shop"), "main")
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	started := make(chan string, 10)
	target := Target{ServiceARN: "s", Repository: Repository{URL: s.URL("shop"), Branch: "main"}, SourceDirectory: "app", LastCommit: first, Automatic: true}
	w, err := NewWatcher(t.Context(), WatcherConfig{DB: db, Git: s.git, Services: listOf{target}, Starter: startFunc(func(commit string) { started <- commit })})
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.OnPush = func(_ context.Context, p Push) { w.Poke(Notice{URLs: []string{p.URL}, Branches: []string{p.Branch}}) }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	r.commit("elsewhere", map[string]string{"README": "2"})
	r.git("push", "-q", s.remote("shop"), "main")
	second := r.commit("inside", map[string]string{"app/x": "2"})
	begin := time.Now()
	r.git("push", "-q", s.remote("shop"), "main")
	select {
	case got := <-started:
		t.Logf("started %s after the push began", time.Since(begin))
		if got != second {
			t.Errorf("started %s, want %s", got, second)
		}
	case <-time.After(20 * time.Second):
		t.Error("nothing was started")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

type listOf []Target

func (l listOf) WatchedServices(context.Context) ([]Target, error) { return l, nil }

type startFunc func(commit string)

func (f startFunc) StartDeployment(_ context.Context, _, commit string, _ bool) error {
	f(commit)
	return nil
}
