package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/store"
)

// MFADevice is a virtual authenticator: an app that shows one-time passwords made from a seed. It belongs to nobody until it is
// enabled for a user or for root.
type MFADevice struct {
	Account string
	Name    string
	Path    string
	Tags    map[string]string
	Created time.Time
	// Enabled is when it was enabled; zero for one that belongs to nobody. Then UserName is empty, as it is for root's.
	Enabled  time.Time
	UserName string
}

// Serial is the ARN by which the device is known.
func (m MFADevice) Serial() string { return entityARN(m.Account, "mfa", m.Path, m.Name) }

// Holder is who has MFA devices: a user, or an account's root where UserName is empty.
type Holder struct{ Account, UserName string }

// CodeInvalidAuthenticationCode answers one-time passwords that do not fit.
const CodeInvalidAuthenticationCode apprunner.Code = "InvalidAuthenticationCode"

const (
	purposeSeed = "mfa seed "

	maxMFADevices = 8 // of a user, as AWS has it

	seedBytes = 20 // RFC 4226 asks for at least 16, and recommends this

	// How far, in time steps, the clock of a device may be from ours: when it is used, enabled, and put right again.
	stepsInUse, stepsAtFirst, stepsToResync = 1, 20, 2880
)

var mfaNameForm = form{pattern.Of(`^[\w+=,.@-]+$`), 1, 226}

// CreateMFADevice makes a device and its seed, which is in the answer and cannot be read again.
func (d *Directory) CreateMFADevice(ctx context.Context, m MFADevice) (_ MFADevice, seed string, err error) {
	if m.Path == "" {
		m.Path = "/"
	}
	if !mfaNameForm.MatchString(m.Name) || !pathForm.MatchString(m.Path) {
		return m, "", apprunner.Errorf(CodeValidationError, "The name of a virtual MFA device has 1 to 226 letters, digits and +=,.@_-, its path begins and ends with a slash.")
	}
	if err := checkTags(m.Tags); err != nil {
		return m, "", err
	}
	m.Created = d.now().UTC().Truncate(time.Second)
	raw := make([]byte, seedBytes)
	rand.Read(raw)
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.ExecCount(`INSERT INTO iam_mfa_devices (serial, account, name, path, seed, owner, enabled, drift, used, tags, created)
			VALUES ($1, $2, $3, $4, $5, '', 0, 0, 0, $6, $7) ON CONFLICT DO NOTHING`, m.Serial(), m.Account, m.Name, m.Path,
			d.seal.lock(purposeSeed+m.Serial(), raw), encodeTags(m.Tags), store.Micros(m.Created))
		if err == nil && n == 0 {
			err = apprunner.Errorf(CodeEntityAlreadyExists, "MFADevice entity at the same path and name already exists.")
		}
		return err
	})
	return m, base32.StdEncoding.EncodeToString(raw), err
}

// mfaRow is a device as it is stored. used is the last time step whose password was taken, drift how many steps the device's clock
// is ahead.
type mfaRow struct {
	MFADevice
	owner       string
	seed        []byte
	drift, used int64
}

func noDevice(serial string) error {
	return apprunner.Errorf(CodeNoSuchEntity, "VirtualMFADevice with serial number %s does not exist.", clip(serial))
}

// device reads a device of an account.
func (d *Directory) device(tx *store.Tx, account, serial string) (m mfaRow, err error) {
	var sealed, tags string
	var enabled, created int64
	found, err := tx.Get(`SELECT account, name, path, seed, owner, enabled, drift, used, tags, created FROM iam_mfa_devices WHERE serial = $1 AND account = $2`,
		[]any{serial, account}, &m.Account, &m.Name, &m.Path, &sealed, &m.owner, &enabled, &m.drift, &m.used, &tags, &created)
	if err == nil && !found {
		err = noDevice(serial)
	}
	if err != nil {
		return m, err
	}
	m.Tags, m.Enabled, m.Created = decodeTags(tags), store.Time(enabled), store.Time(created)
	if m.seed, err = d.seal.open(purposeSeed+serial, sealed); err != nil {
		return m, fmt.Errorf("seed of %s cannot be decrypted; does the key file belong to this database?: %w", serial, err)
	}
	return m, nil
}

// owner is the holder as devices name it: a user's id, or the account for root.
func (h Holder) owner(tx *store.Tx) (string, error) {
	if h.UserName == "" {
		return h.Account, nil
	}
	u, err := getUser(tx, h.Account, h.UserName)
	return u.ID, err
}

// held reads a device that must be the holder's.
func (d *Directory) held(tx *store.Tx, h Holder, serial string) (mfaRow, error) {
	owner, err := h.owner(tx)
	if err != nil {
		return mfaRow{}, err
	}
	m, err := d.device(tx, h.Account, serial)
	if err == nil && m.owner != owner {
		err = noDevice(serial)
	}
	return m, err
}

func wrongCodes() error {
	return apprunner.Errorf(CodeInvalidAuthenticationCode, "The authentication codes do not fit the device. Enter two that it shows one after the other.")
}

// EnableMFADevice gives a device to a holder who reads two passwords in a row from it.
func (d *Directory) EnableMFADevice(ctx context.Context, h Holder, serial, code, next string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		owner, err := h.owner(tx)
		if err != nil {
			return err
		}
		m, err := d.device(tx, h.Account, serial)
		if err != nil {
			return err
		}
		if m.owner != "" {
			return apprunner.Errorf(CodeEntityAlreadyExists, "MFA Device is already in use.")
		}
		var has int
		if _, err := tx.Get(`SELECT count(*) FROM iam_mfa_devices WHERE owner = $1`, []any{owner}, &has); err != nil {
			return err
		}
		if has >= maxMFADevices {
			return apprunner.Errorf(CodeLimitExceeded, "Cannot exceed quota for MFADevicesPerUser: %d", maxMFADevices)
		}
		if err := d.settleClock(tx, m, code, next, stepsAtFirst); err != nil {
			return err
		}
		return tx.Exec(`UPDATE iam_mfa_devices SET owner = $1, enabled = $2 WHERE serial = $3`, owner, store.Micros(d.now().UTC().Truncate(time.Second)), serial)
	})
}

// ResyncMFADevice puts the idea of a device's clock right again, by two passwords in a row.
func (d *Directory) ResyncMFADevice(ctx context.Context, h Holder, serial, code, next string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		m, err := d.held(tx, h, serial)
		if err != nil {
			return err
		}
		return d.settleClock(tx, m, code, next, stepsToResync)
	})
}

// settleClock finds out from two passwords in a row how far the clock of a device is from ours.
func (d *Directory) settleClock(tx *store.Tx, m mfaRow, code, next string, away int64) error {
	if wait := d.guesses.wait(m.Serial(), d.now()); wait > 0 {
		return tooManyCodes(wait)
	}
	now := totpAt(d.now())
	step, found := findTOTP(m.seed, code, next, now-1, away, m.used)
	d.guesses.note(m.Serial(), found, d.now())
	if !found {
		return wrongCodes()
	}
	return tx.Exec(`UPDATE iam_mfa_devices SET drift = $1, used = $2 WHERE serial = $3`, step+1-now, step+1, m.Serial())
}

func tooManyCodes(wait time.Duration) error {
	return apprunner.Errorf(apprunner.CodeThrottling, "Too many wrong codes. Try again in %d seconds.", int(wait/time.Second)+1)
}

// DeactivateMFADevice takes a device away from its holder.
func (d *Directory) DeactivateMFADevice(ctx context.Context, h Holder, serial string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := d.held(tx, h, serial); err != nil {
			return err
		}
		return tx.Exec(`UPDATE iam_mfa_devices SET owner = '', enabled = 0 WHERE serial = $1`, serial)
	})
}

// DeleteMFADevice removes a device that belongs to nobody.
func (d *Directory) DeleteMFADevice(ctx context.Context, account, serial string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		m, err := d.device(tx, account, serial)
		if err == nil && m.owner != "" {
			err = apprunner.Errorf(CodeDeleteConflict, "MFA VirtualDevice in use. Must deactivate first.")
		}
		if err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM iam_mfa_devices WHERE serial = $1`, serial)
	})
}

// MFADevices lists the devices of an account by serial number, those of nobody as well.
func (d *Directory) MFADevices(ctx context.Context, account string) (list []MFADevice, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT m.name, m.path, m.enabled, m.tags, m.created, coalesce(u.name, '') FROM iam_mfa_devices m
			LEFT JOIN iam_users u ON u.id = m.owner WHERE m.account = $1 ORDER BY m.serial`, []any{account}, func(row store.Row) error {
			m := MFADevice{Account: account}
			var tags string
			var enabled, created int64
			err := row.Scan(&m.Name, &m.Path, &enabled, &tags, &created, &m.UserName)
			m.Enabled, m.Tags, m.Created = store.Time(enabled), decodeTags(tags), store.Time(created)
			list = append(list, m)
			return err
		})
	})
	return list, err
}

// MFADevicesOf lists the devices of a holder by serial number.
func (d *Directory) MFADevicesOf(ctx context.Context, h Holder) (list []MFADevice, err error) {
	if h.UserName != "" {
		if _, err := d.GetUser(ctx, h.Account, h.UserName); err != nil {
			return nil, err
		}
	}
	all, err := d.MFADevices(ctx, h.Account)
	for _, m := range all {
		if !m.Enabled.IsZero() && fold(m.UserName) == fold(h.UserName) {
			list = append(list, m)
		}
	}
	return list, err
}

// MFADeviceOf finds one device of a holder.
func (d *Directory) MFADeviceOf(ctx context.Context, h Holder, serial string) (m MFADevice, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		row, err := d.held(tx, h, serial)
		m = row.MFADevice
		m.UserName = h.UserName
		return err
	})
	return m, err
}

// holderOf is who may have MFA devices as this principal; false for sessions of roles and federated users.
func holderOf(p Principal) (Holder, bool) {
	return Holder{p.Account, p.UserName}, p.Type == TypeRoot || p.Type == TypeUser
}

// ProveMFA takes a one-time password from one of the caller's own devices. Each password is taken once.
func (d *Directory) ProveMFA(ctx context.Context, p Principal, serial, code string) error {
	refused := apprunner.Errorf(apprunner.CodeAccessDenied, "MultiFactorAuthentication failed with invalid MFA one time pass code.")
	h, can := holderOf(p)
	if !can || serial == "" || len(code) != totpDigits || strings.Trim(code, "0123456789") != "" {
		return refused
	}
	if wait := d.guesses.wait(serial, d.now()); wait > 0 {
		return tooManyCodes(wait)
	}
	return d.db.Update(ctx, func(tx *store.Tx) error {
		m, err := d.held(tx, h, serial)
		if apprunner.CodeOf(err) == CodeNoSuchEntity {
			return apprunner.Errorf(apprunner.CodeAccessDenied, "MultiFactorAuthentication failed, must provide valid MFA serial number and one time pass code.")
		}
		if err != nil {
			return err
		}
		step, found := findTOTP(m.seed, code, "", totpAt(d.now())+m.drift, stepsInUse, m.used)
		d.guesses.note(serial, found, d.now())
		if !found {
			return refused
		}
		// The device may run a little fast or slow: what it shows now tells by how much.
		return tx.Exec(`UPDATE iam_mfa_devices SET drift = $1, used = $2 WHERE serial = $3`, step-totpAt(d.now()), step, serial)
	})
}
