package wire_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/wire"
	"slipway.dev/slipway/internal/wire/iam"
	"slipway.dev/slipway/internal/wire/sts"
)

// toy has what the models of today do not: flattened collections and renamed entries.
type toyIn struct {
	Names []string
	Plain []string
	Attrs map[string]string
	Inner *toyInner
	Data  []byte
	At    *time.Time
	Ratio *float64
	On    *bool
	Count *int32
}

type toyInner struct{ Text *string }

var toy = wire.Service{
	Name: "toy", Protocol: wire.Query, Namespace: "urn:toy",
	Shapes: []wire.Shape{
		{Kind: wire.Structure, Members: []wire.Member{
			{Name: "Names", Shape: 2, Alias: "Name"},
			{Name: "Plain", Shape: 3},
			{Name: "Attrs", Shape: 4, Alias: "Attribute"},
			{Name: "Inner", Shape: 5},
			{Name: "Data", Shape: 6},
			{Name: "At", Shape: 7},
			{Name: "Ratio", Shape: 8},
			{Name: "On", Shape: 9},
			{Name: "Count", Shape: 10},
		}},
		{Kind: wire.String},
		{Kind: wire.List, Value: 1, Flattened: true},
		{Kind: wire.List, Value: 1, Item: "item"},
		{Kind: wire.Map, Key: 1, Value: 1, Flattened: true, ItemKey: "Name", ItemValue: "Value"},
		{Kind: wire.Structure, Members: []wire.Member{{Name: "Text", Shape: 1}}},
		{Kind: wire.Blob},
		{Kind: wire.Timestamp},
		{Kind: wire.Double},
		{Kind: wire.Boolean},
		{Kind: wire.Integer},
	},
	Operations: []wire.Operation{{Name: "Do", Input: 0, NewInput: func() any { return new(toyIn) }, Output: 0, NewOutput: func() any { return new(toyIn) }, ResultWrapper: "DoResult"}},
}

func decodeForm(s *wire.Service, op, form string) (any, error) {
	return s.Decode(s.Operation(op), wire.Request{Body: []byte(form)})
}

func TestQueryFlattenedAndRenamed(t *testing.T) {
	got, err := decodeForm(&toy, "Do", "Name.10=c&Name.2=b&Name.1=a&Plain.item.1=x&Attribute.1.Name=k&Attribute.1.Value=v+1&Inner.Text=%C3%BC%00&Data=AQI%3D&At=1606156217.5&Ratio=0.5&On=true&Count=-3&Count=9&Other=1")
	if err != nil {
		t.Fatal(err)
	}
	want := &toyIn{
		Names: []string{"a", "b", "c"}, Plain: []string{"x"}, Attrs: map[string]string{"k": "v 1"}, Inner: &toyInner{Text: new("ü\x00")},
		Data: []byte{1, 2}, At: new(time.UnixMilli(1606156217500).UTC()), Ratio: new(0.5), On: new(true), Count: new(int32(-3)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	res := toy.Encode(&toy.Operations[0], want, "id-1")
	if x := string(res.Body); x != `<DoResponse xmlns="urn:toy"><DoResult><Name>a</Name><Name>b</Name><Name>c</Name><Plain><item>x</item></Plain>`+
		`<Attribute><Name>k</Name><Value>v 1</Value></Attribute><Inner><Text>ü`+"\uFFFD"+`</Text></Inner><Data>AQI=</Data><At>2020-11-23T18:30:17.5Z</At><Ratio>0.5</Ratio><On>true</On><Count>-3</Count></DoResult>`+
		`<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DoResponse>` {
		t.Errorf("got %s", x)
	}
}

func TestQueryRequestErrorsNameTheMember(t *testing.T) {
	for _, tc := range []struct{ name, form, want string }{
		{"text for a number", "MaxItems=many", "MaxItems: expected a whole number of 32 bits"},
		{"position that is no number", "Tags.member.x.Key=a", `Tags: expected a number from 1 as the position of an entry, got "x"`},
		{"position zero", "Tags.member.0.Key=a", `Tags: expected a number from 1 as the position of an entry, got "0"`},
		{"structure for a value", "UserName.member.1=a", "UserName: expected a value, got a structure"},
		{"broken escape", "UserName=%zz", "the form is not properly URL-encoded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			op := "CreateUser"
			if tc.name == "text for a number" {
				op = "ListUsers"
			}
			_, err := decodeForm(&iam.API, op, tc.form)
			var serr *wire.SerializationError
			if !errors.As(err, &serr) || serr.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestQueryEmptyListIsPresent(t *testing.T) {
	got, err := decodeForm(&iam.API, "CreateUser", "UserName=&Tags=")
	if err != nil {
		t.Fatal(err)
	}
	if in := got.(*iam.CreateUserRequest); in.Tags == nil || len(in.Tags) != 0 || in.UserName == nil || in.Path != nil {
		t.Errorf("got %+v", in)
	}
}

func TestActionOfARequest(t *testing.T) {
	for _, r := range []wire.Request{
		{Body: []byte("Action=GetCallerIdentity&Version=2011-06-15")},
		{RawQuery: "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=0"},
	} {
		if a, v := wire.Action(r); a != "GetCallerIdentity" || v != sts.API.Version {
			t.Errorf("got %q, %q", a, v)
		}
	}
	if a, v := wire.Action(wire.Request{Body: []byte(`{"a":1}`)}); a != "" || v != "" {
		t.Errorf("got %q, %q", a, v)
	}
}
