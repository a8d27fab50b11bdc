package caller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// process gets keys from a program, as credential_process in a profile has it, and asks it again when they are about to end.
type process struct {
	command string
	have    Keys
	until   time.Time // zero: for ever, or not yet asked
}

// early is how long before their end keys are replaced.
const early = time.Minute

func (p *process) keys(ctx context.Context) (Keys, error) {
	if p.have.complete() && (p.until.IsZero() || time.Until(p.until) > early) {
		return p.have, nil
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", p.command)
	cmd.Stderr = os.Stderr
	printed, err := cmd.Output()
	if err != nil {
		return Keys{}, fmt.Errorf("credential_process: %w", err)
	}
	var said struct {
		Version                                    int
		AccessKeyID, SecretAccessKey, SessionToken string
		Expiration                                 time.Time
	}
	if err := json.Unmarshal(printed, &said); err != nil {
		return Keys{}, fmt.Errorf("credential_process: what it printed is not as AWS describes it: %w", err)
	}
	k := Keys{ID: said.AccessKeyID, Secret: said.SecretAccessKey, Token: said.SessionToken}
	if said.Version != 1 || !k.complete() {
		return Keys{}, errors.New("credential_process: it printed no keys in version 1 of the form")
	}
	p.have, p.until = k, said.Expiration
	return k, nil
}
