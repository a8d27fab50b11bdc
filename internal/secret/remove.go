package secret

import (
	"context"
	"errors"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// The days a deleted secret may be restored.
const (
	minWindow     = 7
	maxWindow     = 30
	defaultWindow = 30
)

// Delete marks a secret for deletion after a number of days, 7 to 30 (0: 30), in which it may be restored. With force it is gone at
// once, and one that is not there is no error.
func (s *Secrets) Delete(ctx context.Context, sc apprunner.Scope, id string, days int64, force bool) (x Secret, err error) {
	switch {
	case force && days != 0:
		return x, invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case days != 0 && (days < minWindow || days > maxWindow):
		return x, invalid("RecoveryWindowInDays is %d; %d to %d days are allowed.", days, minWindow, maxWindow)
	case days == 0:
		days = defaultWindow
	}
	err = s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet()
		if err := s.purge(tx); err != nil {
			return err
		}
		now := s.now()
		if force {
			x, err = s.find(tx, sc, id)
			if apprunner.CodeOf(err) == apprunner.CodeNotFound {
				x = absent(sc, id)
				x.PurgeAt = now
				return nil
			}
			x.PurgeAt = now
			return errors.Join(err, remove(tx, x))
		}
		if x, err = s.living(tx, sc, id); err != nil {
			return err
		}
		x.DeletedAt, x.PurgeAt = now, now.AddDate(0, 0, int(days))
		return write(tx, x)
	})
	return x, err
}

// absent is what is known of a secret that is not there.
func absent(sc apprunner.Scope, id string) Secret {
	home, name, isARN := locate(sc, id)
	if short, suffix, full := cutSuffix(name); isARN && full {
		return Secret{Scope: home, Name: short, Suffix: suffix}
	}
	return Secret{Scope: home, Name: name, Suffix: newSuffix()}
}

// Restore takes the mark of deletion away; a living secret stays as it is.
func (s *Secrets) Restore(ctx context.Context, sc apprunner.Scope, id string) (x Secret, err error) {
	err = s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet()
		if x, err = s.find(tx, sc, id); err != nil {
			return err
		}
		x.DeletedAt, x.PurgeAt = time.Time{}, time.Time{}
		return write(tx, x)
	})
	return x, err
}

// Purge removes the secrets whose time to be restored is over. It writes only where there are any.
func (s *Secrets) Purge(ctx context.Context) error {
	due := false
	err := s.conf.DB.View(ctx, func(tx *store.Tx) (err error) {
		var one int
		due, err = tx.Get(`SELECT 1 FROM secrets WHERE purge_at > 0 AND purge_at <= $1 LIMIT 1`, []any{store.Micros(s.now())}, &one)
		return err
	})
	if err != nil || !due {
		return err
	}
	return s.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error { return s.purge(tx) })
}

func (s *Secrets) purge(tx *store.Tx) error {
	var over []Secret
	err := tx.Each(`SELECT body FROM secrets WHERE purge_at > 0 AND purge_at <= $1`, []any{store.Micros(s.now())}, func(row store.Row) error {
		x, err := scan(row)
		over = append(over, x)
		return err
	})
	for _, x := range over {
		err = errors.Join(err, remove(tx, x))
	}
	return err
}

func remove(tx *store.Tx, x Secret) error {
	return errors.Join(
		tx.Exec(`DELETE FROM secrets WHERE account = $1 AND region = $2 AND name = $3`, x.Account, x.Region, x.Name),
		tx.Exec(`DELETE FROM secret_values WHERE arn = $1`, x.ARN()))
}
