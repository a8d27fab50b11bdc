package api

import (
	"context"
	"fmt"
	"net/url"

	"rsc.io/qr"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addMFA(m map[string]Action) {
	m["CreateVirtualMFADevice"] = query(a, "CreateVirtualMFADevice", a.createMFADevice)
	m["DeleteVirtualMFADevice"] = order(a, "DeleteVirtualMFADevice", func(ctx context.Context, c Call, in *wire.DeleteVirtualMFADeviceRequest) error {
		return a.dir.DeleteMFADevice(ctx, c.Scope.Account, val(in.SerialNumber))
	})
	m["EnableMFADevice"] = order(a, "EnableMFADevice", a.enableMFADevice)
	m["DeactivateMFADevice"] = order(a, "DeactivateMFADevice", a.deactivateMFADevice)
	m["ResyncMFADevice"] = order(a, "ResyncMFADevice", a.resyncMFADevice)
	m["ListMFADevices"] = query(a, "ListMFADevices", a.listMFADevices)
	m["ListVirtualMFADevices"] = query(a, "ListVirtualMFADevices", a.listVirtualMFADevices)
	m["GetMFADevice"] = query(a, "GetMFADevice", a.getMFADevice)
}

// holder is whose MFA devices a request is about: the caller's own where it names nobody. Root names itself by the id of the
// account.
func (a *identity) holder(c Call, named *string) (iam.Holder, error) {
	if c.Principal.Type == iam.TypeRoot && val(named) == c.Scope.Account {
		return iam.Holder{Account: c.Scope.Account}, nil
	}
	user, err := a.userOrSelf(c, val(named))
	return iam.Holder{Account: c.Scope.Account, UserName: user}, err
}

func (a *identity) createMFADevice(ctx context.Context, c Call, in *wire.CreateVirtualMFADeviceRequest) (*wire.CreateVirtualMFADeviceResponse, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	m, seed, err := a.dir.CreateMFADevice(ctx, iam.MFADevice{Account: c.Scope.Account, Name: val(in.VirtualMFADeviceName), Path: val(in.Path), Tags: tags})
	if err != nil {
		return nil, err
	}
	picture, err := qr.Encode(seedURL(m, seed), qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw the code of an MFA device: %w", err)
	}
	return &wire.CreateVirtualMFADeviceResponse{VirtualMFADevice: &wire.VirtualMFADevice{
		SerialNumber: new(m.Serial()), Base32StringSeed: []byte(seed), QRCodePNG: picture.PNG(), Tags: orNil(tagList(m.Tags)),
	}}, nil
}

// seedURL is what authenticator apps read from the picture.
func seedURL(m iam.MFADevice, seed string) string {
	return "otpauth://totp/" + url.PathEscape("Slipway:"+m.Name+"@"+m.Account) + "?secret=" + seed + "&issuer=Slipway"
}

func (a *identity) enableMFADevice(ctx context.Context, c Call, in *wire.EnableMFADeviceRequest) error {
	h, err := a.holder(c, in.UserName)
	if err != nil {
		return err
	}
	return a.dir.EnableMFADevice(ctx, h, val(in.SerialNumber), val(in.AuthenticationCode1), val(in.AuthenticationCode2))
}

func (a *identity) deactivateMFADevice(ctx context.Context, c Call, in *wire.DeactivateMFADeviceRequest) error {
	h, err := a.holder(c, in.UserName)
	if err != nil {
		return err
	}
	return a.dir.DeactivateMFADevice(ctx, h, val(in.SerialNumber))
}

func (a *identity) resyncMFADevice(ctx context.Context, c Call, in *wire.ResyncMFADeviceRequest) error {
	h, err := a.holder(c, in.UserName)
	if err != nil {
		return err
	}
	return a.dir.ResyncMFADevice(ctx, h, val(in.SerialNumber), val(in.AuthenticationCode1), val(in.AuthenticationCode2))
}

func (a *identity) listMFADevices(ctx context.Context, c Call, in *wire.ListMFADevicesRequest) (*wire.ListMFADevicesResponse, error) {
	h, err := a.holder(c, in.UserName)
	if err != nil {
		return nil, err
	}
	list, err := a.dir.MFADevicesOf(ctx, h)
	if err != nil {
		return nil, err
	}
	list, truncated, next, err := cut(list, iam.MFADevice.Serial, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := make([]wire.MFADevice, len(list))
	for i, m := range list {
		out[i] = wire.MFADevice{UserName: new(holderName(m)), SerialNumber: new(m.Serial()), EnableDate: &m.Enabled}
	}
	return &wire.ListMFADevicesResponse{MFADevices: out, IsTruncated: truncated, Marker: next}, nil
}

// holderName is the user a device belongs to, or the account for root's, which has no user name but must have one here.
func holderName(m iam.MFADevice) string {
	if m.UserName == "" {
		return m.Account
	}
	return m.UserName
}

func (a *identity) listVirtualMFADevices(ctx context.Context, c Call, in *wire.ListVirtualMFADevicesRequest) (*wire.ListVirtualMFADevicesResponse, error) {
	all, err := a.dir.MFADevices(ctx, c.Scope.Account)
	if err != nil {
		return nil, err
	}
	var list []iam.MFADevice
	for _, m := range all {
		switch val(in.AssignmentStatus) {
		case wire.AssignmentStatusTypeAssigned:
			if m.Enabled.IsZero() {
				continue
			}
		case wire.AssignmentStatusTypeUnassigned:
			if !m.Enabled.IsZero() {
				continue
			}
		}
		list = append(list, m)
	}
	list, truncated, next, err := cut(list, iam.MFADevice.Serial, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := make([]wire.VirtualMFADevice, len(list))
	for i, m := range list {
		if out[i], err = a.virtualDeviceOut(ctx, m); err != nil {
			return nil, err
		}
	}
	return &wire.ListVirtualMFADevicesResponse{VirtualMFADevices: out, IsTruncated: truncated, Marker: next}, nil
}

func (a *identity) virtualDeviceOut(ctx context.Context, m iam.MFADevice) (wire.VirtualMFADevice, error) {
	out := wire.VirtualMFADevice{SerialNumber: new(m.Serial())}
	if m.Enabled.IsZero() {
		return out, nil
	}
	out.EnableDate = &m.Enabled
	if m.UserName == "" {
		out.User = &wire.User{UserName: new("root"), Path: new("/"), UserId: &m.Account, Arn: new(iam.RootARN(m.Account)), CreateDate: &m.Created}
		return out, nil
	}
	u, err := a.dir.GetUser(ctx, m.Account, m.UserName)
	out.User = userOut(u)
	out.User.Tags = nil
	return out, err
}

func (a *identity) getMFADevice(ctx context.Context, c Call, in *wire.GetMFADeviceRequest) (*wire.GetMFADeviceResponse, error) {
	h, err := a.holder(c, in.UserName)
	if err != nil {
		return nil, err
	}
	m, err := a.dir.MFADeviceOf(ctx, h, val(in.SerialNumber))
	if err != nil {
		return nil, err
	}
	return &wire.GetMFADeviceResponse{UserName: new(holderName(m)), SerialNumber: new(m.Serial()), EnableDate: &m.Enabled}, nil
}
