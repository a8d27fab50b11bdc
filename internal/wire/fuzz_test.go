package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"slipway.dev/slipway/internal/wire"
	"slipway.dev/slipway/internal/wire/cloudwatch"
	"slipway.dev/slipway/internal/wire/ec2"
)

// pick chooses an operation with an input by a number.
func pick(query bool, n uint16) (*wire.Service, *wire.Operation) {
	var all []struct {
		s  *wire.Service
		op *wire.Operation
	}
	for _, s := range append(services[:len(services):len(services)], &ec2.API) {
		if s.Speaks(wire.JSON10) {
			s = s.In(wire.JSON10)
		}
		for i := range s.Operations {
			if s.Protocol.Form() == query && s.Operations[i].Input != wire.None {
				all = append(all, struct {
					s  *wire.Service
					op *wire.Operation
				}{s, &s.Operations[i]})
			}
		}
	}
	c := all[int(n)%len(all)]
	return c.s, c.op
}

// What is accepted is JSON for the standard library too, and survives being written and read again (an absent required
// list is written empty).
func FuzzJSONRequest(f *testing.F) {
	for i, body := range []string{
		``, `{}`, `null`, `{"ServiceName":"web","Tags":[{"Key":"a","Value":null}],"x":[1,{"y":-0.5e3}]}`,
		`{"MaxResults":5,"NextToken":"\ud83d\ude80"}`, `{"layerPartBlob":"AQI=","partFirstByte":0}`, `{"logEvents":[{"timestamp":1,"message":"m"}]}`,
	} {
		for n := range 20 {
			f.Add(uint16(i*20+n), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, body []byte) {
		s, op := pick(false, n)
		in, err := s.Decode(op, wire.Request{Body: body})
		if err != nil {
			var serr *wire.SerializationError
			if !errors.As(err, &serr) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if !json.Valid(body) && len(bytes.Trim(body, " \t\r\n")) > 0 {
			t.Fatalf("accepted %q", body)
		}
		_ = s.Validate(op, in)
		_, written := s.EncodeRequest(op, in)
		again, err := s.Decode(op, wire.Request{Body: written})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzQueryRequest(f *testing.F) {
	for n := range uint16(100) {
		f.Add(n, []byte("Action=CreateUser&UserName=a&Tags.member.1.Key=k&Tags.member.1.Value=v&Tags.member.7.Key=&DurationSeconds=900&Policy=%7B%7D"))
		f.Add(300+n, []byte("Action=CreateVpc&VpcId.1=a&VpcId.3=b&CidrBlock=10.0.0.0%2F16&Filter.1.Name=tag%3Aa&Filter.1.Value.1=b&TagSpecification.1.Tag.1.Key=k&MaxResults=5"))
	}
	f.Fuzz(func(t *testing.T, n uint16, body []byte) {
		s, op := pick(true, n)
		in, err := s.Decode(op, wire.Request{Body: body})
		if err != nil {
			var serr *wire.SerializationError
			if !errors.As(err, &serr) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		_ = s.Validate(op, in)
	})
}

// What is accepted survives being written and read again.
func FuzzCBORRequest(f *testing.F) {
	s := &cloudwatch.API
	for i := range s.Operations {
		op := &s.Operations[i]
		for seed := range 3 {
			in := values{s: s}.of(op.Input, op.NewInput).Example(seed)
			f.Add(uint16(i), s.AppendCBOR(in, op.Input))
		}
	}
	// Text of untold length, a half float, an unknown member with a tag, a null.
	f.Add(uint16(0), []byte("\xbf\x6aAlarmNames\x9f\x7f\x61a\x61b\xff\xff\x61x\xc1\xf9\x3c\x00\x61y\xf6\xff"))
	f.Fuzz(func(t *testing.T, n uint16, body []byte) {
		op := &s.Operations[int(n)%len(s.Operations)]
		in, err := s.Decode(op, wire.Request{Body: body})
		if err != nil {
			var serr *wire.SerializationError
			if !errors.As(err, &serr) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		_ = s.Validate(op, in)
		again, err := s.Decode(op, wire.Request{Body: s.AppendCBOR(in, op.Input)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, again, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
			t.Fatal(diff)
		}
	})
}
