package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// index is the page that every address of the console shows.
const index = "index.html"

// bundle is a built console by its files' names, index.html among them.
type bundle map[string]*file

// file is one of them, in the two compressed forms it comes in.
type file struct {
	name           string
	brotli, zipped []byte
	tag            string // of its content; the forms add theirs
}

func (b bundle) has(name string) bool { return b[name] != nil }

// load reads a bundle: name.br and name.gz are the forms of one file. Other files are passed over.
func load(files fs.FS) (bundle, error) {
	b := bundle{}
	err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		name, isZipped := strings.CutSuffix(p, ".gz")
		if err != nil || d.IsDir() || !isZipped {
			return err
		}
		f := &file{name: name}
		var err1, err2 error
		f.zipped, err1 = fs.ReadFile(files, p)
		f.brotli, err2 = fs.ReadFile(files, name+".br")
		if err1 != nil || err2 != nil {
			return fmt.Errorf("console: the bundle is not whole: %v, %v", err1, err2)
		}
		sum := sha256.Sum256(f.zipped)
		f.tag, b[name] = hex.EncodeToString(sum[:12]), f
		return nil
	})
	return b, err
}

// ServeHTTP answers with a file, and with the page for every other address: it knows its own.
func (b bundle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/console/")
	f := b[name]
	switch {
	case f == nil && strings.HasPrefix(name, "assets/"):
		http.NotFound(w, r) // a part of another version
		return
	case f == nil:
		f = b[index]
	}
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", mime.TypeByExtension(path.Ext(f.name)))
	head.Set("Vary", "Accept-Encoding")
	head.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(f.name, "assets/") { // their names say what is in them
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	content, form := f.form(r.Header.Get("Accept-Encoding"))
	if form != "" {
		head.Set("Content-Encoding", form)
	}
	head.Set("ETag", `"`+f.tag+form+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// form chooses what the client takes; few take neither, and for them the file is unpacked each time.
func (f *file) form(accepted string) (content []byte, encoding string) {
	switch {
	case takes(accepted, "br"):
		return f.brotli, "br"
	case takes(accepted, "gzip"):
		return f.zipped, "gzip"
	}
	r, err := gzip.NewReader(bytes.NewReader(f.zipped))
	if err != nil {
		return nil, ""
	}
	content, err = io.ReadAll(r)
	if err != nil {
		return nil, ""
	}
	return content, ""
}

// takes reads an Accept-Encoding header (RFC 9110 §12.5.3); what has a weight of 0 is not wanted.
func takes(accepted, encoding string) bool {
	for part := range strings.SplitSeq(accepted, ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}
