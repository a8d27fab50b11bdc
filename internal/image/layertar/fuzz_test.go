package layertar_test

import (
	"archive/tar"
	"bytes"
	"testing"

	"slipway.dev/slipway/internal/image/layertar"
)

// Whatever a tar holds, unpacking it ends, and touches nothing outside of its directory.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("not a tar"))
	var seed bytes.Buffer
	tw := tar.NewWriter(&seed)
	for _, h := range []tar.Header{
		{Name: "d/", Typeflag: tar.TypeDir},
		{Name: "d/f", Size: 3},
		{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/d"},
		{Name: "l/g", Size: 0},
		{Name: "h", Typeflag: tar.TypeLink, Linkname: "l/f"},
		{Name: ".wh.x"},
		{Name: "d/.wh..wh..opq"},
		{Name: "p", Typeflag: tar.TypeFifo},
	} {
		if err := tw.WriteHeader(&h); err != nil {
			f.Fatal(err)
		}
		tw.Write(make([]byte, h.Size))
	}
	tw.Close()
	f.Add(seed.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		_, _ = layertar.Unpack(t.Context(), bytes.NewReader(content), t.TempDir(), layertar.Limits{Bytes: 1 << 16, Entries: 64})
	})
}
