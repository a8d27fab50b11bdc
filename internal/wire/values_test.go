package wire_test

import (
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/wire"
	"slipway.dev/slipway/internal/wire/apprunner"
	"slipway.dev/slipway/internal/wire/cloudwatch"
	"slipway.dev/slipway/internal/wire/ecr"
	"slipway.dev/slipway/internal/wire/iam"
	"slipway.dev/slipway/internal/wire/logs"
	"slipway.dev/slipway/internal/wire/sts"
)

var services = []*wire.Service{&apprunner.API, &cloudwatch.API, &ecr.API, &iam.API, &logs.API, &sts.API}

// unions are structures that the clients have as interfaces; they are left out.
var unions = []string{"EvaluationWindow", "EvaluationCriteria"}

// values draws values of shapes: required members always, others now and then, text in many scripts.
type values struct {
	s *wire.Service
	// sdk keeps to what the AWS clients can tell apart: no empty lists, maps, blobs or strings, no false and no 0.
	sdk bool
}

// of is a generator of pointers to values of the Go type that make makes.
func (g values) of(ref wire.Ref, make func() any) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		rapid.Bool().Draw(t, "") // rapid wants every generator to draw, also of an empty structure
		out := make()
		g.fill(t, reflect.ValueOf(out).Elem(), &g.s.Shapes[ref], 0)
		return out
	})
}

func (g values) fill(t *rapid.T, v reflect.Value, sh *wire.Shape, depth int) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch sh.Kind {
	case wire.Structure:
		for i, m := range sh.Members {
			// An empty structure cannot be written in a form: the clients' have their first member at least.
			if g.sdk && slices.Contains(unions, g.s.Shapes[m.Shape].Name) {
				continue
			}
			if m.Required || g.sdk && i == 0 || depth < 8 && rapid.IntRange(0, 3).Draw(t, "present") > 0 {
				g.fill(t, v.Field(i), &g.s.Shapes[m.Shape], depth+1)
			}
		}
	case wire.List:
		n := rapid.IntRange(g.least(), 3).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			g.fill(t, v.Index(i), &g.s.Shapes[sh.Value], depth+1)
		}
	case wire.Map:
		g.fillMap(t, v, sh, depth)
	default:
		g.scalar(t, v, sh)
	}
}

func (g values) least() int {
	if g.sdk {
		return 1
	}
	return 0
}

func (g values) fillMap(t *rapid.T, v reflect.Value, sh *wire.Shape, depth int) {
	v.Set(reflect.MakeMap(v.Type()))
	for range rapid.IntRange(g.least(), 3).Draw(t, "length") {
		k := reflect.New(v.Type().Key()).Elem()
		g.scalar(t, k, &g.s.Shapes[sh.Key])
		e := reflect.New(v.Type().Elem()).Elem()
		g.fill(t, e, &g.s.Shapes[sh.Value], depth+1)
		v.SetMapIndex(k, e)
	}
}

func (g values) scalar(t *rapid.T, v reflect.Value, sh *wire.Shape) {
	switch sh.Kind {
	case wire.String:
		if len(sh.Enum) > 0 {
			v.SetString(rapid.SampledFrom(sh.Enum).Draw(t, "enum"))
			return
		}
		v.SetString(g.text(t))
	case wire.Boolean:
		v.SetBool(rapid.Bool().Draw(t, "bool") || g.sdk)
	case wire.Integer:
		v.SetInt(g.notZero(int64(rapid.Int32().Draw(t, "int"))))
	case wire.Long:
		v.SetInt(g.notZero(rapid.Int64().Draw(t, "long")))
	case wire.Float, wire.Double:
		v.SetFloat(rapid.Float64().Draw(t, "float"))
	case wire.Timestamp:
		v.Set(reflect.ValueOf(time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "ms")).UTC()))
	case wire.Blob:
		v.SetBytes(rapid.SliceOfN(rapid.Byte(), g.least(), 20).Draw(t, "blob"))
	}
}

func (g values) notZero(n int64) int64 {
	if g.sdk && n == 0 {
		return 1
	}
	return n
}

func (g values) text(t *rapid.T) string {
	if g.sdk {
		// XML cannot carry control characters.
		return rapid.StringOfN(rapid.RuneFrom([]rune("abcXYZ019 \t\n\"'\\/<>&%+=;,.:-_äß日本語🚀\u2028")), 1, 12, -1).Draw(t, "text")
	}
	return rapid.StringN(0, 12, -1).Draw(t, "text")
}
